"""Objects that many processes write together, in numbered parts.

S3 has such uploads. For other stores there is none: there, the pieces of an object are joined at
once (`Store.concat`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mu.store.protocol import Buffer, Range

MIN_PART = 5 << 20
"""The smallest part that S3 takes, unless it is the last one."""

MAX_PART = 5 << 30
"""The largest part that S3 takes."""

MAX_PARTS = 10_000
"""The highest number of a part in S3."""


class Upload(Protocol):
    """An object that is not there yet, of which some parts may be."""

    def send(self, number: int, pieces: Sequence[Buffer | Range]) -> None:
        """Store a part; one of the same number is replaced.

        Args:
            number: from 1 to `MAX_PARTS`.
            pieces: bytes, and ranges with their length and store. A part that is one range of at
                least `MIN_PART` bytes does not pass through this process.

        Raises:
            UploadGone: the upload was completed or aborted.
            NoSuchKey: an object of a range is missing.
        """

    def complete(self, parts: Sequence[tuple[int, int]], replaces: str | None = None) -> None:
        """Make the object of some of the parts; the others are dropped.

        Args:
            parts: number and size in bytes of each, in ascending order.
            replaces: see `Store.concat`.

        Raises:
            UploadGone: it was completed or aborted, or there is no part of that number and size.
            NoSuchKey: the object that may be replaced is missing.
            ObjectExists: `replaces` does not hold.
        """

    def abort(self) -> None:
        """Drop it with all its parts; has no effect if it is completed or aborted."""
