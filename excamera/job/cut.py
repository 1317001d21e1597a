"""How the frames of a source are cut: into spans to survey, and into batches of chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from excamera.job.batches import Around, Batch, Chunk, mode_of_batch
from excamera.job.options import EncodeOptions
from excamera.job.packing import SHARE_PIXELS
from excamera.job.zones import ZonedFrames

SPAN_PIXELS = 500_000_000
"""The usual size of a span: frames times pixels. Two CPUs survey them in about 3 seconds.

A source of no more than twice as many has no spans: the job would wait longer for the workers.
"""

LEAD_IN = 24
"""Frames before a span that its worker decodes too: the survey compares pictures so far apart."""

USUAL_BATCH = 96
"""Frames of a batch of a usual film, as which a film is tried; spans begin where one does."""

_SHORTEST_SPAN = USUAL_BATCH
"""A shorter one would not begin where a usual batch does."""

_USUAL_SPANS = 16
"""Short films have at least so many, as far as they are not too short, to use all processors."""

_MOST_SPANS = 1_000
"""The list of spans is part of an event."""


@dataclass(frozen=True, slots=True)
class Frames:
    """All frames of a source in display order.

    Attributes:
        pts: their timestamps in the result.
        read_pts: timestamps of the same frames in the file that workers read.
        seeks: for each frame, timestamps to seek to in order to decode it and its successors.
        lead: how many frames before a chunk its filters see.
        follow: how many behind it.
        zones: parts with a quality of their own, in order.
    """

    pts: list[int]
    read_pts: list[int]
    seeks: list[tuple[int, ...]]
    lead: int = 0
    follow: int = 0
    zones: tuple[ZonedFrames, ...] = ()

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def runs(self) -> list[ZonedFrames]:
        """All frames, divided where a zone begins or ends."""
        found, place = [], 0
        for zone in self.zones:
            found += [ZonedFrames(place, zone.first, 0.0), zone]
            place = zone.end
        found.append(ZonedFrames(place, len(self), 0.0))
        return [run for run in found if run.first < run.end]

    def chunk(self, number: int, first: int, end: int) -> Chunk:
        """The frames from `first` to before `end` as the chunk of that number."""
        begin, behind = max(0, first - self.lead), end + self.follow
        skip = 0
        while skip < begin and self.read_pts[begin - 1 - skip] == self.read_pts[begin]:
            skip += 1
        around = None
        if self.lead or self.follow:
            around = Around(
                self._pairs(begin, first), self._pairs(end, behind), behind >= len(self)
            )
        return Chunk(
            number=number,
            first_frame=first,
            pts=tuple(self.pts[first:end]),
            read_pts=tuple(self.read_pts[first:end]),
            skip=skip,
            seek=min(self.seeks[begin:end], key=lambda s: s[0] if s else -(1 << 62)),
            around=around,
        )

    def _pairs(self, first: int, end: int) -> tuple[tuple[int, int], ...]:
        return tuple(zip(self.pts[first:end], self.read_pts[first:end], strict=True))


class Survey(Protocol):
    """What the plan knows of a source's pictures; `excamera.media.scenes` finds it out."""

    def cuts(self) -> list[int]:
        """Numbers of the frames that begin a new scene, without the first frame."""

    def chunk_frames(self, first: int, end: int) -> int:
        """The best N of a batch of the frames from `first` to before `end`."""


def has_spans(frames: int, pixels: int, span_pixels: int = SPAN_PIXELS) -> bool:
    """Whether many workers survey a source of so many frames of so many pixels."""
    return frames * pixels > 2 * span_pixels and frames >= 2 * _SHORTEST_SPAN


