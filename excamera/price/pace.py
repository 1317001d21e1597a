"""How fast one CPU works: seconds for each megapixel of a frame, and some for each call.

The constants of `Pace` were measured on a machine that is not Lambda, whose cores vary;
`Pace.of_job` takes them from a finished job instead and is more reliable. docs/cloud-overhead.md
has the accuracy of both. The constants stay because the first job, and the API's `estimated_usd`,
have no finished job to go by, and because the sum was within 8% of what was billed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from excamera.job.batches import mode_of_batch
from excamera.job.encoders import AnchorSettings
from excamera.job.options import EncodeOptions
from excamera.job.steps import STEP_NAMES
from excamera.job.tally import Tally
from excamera.price import plain
from excamera.price.costs import Shape
from excamera.price.film import Film
from excamera.price.workers import Workers
from mu import Attempt

FURTHER_CPU = 0.9
"""What each further CPU adds to a worker that encodes: two threads rebase 1.81 to 1.86 times as
fast."""

CONSTANTS: Mapping[str, tuple[str, ...]] = {
    "anchors": ("read_s", "lookahead_s", "anchor_s", "between_s", "check_s"),
    "rebase": ("encode_s", "rebase_s", "first_frame_s"),
    "plain": ("plain",),
}
"""The constants of `Pace` that say how long batches of each mode take."""

SOUND_BITS = 96_000
"""Bits of a second of sound."""

CRF_OCTAVE = 14.0
"""Steps of `crf` that halve the bits."""

CRF_TIME_OCTAVE = 28.0
"""Steps of `crf` that halve the time of encode."""

DEADLINE_FACTORS = {"good": 1.0, "best": 1.5, "realtime": 0.74}
"""The time of encode at each deadline, as a multiple of that of "good"."""

EFFORT_TIMES = (0.7, 1.0, 1.2, 1.6, 2.5)
"""The time of our encoder at each effort, all relative to the same: docs/adr/0021-effort.md."""

_PACE = AnchorSettings()
"""The efforts with which `Pace` was measured."""

CPU_USED = 0.72
"""The factor by which each step of `cpu_used` changes that time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one CPU works and S3 answers.

    `call_s` and `stitch_s` are S3's. `survey_s` is that of H.264, which took 6 ms at 2160p, 7 and
    13 at 720p and 9 at 1080p, with what leads in (docs/adr/0024). `read_s`, `lookahead_s`,
    `anchor_s`, `between_s` and `check_s` are rounded medians of what `make bench-speed` measures in
    its section `batch`, on one thread and brought to `crf` 24; the others of what
    `make bench-cloud` measures on real clips. Tests compare them with the results.

    Attributes:
        call_s: seconds of a call's requests: six, one after another, of S3's usual 25 ms.
        encode_s: seconds to read and encode a megapixel with libvpx, "good", `cpu_used` 0,
            at `crf` 24, as for all of these.
        rebase_s: seconds to read and rebase a megapixel.
        first_frame_s: seconds to encode a megapixel of a chunk's first frame again.
        read_s: seconds to read a megapixel of the source in mode anchors. If a batch is divided,
            two workers do.
        lookahead_s: seconds to look at a megapixel before anchors are coded.
        anchor_s: seconds to encode a megapixel of a frame that is coded ahead, with default effort.
        between_s: seconds to encode and check a megapixel of other frames in mode anchors, and to
            decode the anchors before them, with default effort.
        check_s: seconds to join and check a megapixel in mode anchors.
        audio_s: seconds for a second of sound, on one CPU.
        plan_s: seconds to index and plan a thousand frames, without their pictures.
        survey_s: seconds to decode and survey a megapixel.
        stitch_s: seconds to send the front and the end of a result.
        bits: bits of a megapixel at `crf` 24.
        plain: time of the encoders of plain chunks, as a multiple of that in
            `excamera.price.plain`.
        waits: seconds in which a job waits for events, environments, states and maps, as a multiple
            of what is assumed here and in `mu.simulation`.
    """

    call_s: float = 0.15
    encode_s: float = 0.088
    rebase_s: float = 0.0145
    first_frame_s: float = 0.082
    read_s: float = 0.008
    lookahead_s: float = 0.0037
    anchor_s: float = 0.14
    between_s: float = 0.062
    check_s: float = 0.0022
    audio_s: float = 0.011
    plan_s: float = 0.012
    survey_s: float = 0.01
    stitch_s: float = 0.5
    bits: float = 125_000
    plain: float = 1.0
    waits: float = 1.0

    @classmethod
    def of_job(
        cls,
        attempts: Iterable[Attempt],
        film: Film,
        options: EncodeOptions,
        workers: Workers,
        call_s: float | None = None,
        *,
        chunks: int | None = None,
    ) -> Pace:
        """The pace of a finished job, from its timeline.

        Args:
            attempts: the attempts of its timeline.
            film: what it encoded.
            options: its options.
            workers: that encoded it.
            call_s: seconds of a call's requests; by default the constant.
            chunks: how many it had; by default as many as if all were of equal length.
        """
        usual = cls() if call_s is None else cls(call_s=call_s)
        seconds = dict.fromkeys(STEP_NAMES, 0.0)
        done = once_each(one for one in attempts if one.done and one.name in seconds)
        for attempt in done:
            took = attempt.milliseconds / 1000
            # At least half of a call's time counts as its own work, even if S3 was fast.
            seconds[attempt.name] += max(took / 2, took - usual.call_s)
        anchored = mode_of_batch(options) == "anchors"
        packed = Shape.so_far(Tally.of(done), anchored=anchored)
        if chunks is None:
            chunks = film.cut(options, workers.limits).chunks
        shape = replace(packed, frames=film.frames, chunks=chunks)
        work = max(1e-9, film.frames * film.megapixels)
        # A timeline does not tell the parts of a call: all are as much slower than usual.
        expected = work_seconds(film, options, shape, workers, usual)
        slower = (seconds["anchors"] + seconds["encode"]) / max(
            1e-9, expected["anchors"] + expected["encode"]
        )
        of_mode = {
            name: slower * getattr(usual, name) for name in CONSTANTS[mode_of_batch(options)]
        }
        plan = seconds["index"] + seconds["plan"]
        if seconds["survey"]:
            of_plan = {"survey_s": seconds["survey"] * _parallel(workers.cpus("survey")) / work}
        elif options.lengths.follow_scenes:
            of_plan = {"survey_s": max(0.0, plan - usual.plan_s * film.frames / 1000) / work}
        else:
            of_plan = {"plan_s": 1000 * plan / max(1, film.frames)}
        return replace(
            usual,
            **of_mode,
            **of_plan,
            audio_s=seconds["audio"]
            * _parallel(workers.cpus("audio"))
            / max(1e-9, film.duration_s * max(1, film.sound)),
            stitch_s=seconds["stitch"],
        )

    def with_size(self, size: int, film: Film, crf: int) -> Pace:
        """This pace with the bits of a result of `size` bytes."""
        bits = 8 * size - SOUND_BITS * film.duration_s * film.sound
        of_a_megapixel = max(1.0, bits) / max(1e-9, film.frames * film.megapixels)
        return replace(self, bits=of_a_megapixel / 2 ** ((24 - crf) / CRF_OCTAVE))


def work_seconds(
    film: Film, options: EncodeOptions, shape: Shape, workers: Workers, pace: Pace
) -> dict[str, float]:
    """Seconds that all calls of each function work, without their requests."""
    work = film.frames * film.megapixels
    threads = _parallel(workers.cpus("encode"))
    anchors = 0.0
    if shape.anchored:
        anchor_s = pace.anchor_s * effort_of_anchors(options)
        between_s = pace.between_s * effort_of_ordinary(options)
        ahead = work * (pace.read_s + pace.lookahead_s + shape.ahead * anchor_s)
        between = work * (1 - shape.ahead) * between_s / threads
        # One thread joins.
        check = work * pace.check_s * detail(options) / min(1.0, workers.cpus("encode"))
        divided = shape.divided / max(1, shape.batches)
        anchors = divided * ahead / _parallel(workers.cpus("anchors"))
        again = divided * work * (1 - shape.ahead) * pace.read_s
        encode = ((1 - divided) * ahead + again) / threads + between + check
    elif options.is_plain:
        # An encoder has one thread.
        plain_s = pace.read_s + pace.plain * plain.seconds_of(options, film.bits)
        encode = work * plain_s / min(1.0, workers.cpus("encode"))
    else:
        encode = work * pace.encode_s * effort(options) / threads
        if options.lengths.usual_chunks > 1:
            first = max(0, shape.chunks - shape.batches) / max(1, film.frames)
            joined = pace.rebase_s * (1 - first) + pace.first_frame_s * first
            encode += work * joined * detail(options) / threads
    # Two of the rounds encode, in the mean.
    probe = 2 * encode * min(1.0, shape.samples / max(1, shape.batches))
    survey = work * pace.survey_s if options.lengths.follow_scenes else 0.0
    return dict.fromkeys(STEP_NAMES, 0.0) | {
        "index": pace.plan_s * film.frames / 1000 + (0.0 if shape.spans else survey),
        "survey": survey / _parallel(workers.cpus("survey")) if shape.spans else 0.0,
        "probe": probe,
        "anchors": anchors,
        "encode": encode,
        "audio": pace.audio_s * film.duration_s / _parallel(workers.cpus("audio")) * film.sound,
        "stitch": pace.stitch_s,
    }


def effort(options: EncodeOptions) -> float:
    """The time of libvpx with these options as a multiple of "good", `cpu_used` 0, `crf` 24."""
    steps = abs(options.vpx.cpu_used)
    if options.vpx.deadline == "realtime":
        steps = max(1, steps)  # see VpxSettings
    return DEADLINE_FACTORS[options.vpx.deadline] * CPU_USED**steps * detail(options)


def effort_of_anchors(options: EncodeOptions) -> float:
    """The time of a frame coded ahead as a multiple of that with default effort, `crf` 24."""
    return EFFORT_TIMES[options.anchors.effort] / EFFORT_TIMES[_PACE.effort] * detail(options)


def effort_of_ordinary(options: EncodeOptions) -> float:
    """The time of an ordinary frame likewise."""
    own, usual = options.anchors.ordinary_effort, _PACE.ordinary_effort
    return EFFORT_TIMES[own] / EFFORT_TIMES[usual] * detail(options)


def detail(options: EncodeOptions) -> float:
    """The time of a frame for its bits as a multiple of that at `crf` 24."""
    return float(2 ** ((24 - options.crf) / CRF_TIME_OCTAVE))


def once_each(attempts: Iterable[Attempt]) -> list[Attempt]:
    """The fastest attempt at each task: slow ones are called a second time, and both may end."""
    found: dict[str, Attempt] = {}
    for one in attempts:
        known = found.setdefault(one.task, one)
        if one.milliseconds < known.milliseconds:
            found[one.task] = one
    return [*found.values()]


def _parallel(cpus: float) -> float:
    """The speed of what threads share as a multiple of that on one CPU."""
    return cpus if cpus <= 1 else 1 + FURTHER_CPU * (cpus - 1)
