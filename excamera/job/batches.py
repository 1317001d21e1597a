"""Chunks and batches: which frames a worker encodes, and what it reads for them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from excamera.job.options import EncodeOptions


@dataclass(frozen=True, slots=True)
class Around:
    """The frames around a chunk that its filters see, each with its `pts` and `read_pts`.

    Attributes:
        before: those before it.
        behind: those behind it.
        ends: whether the film has no others behind these.
    """

    before: tuple[tuple[int, int], ...]
    behind: tuple[tuple[int, int], ...]
    ends: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """N consecutive frames, encoded by one worker.

    Attributes:
        number: place in its batch, from 0.
        first_frame: number of its first frame in the whole source, from 0.
        pts: presentation timestamps of its frames in the result, in the plan's time base.
        read_pts: the timestamps of the same frames in the file that the worker reads.
        skip: how many frames with timestamp `read_pts[0]` belong to the chunk before.
        seek: timestamps to seek to, best first; when none serves, read from the start.
        around: what its filters see of other frames, None if they see none. Then `skip` and
            `seek` are of the first frame of `wide`.
    """

    number: int
    first_frame: int
    pts: tuple[int, ...]
    read_pts: tuple[int, ...]
    skip: int = 0
    seek: tuple[int, ...] = ()
    around: Around | None = None

    @property
    def wide(self) -> Chunk:
        """The chunk with the frames around it."""
        if self.around is None:
            return self
        before, behind = self.around.before, self.around.behind
        return replace(
            self,
            first_frame=self.first_frame - len(before),
            pts=(*(pts for pts, _ in before), *self.pts, *(pts for pts, _ in behind)),
            read_pts=(*(at for _, at in before), *self.read_pts, *(at for _, at in behind)),
            around=None,
        )

    def part(self, first: int, end: int) -> Chunk:
        """The frames from number `first` of the chunk to before number `end`."""
        read_pts = self.read_pts[first:end]
        pts, skip, around = self.pts[first:end], self.skip, self.around
        if around is not None:
            pairs = tuple(zip(self.pts, self.read_pts, strict=True))
            before, behind = (*around.before, *pairs[:first]), (*pairs[end:], *around.behind)
            around = Around(before, behind, around.ends)
        elif first:
            passed = [at for at in self.read_pts[:first] if read_pts[:1] == (at,)]
            skip = len(passed) + (skip if read_pts[:1] == self.read_pts[:1] else 0)
        return replace(
            self,
            first_frame=self.first_frame + first,
            pts=pts,
            read_pts=read_pts,
            skip=skip,
            around=around,
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """x consecutive chunks that share one key frame.

    Attributes:
        number: place in the job, from 0.
        chunks: in order.
        mode: "anchors", "rebase" or "plain", see `mode_of_batch`.
        crf_change: what its zone adds to the film's `crf`.
    """

    number: int
    chunks: tuple[Chunk, ...]
    mode: str
    crf_change: float = 0.0

    @property
    def is_anchored(self) -> bool:
        """Whether its anchors are coded before its chunks."""
        return self.mode == "anchors"

    def ordinary(self, chunk: Chunk) -> Chunk:
        """The part of a chunk that is not coded ahead in mode anchors, perhaps without frames.

        Coded ahead are the first frame of the batch, and the last of each chunk but the last.
        """
        first = 1 if chunk.number == 0 else 0
        end = len(chunk.pts)
        if chunk.number < len(self.chunks) - 1:
            end = max(first, end - 1)
        return chunk.part(first, end)

    @property
    def pts(self) -> list[int]:
        """Timestamps of all its frames."""
        return [pts for chunk in self.chunks for pts in chunk.pts]

    @property
    def pts_digest(self) -> str:
        """SHA-256 of the timestamps, for comparing a finished batch with the plan."""
        return hashlib.sha256(",".join(map(str, self.pts)).encode()).hexdigest()


_OF_CHUNK, _OF_BATCH = (tuple(one.name for one in fields(kind)) for kind in (Chunk, Batch))


def batch_json(batch: Batch) -> dict[str, Any]:
    """What `asdict` returns, without a copy of each timestamp of the film."""
    chunks = [{name: getattr(chunk, name) for name in _OF_CHUNK} for chunk in batch.chunks]
    for chunk in chunks:
        chunk["around"] = None if chunk["around"] is None else asdict(chunk["around"])
    return {**{name: getattr(batch, name) for name in _OF_BATCH}, "chunks": chunks}


def chunk_of(data: dict[str, Any]) -> Chunk:
    """The chunk of an item of `batch_json`."""
    lists = {name: tuple(data[name]) for name in ("pts", "read_pts", "seek")}
    around = data["around"]
    if around is not None:
        before, behind = (tuple(map(tuple, around[name])) for name in ("before", "behind"))
        around = Around(before, behind, around["ends"])
    return Chunk(**{**data, **lists, "around": around})


def mode_of_batch(options: EncodeOptions) -> str:
    """How the chunks of a batch come to share a key frame: "anchors" or "rebase".

    The one place where mode auto decides: for now it takes anchors for every batch. In mode "plain"
    a batch is one chunk, of any other codec than VP8.
    """
    if options.is_plain:
        return "plain"
    return "anchors" if options.mode == "auto" else options.mode
