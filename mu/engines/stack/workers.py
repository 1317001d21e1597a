"""Workers of a deployed stack: calls travel in shares, which a state machine hands to functions."""

from __future__ import annotations

import re
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mu.commands.staging import Staging
from mu.engines.call import Call, Cancelled
from mu.engines.stack.deployment import Deployment, most_at_once
from mu.engines.stack.dispatcher import Dispatcher
from mu.engines.stack.packages import Stored, upload
from mu.engines.stack.sender import SPARE_S, Sender
from mu.engines.stack.share import Keys
from mu.errors import NotEnoughConcurrency, PackageError, StackError
from mu.messages.opening import STORE, begin_channel
from mu.packages.declared import Entry, collect
from mu.packing import travels_by_value
from mu.store.below import StoreBelow
from mu.store.protocol import REQUESTS_AT_ONCE, Store
from mu.store.s3.bucket import S3Store
from mu.timelines import STACK_PLACE, TimelineWriter

_KEPT_FREE = 3
"""Functions that must run beside the workers, if the account has few."""

_TIMELINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")

ROLL_CALL_S = 60.0
"""How long the members of a gang wait for the last of them."""


class StackWorkers:
    """The workers of one executor on a stack; the same methods as those of a machine.

    Attributes:
        job: the job's name.
        size: how many calls can run at once.
        store: what its calls may read and write.
        packages: what is there besides Python and mu.
    """

    def __init__(
        self,
        deployment: Deployment,
        *,
        workers: int | None = None,
        memory_mb: int | None = None,
        architecture: str | None = None,
        per_worker: int = 1,
        channel: str = STORE,
        packages: Sequence[Entry] = (),
    ) -> None:
        """Begins a job.

        Args:
            deployment: the stack.
            workers: the most that may run at once; None for what the account has.
            memory_mb: memory of a call; None for the smallest workers.
            architecture: of the workers; None for the stack's own.
            per_worker: how many calls share a worker's memory and processors at the same time.
            channel: see `Deployment.channel`.
            packages: what calls import beside what is there.

        Raises:
            StackError: the stack has no such workers, or AWS does not answer.
            PackageError: a package is not to be had for them.
            StoreError: a package cannot be stored.
            ChannelClosed: the server does not answer.
            ChannelRefused: there is no such channel, or the server refuses the user.
        """
        if deployment.timeout_s <= SPARE_S:
            # An environment that has so little time left begins no call.
            raise StackError(
                f"workers of {deployment.name} end after {deployment.timeout_s} s: executors need "
                f"a timeout_s of more than {SPARE_S:g}"
            )
        self.job = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        self.deployment = deployment
        self._keys = Keys(self.job)
        self._architecture = architecture or deployment.architecture
        self._sizes = deployment.sizes(self._architecture)
        self._memory_mb = deployment.fitting(self._architecture, memory_mb or 0)
        most = most_at_once()
        self.size = min(workers or most, max(1, most - _KEPT_FREE))
        self.packages = frozenset(deployment.packages.get(self._architecture, ()))
        self._bucket = S3Store(deployment.bucket)
        stored = self._stored_packages(packages) if packages else []
        self.store: Store = StoreBelow(self._bucket, self._keys.data)
        self._channel_url, self.channel = begin_channel(
            deployment.channel(channel), self.store, self._keys.messages
        )
        self._requests = ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="mu request")
        sender = Sender(
            deployment,
            self._keys,
            self._bucket,
            self._requests,
            architecture=self._architecture,
            memory_mb=self._memory_mb,
            size=self.size,
            per_worker=per_worker,
            packages=stored,
        )
        self._dispatcher = Dispatcher(self._keys, self._bucket, sender, self._requests)

    def _stored_packages(self, packages: Sequence[Entry]) -> list[Stored]:
        """Bring packages to the store; `packages` has their modules from now on."""
        deployment, architecture = self.deployment, self._architecture
        if not deployment.kept_days:
            raise PackageError(
                f"workers of {deployment.name} take no packages: deploy it again with this version"
            )
        with tempfile.TemporaryDirectory(prefix="mu-") as folder:
            found = collect(
                packages,
                Path(folder),
                architecture=architecture,
                python=deployment.python,
                there=deployment.versions.get(architecture, {}),
            )
            self.packages = self.packages.union(*(one.modules for one in found))
            return upload(self._bucket, found, deployment.kept_days)

    # ---- as every executor's workers ----

    def check(self, function: bytes) -> None:
        """Refuse a function whose bytecode the workers' Python does not know."""
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        if here != self.deployment.python and travels_by_value(function):
            raise StackError(
                f"functions of scripts travel as bytecode: this is Python {here}, and the workers "
                f"of {self.deployment.name} have {self.deployment.python}. Use that here, or "
                f"deploy with -c python={here}"
            )

    def submit(self, *calls: Call) -> None:
        """Run a call, or several that begin together."""
        if len(calls) > self.size:
            raise NotEnoughConcurrency(f"{len(calls)} calls cannot run at once: {self.size} can")
        self._dispatcher.submit(*calls)

    def cancel(self, call: Call) -> None:
        """End a call, which may wait or run; no harm if it has ended."""
        self._dispatcher.cancel(call)

    def close(self) -> None:
        """End all calls, and remove what nobody needs any more."""
        left = self._dispatcher.close()
        if left is None:
            return
        self.channel.close()
        self._requests.shutdown()
        for call in left:
            call.ended(Cancelled())

    def member(self, gang: str, rank: int, size: int) -> dict[str, Any]:
        """What the worker of a gang's member is told."""
        return {
            "job": self._keys.messages, "channel": self._channel_url, "gang": gang, "rank": rank,
            "size": size, "roll_call_s": ROLL_CALL_S,
        }  # fmt: skip

    def staging(self) -> Staging:
        """Through what files of this machine reach workers."""
        return Staging(self.deployment.bucket, self._keys.data)

    def timeline(self, name: str) -> TimelineWriter:
        """See `Workers.timeline`; the job's own name comes before it."""
        if not _TIMELINE.fullmatch(name):
            raise ValueError(
                f"timeline {name!r}: on a stack it is a name of letters, digits, '.', '_' and '-', "
                "60 at most"
            )
        prefix = f"{STACK_PLACE}/{self.job}-{name}"
        return TimelineWriter(self._bucket, prefix, REQUESTS_AT_ONCE)

    def more_memory(self, memory_mb: int | None) -> int | None:
        """The next larger size of a worker; None if there is none."""
        now = memory_mb or self._memory_mb
        return next((size for size in self._sizes if size > now), None)
