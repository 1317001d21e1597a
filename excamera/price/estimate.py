"""Estimates a job before it begins: time, size and dollars.

Times are a model: seconds of one CPU for each megapixel of a frame, and some for each call. The
constants of `Pace` were measured on a machine that is not Lambda, whose cores vary; `Pace.of_job`
takes them from a finished job instead and is more reliable. docs/cloud-overhead.md has the accuracy
of both. The constants stay because the first job, and the API's `estimated_usd`, have no finished
job to go by, and because the sum was within 8% of what was billed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import ceil

from excamera.job import forms
from excamera.job.aiming import ROUNDS
from excamera.job.batches import mode_of_batch
from excamera.job.codecs import CODECS
from excamera.job.environments import AT_START, for_batches
from excamera.job.options import AnchorSettings, EncodeOptions
from excamera.job.packing import MOST_SHARES, SPREAD_CALLS, Limits, capacity_of
from excamera.job.plan import Plan
from excamera.job.steps import ENCODE_SIZES_MB, SPREADING, STEP_NAMES, STEPS, cpus_of
from excamera.job.tally import Tally
from excamera.job.target import BITRATE, SIZE, SSIM, Target
from excamera.job.zones import parse_zones
from excamera.price import plain
from excamera.price.costs import ASKING_S, UNTIMED_CALLS_S, Shape, Usage, foretold
from mu import Attempt

FURTHER_CPU = 0.9
"""What each further CPU adds to a worker that encodes: two threads rebase 1.81 to 1.86 times as
fast."""

COLD_START_S = 2.5
"""Seconds until a new environment of a function that works on video runs its first call."""

STATE_S = 0.1
"""Seconds of Step Functions between two calls, which are not billed."""

START_S = 1.35
"""Seconds from the end of an upload until the index function runs."""

_CHILDREN_A_SECOND = 100  # children that a distributed map starts, one for each batch


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
        elif options.follows_scenes:
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

_DB_OF_OCTAVE = 3.0
"""What halving the bits usually costs."""

_USUAL_SSIM_DB, _USUAL_PSNR_DB = 16.0, 38.0
"""Of a film at the usual crf."""

_LOWEST_GUESS = 6

DEADLINE_FACTORS = {"good": 1.0, "best": 1.5, "realtime": 0.74}
"""The time of encode at each deadline, as a multiple of that of "good"."""

EFFORT_TIMES = (0.7, 1.0, 1.2, 1.6, 2.5)
"""The time of our encoder at each effort, all relative to the same: docs/adr/0021-effort.md."""

_PACE = AnchorSettings()
"""The efforts with which `Pace` was measured."""

CPU_USED = 0.72
"""The factor by which each step of `cpu_used` changes that time."""


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be encoded.

    Attributes:
        frames: number of frames.
        width: width of a frame, px.
        height: height of a frame, px.
        duration_s: duration.
        sound: how many sound tracks it has.
        bits: of a sample of the result.
        sizes: the pixels of a frame in all sizes of a ladder, in times those of `width` and
            `height`. Whatever grows with pixels is taken to grow by it.
    """

    frames: int
    width: int
    height: int
    duration_s: float
    sound: int = 1
    bits: int = 8
    sizes: float = 1.0

    @classmethod
    def of(cls, plan: Plan, frames: int) -> Film:
        """What a plan encodes, with so many frames."""
        return cls(
            frames,
            plan.geometry.width,
            plan.geometry.height,
            float(plan.end * plan.time_base),
            sound=len(plan.source.audio_streams),
            bits=plan.geometry.bits,
            sizes=plan.pixels / (plan.geometry.width * plan.geometry.height),
        )

    @property
    def megapixels(self) -> float:
        """Megapixels of one frame, in all sizes."""
        return self.pixels / 1e6

    @property
    def pixels(self) -> int:
        """Pixels of one frame, in all sizes."""
        return round(self.width * self.height * self.sizes)

    def cut(self, options: EncodeOptions, limits: Limits) -> Shape:
        """How the options cut it, and how workers within limits share it."""
        return Shape.of(self.frames, options, self.pixels, limits)


def environments_ahead(
    film: Film, options: EncodeOptions, limits: Limits, spans: int
) -> dict[str, int]:
    """The environments that a job asks for as soon as its film is known, by step.

    Args:
        film: what it encodes.
        options: its options.
        limits: of the job.
        spans: how many spans are surveyed meanwhile.
    """
    shape = film.cut(options, limits)
    return for_batches(
        shares=shape.shares,
        ahead=shape.counts.ahead,
        spans=spans,
        pixels=film.frames * film.pixels,
        workers=limits.workers,
    )


def limits_of(
    memory_mb: Mapping[str, int],
    job_workers: int,
    batch_workers: int,
    *,
    concurrency: int | None,
    granted: int | None = None,
    spread_calls: int = SPREAD_CALLS,
) -> Limits:
    """The limits of a job whose functions have that memory; see `Limits` for the others."""
    cpus = max(1, int(cpus_of(memory_mb["encode"])))
    return Limits(job_workers, batch_workers, cpus, concurrency, granted, spread_calls=spread_calls)


