"""A rate with a burst, as services publish their limits."""

from __future__ import annotations

import math


class Rate:
    """So many a second, of which a full bucket gives `burst` at once.

    Who asks is served in the order of asking, so the moment is known when it is asked for.
    """

    __slots__ = ("_burst_s", "_every_s", "_promised")

    def __init__(self, a_second: float, burst: float = 1.0) -> None:
        """Begins with a full bucket.

        Args:
            a_second: how many the bucket gets; infinite for no limit.
            burst: how many it holds.
        """
        self._every_s = 1 / a_second
        self._burst_s = burst * self._every_s if self._every_s else 0.0
        self._promised = -math.inf

    def take(self, now: float, count: float = 1.0) -> float:
        """Take `count` as soon as they are there; returns that moment."""
        promised = self._promised
        self._promised = promised = (promised if promised > now else now) + count * self._every_s
        ready = promised - self._burst_s
        return ready if ready > now else now

    def take_now(self, now: float) -> bool:
        """Take one if it is there; returns whether it was."""
        promised = self._promised
        promised = (promised if promised > now else now) + self._every_s
        if promised - self._burst_s > now + 1e-9:
            return False
        self._promised = promised
        return True
