"""A clock that a test moves on, for what counts questions in some time."""

from __future__ import annotations


class Clock:
    """Stands for the module `time` in a module under test: nobody sleeps, and time passes."""

    def __init__(self) -> None:
        self._now_s = 1000.0

    def monotonic(self) -> float:
        """See `time.monotonic`."""
        return self._now_s

    def sleep(self, seconds: float) -> None:
        """See `time.sleep`."""
        self._now_s += seconds
