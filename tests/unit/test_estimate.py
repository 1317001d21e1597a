"""What a job costs, and what it is expected to cost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from excamera.job.cut import Frames, cut
from excamera.job.options import DEADLINES, AnchorSettings, EncodeOptions
from excamera.job.packing import Limits
from excamera.job.steps import DEFAULT_MEMORY_MB, STEPS, Per, cpus_of
from excamera.price.costs import Shape, actual, foretold
from excamera.price.estimate import (
    CPU_USED,
    CRF_OCTAVE,
    CRF_TIME_OCTAVE,
    DEADLINE_FACTORS,
    EFFORT_TIMES,
    Film,
    Pace,
    Workers,
    estimate,
)
from mu import Attempt
from tests.support.shared import ROOT

FILM = Film(14_400, 1920, 1080, 600.0)
WORKERS = Workers(DEFAULT_MEMORY_MB)


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(1, 40), st.integers(1, 20))
def test_a_shape_is_what_the_plan_cuts(frames: int, n: int, x: int) -> None:
    """If this fails, estimates count more or fewer chunks than jobs have."""
    numbers = list(range(frames))
    for mode in ("anchors", "rebase"):
        options = EncodeOptions(chunk_frames=n, batch_chunks=x, mode=mode)
        of_film = Frames(numbers, numbers, [(number,) for number in numbers])
        batches = list(cut(of_film, options))
        found = Shape.of(frames, options)
        assert (found.frames, found.batches) == (frames, len(batches))
        assert found.chunks == sum(len(batch.chunks) for batch in batches)
        anchored = [batch for batch in batches if batch.is_anchored]
        assert found.anchored_batches == len(anchored)
        ordinary = [bool(batch.ordinary(chunk).pts) for batch in anchored for chunk in batch.chunks]
        assert found.anchored_chunks == sum(ordinary)
        rebased = [len(batch.chunks) > 1 for batch in batches if not batch.is_anchored]
        assert found.rebased_batches == sum(rebased)


def timeline(shape: Shape) -> list[Attempt]:
    """The timeline of a job in which nothing failed, a second for each task."""
    calls = {Per.JOB: 1, Per.SPAN: shape.spans, Per.BATCH: shape.batches, Per.CHUNK: shape.chunks}
    return [
        Attempt(f"{step.name}-{number}", 1, 1000)
        for step in STEPS
        for number in range(calls[step.per])
    ]


def test_a_job_without_failures_uses_what_was_foretold() -> None:
    """If this fails, the cost of a job and its estimate count differently."""
    shape = Shape.of(960, EncodeOptions())
    used = actual(timeline(shape), DEFAULT_MEMORY_MB)
    expected = foretold(shape, used.gb_seconds, min(shape.chunks, 100))
    assert used == expected
    assert used.dollars("arm64") < used.dollars("x86_64")
    assert sum(used.bill("arm64").values()) == used.dollars("arm64")


def test_retries_are_paid_for() -> None:
    """If this fails, a job with retries looks as cheap as one without."""
    shape = Shape.of(96, EncodeOptions())
    once = timeline(shape)
    again = [*once, Attempt("encode-3", 1, 900, "StoreUnavailable"), Attempt("encode-3", 2, 1000)]
    before, after = (actual(found, DEFAULT_MEMORY_MB) for found in (once, again))
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
    assert few.workers == 6  # of a batch of sixteen chunks; one is left for the sound
    assert few.seconds > 20 * usual.seconds
    # With fewer at once a job takes longer and costs no more.
    assert few.usage.transitions == usual.usage.transitions
    assert few.dollars <= usual.dollars


@pytest.mark.parametrize("mode", ["anchors", "rebase"])
def test_the_pace_of_a_job_foretells_that_job(mode: str) -> None:
    """If this fails, --like uses a pace that its job did not have."""
    options = EncodeOptions(mode=mode)
    shape = Shape.of(FILM.frames, options)
    ran = [
        *(Attempt(f"encode-{number}", 1, 3000) for number in range(shape.chunks)),
        *(Attempt(f"anchors-{number}", 1, 9000) for number in range(shape.batches)),
        *(Attempt(f"join-{number}", 1, 7000) for number in range(shape.batches)),
        Attempt("plan", 1, 500), Attempt("stitch", 1, 900), Attempt("audio", 1, 100),
    ]  # fmt: skip
    cpus = {step: cpus_of(memory) for step, memory in DEFAULT_MEMORY_MB.items()}
    pace = Pace.of_job(ran, FILM, options, cpus).with_size(50_000_000, FILM, 24)
    found = estimate(FILM, options, WORKERS, pace, warm=True)
    took = {"encode": 3 * shape.chunks, "join": 7 * shape.batches}
    if mode == "anchors":
        took["anchors"] = 9 * shape.batches
    for step, seconds in took.items():
        expected = seconds * DEFAULT_MEMORY_MB[step] / 1024
        assert found.usage.gb_seconds[step] == pytest.approx(expected, rel=0.2)
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
    cpus = {step: cpus_of(memory) for step, memory in DEFAULT_MEMORY_MB.items()}
    pace = Pace.of_job([Attempt("index", 1, 30_000)], short, chosen, cpus)
    assert of(short, chosen, pace)["index"] == pytest.approx(30 * 1769 / 1024, rel=0.02)
    assert of(short, fixed, pace) == of(short, fixed)
    surveys = [Attempt(f"survey-{number}", 1, 6_000) for number in range(FILM.cut(chosen).spans)]
    pace = Pace.of_job(surveys, FILM, chosen, cpus)
    expected = 6 * len(surveys) * 1769 / 1024
    assert of(FILM, chosen, pace)["survey"] == pytest.approx(expected, rel=0.02)


def test_modes_of_batches_count() -> None:
    """If this fails, a job in mode rebase is told to have cost more than it has."""
    options = EncodeOptions(chunk_frames=6, mode="rebase")
    shape = Shape.of(960, options)
    used = actual(timeline(shape), DEFAULT_MEMORY_MB, anchored=0.0)
    assert used == foretold(shape, used.gb_seconds, 100)
    assert used.writes < actual(timeline(shape), DEFAULT_MEMORY_MB).writes


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
    assert seconds(0, "anchors")["join"] == seconds(4, "anchors")["join"]
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


@given(st.integers(1, 2000), st.integers(1, 1000), st.integers(1, 40), st.integers(1, 1000))
def test_a_job_fits_into_its_account(room: int, batches: int, chunks: int, x: int) -> None:
    """If this fails, a job asks for more functions than the account runs at a time."""
    fit = Limits(batches, chunks, room).fit(x)
    assert 1 <= fit.batches_at_once <= batches
    assert 1 <= fit.chunks_at_once <= chunks
    assert 1 <= Limits(batches, chunks, room).workers <= min(room, batches * chunks, 10_000)
    at_once = fit.batches_at_once * min(fit.chunks_at_once, x)
    assert at_once <= max(1, room - 1)
