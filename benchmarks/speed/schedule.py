"""What more threads would gain, from the times on one and on two.

An operation is taken for two parts: one that a single thread does, and one that the threads share
as they share the rows of a frame (`codec/native/src/parallel/wavefront.h`). If all macroblocks
cost the same, the schedule of the second part is known; so two times are enough for both parts.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

ANNOUNCED = 4
"""A row tells the row below of every so many macroblocks that are done."""

AHEAD = 2
"""The row above must be done up to so many macroblocks from the left edge of one, itself counted:
a macroblock needs its neighbour above right."""


def share_of_time(rows: int, columns: int, threads: int) -> float:
    """Returns the time that threads need for the rows of a frame, as a share of that of one thread.

    A thread that is free takes the next row. It works on a macroblock when it knows that the row
    above is done up to the column right of it.

    Args:
        rows: of macroblocks.
        columns: of macroblocks.
        threads: how many share them.
    """
    free = [0] * threads
    above = [0] * columns  # when each macroblock of the row above was done
    for row in range(rows):
        now = heapq.heappop(free)
        done: list[int] = []
        for column in range(columns):
            if row:
                known = -(-(column + AHEAD) // ANNOUNCED) * ANNOUNCED
                now = max(now, above[min(known, columns) - 1])
            now += 1
            done.append(now)
        heapq.heappush(free, now)
        above = done
    return max(free) / (rows * columns)


@dataclass(frozen=True)
class Parts:
    """The parts of an operation, in seconds of one thread.

    Attributes:
        serial_s: what one thread does, and what two threads lose to each other.
        shared_s: what threads share.
        rows: of macroblocks of a frame.
        columns: of macroblocks of a frame.
    """

    serial_s: float
    shared_s: float
    rows: int
    columns: int

    @classmethod
    def of(cls, one_s: float, two_s: float, width: int, height: int) -> Parts:
        """Returns the parts that explain two times on the clock.

        Args:
            one_s: seconds on one thread.
            two_s: seconds on two.
            width: of the pictures, in pixels.
            height: of the pictures, in pixels.
        """
        rows, columns = (height + 15) // 16, (width + 15) // 16
        saved = 1 - share_of_time(rows, columns, 2)
        shared = (one_s - two_s) / saved if saved > 0 else 0.0
        shared = min(one_s, max(0.0, shared))
        return cls(one_s - shared, shared, rows, columns)

    def seconds(self, threads: int) -> float:
        """Returns the seconds on so many threads."""
        return self.serial_s + self.shared_s * share_of_time(self.rows, self.columns, threads)