@dataclass(frozen=True, slots=True)
class Workers:
    """The workers that the stack and the account allow a job.

    Attributes:
        memory_mb: memory of each function, by its name.
        architecture: "arm64" or "x86_64".
        job_workers: functions that may encode it at the same time.
        batch_workers: functions that may encode one of its batches.
        concurrency: Lambda calls that the account leaves to jobs at the same time.
        spread_calls: calls under way at once up to which one function begins all spans or batches.
        encode_sizes: memory of further functions that encode, in MB.
        warms: whether a job has environments made before it needs them.
    """

    memory_mb: Mapping[str, int]
    architecture: str = "arm64"
    job_workers: int = 3000
    batch_workers: int = 16
    concurrency: int = capacity_of(1000)
    spread_calls: int = SPREAD_CALLS
    encode_sizes: tuple[int, ...] = ENCODE_SIZES_MB
    warms: bool = True

    @property
    def limits(self) -> Limits:
        """The limits of a job."""
        return limits_of(
            self.memory_mb,
            self.job_workers,
            self.batch_workers,
            concurrency=self.concurrency,
            spread_calls=self.spread_calls,
        )

    def cpus(self, step: str) -> float:
        """CPUs of a function."""
        return cpus_of(self.memory_mb[step])

    def of_size(self, memory_mb: int) -> Workers:
        """These workers, if the function that encodes has that memory, in MB."""
        return replace(self, memory_mb={**self.memory_mb, "encode": memory_mb})


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job is expected to take.

    Attributes:
        shape: how it is cut.
        seconds: time from the end of the upload to the result.
        size: bytes of the result.
        usage: what it uses of AWS.
        dollars: cost at list prices.
        workers: the most workers at the same time.
        computing_s: the part of `seconds` in which calls compute, one after another.
    """

    shape: Shape
    seconds: float
    size: int
    usage: Usage
    dollars: float
    workers: int
    computing_s: float


def estimate(
    film: Film,
    options: EncodeOptions,
    workers: Workers,
    pace: Pace | None = None,
    *,
    warm: bool = False,
    source_reads: int = 5,
    shape: Shape | None = None,
) -> Estimate:
    """Estimate a job; pure arithmetic.

    Args:
        film: what is to be encoded.
        options: N, x, quality and effort.
        workers: the stack's workers.
        pace: the pace of one CPU; by default the constants here.
        warm: whether the functions have environments left from another job.
        source_reads: see `excamera.price.costs.foretold`.
        shape: how the film is cut, if that is known; by default all batches are equal.
    """
    pace = pace or Pace()
    options = aimed(film, options, pace)
    limits = workers.limits
    shape = shape or film.cut(options, limits)
    calls = _call_seconds(film, options, shape, workers, pace)
    counts = _calls(shape)
    # One call of the account is left for the sound.
    free = max(1, min(workers.job_workers, workers.concurrency - 1))
    at_once = min(shape.shares, free)
    surveys = max(1, min(shape.spans, limits.workers))
    ahead = [AT_START, environments_ahead(film, options, limits, shape.spans)]
    asked = {step: count for one in ahead for step, count in one.items() if workers.warms}
    environments = {step: min(count, at_once) for step, count in counts.items()}
    environments["survey"] = min(shape.spans, surveys)
    cold = 0.0 if warm else COLD_START_S
    waits = {step: 0.0 if step in asked else cold for step in STEP_NAMES}
    gb_seconds = {
        step: (counts[step] * calls[step] + environments[step] * cold)
        * workers.memory_mb[step]
        / 1024
        for step in STEP_NAMES
    }
    for step, seconds in UNTIMED_CALLS_S.items():
        gb_seconds[step] = seconds * workers.memory_mb.get(step, 0) / 1024
    gb_seconds["warm"] = sum(asked.values()) * ASKING_S * workers.memory_mb.get("warm", 0) / 1024
    of_batch = ceil(shape.shares / shape.batches)
    together = max(1, free // of_batch)
    rounds = ceil(shape.batches / together)
    batch_s = ceil(of_batch / free) * calls["encode"]
    waits_s = ceil(of_batch / free) * STATE_S
    if shape.divided and shape.anchored:
        batch_s += calls["anchors"]
        waits_s += STATE_S + waits["anchors"]
    surveyed = ceil(shape.spans / surveys)
    tried_s = 0.0
    computing_s = (
        calls["index"]
        + max(calls["audio"], surveyed * calls["survey"] + calls["plan"])
        + rounds * batch_s
        + calls["stitch"]
    )
    if shape.samples:
        together = max(1, min(shape.samples, free, MOST_SHARES))
        tries = ROUNDS * ceil(shape.samples / together) + 1
        computing_s += tries * calls["probe"]
        tried_s = waits["probe"] + (1 + tries) * STATE_S
    waits_s = (
        tried_s
        + START_S
        + sum(waits[step] for step in ("index", "plan", "encode", "stitch"))
        + (waits["survey"] if shape.spans else 0.0)
        + (1 + surveyed) * STATE_S
        + rounds * waits_s
        + (0 if shape.spread_batches else shape.batches / _CHILDREN_A_SECOND)
    )
    spread_s = shape.spread_spans * surveyed * calls["survey"]
    spread_s += shape.spread_batches * rounds * batch_s
    gb_seconds[SPREADING] = spread_s * workers.memory_mb[SPREADING] / 1024
    usage = foretold(
        shape,
        gb_seconds,
        environments["encode"],
        source_reads=source_reads,
        ahead=ahead if workers.warms else (),
    )
    return Estimate(
        shape,
        computing_s + pace.waits * waits_s,
        result_bytes(film, options, pace),
        usage,
        usage.dollars(workers.architecture),
        at_once,
        computing_s,
    )


def bits_of(pace: Pace, options: EncodeOptions) -> float:
    """Bits of a megapixel of the result, without sound."""
    if options.is_plain:
        return plain.bits_of(options)
    return pace.bits * float(2 ** ((24 - options.crf) / CRF_OCTAVE))


def result_bytes(film: Film, options: EncodeOptions, pace: Pace) -> int:
    """The expected size of a result."""
    target = options.target
    if target is not None and target.kind == SIZE:
        return round(target.wanted)
    bits = film.frames * film.megapixels * bits_of(pace, aimed(film, options, pace))
    bits *= _by_zones(film, options)
    if target is not None and target.kind == BITRATE:
        bits = _bits_wanted(target, film)
    sound_bits = SOUND_BITS * film.duration_s * film.sound
    return round((bits + sound_bits) / 8)


def _by_zones(film: Film, options: EncodeOptions) -> float:
    """The bits of a film with its zones as a multiple of those without, if it is alike all over."""
    factor = 1.0
    begin_s = forms.parse_start(options.start or "0")
    for zone in parse_zones(options.zones):
        share = zone.share_of(begin_s, film.duration_s)
        change = zone.change(options.exact_crf)
        factor += share * (2 ** (-change / octave_of(options)) - 1)
    return factor


def octave_of(options: EncodeOptions) -> float:
    """Steps of `crf` that halve the bits."""
    return plain.COSTS[options.codec].octave if options.is_plain else CRF_OCTAVE


def guessed_crf(film: Film, options: EncodeOptions, pace: Pace | None = None) -> int:
    """The crf with which a film probably meets the options' target; without one their own."""
    target = options.target
    if target is None:
        return options.crf
    usual = CODECS[options.codec].crf
    if target.is_quality:
        octaves = _octaves_of_quality(target)
    else:
        bits = _bits_wanted(target, film)
        expected = bits_of(pace or Pace(), options.with_crf(usual))
        octaves = math.log2(expected * film.frames * film.megapixels / max(1.0, bits))
    highest = CODECS[options.codec].worst_crf - _LOWEST_GUESS
    guess = round(usual + octaves * octave_of(options))
    return min(max(guess, _LOWEST_GUESS), highest)


