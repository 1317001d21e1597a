"""Filters a film chunk by chunk, so that each is as if the whole film had been filtered at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from av.video.frame import VideoFrame

from excamera.errors import OptionError
from excamera.job.batches import Chunk
from excamera.job.plan import Plan
from excamera.media.filters.running import Filters, Run


class FilterRun:
    """A graph that has seen the film from some frame on.

    Args:
        plan: with the filters.
        chunk: the first that is wanted.
    """

    def __init__(self, plan: Plan, chunk: Chunk) -> None:
        self._filters = Filters.of(plan.options)
        self._plan = plan
        self._run = Run(self._filters, plan.geometry, plan.time_base)
        self._fed = self._next = chunk.wide.first_frame

    def goes_on_with(self, chunk: Chunk) -> bool:
        """Whether it has seen what leads to a chunk, and nothing that is too late."""
        wide = chunk.wide
        seen = wide.first_frame <= self._fed <= wide.first_frame + len(wide.pts)
        return seen and self._next <= chunk.first_frame

    def missing(self, chunk: Chunk) -> Chunk:
        """What it has not seen of a chunk and the frames around it."""
        wide = chunk.wide
        return wide.part(self._fed - wide.first_frame, len(wide.pts))

    def filtered(
        self, chunk: Chunk, missing: Iterable[tuple[int, VideoFrame]]
    ) -> Iterator[VideoFrame]:
        """The frames of a chunk.

        Args:
            chunk: the chunk.
            missing: the frames of `missing`, and their times.

        Raises:
            OptionError: a filter fails, or does not make one frame of each.
        """
        end = chunk.first_frame + len(chunk.pts)
        for pts, frame in missing:
            self._fed += 1
            self._run.push(frame, pts)
            yield from self._ready(chunk.first_frame, end)
        is_last = chunk.around.ends if chunk.around is not None else self._next < end
        if self._next < end and is_last:
            self._run.finish()
            yield from self._ready(chunk.first_frame, end)
        if self._next < end:
            raise OptionError(
                f"vf: the filters wait for more than {self._filters.sight.behind} frames behind "
                "one; say with --vf-lead how many they need"
            )

    def _ready(self, first: int, end: int) -> Iterator[VideoFrame]:
        while self._run.ready and self._next < end:
            frame = self._run.ready.popleft()
            self._next += 1
            if self._next > first:
                yield frame
