"""Results that will be there later."""

from __future__ import annotations

import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from mu.errors import TaskFailed

Result = TypeVar("Result")
Watched = TypeVar("Watched", bound=concurrent.futures.Future[Any])


class Future(concurrent.futures.Future[Result]):
    """A result that will be there later.

    `cancel` also ends a call that runs: its worker is stopped.

    Attributes:
        began: whether a worker has begun the call; set by the executor.
        stop: ends the call wherever it is; set by the executor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.began = False
        self.stop: Callable[[], None] | None = None

    def cancel(self) -> bool:
        """Cancel the call, whether it waits or runs; returns False if it has ended."""
        before = self.cancelled()
        if not super().cancel():
            return False
        if not before:
            self.set_running_or_notify_cancel()
            if self.stop is not None:
                self.stop()
        return True

    def running(self) -> bool:
        """Whether a worker has begun the call, and not ended it."""
        return self.began and not self.done()


class OpenFutures:
    """The futures of an executor that are not done yet: its end waits for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._none_open = threading.Condition(self._lock)
        self._open: dict[concurrent.futures.Future[Any], None] = {}
        self._shut = False

    def add(self, future: Watched, *, late: bool = False) -> Watched:
        """Watch a future until it is done.

        Args:
            future: it.
            late: whether it belongs to a call of before the end.

        Returns:
            The same future.

        Raises:
            RuntimeError: this is shut.
        """
        with self._lock:
            if self._shut and not late:
                raise RuntimeError("the executor takes no more calls: it is shut down")
            self._open[future] = None
        future.add_done_callback(self._forget)
        return future

    def shut(self) -> list[concurrent.futures.Future[Any]]:
        """Take no more but late ones; returns those that are open, in the order they came."""
        with self._lock:
            self._shut = True
            return list(self._open)

    def wait(self) -> None:
        """Wait until none is open."""
        with self._none_open:
            self._none_open.wait_for(lambda: not self._open)

    def _forget(self, future: concurrent.futures.Future[Any]) -> None:
        with self._none_open:
            del self._open[future]
            if not self._open:
                self._none_open.notify_all()


Found = tuple[list[Result], dict[int, TaskFailed | Future[Result]]]
"""Results of items that travelled together; and what has failed, or is tried again alone, by its
number among them."""

Chunk = Future[Found[Result]]


def results(
    chunks: dict[Chunk[Result], None],
    again: Sequence[Future[Result]],
    arrived: queue.SimpleQueue[concurrent.futures.Future[Any]] | None,
    until: float | None,
    return_exceptions: bool,
) -> Iterator[Result]:
    """Results in the order of the items, or as they arrive.

    If the caller stops early, or a failure is raised, all that has not ended is cancelled.

    Args:
        chunks: of all items, the last first; each leaves when its results are given.
        again: what has been tried again alone so far; it grows.
        arrived: gets each chunk when it is done; None for results in order.
        until: when `TimeoutError` is raised, by the monotonic clock; None for never.
        return_exceptions: whether failures come in their place.
    """
    ones = _in_order(chunks, until) if arrived is None else _as_they_come(chunks, arrived, until)
    try:
        for found, others in ones:
            if not others:
                yield from found
                continue
            for number, result in enumerate(found):
                if number not in others:
                    yield result
                    continue
                other = others[number]
                try:
                    if isinstance(other, TaskFailed):
                        raise other
                    late = other.result(_left_s(until))
                except TaskFailed as error:
                    if not return_exceptions:
                        raise
                    yield error  # type: ignore[misc]
                else:
                    yield late
    finally:
        # The last first: what waits would take the place of what runs.
        for chunk in chunks:
            chunk.cancel()
        for future in again:
            future.cancel()


def _in_order(chunks: dict[Chunk[Result], None], until: float | None) -> Iterator[Found[Result]]:
    while chunks:
        found = next(reversed(chunks)).result(_left_s(until))
        chunks.popitem()
        yield found


def _as_they_come(
    chunks: dict[Chunk[Result], None],
    arrived: queue.SimpleQueue[concurrent.futures.Future[Any]],
    until: float | None,
) -> Iterator[Found[Result]]:
    alone: set[Future[Any]] = set()
    while chunks or alone:
        try:
            done: Any = arrived.get(timeout=_left_s(until))
        except queue.Empty:
            raise TimeoutError from None
        if done in alone:
            alone.remove(done)
            yield [None], {0: done}  # type: ignore[list-item]
            continue
        found, others = done.result()
        del chunks[done]
        yield [result for number, result in enumerate(found) if number not in others], {}
        for other in others.values():
            if isinstance(other, Future):
                alone.add(other)
                other.add_done_callback(arrived.put)
            else:
                yield [None], {0: other}  # type: ignore[list-item]


def _left_s(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())
