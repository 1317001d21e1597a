"""How long chunks and batches are, as far as the pictures leave it open: N and x."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CHUNKS = 1000
"""Of a batch."""

LONGEST_PLAIN = 240
"""Frames of a plain chunk, if N is chosen: ten seconds of a film."""

_USUAL_FRAMES, _SHORTEST_FRAMES = 12, 6  # of a chunk, if N is chosen


@dataclass(frozen=True, slots=True)
class Lengths:
    """What the options say about the lengths of chunks and batches.

    Attributes:
        asked_frames: N, or 0 if it is chosen.
        asked_chunks: x.
        mode: of the options.
        is_plain: whether a batch is one chunk, whatever x is.
    """

    asked_frames: int
    asked_chunks: int
    mode: str
    is_plain: bool

    @property
    def follow_scenes(self) -> bool:
        """Whether the pictures decide where batches end, and N if that may vary."""
        return self.asked_frames == 0

    @property
    def vary(self) -> bool:
        """Whether N may differ from batch to batch; else it is `usual_frames`."""
        several = self.asked_chunks > 1 and not self.is_plain
        return self.follow_scenes and several and self.mode != "rebase"

    @property
    def usual_frames(self) -> int:
        """N of a batch for which nothing else is chosen."""
        if self.asked_frames:
            return self.asked_frames
        if self.is_plain:
            return LONGEST_PLAIN
        # A batch of one chunk has nothing to join, whatever the mode.
        rebased = self.mode == "rebase" and self.asked_chunks > 1
        return _SHORTEST_FRAMES if rebased else _USUAL_FRAMES

    @property
    def longest_batch(self) -> int:
        """The most frames of a batch, a multiple of `usual_frames`."""
        if self.is_plain:
            return self.usual_frames
        longest = self.usual_frames * self.asked_chunks
        return longest if self.asked_frames else min(longest, _SHORTEST_FRAMES * MOST_CHUNKS)

    @property
    def usual_chunks(self) -> int:
        """The chunks of a longest batch with `usual_frames`."""
        return self.longest_batch // self.usual_frames
