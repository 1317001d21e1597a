"""Second copies of the slowest few calls: whichever ends first has the result."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from mu.attempts import Together
from mu.futures import Future


class Hedge:
    """Begins a second copy of each call that still runs when only a few are left.

    Of two that do the same, the failure of one counts only if the other has failed, too.
    """

    def __init__(
        self,
        share: float,
        begin: Callable[[Together], None],
        new_future: Callable[[], Future[Any]],
    ) -> None:
        """Begins with no calls.

        Args:
            share: how much of all is few: 0.05 for the last of twenty. One is always few.
            begin: begins an attempt.
            new_future: makes the future of a copy.

        Raises:
            ValueError: the share is not between 0 and 1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"hedge is a share between 0 and 1, not {share}")
        self._share = share
        self._begin = begin
        self._new_future = new_future
        self._lock = threading.Lock()
        self._running: dict[Future[Any], Together] = {}
        self._count = 0
        self._complete = False

    def watch(self, together: Together) -> None:
        """Hear of calls, before they begin."""
        with self._lock:
            self._count += 1
            self._running[together.future] = together
        together.future.add_done_callback(self._ended)

    def complete(self) -> None:
        """Hear that there are no others."""
        with self._lock:
            self._complete = True
        self._look()

    @property
    def wanted(self) -> bool:
        """Whether there are any copies at all."""
        return self._share > 0

    def copy_blockers(self, waiting: Collection[Future[Any]]) -> None:
        """Copy the few members of a gang that run while all others wait.

        Args:
            waiting: futures of those that have waited for a while.
        """
        with self._lock:
            slow = [one for future, one in self._running.items() if future not in waiting]
            if len(slow) > self._few():
                return
            for one in slow:
                del self._running[one.future]
        for one in slow:
            self._copy(one)

    def _ended(self, future: concurrent.futures.Future[Any]) -> None:
        with self._lock:
            self._running.pop(future, None)  # type: ignore[call-overload]
        if not future.cancelled():
            self._look()

    def _look(self) -> None:
        with self._lock:
            if not self._complete or len(self._running) > self._few():
                return
            slow = [one for one in self._running.values() if one.future.began]
            for one in slow:
                del self._running[one.future]
        for one in slow:
            self._copy(one)

    def _few(self) -> int:
        return max(1, int(self._share * self._count)) if self.wanted else 0

    def _copy(self, first: Together) -> None:
        copy = replace(
            first,
            future=self._new_future(),
            again=None if first.again is None else [],
            is_copy=True,
            copy=None,
        )
        first.copy = copy.future
        copy.future.add_done_callback(lambda future: _settle(first, future))
        first.future.add_done_callback(lambda _: copy.future.cancel())
        try:
            self._begin(copy)
        except RuntimeError:  # all is being ended
            copy.future.cancel()


def _settle(first: Together, copy: concurrent.futures.Future[Any]) -> None:
    """A copy has ended: if it has succeeded before the first, that is the result."""
    if copy.cancelled() or copy.exception() is not None:
        return
    result = copy.result()
    if first.again is not None and result[1]:
        return  # some of the calls that travelled together failed
    stop = first.future.stop
    with contextlib.suppress(concurrent.futures.InvalidStateError):
        first.future.set_result(result)
        if stop is not None:
            stop()
