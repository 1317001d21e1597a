"""A lease: the calls of a job are wanted for as long as its client renews it.

A client that is killed can tell nobody. So it keeps one small object and writes it again and again;
environments end their calls when that object is older than it says it may be. Both its age and the
time that tells it are the store's: no clock of a client or of an environment matters.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from mu.engines.stack.share import Keys
from mu.errors import NoSuchKey, StoreError
from mu.store.protocol import Store

_VALID_S = 300.0
"""How long calls run on after the last renewal. Clients that cannot reach AWS for less lose
nothing."""

_RENEWALS = 5
"""A client writes its lease so many times while it holds,"""

_LOOKS = 10
"""and an environment looks at it so many times. S3 bills both."""

_FIELD = "valid-s"


class Lease:
    """The lease that a client holds; any thread may use it."""

    def __init__(self, store: Store, keys: Keys, needed: Callable[[], bool]) -> None:
        """Begins to renew, in a thread of its own: others may be busy with long uploads.

        Args:
            store: of the jobs.
            keys: the job's.
            needed: whether calls are under way; only then it is renewed.
        """
        self._store = store
        self._keys = keys
        self._needed = needed
        self._valid_s = _VALID_S
        self._pause_s = _VALID_S / _RENEWALS
        self._written: tuple[float, float] | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="mu lease", daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Make sure that the lease holds for a while, before calls are sent.

        Raises:
            StoreError: it cannot be written.
        """
        if self._written is not None:
            running, clock = self._written
            # The first stands still while a machine sleeps, and the second may be put right.
            elapsed_s = max(time.monotonic() - running, time.time() - clock)
            if elapsed_s < self._pause_s:
                return
        self._write()

    def close(self) -> None:
        """Renew it no more; it is not written any more once this returns."""
        self._closed.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._closed.wait(self._pause_s):
            if self._needed():
                # If it fails, there is time for others before it has run out.
                with contextlib.suppress(StoreError):
                    self._write()

    def _write(self) -> None:
        written = time.monotonic(), time.time()
        metadata = {_FIELD: f"{self._valid_s:g}"}
        self._store.concat(self._keys.lease, [b""], metadata=metadata)
        self._written = written


class LeaseWatch:
    """An environment's view of a lease.

    Attributes:
        job: the job's name.
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        """Watches a job's lease.

        Args:
            store: of the jobs; it keeps metadata.
            keys: the job's.
        """
        self.job = keys.job
        self._store = store
        self._keys = keys
        self._next = time.monotonic()

    def has_run_out(self) -> bool:
        """Whether nobody has renewed it in time; asks the store only now and then."""
        now = time.monotonic()
        if now < self._next:
            return False
        valid_s = _VALID_S
        try:
            found = self._store.look_up(self._keys.lease)
        except NoSuchKey:
            # Of a client that knows no leases, or has ended its job: `read_stop` tells that.
            pass
        else:
            valid_s = float(found.metadata[_FIELD])
            if found.age_s > valid_s:
                return True
        self._next = now + valid_s / _LOOKS
        return False
