"""What a stack has learned from its finished jobs: by how much its constants differ from `Pace`.

The constants of `Pace` were measured on another machine. A finished job tells by which factor some
of them are larger or smaller on the stack: those of the mode that it encoded in, of sound if it
encoded any, and so on (`PARTS`). A model keeps what the last jobs told of each part, and blends it.

Factors are kept, and not constants: a version of ours that encodes faster has other constants, and
the stack's processors are what they were. `Pace` divides by effort, `crf` and CPUs already, so jobs
with different options tell of the same factors.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import exp, isfinite, log
from statistics import median
from typing import Any, Self

from excamera.job.batches import mode_of_batch
from excamera.job.options import EncodeOptions
from excamera.job.results import JobResult, Outcome, Prediction
from excamera.job.steps import STEPS, Per
from excamera.price.film import Film
from excamera.price.pace import CONSTANTS, Pace, once_each
from excamera.price.workers import Workers
from mu import Attempt

VERSION = 1
"""Of the record; goes up when an older reader would misunderstand it."""

KEPT = 20
"""Jobs whose errors are kept, and jobs that count for a factor: so it follows a change."""

BOUND = 10.0
"""A job that tells of a larger factor, or of a smaller one than its inverse, counts as this one."""

_PRIOR = 0.25
"""The weight of our own constants, where that of a very large job is 1."""

_NEAR = log(1.25)
"""Jobs that differ by more from the others count for less. Films differ by this much."""


class ModelUnusable(ValueError):
    """A record is broken, or a newer version of ours wrote it."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some constants of `Pace` of which a job tells together.

    Attributes:
        constants: their names.
        unit: in which a job's work is counted.
        half: a job with so much of it has half the weight of a very large one. What a job tells
            has two errors: one of its film, which no length makes smaller, and one of its calls,
            which becomes smaller with their number.
    """

    constants: tuple[str, ...]
    unit: str
    half: float


_CALLS = "s of calls"

PARTS: Mapping[str, Part] = {
    **{mode: Part(constants, _CALLS, 60.0) for mode, constants in CONSTANTS.items()},
    "survey": Part(("survey_s",), _CALLS, 10.0),
    "plan": Part(("plan_s",), _CALLS, 2.0),
    "audio": Part(("audio_s",), _CALLS, 5.0),
    "stitch": Part(("stitch_s",), _CALLS, 1.0),
    "bits": Part(("bits",), "megapixels", 200.0),
    "waits": Part(("waits",), "s of waits", 10.0),
}
"""How much halves a weight is an assumption; two seconds of 1080p have 100 megapixels."""

QUANTITIES = ("seconds", "usd", "bytes")
"""What is predicted."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one job tells.

    Attributes:
        job: its name.
        told: of some parts, the factor and the work behind it.
        errors: what was predicted as a multiple of what it took, by quantity.
    """

    job: str
    told: Mapping[str, tuple[float, float]]
    errors: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Told:
    """What jobs have told of a part.

    Attributes:
        jobs: how many have.
        work: of all of them.
        last: factor and work of the last of them, the oldest first.
    """

    jobs: int = 0
    work: float = 0.0
    last: tuple[tuple[float, float], ...] = ()

    def with_job(self, factor: float, work: float) -> Told:
        """This with another job."""
        last = (*self.last, (round(factor, 5), round(work, 3)))
        return Told(self.jobs + 1, round(self.work + work, 3), last[-KEPT:])


@dataclass(frozen=True, slots=True)
class Model:
    """What was learned from the jobs of a stack.

    Attributes:
        jobs: how many it has learned from.
        told: of each part that a job has told of.
        last: names and errors of the last jobs, the oldest first; see `Lesson`.
    """

    jobs: int = 0
    told: Mapping[str, Told] = field(default_factory=dict)
    last: tuple[tuple[str, Mapping[str, float]], ...] = ()

    @classmethod
    def from_json(cls, record: Any) -> Self:
        """The model that `to_json` returned.

        Raises:
            ModelUnusable: it is no model, or of a newer version.
        """
        if not isinstance(record, dict):
            raise ModelUnusable("it is no object")
        if record.get("version") != VERSION:
            raise ModelUnusable(f"it is of version {record.get('version')!r}, not {VERSION}")
        try:
            told = {
                name: Told(
                    int(one["jobs"]),
                    _positive(one["work"]),
                    tuple((_positive(factor), _positive(work)) for factor, work in one["last"]),
                )
                for name, one in record["told"].items()
                if name in PARTS
            }
            last = tuple(
                (str(job), {name: _positive(error) for name, error in errors.items()})
                for job, errors in record["last"]
            )
            return cls(int(record["jobs"]), told, last)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelUnusable(f"it is broken: {type(error).__name__}: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """The model as it is stored."""
        told = {name: asdict(one) for name, one in self.told.items()}
        return json.loads(  # type: ignore[no-any-return]
            json.dumps({"version": VERSION, "jobs": self.jobs, "told": told, "last": self.last})
        )

    def with_lesson(self, lesson: Lesson) -> Model:
        """This model with what a job tells; itself if it knows that job already."""
        if any(job == lesson.job for job, _ in self.last):
            return self
        told = dict(self.told)
        for name, (factor, work) in lesson.told.items():
            told[name] = told.get(name, Told()).with_job(factor, work)
        last = (*self.last, (lesson.job, {n: round(e, 5) for n, e in lesson.errors.items()}))
        return Model(self.jobs + 1, told, last[-KEPT:])

    def factor(self, part: str) -> float:
        """By how much the constants of a part are larger here; 1 if no job has told of it."""
        told = self.told.get(part)
        return 1.0 if told is None else _blend(told.last, PARTS[part].half)

    @property
    def pace(self) -> Pace:
        """The stack's pace."""
        usual = Pace()
        return replace(
            usual,
            **{
                constant: getattr(usual, constant) * self.factor(name)
                for name in self.told
                for constant in PARTS[name].constants
            },
        )

    def errors(self) -> dict[str, float]:
        """Percent by which predictions of the last jobs were wrong, by quantity: the medians.

        A prediction of twice or of half of what came is wrong by 100 percent.
        """
        found = {}
        for name in QUANTITIES:
            ratios = [errors[name] for _, errors in self.last if name in errors]
            if ratios:
                found[name] = 100 * (median(max(one, 1 / one) for one in ratios) - 1)
        return found


