"""Results that will be there later."""

from __future__ import annotations

import concurrent.futures
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from mu.errors import TaskFailed

Result = TypeVar("Result")


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


def results(
    futures: Sequence[Future[Result]],
    arrived: queue.SimpleQueue[concurrent.futures.Future[Result]] | None,
    until: float | None,
    return_exceptions: bool,
) -> Iterator[Result]:
    """Results in the order of the futures, or as they arrive.

    If the caller stops early, or a failure is raised, all that has not ended is cancelled.

    Args:
        futures: of all calls.
        arrived: gets each of them when it is done; None for results in order.
        until: when `TimeoutError` is raised, by the monotonic clock; None for never.
        return_exceptions: whether failures come in their place.
    """

    def left_s() -> float | None:
        return None if until is None else max(0.0, until - time.monotonic())

    try:
        for future in futures:
            try:
                if arrived is None:
                    yield future.result(left_s())
                else:
                    yield arrived.get(timeout=left_s()).result()
            except queue.Empty:
                raise TimeoutError from None
            except TaskFailed as error:
                if not return_exceptions:
                    raise
                yield error  # type: ignore[misc]
    finally:
        for future in futures:
            future.cancel()