def spans(
    frames: int, pixels: int, options: EncodeOptions, span_pixels: int = SPAN_PIXELS
) -> list[tuple[int, int]]:
    """The spans of a source, each from its first frame to before its end.

    Args:
        frames: their number.
        pixels: of a frame.
        options: without scenes to follow there is nothing to survey.
        span_pixels: the usual size of a span.

    Returns:
        Spans of equal length to within a usual batch; none if the source has none.
    """
    if not (options.lengths.follow_scenes and has_spans(frames, pixels, span_pixels)):
        return []
    usual = min(frames // _USUAL_SPANS, span_pixels // pixels)
    longest = max(usual, _SHORTEST_SPAN, -(-frames // _MOST_SPANS))
    # No span is empty: each is at least as long as the steps between their borders.
    count = min(-(-frames // longest), frames // USUAL_BATCH)
    borders = (frames * number // count // USUAL_BATCH * USUAL_BATCH for number in range(count))
    return list(pairwise([*borders, frames]))


def span_to_read(frames: Frames, first: int, end: int) -> tuple[Chunk, ...]:
    """A span as its worker reads it: what leads in, if anything does, and its own frames."""
    borders = [first, end] if first == 0 else [max(0, first - LEAD_IN), first, end]
    return tuple(frames.chunk(number, *pair) for number, pair in enumerate(pairwise(borders)))


def cut(
    frames: Frames, options: EncodeOptions, survey: Survey | None = None, pixels: int = 0
) -> Iterator[Batch]:
    """Cut a source into batches of chunks; the last of each may be short.

    Args:
        frames: all of them; a batch has frames of one zone only.
        options: N, x and the mode.
        survey: if given, batches begin where scenes do, and N follows the pictures as far as the
            options allow; else all batches but the last are equal.
        pixels: of a frame; plain chunks of very large ones are shorter.
    """
    number = 0
    for run in frames.runs:
        ranges = (
            _equal(run.first, run.end, options, pixels)
            if survey is None
            else _scenes(run.first, run.end, options, survey, pixels)
        )
        for first, end, length in ranges:
            chunks = [
                frames.chunk(place, start, min(start + length, end))
                for place, start in enumerate(range(first, end, length))
            ]
            yield Batch(number, tuple(chunks), mode_of_batch(options), run.change)
            number += 1


SHORTEST_PLAIN = 24
"""Frames of a plain chunk; a key frame is worth it about once a second of a film."""

_Range = tuple[int, int, int]
"""Of a batch: its first frame, the frame after its last, N."""


def longest_plain(options: EncodeOptions, pixels: int) -> int:
    """The most frames of a plain chunk, for pictures of so many pixels.

    One thread encodes it, in one call. An N that is given is taken as it is.
    """
    longest = options.lengths.longest_batch
    if options.chunk_frames or not pixels:
        return longest
    return max(SHORTEST_PLAIN, min(longest, SHARE_PIXELS // pixels))


def equal_ranges(count: int, options: EncodeOptions, pixels: int = 0) -> Iterator[_Range]:
    """The first frame, the end and N of each batch where all but the last are equal."""
    return _equal(0, count, options, pixels)


def _equal(first: int, end: int, options: EncodeOptions, pixels: int) -> Iterator[_Range]:
    longest, frames = options.lengths.longest_batch, options.lengths.usual_frames
    if options.is_plain:
        longest = frames = longest_plain(options, pixels)
    for start in range(first, end, longest):
        yield start, min(start + longest, end), frames


def _scenes(
    begin: int, end: int, options: EncodeOptions, survey: Survey, pixels: int
) -> Iterator[_Range]:
    cuts = [place for place in survey.cuts() if begin < place < end]
    if options.is_plain:
        cuts = list(_not_short(cuts, begin, end))
        yield from _plain_ranges([begin, *cuts, end], longest_plain(options, pixels))
        return
    for scene in pairwise([begin, *cuts, end]):
        for start, stop in _even_parts(*scene, options, survey):
            yield start, stop, _chunk_frames(start, stop, options, survey)


def _not_short(cuts: Iterable[int], begin: int, end: int) -> Iterator[int]:
    """The cuts between which a plain chunk is not too short."""
    last = begin
    for place in cuts:
        if min(place - last, end - place) >= SHORTEST_PLAIN:
            yield place
            last = place


def _plain_ranges(borders: Sequence[int], longest: int) -> Iterator[_Range]:
    """Scenes in as few chunks as possible, which are of equal length to within a frame."""
    for first, end in pairwise(borders):
        parts = -(-(end - first) // longest)
        borders = [first + (end - first) * part // parts for part in range(parts + 1)]
        yield from ((start, stop, stop - start) for start, stop in pairwise(borders))


def _even_parts(
    first: int, end: int, options: EncodeOptions, survey: Survey
) -> Iterator[tuple[int, int]]:
    """A scene in as few batches as possible; their lengths differ by one chunk at most."""
    longest = options.lengths.longest_batch
    length = _chunk_frames(first, end, options, survey)
    if longest % length:
        length = options.lengths.usual_frames
    parts, chunks = -(-(end - first) // longest), -(-(end - first) // length)
    borders = [first + part * chunks // parts * length for part in range(parts)]
    return pairwise([*borders, end])


def _chunk_frames(first: int, end: int, options: EncodeOptions, survey: Survey) -> int:
    return survey.chunk_frames(first, end) if options.lengths.vary else options.lengths.usual_frames
