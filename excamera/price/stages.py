"""What the calls of a job have to do: CPU seconds, bytes and requests of each step.

The seconds are those of `Pace`; the requests are those of `excamera.job.steps`. This module knows
which step does what, and nothing of the cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from excamera.job.cut import SPAN_PIXELS, equal_ranges, spans
from excamera.job.flow import Limits
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan, mode_of_batch
from excamera.job.steps import Counts, Per, step_of
from excamera.price.costs import Shape
from excamera.price.estimate import (
    CPUS_OF_JOIN,
    CRF_OCTAVE,
    SOUND_BITS,
    Film,
    Pace,
    detail,
    effort,
    effort_of_anchors,
    effort_of_ordinary,
)
from mu.simulation import Shared, Work

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
        for first, end, length in equal_ranges(film.frames, options)
    ]


def batches_of(plan: Plan) -> list[Lengths]:
    """How a film was cut."""
    return [tuple(len(chunk.pts) for chunk in batch.chunks) for batch in plan.batches]


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
        source_reads: requests to read the part of the source that a chunk or a span needs, beyond
            those that open it; 0 for a source of at most half a mebibyte.
    """

    film: Film
    options: EncodeOptions
    pace: Pace
    limits: Limits
    batches: Sequence[Lengths]
    span_pixels: int = SPAN_PIXELS
    source_reads: int = 5

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """The spans that are surveyed."""
        pixels = self.film.width * self.film.height
        return spans(self.film.frames, pixels, self.options, self.span_pixels)

    @cached_property
    def shape(self) -> Shape:
        """How the job is cut."""
        shape = Shape(
            self.film.frames,
            chunks=sum(len(lengths) for lengths in self.batches),
            batches=len(self.batches),
            spans=len(self.spans),
        )
        if not self._anchored:
            joined = sum(len(lengths) > 1 for lengths in self.batches)
            return replace(shape, rebased_batches=joined)
        ordinary = sum(
            self._ordinary(lengths, number) > 0
            for lengths in self.batches
            for number in range(len(lengths))
        )
        return replace(shape, anchored_batches=shape.batches, anchored_chunks=ordinary)

    @property
    def event(self) -> dict[str, Any]:
        """What the flow is given."""
        return {"job": "simulated"}

    @property
    def stored(self) -> dict[str, list[dict[str, Any]]]:
        """The lists that the job's plan stores."""
        items = [
            {"batch": number, "chunks": list(range(len(lengths)))}
            for number, lengths in enumerate(self.batches)
        ]
        return {ITEMS: items}

    def work(self, step: str, event: dict[str, Any]) -> Work:
        """What a call has to do."""
        place = step, event.get("span"), event.get("batch"), event.get("chunk")
        lengths = None if place[2] is None else self.batches[place[2]]
        kind = step, place[1], lengths, place[3]
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
            "plan": self._plan,
            "audio": self._audio,
            "anchors": self._anchors,
            "encode": self._encode,
            "join": self._join,
            "stitch": self._stitch,
        }

    @cached_property
    def _anchored(self) -> bool:
        return mode_of_batch(self.options) == "anchors"

    def _ordinary(self, lengths: Lengths, number: int) -> int:
        """Frames of a chunk that are not coded ahead."""
        if not self._anchored:
            return lengths[number]
        return max(0, lengths[number] - (number == 0) - (number < len(lengths) - 1))

    def _index(self, _event: Any, _lengths: Any) -> Work:
        pace, film = self.pace, self.film
        cpu_s = pace.plan_s * film.frames / 1000
        read = 0.0
        if self.options.follows_scenes and not self.spans:
            cpu_s += pace.survey_s * film.frames * film.megapixels
            read = self._source_bytes(film.frames)
        result = {
            "spans": list(range(len(self.spans))),
            "spans_at_once": self.limits.workers,
            "limits": {},
        }
        return self._call("index", cpu_s=cpu_s, read_bytes=read, result=result)

    def _survey(self, event: dict[str, Any], _lengths: Any) -> Work:
        first, end = self.spans[event["span"]]
        work = self.pace.survey_s * (end - first) * self.film.megapixels
        source = self._source_bytes(end - first)
        return self._call("survey", Counts(span=1), parts=1, cpu_s=work, read_bytes=source)

    def _plan(self, _event: Any, _lengths: Any) -> Work:
        fit = self.limits.fit(max(map(len, self.batches)))
        result = {
            "items": ITEMS,
            "results": "map",
            "batches_at_once": fit.batches_at_once,
            "chunks_at_once": fit.chunks_at_once,
        }
        return self._call("plan", result=result)

    def _audio(self, _event: Any, _lengths: Any) -> Work:
        if not self.film.sound:
            return self._call("audio")
        size = SOUND_BITS * self.film.duration_s / 8
        cpu_s = self.pace.audio_s * self.film.duration_s
        return self._call("audio", cpu_s=cpu_s, read_bytes=size, written_bytes=size)

    def _anchors(self, _event: Any, lengths: Lengths) -> Work:
        units = self._batch_units(lengths)
        if not self._anchored:
            return self._call("anchors", units)
        frames, ahead = sum(lengths), len(lengths)
        return self._call(
            "anchors",
            units,
            parts=len(lengths),
            cpu_s=self._reading(frames),
            shared=self._ahead(frames, ahead),
            read_bytes=self._source_bytes(frames),
            written_bytes=self._result_bytes(ahead),
        )

    def _encode(self, event: dict[str, Any], lengths: Lengths) -> Work:
        number = event["chunk"]
        ordinary = self._ordinary(lengths, number)
        if self._anchored:
            cpu_s = self._reading(ordinary) + self._between(ordinary)
        else:
            one = self.pace.encode_s * effort(self.options)
            cpu_s = one * ordinary * self.film.megapixels
        return self._call(
            "encode",
            Counts(chunk=1, anchored_chunk=int(self._anchored and ordinary > 0)),
            parts=1,
            cpu_s=cpu_s,
            read_bytes=self._source_bytes(lengths[number]),
            written_bytes=self._result_bytes(ordinary),
        )

    def _join(self, _event: Any, lengths: Lengths) -> Work:
        frames = sum(lengths)
        cpu_s, parts = 0.0, 0
        shared: tuple[Shared, ...] = ()
        if self._anchored:
            cpu_s = self._checking(frames)
        elif len(lengths) > 1:
            parts = len(lengths)
            pace, again = self.pace, len(lengths) - 1
            one = pace.rebase_s * (frames - again) + pace.first_frame_s * again
            rebased = one * self.film.megapixels * detail(self.options)
            shared = (Shared(rebased, gain=CPUS_OF_JOIN),)
        size = self._result_bytes(frames)
        units = self._batch_units(lengths)
        return self._call(
            "join", units, parts, cpu_s=cpu_s, shared=shared, read_bytes=size, written_bytes=size
        )

    def _stitch(self, _event: Any, _lengths: Any) -> Work:
        return self._call("stitch", cpu_s=self.pace.stitch_s * len(self.batches))

    def _batch_units(self, lengths: Lengths) -> Counts:
        if not self._anchored:
            joined = int(len(lengths) > 1)
            return Counts(batch=1, chunk=len(lengths), rebased_batch=joined)
        ordinary = sum(self._ordinary(lengths, number) > 0 for number in range(len(lengths)))
        return Counts(batch=1, anchored_batch=1, chunk=len(lengths), anchored_chunk=ordinary)

    def _reading(self, frames: int) -> float:
        return self.pace.read_s * frames * self.film.megapixels

    def _ahead(self, frames: int, ahead: int) -> tuple[Shared, ...]:
        """Looking ahead, and coding anchors, whose rows threads share."""
        one = self.pace.anchor_s * effort_of_anchors(self.options)
        work = (self.pace.lookahead_s * frames + one * ahead) * self.film.megapixels
        return (Shared(work, gain=CPUS_OF_JOIN),)

    def _between(self, frames: int) -> float:
        one = self.pace.between_s * effort_of_ordinary(self.options)
        return one * frames * self.film.megapixels

    def _checking(self, frames: int) -> float:
        return self.pace.check_s * frames * self.film.megapixels * detail(self.options)

    def _source_bytes(self, frames: int) -> float:
        return SOURCE_BITS * frames * self.film.megapixels / 8

    def _result_bytes(self, frames: int) -> float:
        bits = self.pace.bits * float(2 ** ((24 - self.options.crf) / CRF_OCTAVE))
        return bits * frames * self.film.megapixels / 8

    def _call(self, name: str, units: Counts | None = None, parts: int = 0, **work: Any) -> Work:
        """A call with its requests.

        Args:
            name: of the step.
            units: what the call is for; by default the whole job.
            parts: how many chunks or spans of the source it reads.
            work: fields of `Work`.
        """
        step = step_of(name)
        units = self.shape.counts if step.per is Per.JOB or units is None else units
        return Work(
            rounds=ROUNDS,
            reads=step.reads.times(units) + self.source_reads * parts,
            writes=step.writes.times(units),
            reads_at_first=step.reads_of_environment,
            **work,
        )
