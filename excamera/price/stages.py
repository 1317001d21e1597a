"""What the calls of a job have to do: CPU seconds, bytes and requests of each step.

The seconds are those of `Pace`; the requests are those of `excamera.job.steps`. This module knows
which step does what, and nothing of the cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from excamera.job.aiming import rounds_of, sample_count
from excamera.job.batches import mode_of_batch
from excamera.job.cut import SPAN_PIXELS, equal_ranges, spans
from excamera.job.environments import AT_START
from excamera.job.flow import way_of_batches, way_of_spans
from excamera.job.options import EncodeOptions
from excamera.job.packing import Cut, Limits, Packing, share_of
from excamera.job.plan import Plan
from excamera.job.steps import SPREADING, Counts, Per, step_of
from excamera.price import plain
from excamera.price.costs import Shape, begun
from excamera.price.film import Film
from excamera.price.pace import (
    FURTHER_CPU,
    SOUND_BITS,
    Pace,
    detail,
    effort,
    effort_of_anchors,
    effort_of_ordinary,
)
from excamera.price.size import bits_of
from excamera.price.workers import environments_ahead
from mu.assembly import nodes_ended
from mu.simulation import Ahead, Shared, Work

ROUNDS = 6
"""Requests of a call that follow each other, of which `Pace.call_s` is the time."""

SOURCE_BITS = 125_000
"""Bits of a megapixel of a source. Assumption: as many as of a result at `crf` 24."""

ITEMS = "items"
"""Under this key the simulated plan stores the list of batches."""

Lengths = tuple[int, ...]
"""The frames of each chunk of a batch."""


def equal_batches(film: Film, options: EncodeOptions) -> list[Lengths]:
    """How a film is cut whose scenes are not known."""
    return [
        tuple(min(length, end - start) for start in range(first, end, length))
        for first, end, length in equal_ranges(film.frames, options, film.pixels)
    ]


def batches_of(plan: Plan) -> list[Lengths]:
    """How a film was cut."""
    return [tuple(len(chunk.pts) for chunk in batch.chunks) for batch in plan.batches]


@dataclass(frozen=True, slots=True)
class _Joining:
    """CPU seconds of a megapixel: of one thread, and of what threads share."""

    alone: float = 0.0
    shared: float = 0.0


@dataclass(frozen=True)
class Stages:
    """The calls of a job.

    Attributes:
        film: what it encodes.
        options: its options.
        pace: how fast one CPU works.
        limits: of the job.
        batches: the frames of each chunk of each batch.
        span_pixels: the usual size of a span.
        source_reads: requests to read the part of the source that a call needs, beyond those that
            open it; 0 for a source of at most half a mebibyte.
        warms: whether environments are made ahead.
    """

    film: Film
    options: EncodeOptions
    pace: Pace
    limits: Limits
    batches: Sequence[Lengths]
    span_pixels: int = SPAN_PIXELS
    source_reads: int = 5
    warms: bool = True

    @property
    def early(self) -> Mapping[str, int]:
        """The environments that are asked for as the job starts."""
        return AT_START if self.warms else {}

    @cached_property
    def ahead(self) -> Mapping[str, int]:
        """The environments that are asked for as soon as the film is known."""
        if not self.warms:
            return {}
        return environments_ahead(self.film, self.options, self.limits, len(self.spans))

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """The spans that are surveyed."""
        pixels = self.film.width * self.film.height
        return spans(self.film.frames, pixels, self.options, self.span_pixels)

    @cached_property
    def packing(self) -> Packing:
        """How the batches are encoded."""
        pixels = self.film.pixels
        most_chunks = max(map(len, self.batches))
        return self.limits.pack(
            Cut(len(self.batches), most_chunks, max(map(sum, self.batches)) * pixels)
        )

    @cached_property
    def shape(self) -> Shape:
        """How the job is cut, and packed into calls."""
        shares = [self.packing.shares_of(len(lengths)) for lengths in self.batches]
        divided = [count for count in shares if count > 1]
        return Shape(
            self.film.frames,
            chunks=sum(map(len, self.batches)),
            batches=len(self.batches),
            shares=sum(shares),
            divided=len(divided),
            divided_shares=sum(divided),
            anchored=self._anchored,
            spans=len(self.spans),
            samples=0 if self.options.target is None else sample_count(len(self.batches)),
            **begun(len(self.batches), len(self.spans), self.limits, self.packing),
            ladder=self.film.ladder(self.options),
        )

    @property
    def event(self) -> dict[str, Any]:
        """What the flow is given."""
        return {"job": "simulated"}

    @property
    def stored(self) -> dict[str, list[dict[str, Any]]]:
        """The lists that the job's plan stores."""
        return {ITEMS: self._items}

    @cached_property
    def _items(self) -> list[dict[str, Any]]:
        pack = self.packing.item
        return [
            pack(number, len(lengths), anchored=self._anchored)
            for number, lengths in enumerate(self.batches)
        ]

    def work(self, step: str, event: dict[str, Any]) -> Work:
        """What a call has to do."""
        batch, span = event.get("batch"), event.get("span")
        lengths = None if batch is None else self.batches[batch]
        # Equal calls are worked out once.
        frames = 0 if span is None else self._frames_of(span)
        ends = None if batch is None else self._ends(batch)
        numbers = tuple(event.get(name) for name in ("share", "round", "sample"))
        kind = step, frames, lengths, numbers, ends
        made = self._made.get(kind)
        if made is None:
            self._made[kind] = made = self._works[step](event, lengths)
        return made

    @cached_property
    def _made(self) -> dict[Any, Work]:
        return {}

    @cached_property
    def _works(self) -> dict[str, Callable[[dict[str, Any], Any], Work]]:
        return {
            "index": self._index,
            "survey": self._survey,
            "probe": self._probe,
            "plan": self._plan,
            "audio": self._audio,
            "anchors": self._anchors,
            "encode": self._encode,
            "stitch": self._stitch,
            SPREADING: self._spread,
        }

    @property
    def _aimed(self) -> int:
        return int(self.options.target is not None)

    @cached_property
    def _anchored(self) -> bool:
        return mode_of_batch(self.options) == "anchors"

    def _frames_of(self, span: int) -> int:
        first, end = self.spans[span]
        return end - first

    def _index(self, _event: Any, _lengths: Any) -> Work:
        pace, film = self.pace, self.film
        cpu_s = pace.plan_s * film.frames / 1000
        read = survey_s = 0.0
        if self.options.lengths.follow_scenes and not self.spans:
            survey_s = pace.survey_s * film.frames * film.megapixels
            read = self._source_bytes(film.frames)
        numbers = list(range(len(self.spans)))
        ahead = Ahead(self.ahead, survey_s) if self.ahead else None
        result = {
            "spans": numbers,
            "spans_at_once": self.limits.workers,
            "span_threads": 0,
            "limits": {},
            "way": way_of_spans(len(numbers), self.limits),
        }
        cpu_s += survey_s
        return self._call("index", cpu_s=cpu_s, read_bytes=read, ahead=ahead, result=result)

    def _survey(self, event: dict[str, Any], _lengths: Any) -> Work:
        frames = self._frames_of(event["span"])
        work = self.pace.survey_s * frames * self.film.megapixels
        source = self._source_bytes(frames)
        shared = (Shared(work, gain=FURTHER_CPU),)
        return self._call("survey", Counts(span=1), parts=1, shared=shared, read_bytes=source)

    def _plan(self, _event: Any, _lengths: Any) -> Work:
        result = {
            "items": ITEMS,
            "results": "map",
            "batches_at_once": self.packing.batches_at_once,
            "shares_at_once": self.packing.shares_at_once,
            "threads": self.packing.threads,
            "size": self.packing.size,
            "way": way_of_batches(len(self.batches), self.limits, self.packing),
            "rounds": rounds_of(self.shape.samples, self.packing.samples_at_once),
        }
        return self._call("plan", result=result)

    def _audio(self, _event: Any, _lengths: Any) -> Work:
        if not self.film.sound:
            return self._call("audio")
        seconds = self.film.duration_s * self.film.sound
        size = SOUND_BITS * seconds / 8
        shared = Shared(self.pace.audio_s * seconds, gain=FURTHER_CPU)
        return self._call("audio", shared=(shared,), read_bytes=size, written_bytes=size)

    def _probe(self, event: dict[str, Any], _lengths: Any) -> Work:
        samples, number = self.shape.samples, event["round"]
        units = Counts(probe=1, tried=number * samples)
        # Two of the rounds encode, in the mean.
        if number > 1:
            return self._call("probe", units)
        whole = self.batches[event["sample"] * len(self.batches) // samples]
        of_batch = {"batch": 0, "share": 0, "of": 1}
        work = self._encode(of_batch, whole)
        return self._call(
            "probe", units, 1, cpu_s=work.cpu_s, shared=work.shared, read_bytes=work.read_bytes
        )

    def _anchors(self, _event: Any, lengths: Lengths) -> Work:
        frames, ahead = sum(lengths), len(lengths)
        return self._call(
            "anchors",
            Counts(ahead=1, aimed_ahead=self._aimed),
            parts=1,
            shared=(self._shared(self._ahead(frames, ahead)),),
            read_bytes=self._source_bytes(frames),
            written_bytes=self._result_bytes(ahead),
        )

    def _encode(self, event: dict[str, Any], lengths: Lengths) -> Work:
        share, of = event["share"], event["of"]
        own = share_of(len(lengths), share, of)
        frames, all_frames = sum(lengths[number] for number in own), sum(lengths)
        divided = int(of > 1)
        cpu_s, parts = 0.0, 1
        if self.options.is_plain:
            # An encoder has one thread.
            plain_s = self.pace.read_s + self.pace.plain * plain.seconds_of(
                self.options, self.film.bits
            )
            cpu_s, work = plain_s * frames * self.film.megapixels, 0.0
        elif not self._anchored:
            work = self.pace.encode_s * effort(self.options) * frames
        elif divided:
            between = sum(self._ordinary(lengths, number) for number in own)
            work = self.pace.read_s * between + self._between_s * between
        else:
            between = sum(self._ordinary(lengths, number) for number in own)
            # Chunks begin as soon as their anchor is coded, beside those that follow.
            work = self._ahead(frames, len(lengths)) + self._between_s * between
        units = Counts(
            aimed=self._aimed,
            share=1,
            divided_share=divided,
            ahead_share=divided * int(self._anchored),
        )
        read, written = self._source_bytes(frames), 0.0
        if divided:
            written += self._result_bytes(frames)
        # Who ends last joins them. When a call begins nobody knows who that will be.
        if share == of - 1:
            joining = self._joining(lengths)
            work += joining.shared
            cpu_s += joining.alone * self.film.megapixels
            # What is rebased is compared with the source, of which it has read its own share.
            parts += divided * int(not self._anchored)
            units += Counts(
                batch=1,
                divided=divided,
                ahead=divided * int(self._anchored),
                ladder_batch=int(self.film.rungs > 0),
            )
            units += self._ends(event["batch"])
            read += divided * self._result_bytes(all_frames - frames)
            written += self._result_bytes(all_frames)
        return self._call(
            "encode", units, parts, cpu_s=cpu_s, shared=(self._shared(work),), read_bytes=read,
            written_bytes=written,
        )  # fmt: skip

    def _ends(self, batch: int) -> Counts:
        """What a batch completes if those before it are there: nodes of the tree, and all of it."""
        count = len(self.batches)
        return Counts(job=int(batch == count - 1), node=nodes_ended(batch, count))

    def _stitch(self, _event: Any, _lengths: Any) -> Work:
        return self._call("stitch", cpu_s=self.pace.stitch_s)

    def _spread(self, _event: Any, _lengths: Any) -> Work:
        # It looks for a cancellation; at its end it writes a record, and looks again. The list of
        # batches, which it reads, too, is counted elsewhere.
        return Work(rounds=2, reads=2, writes=1)

    def _ordinary(self, lengths: Lengths, number: int) -> int:
        """Frames of a chunk that are not coded ahead."""
        return max(0, lengths[number] - (number == 0) - (number < len(lengths) - 1))

    @property
    def _between_s(self) -> float:
        return self.pace.between_s * effort_of_ordinary(self.options)

    def _ahead(self, frames: int, ahead: int) -> float:
        """Reading a batch, looking ahead and coding its anchors, in CPU seconds of a megapixel."""
        one = self.pace.anchor_s * effort_of_anchors(self.options)
        return (self.pace.read_s + self.pace.lookahead_s) * frames + one * ahead

    def _joining(self, lengths: Lengths) -> _Joining:
        frames, again = sum(lengths), len(lengths) - 1
        if self._anchored:
            return _Joining(alone=self.pace.check_s * frames * detail(self.options))
        if not again:
            return _Joining()
        rebased = self.pace.rebase_s * (frames - again) + self.pace.first_frame_s * again
        return _Joining(shared=rebased * detail(self.options))

    def _shared(self, work: float) -> Shared:
        return Shared(work * self.film.megapixels, gain=FURTHER_CPU)

    def _source_bytes(self, frames: int) -> float:
        return SOURCE_BITS * frames * self.film.megapixels / 8

    def _result_bytes(self, frames: int) -> float:
        return bits_of(self.pace, self.options) * frames * self.film.megapixels / 8

    def _call(self, name: str, units: Counts | None = None, parts: int = 0, **work: Any) -> Work:
        """A call with its requests.

        Args:
            name: of the step.
            units: what the call is for; by default the whole job.
            parts: how many parts of the source it reads.
            work: fields of `Work`.
        """
        step = step_of(name)
        units = self.shape.counts if step.per is Per.JOB or units is None else units
        sizes = self.shape.further_sizes
        return Work(
            rounds=ROUNDS,
            reads=step.reads.times(units)
            + sizes * step.reads_of_size.times(units)
            + self.source_reads * parts,
            writes=step.writes.times(units) + sizes * step.writes_of_size.times(units),
            reads_at_first=step.reads_of_environment,
            **work,
        )
