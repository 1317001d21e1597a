"""Opens the workers of the place that an executor names."""

from __future__ import annotations

from collections.abc import Sequence

from mu.engines.machine.workers import MachineWorkers
from mu.engines.workers import Workers
from mu.messages.opening import SOCKETS, STORE
from mu.packages.declared import Entry, check_here
from mu.store.protocol import Store

HERE = "here"
"""Processes of this machine."""


def open_workers(
    on: str,
    *,
    workers: int | None,
    memory_mb: int | None,
    per_worker: int,
    architecture: str | None,
    channel: str | None,
    store: Store | None,
    packages: Sequence[Entry],
) -> Workers:
    """Begins the workers of one executor.

    Args:
        on: where they are: "here", or "stack:NAME".
        workers: see `mu.Executor`, as for all that follow.
        memory_mb: there called ``memory``.
        per_worker: see there.
        architecture: see there.
        channel: see there.
        store: see there.
        packages: see there.

    Raises:
        ValueError: an option makes no sense, there or anywhere.
        StackError: there is no such stack, or it has no such workers.
        PackageError: a package is not to be had for the workers, or not here.
        ChannelClosed: the server does not answer.
        ChannelRefused: there is no such channel, or the server refuses the user.
    """
    for name, count in (("workers", workers), ("memory", memory_mb), ("per_worker", per_worker)):
        if count is not None and count < 1:
            raise ValueError(f"{name} is at least 1, not {count}")
    kind, _, stack = on.partition(":")
    if kind == "stack" and stack:
        if store is not None:
            raise ValueError(f"{on} has a store of its own: leave out store=")
        # Executors of one machine begin faster without the AWS SDK.
        from mu.engines.stack.deployment import Deployment
        from mu.engines.stack.workers import StackWorkers

        return StackWorkers(
            Deployment.find(stack),
            workers=workers,
            memory_mb=memory_mb,
            per_worker=per_worker,
            architecture=architecture,
            channel=channel or STORE,
            packages=packages,
        )
    if on != HERE:
        raise ValueError(f'an executor is on "{HERE}" or on "stack:NAME", not on {on!r}')
    if packages:
        check_here(packages)
    return MachineWorkers(workers, store, channel or SOCKETS)