def aimed(film: Film, options: EncodeOptions, pace: Pace) -> EncodeOptions:
    """The options with the crf that is expected of their target."""
    if options.target is None:
        return options
    return options.with_crf(guessed_crf(film, options, pace))


def _octaves_of_quality(target: Target) -> float:
    usual = _USUAL_SSIM_DB if target.kind == SSIM else _USUAL_PSNR_DB
    return (usual - target.wanted) / _DB_OF_OCTAVE


def _bits_wanted(target: Target, film: Film) -> float:
    if target.kind == BITRATE:
        return 1000 * target.wanted * film.duration_s
    return 8 * target.wanted - SOUND_BITS * film.duration_s * film.sound


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


def _calls(shape: Shape) -> dict[str, int]:
    """Calls of each step in a job of that shape."""
    return {step.name: getattr(shape.counts, step.per.name.lower()) for step in STEPS}


def _call_seconds(
    film: Film, options: EncodeOptions, shape: Shape, workers: Workers, pace: Pace
) -> dict[str, float]:
    """Seconds of the mean call of each function in a warm environment."""
    work = work_seconds(film, options, shape, workers, pace)
    calls = _calls(shape)
    return {step: pace.call_s + work[step] / max(1, calls[step]) for step in STEP_NAMES}


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
        if options.usual_chunks > 1:
            first = max(0, shape.chunks - shape.batches) / max(1, film.frames)
            joined = pace.rebase_s * (1 - first) + pace.first_frame_s * first
            encode += work * joined * detail(options) / threads
    # Two of the rounds encode, in the mean.
    probe = 2 * encode * min(1.0, shape.samples / max(1, shape.batches))
    survey = work * pace.survey_s if options.follows_scenes else 0.0
    return dict.fromkeys(STEP_NAMES, 0.0) | {
        "index": pace.plan_s * film.frames / 1000 + (0.0 if shape.spans else survey),
        "survey": survey / _parallel(workers.cpus("survey")) if shape.spans else 0.0,
        "probe": probe,
        "anchors": anchors,
        "encode": encode,
        "audio": pace.audio_s * film.duration_s / _parallel(workers.cpus("audio")) * film.sound,
        "stitch": pace.stitch_s,
    }
