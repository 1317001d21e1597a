"""Gangs: members that run at the same time and send each other messages."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mu.attempts import Attempts, Together
from mu.engines.workers import Workers
from mu.errors import (
    ChannelClosed,
    MessageError,
    NotEnoughConcurrency,
    PeerFailed,
    TaskFailed,
)
from mu.futures import Future
from mu.hedge import Hedge
from mu.messages.channel import ending
from mu.messages.comm import DONE, published_wait
from mu.messages.opening import only_workers_reach

_LOOK_S = 1.0
"""How often a hedged gang is looked after."""

_FORGETTING_S = 30.0
"""How long a gang's end waits for a worker that removes its messages."""


class Gang:
    """One gang, which tells its members of each other's ends."""

    def __init__(
        self, name: str, members: Sequence[Together], workers: Workers, hedge: Hedge
    ) -> None:
        """Makes a gang, of which nobody has begun.

        Args:
            name: no other gang of the workers has it.
            members: each member's calls, by rank.
            workers: who runs them.
            hedge: makes second copies of members, if any are wanted.
        """
        self._name = name
        self._members = members
        self._futures = [member.future for member in members]
        self._workers = workers
        self._hedge = hedge
        self._ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        for rank, future in enumerate(self._futures):
            future.add_done_callback(lambda _, rank=rank: self._ended.put(rank))  # type: ignore[misc]
        for member in members:
            hedge.watch(member)
        hedge.complete()

    def run(self, attempts: Attempts) -> list[Any]:
        """Run it to its end, in this thread: a channel that has gone answers late.

        Args:
            attempts: begins those of members.

        Returns:
            What the members returned.

        Raises:
            NotEnoughConcurrency: the members could not begin together.
            TaskFailed: see `mu.Executor.gang`.
            ChannelClosed: what carries the messages is gone; the gang has ended.
        """
        try:
            attempts.begin_gang(self._members)
            self._tell_of_ends()
        finally:
            for future in self._futures:
                future.cancel()
            with contextlib.suppress(MessageError):
                self._workers.channel.forget(self._name)
            store = self._workers.store
            store.delete_all(store.list(f"{self._name}/"))
        self._raise_the_cause()
        return [future.result() for future in self._futures]

    def _tell_of_ends(self) -> None:
        """Tell the others of each member's end, until all have ended."""
        left = len(self._futures)
        while left:
            try:
                rank = self._ended.get(timeout=_LOOK_S if self._hedge.wanted else None)
            except queue.Empty:
                self._hedge.copy_blockers(self._waiting())
                continue
            left -= 1
            if not self._futures[rank].cancelled():
                how = _how_it_ended(self._futures[rank])
                self._workers.channel.put(ending(self._name, rank), how)
                _raise_if_no_room(self._futures[rank])  # none of the others will go on

    def _waiting(self) -> set[Future[Any]]:
        """The members that have waited for another for a while."""
        channel = self._workers.channel
        return {
            future
            for rank, future in enumerate(self._futures)
            if not future.done() and published_wait(channel, self._name, rank) is not None
        }

    def _raise_the_cause(self) -> None:
        """Raise the failure of a member, if any failed; most fail because another has before."""
        failures = [error for one in self._futures if (error := one.exception()) is not None]
        for error in failures:
            if isinstance(error, TaskFailed) and error.error == ChannelClosed.__name__:
                raise ChannelClosed(error.message)
        for error in (*(one for one in failures if not _is_of_a_peer(one)), *failures):
            raise error


def forget(
    told: Mapping[str, Any], begin: Callable[[Future[None]], None], end: Callable[[], None]
) -> None:
    """Remove the messages of a gang that has ended, if only workers reach them.

    Args:
        told: what its members were told.
        begin: begins the call of a worker that removes them.
        end: is called once they are removed, or after a while: messages expire anyhow.
    """
    if not only_workers_reach(told["channel"]):
        end()
        return
    forgotten = Future[None]()
    limit = threading.Timer(_FORGETTING_S, forgotten.cancel)
    limit.daemon = True

    def ended(_: object) -> None:
        limit.cancel()
        end()

    forgotten.add_done_callback(ended)
    limit.start()
    try:
        begin(forgotten)
    except Exception:  # the gang's own end counts
        forgotten.cancel()


def _how_it_ended(member: Future[Any]) -> bytes:
    """What the others are told of a member that has ended for good."""
    error = member.exception()
    if isinstance(error, TaskFailed):
        return f"{error.error}: {error.message}".encode()
    return DONE if error is None else str(error).encode()


def _raise_if_no_room(member: Future[Any]) -> None:
    error = member.exception()
    if isinstance(error, TaskFailed) and error.error == NotEnoughConcurrency.__name__:
        raise NotEnoughConcurrency(error.message)


def _is_of_a_peer(error: BaseException) -> bool:
    """Whether a member of a gang failed because another had failed before."""
    return isinstance(error, TaskFailed) and error.error == PeerFailed.__name__
