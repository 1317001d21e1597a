"""What a job costs, and what it is expected to cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from excamera.job.cut import Frames, cut
from excamera.job.encoders import DEADLINES, AnchorSettings
from excamera.job.options import EncodeOptions
from excamera.job.packing import SHARE_PIXELS, Cut, Limits, share_of
from excamera.job.results import PlanSummary
from excamera.job.steps import DEFAULT_MEMORY_MB, STEPS, Per
from excamera.job.tally import Tally
from excamera.price.costs import Shape, actual, foretold
from excamera.price.edits import edited
from excamera.price.estimate import estimate
from excamera.price.film import Film
from excamera.price.machine import machine_seconds
from excamera.price.pace import (
    CPU_USED,
    CRF_OCTAVE,
    CRF_TIME_OCTAVE,
    DEADLINE_FACTORS,
    EFFORT_TIMES,
    Pace,
)
from excamera.price.so_far import used
from excamera.price.stages import equal_batches
from excamera.price.workers import Workers
from mu import Attempt
from tests.support.shared import ROOT

FILM = Film(14_400, 1920, 1080, 600.0)
WORKERS = Workers(DEFAULT_MEMORY_MB)


@given(st.integers(1, 3000), st.integers(1, 40), st.integers(1, 20), st.integers(1, 8))
def test_a_shape_is_what_the_plan_cuts(frames: int, n: int, x: int, cpus: int) -> None:
    """If this fails, estimates count more or fewer calls than jobs have."""
    numbers = list(range(frames))
    limits = Limits(cpus=cpus, concurrency=300)
    for mode in ("anchors", "rebase"):
        options = EncodeOptions(chunk_frames=n, batch_chunks=x, mode=mode)
        of_film = Frames(numbers, numbers, [(number,) for number in numbers])
        batches = list(cut(of_film, options))
        found = Shape.of(frames, options, limits=limits)
        assert (found.frames, found.batches) == (frames, len(batches))
        assert found.chunks == sum(len(batch.chunks) for batch in batches)
        most = max(len(batch.chunks) for batch in batches)
        packing = limits.pack(Cut(len(batches), most, 0))
        shares = [packing.shares_of(len(batch.chunks)) for batch in batches]
        assert found.shares == sum(shares)
        assert found.divided == sum(count > 1 for count in shares)
        assert found.divided_shares == sum(count for count in shares if count > 1)
        assert found.anchored == (mode == "anchors")


def timeline(shape: Shape) -> list[Attempt]:
    """The timeline of a job in which nothing failed, a second for each task.

    Its first batches are divided, into two shares and the first into the rest.
    """
    shares = [1] * shape.batches
    for number in range(shape.divided):
        shares[number] = 2
    if shape.divided:
        shares[0] += shape.shares - sum(shares)
    names = [step.name for step in STEPS if step.per is Per.JOB]
    names += [f"survey-{number:06d}" for number in range(shape.spans)]
    names += [f"anchors-{number:06d}" for number in range(shape.divided * shape.anchored)]
    for number, count in enumerate(shares):
        names += [f"encode-{number:06d}-{share:06d}" for share in range(count)]
    names += ["spread-spans"] * shape.spread_spans + ["spread-batches"] * shape.spread_batches
    return [Attempt(name, 1, 1000) for name in names]


def test_a_job_without_failures_uses_what_was_foretold() -> None:
    """If this fails, the cost of a job and its estimate count differently."""
    for cpus in (1, 64):
        shape = Shape.of(960, EncodeOptions(), limits=Limits(cpus=cpus))
        used = actual(Tally.of(timeline(shape)), DEFAULT_MEMORY_MB)
        assert used == foretold(shape, used.gb_seconds, min(shape.shares, 100))
        assert (shape.shares > shape.batches) == (cpus == 1)
    assert used.dollars("arm64") < used.dollars("x86_64")
    assert sum(used.bill("arm64").values()) == used.dollars("arm64")


@pytest.mark.parametrize("options", [{"codec": "vp9"}, {"mode": "rebase"}])
def test_a_ladder_uses_what_was_foretold(options: dict[str, str]) -> None:
    """If this fails, the cost of a ladder so far is told as if it had one size."""
    chosen = EncodeOptions().with_texts(
        {"ladder": "1080p,720p,480p", "container": "mpd", **options}
    )
    film = edited(FILM, chosen)
    shape = film.cut(chosen, WORKERS.limits)
    planned = PlanSummary(
        items="", results="", assembly="", frames=film.frames, chunks=shape.chunks,
        batches=shape.batches, shares=shape.shares, spans=shape.spans, anchored=0,
        divided=shape.divided, batches_at_once=9, shares_at_once=1, threads=0, useful=9,
        concurrency=None, width=film.width, height=film.height, duration_s=film.duration_s,
        sound=film.sound, indexed_by="packets", options=chosen.to_json(), rungs=film.rungs,
    )  # fmt: skip
    tally = Tally.of(timeline(shape))
    found = used(tally, planned, DEFAULT_MEMORY_MB)
    assert found == foretold(shape, found.gb_seconds, min(shape.shares, 100))
    one = used(tally, replace(planned, rungs=0), DEFAULT_MEMORY_MB)
    assert (found.gb_seconds, found.invocations) == (one.gb_seconds, one.invocations)
    # Each further size has a batch of its own to store, and its records.
    assert found.writes - one.writes > 2 * 4 * shape.batches
    assert found.reads > one.reads


def test_retries_are_paid_for() -> None:
    """If this fails, a job with retries looks as cheap as one without."""
    shape = Shape.of(96, EncodeOptions())
    once = timeline(shape)
    again = [*once, Attempt("encode-000000-000000", 1, 900, "StoreUnavailable"),
             Attempt("encode-000000-000000", 2, 1000)]  # fmt: skip
    before, after = (actual(Tally.of(found), DEFAULT_MEMORY_MB) for found in (once, again))
    assert after.invocations == before.invocations + 1
    assert after.transitions == before.transitions + 1
    assert after.gb_seconds["encode"] > before.gb_seconds["encode"]


def test_more_work_costs_more() -> None:
    """If this fails, the estimate leads to wrong decisions."""
    usual = estimate(FILM, EncodeOptions(), WORKERS, warm=True)
    longer = estimate(Film(28_800, 1920, 1080, 1200.0), EncodeOptions(), WORKERS, warm=True)
    assert 1.9 < longer.dollars / usual.dollars < 2.1
    assert longer.size == pytest.approx(2 * usual.size)
    better = estimate(FILM, EncodeOptions(crf=8), WORKERS)
    assert better.size > 2 * usual.size
    few = estimate(FILM, EncodeOptions(), Workers(DEFAULT_MEMORY_MB, concurrency=7), warm=True)
    assert few.workers == 6  # one is left for the sound
    assert few.seconds > 10 * usual.seconds
    # With fewer at once a job takes longer and costs no more: batches are not divided.
    assert few.shape.shares == few.shape.batches < usual.shape.shares
    assert few.usage.invocations < usual.usage.invocations
    # One function begins all batches if they may run at the same time.
    assert (few.shape.spread_batches, usual.shape.spread_batches) == (False, True)
    assert few.usage.transitions > few.shape.batches > usual.usage.transitions
    assert few.dollars <= usual.dollars


@pytest.mark.parametrize("mode", ["anchors", "rebase"])
def test_the_pace_of_a_job_foretells_that_job(mode: str) -> None:
    """If this fails, --like uses a pace that its job did not have."""
    options = EncodeOptions(mode=mode)
    shape = FILM.cut(options, WORKERS.limits)
    took = {"encode": 9000 if mode == "anchors" else 30_000, "anchors": 5000}
    ran = [
        replace(one, milliseconds=took.get(one.name, one.milliseconds)) for one in timeline(shape)
    ]
    pace = Pace.of_job(ran, FILM, options, WORKERS).with_size(50_000_000, FILM, 24)
    found = estimate(FILM, options, WORKERS, pace, warm=True)

    def both(gb_seconds: Mapping[str, float]) -> float:
        return gb_seconds.get("anchors", 0.0) + gb_seconds["encode"]

    expected = actual(Tally.of(ran), DEFAULT_MEMORY_MB).gb_seconds
    assert both(found.usage.gb_seconds) == pytest.approx(both(expected), rel=0.05)
    assert found.size == pytest.approx(50_000_000, rel=0.01)


def test_the_time_to_look_for_scenes_is_counted() -> None:
    """If this fails, the plan of a job takes much longer than estimated."""
    short = Film(400, 1920, 1080, 16.0)
    fixed, chosen = EncodeOptions(chunk_frames=12), EncodeOptions()

    def of(film: Film, options: EncodeOptions, pace: Pace | None = None) -> dict[str, float]:
        found = estimate(film, options, WORKERS, pace, warm=True).usage.gb_seconds
        return {step: found[step] for step in ("index", "survey")}

    assert of(short, chosen)["index"] > 10 * of(short, fixed)["index"]
    assert of(short, chosen)["survey"] == 0
    # A long film is surveyed by many.
    assert of(FILM, chosen)["index"] == of(FILM, fixed)["index"]
    assert of(FILM, chosen)["survey"] > 30 * of(short, chosen)["index"]
    assert of(FILM, fixed)["survey"] == 0
    # The pace of a job that was surveyed says how long that takes, and nothing of the index.
    pace = Pace.of_job([Attempt("index", 1, 30_000)], short, chosen, WORKERS)
    assert of(short, chosen, pace)["index"] == pytest.approx(30 * 1769 / 1024, rel=0.02)
    assert of(short, fixed, pace) == of(short, fixed)
    spans = FILM.cut(chosen, WORKERS.limits).spans
    surveys = [Attempt(f"survey-{number}", 1, 6_000) for number in range(spans)]
    pace = Pace.of_job(surveys, FILM, chosen, WORKERS)
    expected = 6 * len(surveys) * DEFAULT_MEMORY_MB["survey"] / 1024
    assert of(FILM, chosen, pace)["survey"] == pytest.approx(expected, rel=0.02)


def test_modes_of_batches_count() -> None:
    """If this fails, a job in mode rebase is told to have cost more than it has."""
    options = EncodeOptions(chunk_frames=6, mode="rebase")
    shape = Shape.of(960, options)
    used = actual(Tally.of(timeline(shape)), DEFAULT_MEMORY_MB, anchored=False)
    assert used == foretold(shape, used.gb_seconds, 100)
    assert used.reads < actual(Tally.of(timeline(shape)), DEFAULT_MEMORY_MB).reads


def test_effort_takes_time_in_mode_anchors() -> None:
    """If this fails, a careful encode is promised at the price of a fast one."""

    def seconds(effort: int, mode: str) -> dict[str, float]:
        options = EncodeOptions(mode=mode, anchors=AnchorSettings(effort=effort))
        return estimate(FILM, options, WORKERS, warm=True).usage.gb_seconds

    anchors, encode = (
        [seconds(effort, "anchors")[step] for effort in range(len(EFFORT_TIMES))]
        for step in ("anchors", "encode")
    )
    assert sorted(set(anchors)) == anchors
    # Ordinary frames have one effort less, but none has less than none.
    assert encode[0] == encode[1]
    assert sorted(set(encode)) == encode[1:]
    assert encode[1] < 0.85 * encode[2] < 1.2 * encode[2] < encode[4]
    assert seconds(0, "rebase") == seconds(4, "rebase")


def test_the_times_of_efforts_are_those_of_the_decision() -> None:
    """If this fails, two places say what an effort takes, and differ."""
    text = (ROOT / "docs" / "adr" / "0021-effort.md").read_text()
    rows = [line.strip(" |").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    times = {row[0]: float(row[-1]) for row in rows if row[0].isdigit()}
    assert times == {str(effort): took for effort, took in enumerate(EFFORT_TIMES)}


MEASURED = json.loads((ROOT / "benchmarks" / "results" / "cloud.json").read_text())


@pytest.mark.parametrize("name", MEASURED["pace"]["medians"])
def test_the_pace_is_what_was_measured(name: str) -> None:
    """If this fails, estimates use figures that nobody measured."""
    assert getattr(Pace(), name) == pytest.approx(MEASURED["pace"]["medians"][name], rel=0.25)


SPEED = json.loads((ROOT / "benchmarks" / "results" / "speed.json").read_text())


@pytest.mark.skipif("batch" not in SPEED, reason="`make bench-speed` has not measured batches yet")
@pytest.mark.parametrize("name", ["read_s", "lookahead_s", "anchor_s", "between_s", "check_s"])
def test_the_pace_of_mode_anchors_is_what_was_measured(name: str) -> None:
    """If this fails, estimates use figures that nobody measured."""
    assert getattr(Pace(), name) == pytest.approx(SPEED["batch"]["found"]["pace"][name], rel=0.25)


def test_other_constants_are_what_was_measured() -> None:
    """If this fails, estimates with other options are guesses."""
    pace = MEASURED["pace"]
    assert pytest.approx(pace["crf_octave"], rel=0.1) == CRF_OCTAVE
    assert pytest.approx(pace["crf_time_octave"], rel=0.1) == CRF_TIME_OCTAVE
    assert pytest.approx(pace["cpu_used"], rel=0.1) == CPU_USED
    for effort, took in pace["efforts"].items():
        deadline, _, steps = effort.partition(" ")
        assert DEADLINE_FACTORS[deadline] * CPU_USED ** int(steps) == pytest.approx(took, rel=0.3)


def test_estimates_are_near_what_was_billed() -> None:
    """If this fails, the model has drifted from what jobs take: measure, and see why."""
    for job in MEASURED["estimate"]["jobs"]:
        for by in ("told", "like", "constants"):
            assert job[by] == pytest.approx(job["billed"], rel=0.2), (by, job)


def test_every_deadline_has_a_factor() -> None:
    """If this fails, an estimate with a new deadline ends in a KeyError."""
    assert set(DEADLINE_FACTORS) == set(DEADLINES)


@given(
    st.integers(1, 2000),
    st.integers(1, 1000),
    st.integers(1, 40),
    st.integers(1, 10_000),
    st.integers(1, 6),
    st.integers(1, 500),
    st.integers(1, 1000),
    st.integers(0, 10**11),
)
def test_a_job_fits_into_its_account(
    room: int,
    job_workers: int,
    batch_workers: int,
    concurrency: int,
    cpus: int,
    batches: int,
    chunks: int,
    pixels: int,
) -> None:
    """If this fails, a job asks for more functions than the account runs at a time."""
    limits = Limits(job_workers, batch_workers, cpus, concurrency, min(room, concurrency))
    cut = Cut(batches, chunks, pixels)
    packing = limits.pack(cut)
    assert 1 <= limits.workers <= min(room, job_workers, concurrency)
    assert 1 <= packing.shares <= chunks
    assert packing.shares_of(1) == 1
    at_once = packing.batches_at_once * packing.shares_at_once
    assert 1 <= at_once <= max(1, min(job_workers, room - 1, concurrency - 1))
    assert 2 <= limits.useful(cut) <= job_workers + 1
    if packing.shares > 1:
        # Either each still has a chunk for every CPU, or it would be too large for a call.
        too_large = pixels > (packing.shares - 1) * SHARE_PIXELS
        assert packing.shares * cpus <= chunks or too_large
        assert packing.shares <= batch_workers or too_large


@given(st.integers(1, 64), st.integers(1, 1000))
def test_processes_of_one_machine_share_the_work(processes: int, batches: int) -> None:
    """If this fails, an encode on one machine leaves CPUs idle, or starts far too many threads."""
    packing = Limits(processes=processes).pack(Cut(batches, 16, 10**12))
    assert packing.shares == 1
    busy = min(processes, batches) * packing.threads
    assert processes <= busy <= 3 * processes


@given(st.integers(1, 200), st.integers(1, 200))
def test_shares_divide_a_batch(chunks: int, shares: int) -> None:
    """If this fails, a chunk is encoded twice, or by nobody."""
    of = min(chunks, shares)
    parts = [share_of(chunks, share, of) for share in range(of)]
    assert [chunk for part in parts for chunk in part] == list(range(chunks))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert min(map(len, parts)) > 0


def test_a_machine_takes_as_long_as_its_cpus_work() -> None:
    """If this fails, a dry run counts a CPU's work twice, or more CPUs than can help."""
    film, options, pace = Film(960, 1000, 1000, 40.0), EncodeOptions(), Pace()
    batches = equal_batches(film, options)

    def seconds(cpus: int, spans: int = 0, sound: bool = False) -> float:
        return machine_seconds(replace(film, sound=sound), options, batches, spans, cpus)

    plan_s, survey_s = pace.plan_s * 0.96, 960 * pace.survey_s
    ahead = sum(map(len, batches)) / 960
    coded = ahead * pace.anchor_s + (1 - ahead) * pace.between_s
    encode_s = 960 * (pace.read_s + pace.lookahead_s + coded + pace.check_s)
    assert seconds(1) == pytest.approx(plan_s + survey_s + encode_s)
    assert seconds(2) == pytest.approx(plan_s + survey_s + encode_s / 1.9)
    assert seconds(2, spans=10) == pytest.approx(plan_s + (survey_s + encode_s) / 1.9)
    assert seconds(1, sound=True) - seconds(1) == pytest.approx(40 * pace.audio_s)
    plain = EncodeOptions(codec="av1")
    chunks = [(240,)] * 4
    alone, four, many = (machine_seconds(film, plain, chunks, 0, cpus) for cpus in (1, 4, 64))
    before = plan_s + survey_s + 40 * pace.audio_s
    assert alone - before == pytest.approx(4 * (machine_seconds(film, plain, chunks, 0, 10**9)
                                                - plan_s - survey_s), rel=1e-3)  # fmt: skip
    assert alone > four > many > alone / 4
