"""Jobs in simulated time, against what estimates foretell of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from excamera.job.cut import Frames, cut
from excamera.job.environments import calls_for
from excamera.job.options import EncodeOptions
from excamera.job.packing import capacity_of
from excamera.job.steps import DEFAULT_MEMORY_MB, STEP_NAMES
from excamera.price.costs import Ladder, Shape, foretold
from excamera.price.edits import edited
from excamera.price.estimate import estimate
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.simulated import simulated
from excamera.price.size import guessed_crf
from excamera.price.stages import equal_batches
from excamera.price.workers import Workers
from mu.fanout import UNWANTED_S
from mu.simulation import CLOUD, Cloud, Fanout

QUOTA = 5000
STEADY = replace(CLOUD, concurrency=QUOTA, ramp_burst=1e6).steady()
WORKERS = Workers(DEFAULT_MEMORY_MB, job_workers=4000, concurrency=capacity_of(QUOTA))
FILMS = {
    "short": Film(29, 48, 32, 1.2),
    "silent": Film(240, 1920, 1080, 10.0, sound=False),
    "long": Film(21_312, 1920, 1080, 888.0),
}
OPTIONS = {
    "default": EncodeOptions(),
    "anchors": EncodeOptions(chunk_frames=6, batch_chunks=2, mode="anchors"),
    "rebase": EncodeOptions(chunk_frames=6, batch_chunks=16, mode="rebase"),
    "one chunk": EncodeOptions(chunk_frames=24, batch_chunks=1),
    "target": EncodeOptions(bitrate="2M"),
}


@pytest.mark.parametrize("film", FILMS)
@pytest.mark.parametrize("options", OPTIONS)
def test_counts_are_those_foretold(film: str, options: str) -> None:
    """A simulated job makes other calls, transitions or requests than the flow is billed for."""
    shape = check_counts(FILMS[film], OPTIONS[options])
    assert shape == Shape.of(
        FILMS[film].frames,
        OPTIONS[options],
        FILMS[film].width * FILMS[film].height,
        WORKERS.limits,
    )


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
def test_counts_of_a_ladder_are_those_foretold(codec: str) -> None:
    """A simulated ladder makes other requests than its estimate has."""
    options = EncodeOptions().with_texts({"codec": codec, "ladder": "1080p,720p,480p"})
    shape = check_counts(edited(Film(2400, 1920, 1080, 100.0), options), options)
    assert shape.ladder == Ladder(sizes=3, segments=4, manifests=1)


def check_counts(film: Film, options: EncodeOptions) -> Shape:
    """Compares what a simulated job asks for with what is foretold; returns its shape."""
    made = simulated(film, options, WORKERS, cloud=STEADY)
    shape = made.stages.shape
    environments = len({call.worker for call in made.result.calls if call.task == "encode"})
    expected = foretold(
        shape,
        {},
        environments,
        source_reads=made.stages.source_reads,
        ahead=(made.stages.early, made.stages.ahead),
    )
    assert not made.result.refused
    assert made.usage.invocations == expected.invocations
    assert made.usage.transitions == expected.transitions
    assert made.usage.writes == expected.writes
    # Functions that begin calls look for a cancellation more often if they take longer.
    spread_s = [call.billed_s for call in made.result.calls if call.task == "spread"]
    looked = made.usage.reads - expected.reads
    assert sum(int(s / UNWANTED_S - 0.5) for s in spread_s) <= looked
    assert looked <= sum(int(s / UNWANTED_S) for s in spread_s)
    return shape


def test_time_and_price_are_near_the_estimate() -> None:
    """The simulator and the estimate do not speak of the same job."""
    film, options = FILMS["long"], OPTIONS["default"]
    # What an estimate leaves out: gathering, bytes, and the environments of a ramp.
    cloud = replace(STEADY, gather_s=0.0, bandwidth=1e12, map_s=0.0)
    made = simulated(film, options, WORKERS, cloud=cloud)
    told = estimate(film, options, WORKERS)
    assert made.seconds == pytest.approx(told.seconds, rel=0.2)
    assert made.dollars == pytest.approx(told.dollars, rel=0.1)
    called = {*STEP_NAMES, "spread", "start", "admit", "ended"} - {"probe"}
    assert set(made.usage.gb_seconds) == called


def test_a_target_costs_its_rounds() -> None:
    """If this fails, estimates leave out the samples that a target needs, or simulations do."""
    film, target = FILMS["long"], EncodeOptions(bitrate="2M")
    cloud = replace(STEADY, gather_s=0.0, bandwidth=1e12, map_s=0.0)
    made, told = simulated(film, target, WORKERS, cloud=cloud), estimate(film, target, WORKERS)
    assert made.seconds == pytest.approx(told.seconds, rel=0.2)
    assert made.dollars == pytest.approx(told.dollars, rel=0.1)
    without = EncodeOptions(crf=guessed_crf(film, target))
    assert told.dollars > 1.2 * estimate(film, without, WORKERS).dollars


def test_batches_of_a_plan_are_simulated() -> None:
    """Another cut is simulated than the one that is given."""
    options = OPTIONS["anchors"]
    frames = Frames([*range(100)], [*range(100)], [() for _ in range(100)])
    real = [tuple(len(chunk.pts) for chunk in batch.chunks) for batch in cut(frames, options)]
    film = Film(100, 640, 360, 4.0)
    assert equal_batches(film, options) == real
    scenes = [(6, 6), (6, 3), (6, 1), (6,)]
    workers = replace(WORKERS, memory_mb={**DEFAULT_MEMORY_MB, "encode": 1769})
    made = simulated(film, options, workers, batches=scenes, cloud=STEADY)
    calls = {name: phase.calls for name, phase in made.result.phases.items()}
    # Each chunk of a batch of several is a share.
    assert calls["anchors"] == 3
    assert calls["encode"] == 7


def test_a_larger_account_is_faster() -> None:
    """More workers do not shorten a long film, or they run although the account has none."""
    film = Film(259_200, 1920, 1080, 10_800.0, sound=False)
    seconds = []
    for quota in (10, 100, 1000):
        cloud = Cloud(concurrency=quota)
        workers = replace(WORKERS, concurrency=capacity_of(quota))
        made = simulated(film, OPTIONS["default"], workers, cloud=cloud)
        assert made.result.peak <= quota
        assert not made.result.error
        seconds.append(made.seconds)
    assert seconds[0] > 8 * seconds[1] > 16 * seconds[2]


def test_warm_environments_do_not_start() -> None:
    """A job after another one waits for new environments."""
    cold, warm = (
        simulated(FILMS["silent"], OPTIONS["default"], WORKERS, cloud=STEADY, warm=is_warm)
        for is_warm in (False, True)
    )
    assert sum(warm.result.cold_starts.values()) == 0
    assert "cold start" not in warm.result.bottlenecks
    # The sound is made beside the plan: without its start, the job may wait for the plan.
    saved = cold.seconds - warm.seconds
    assert 0 < saved < cold.result.bottlenecks["cold start"] + 1e-6
    # Each environment opens the source of each job, whether it is new or not.
    opened = {
        is_warm: 2 * len({call.worker for call in made.result.calls if call.task == "encode"})
        for is_warm, made in ((False, cold), (True, warm))
    }
    assert warm.usage.reads - opened[True] == cold.usage.reads - opened[False]


@pytest.mark.parametrize("minutes", [1, 14.8, 180])
def test_environments_made_ahead_save_time_and_cost_next_to_nothing(minutes: float) -> None:
    """Making them ahead, which is the default, makes jobs later or dearer."""
    film = Film(round(minutes * 1440), 3840, 2160, 60 * minutes)
    on, off = (
        simulated(film, OPTIONS["default"], replace(WORKERS, warms=warms), cloud=STEADY)
        for warms in (True, False)
    )
    assert on.seconds < off.seconds - 3
    assert on.dollars < 1.02 * off.dollars
    assert not on.result.refused
    assert off.result.invocations - len(off.result.calls) == 0
    assert on.result.invocations - len(on.result.calls) == calls_for(on.stages.early) + calls_for(
        on.stages.ahead
    )
    # No call finds those that were made ahead still beginning, and makes another.
    for step, phase in on.result.phases.items():
        assert on.result.cold_starts[step] <= phase.calls


def test_environments_made_ahead_leave_room_for_those_that_work() -> None:
    """Calls that only make environments take the places of surveys, which wait."""
    film = Film(21_312, 3840, 2160, 888.0)
    for quota in (10, 100, 300, 1000):
        workers = replace(WORKERS, concurrency=capacity_of(quota))
        cloud = replace(STEADY, concurrency=quota)
        on, off = (
            simulated(film, OPTIONS["default"], replace(workers, warms=warms), cloud=cloud)
            for warms in (True, False)
        )
        assert not on.result.refused
        assert on.result.peak <= max(off.result.peak, workers.limits.workers)


def test_kinds_of_fanout_differ_in_what_they_wait_for() -> None:
    """A fan-out without children gathers them, or one with children does not."""
    apart = replace(WORKERS, spread_calls=0)
    found = {
        kind: simulated(FILMS["long"], OPTIONS["default"], apart, cloud=STEADY, fanout=kind)
        for kind in Fanout
    }
    gather = {kind: one.result.bottlenecks.get("gather", 0.0) for kind, one in found.items()}
    # Spans and batches: two maps.
    assert gather[Fanout.STANDARD] == gather[Fanout.EXPRESS] == 2 * STEADY.gather_s
    assert gather[Fanout.INLINE] == 0
    assert gather[Fanout.CALLBACK] == pytest.approx(2 * STEADY.callback_s)
    assert found[Fanout.EXPRESS].dollars < found[Fanout.STANDARD].dollars
    spread = simulated(FILMS["long"], OPTIONS["default"], WORKERS, cloud=STEADY)
    assert "gather" not in spread.result.bottlenecks
    assert spread.seconds < found[Fanout.STANDARD].seconds - 2 * STEADY.gather_s
    assert spread.dollars < found[Fanout.STANDARD].dollars


def test_the_pace_of_a_job_is_used() -> None:
    """Another pace of the CPU or of S3 does not change a simulated job."""
    film, options = FILMS["silent"], OPTIONS["default"]
    usual = simulated(film, options, WORKERS, cloud=STEADY)
    pace = Pace()
    slow = replace(pace, anchor_s=10 * pace.anchor_s)
    assert simulated(film, options, WORKERS, slow, cloud=STEADY).seconds > usual.seconds + 3
    far = replace(pace, call_s=pace.call_s + 1)
    later = simulated(film, options, WORKERS, far, cloud=STEADY).seconds - usual.seconds
    # index, plan, anchors, encode, stitch; the reads of an environment's first call; those of the
    # function that begins the batches.
    assert later == pytest.approx(5 + 2 / 6 + 2 / 6)