def lesson_of(
    job: str,
    attempts: Iterable[Attempt],
    film: Film,
    options: EncodeOptions,
    workers: Workers,
    *,
    chunks: int,
    made: JobResult,
    took: Outcome,
    predicted: Prediction | None = None,
) -> Lesson | None:
    """What a job that has succeeded tells; None if it tells nothing.

    A job that began again found pieces that it had made before, so its calls were too quick.

    Args:
        job: its name.
        attempts: of its timeline.
        film: what it encoded.
        options: its options.
        workers: that encoded it.
        chunks: how many it had.
        made: its result.
        took: what it took.
        predicted: what was predicted of it.
    """
    every = [one for one in attempts if one.done]
    if sorted(one.name for one in every if one.name in _ONCE) != sorted(_ONCE):
        return None
    done = once_each(every)
    seconds: Counter[str] = Counter()
    for one in done:
        seconds[one.name] += one.milliseconds / 1000  # type: ignore[assignment]
    encoding = seconds["encode"] + seconds["anchors"]
    own = Pace.of_job(done, film, options, workers, chunks=chunks)
    # What was coded has no sound in it, of whatever size that is.
    own = own.with_size(made.video_bytes, replace(film, sound=0), options.crf)
    work: dict[str, float] = {
        mode_of_batch(options): encoding,
        "stitch": seconds["stitch"],
    }
    # What a target needs of crf says nothing of the film's bits at a given one.
    if not options.is_plain and options.target is None:
        work["bits"] = film.frames * film.megapixels
    if made.sound == "encoded":
        work["audio"] = seconds["audio"]
    planning = seconds["index"] + seconds["plan"]
    if seconds["survey"]:
        work["survey"] = seconds["survey"]
    else:
        work["survey" if options.lengths.follow_scenes else "plan"] = planning
    usual = Pace()
    told = {
        name: (getattr(own, constant) / getattr(usual, constant), amount)
        for name, amount in work.items()
        for constant in PARTS[name].constants[:1]
    }
    if predicted is not None and took.seconds is not None:
        told["waits"] = _waits(predicted, took.seconds, encoding)
    return Lesson(
        job,
        {name: (_bounded(factor), amount) for name, (factor, amount) in told.items() if amount},
        {} if predicted is None else _errors(predicted, took),
    )


_ONCE = [step.name for step in STEPS if step.per is Per.JOB]


def _waits(predicted: Prediction, took_s: float, encoding_s: float) -> tuple[float, float]:
    """The factor of the waits, and seconds of them.

    They are what is left of a job's time without that in which it computed, and it computed as much
    longer than predicted as its calls took longer.
    """
    assumed = (predicted.seconds - predicted.computing_s) / predicted.waits
    computed = predicted.computing_s * encoding_s / max(1e-9, predicted.calls_s)
    return max(0.0, took_s - computed) / max(1e-9, assumed), max(0.0, assumed)


def _errors(predicted: Prediction, took: Outcome) -> dict[str, float]:
    """What was predicted as a multiple of what it took."""
    found = {}
    for name in QUANTITIES:
        actual = getattr(took, name)
        if actual:
            found[name] = getattr(predicted, name) / actual
    return {name: ratio for name, ratio in found.items() if ratio > 0}


def _bounded(factor: float) -> float:
    return min(BOUND, max(1 / BOUND, factor))


def _positive(value: Any) -> float:
    number = float(value)
    if not isfinite(number) or number < 0:
        raise ValueError(f"{value!r} is no positive number")
    return number


def _blend(told: Sequence[tuple[float, float]], half: float) -> float:
    """The mean of factors by their logarithms, drawn towards 1 as long as there is little work.

    It is Huber's: what is farther than usual from the middle pulls as if it were not.
    """
    logs = [log(_bounded(factor)) for factor, _ in told]
    weights = [work / (work + half) for _, work in told]
    total = sum(weights)
    if not total:
        return 1.0
    middle = _weighted_median(logs, weights)
    for _ in range(8):
        pulls = [
            weight * min(1.0, _NEAR / max(_NEAR, abs(one - middle)))
            for one, weight in zip(logs, weights, strict=True)
        ]
        middle = sum(pull * one for pull, one in zip(pulls, logs, strict=True)) / sum(pulls)
    return exp(middle * total / (total + _PRIOR))


def _weighted_median(values: Sequence[float], weights: Sequence[float]) -> float:
    half = sum(weights) / 2
    below = 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        below += weight
        if below >= half:
            return value
    return max(values)
