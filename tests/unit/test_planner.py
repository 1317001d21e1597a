"""Ways to do a job, and the choice among them by a time or a price."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from statistics import median
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.common.circumstances import RESULTS
from benchmarks.quality import structures as measured
from excamera.cli.frontier import HEAD, picture, row
from excamera.errors import BudgetTooSmall, TimeTooShort
from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions
from excamera.job.packing import FRONT, Limits
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.price import planner
from excamera.price.choices import Choice, Point
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.planner import planned
from excamera.price.sieve import candidates
from excamera.price.simulated import simulated
from excamera.price.structures import MORE_BITS, MOST_MORE_BITS, structures
from excamera.price.workers import Workers
from mu.simulation import CLOUD

BASE = EncodeOptions()
SIZES = (1769, 10_240)
WORKERS = Workers(DEFAULT_MEMORY_MB, encode_sizes=SIZES)
MINUTE = Film(1440, 1920, 1080, 60.0)
PUBLISHED = Film(21_312, 3840, 2160, 888.0)
EVENING = Film(259_200, 3840, 2160, 10_800.0)

films = st.builds(
    lambda frames, side, sound: Film(frames, 16 * side, 9 * side, frames / 24, sound=sound),
    st.integers(1, 4000),
    st.integers(4, 240),
    st.booleans(),
)
workers = st.builds(
    lambda concurrency, sizes, batch, job: Workers(
        DEFAULT_MEMORY_MB,
        concurrency=concurrency,
        encode_sizes=tuple(sizes),
        batch_workers=batch,
        job_workers=job,
    ),
    st.integers(1, 1000),
    st.lists(st.sampled_from([1769, 3538, 7076, 10_240]), max_size=2, unique=True),
    st.integers(1, 40),
    st.integers(1, 3000),
)
goals = st.one_of(
    st.builds(lambda seconds: Goal(within_s=seconds), st.floats(1, 2000)),
    st.builds(lambda usd: Goal(budget_usd=usd), st.floats(1e-4, 1.0)),
)


@settings(deadline=None, max_examples=12)
@given(films, workers, goals)
def test_the_choice_is_the_best_of_the_frontier(film: Film, given: Workers, goal: Goal) -> None:
    """If this fails, a job misses a goal that it could meet, or pays more than it has to."""
    found = planned(film, BASE, given, goal=goal)
    points, chosen = found.frontier, found.chosen
    assert chosen in points
    for faster, cheaper in pairwise(points):
        assert faster.late_s < cheaper.late_s
        assert faster.usd > cheaper.usd
    for point in points:
        assert point.seconds <= point.late_s
        assert point.more_bits <= MOST_MORE_BITS
        assert point.choice.memory_mb in (given.memory_mb["encode"], *given.encode_sizes)
        assert point.workers <= max(1, given.concurrency - 1)
    assert chosen is not None
    if goal.within_s is not None:
        meeting = [one for one in points if one.late_s <= goal.within_s]
        best = min(meeting, key=lambda one: one.usd) if meeting else points[0]
    else:
        meeting = [one for one in points if one.usd <= (goal.budget_usd or 0.0)]
        best = min(meeting, key=lambda one: one.late_s) if meeting else points[-1]
    assert (chosen, found.met) == (best, bool(meeting))
    assert found.to_json() == planned(film, BASE, given, goal=goal).to_json()
    json.dumps(found.to_json(), allow_nan=False)


def _simulated(choice: Choice) -> tuple[float, float]:
    """The slowest and the dearest of as many simulations as the planner makes of the best."""
    made = [
        simulated(
            MINUTE,
            choice.options(BASE),
            choice.workers(WORKERS),
            cloud=replace(CLOUD, concurrency=WORKERS.concurrency + FRONT),
            seed=seed,
        )
        for seed in range(planner.SEEDS)
    ]
    return max(one.seconds for one in made), max(one.dollars for one in made)


def test_the_sieve_loses_little() -> None:
    """If this fails, what is not simulated would have been better."""
    every = [_simulated(one.choice) for one in candidates(MINUTE, BASE, WORKERS, Pace())]
    assert len(every) > 2 * planner.MOST
    for within_s in (30, 50, 80, 200):
        found = planned(MINUTE, BASE, WORKERS, goal=Goal(within_s=within_s))
        possible = [usd for seconds, usd in every if seconds <= within_s]
        assert found.met == bool(possible)
        assert found.chosen is not None
        if possible:
            assert found.chosen.usd <= 1.06 * min(possible)
        else:
            # What is left out is hardly faster, and much more expensive.
            chosen = found.chosen
            faster = [one for one in every if one[0] < 0.97 * chosen.late_s]
            assert all(seconds > 0.93 * chosen.late_s for seconds, _ in faster)
            assert all(usd > 1.3 * chosen.usd for _, usd in faster)


def test_the_defaults_are_beaten() -> None:
    """If this fails, a planner is of no use for the film of the published system."""
    usual = [simulated(PUBLISHED, BASE, WORKERS, seed=seed) for seed in range(planner.SEEDS)]
    late_s = max(one.seconds for one in usual)
    usd = max(one.dollars for one in usual)
    cheaper = planned(PUBLISHED, BASE, WORKERS, goal=Goal(within_s=1.15 * late_s)).chosen
    assert cheaper is not None
    assert cheaper.late_s <= 1.15 * late_s
    assert cheaper.usd < 0.9 * usd
    faster = planned(PUBLISHED, BASE, WORKERS, goal=Goal(budget_usd=usd)).chosen
    assert faster is not None
    assert faster.usd <= usd
    assert faster.seconds <= 0.95 * median(one.seconds for one in usual)


@pytest.mark.parametrize("goal", [None, Goal(within_s=300), Goal(budget_usd=5.0)])
def test_a_long_film_takes_few_simulations(
    goal: Goal | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, the function `index` computes for many seconds before a long film begins."""
    calls = []

    def counted(*given: object, **more: object) -> object:
        made = simulated(*given, **more)  # type: ignore[arg-type]
        calls.append(len(made.result.calls))
        return made

    monkeypatch.setattr(planner, "simulated", counted)
    found = planned(EVENING, BASE, WORKERS, goal=goal)
    assert sum(calls) <= 1.5 * (planner.TRIED_CALLS + planner.SURE_CALLS)
    assert len(found.frontier) > 1


def test_the_table_of_bits_is_what_was_measured() -> None:
    """If this fails, a choice costs more bits than the planner says."""
    result = json.loads((RESULTS / "structures.json").read_text())
    for structure, more in MORE_BITS.items():
        if structure == measured.USUAL:
            assert more == 0
        else:
            assert more == pytest.approx(measured.more_bits(result, structure), abs=0.001)
    allowed = {(one.chunk_frames, one.batch_chunks) for one, _ in structures(BASE)}
    assert allowed == {one for one, more in MORE_BITS.items() if more <= MOST_MORE_BITS}
    assert measured.USUAL in allowed
    assert allowed < {*MORE_BITS}, "nothing was measured that costs too much"


def test_other_options_stay() -> None:
    """If this fails, a goal changes the quality that a user asked for, or the method."""
    base = EncodeOptions(crf=30, chunk_frames=6, batch_chunks=4)
    for options, _ in structures(base):
        assert replace(options, chunk_frames=6, batch_chunks=4) == base
    published = EncodeOptions(mode="rebase", chunk_frames=6, batch_chunks=16)
    assert [*structures(published)] == [(published, 0.0)]


def test_what_cannot_be_is_refused_if_asked_for() -> None:
    """If this fails, a job spends more than its budget, or fails although it need not."""
    cheap = planned(MINUTE, BASE, WORKERS, goal=Goal(budget_usd=0.001))
    least = cheap.frontier[-1]
    with pytest.raises(BudgetTooSmall, match=rf"as little as \$0\.0010.*\${least.usd:.4f}"):
        cheap.check()
    soon = planned(MINUTE, BASE, WORKERS, goal=Goal(within_s=3))
    soon.check()
    assert (soon.met, soon.chosen) == (False, soon.frontier[0])
    assert soon.why.startswith("No way ends within 3 s: the fastest takes ")
    with pytest.raises(TimeTooShort, match=r"No way ends within 3 s"):
        planned(MINUTE, BASE, WORKERS, goal=Goal(within_s=3, or_fail=True)).check()
    planned(MINUTE, BASE, WORKERS, goal=Goal(within_s=500, or_fail=True)).check()


def test_the_reason_names_the_next_points() -> None:
    """If this fails, a user cannot weigh a choice against the next faster and cheaper one."""
    found = planned(MINUTE, BASE, WORKERS, goal=Goal(within_s=25))
    assert found.chosen is not None
    place = found.frontier.index(found.chosen)
    assert 0 < place < len(found.frontier) - 1
    faster, cheaper = found.frontier[place - 1], found.frontier[place + 1]
    most, spent_s = next(iter(found.chosen.spent.items()))
    assert most == "compute"
    assert f"of which the most, {spent_s:,.0f} s, is computing" in found.why
    assert f"next faster takes {faster.late_s:,.0f} s and ${faster.usd:.4f}" in found.why
    assert f"next cheaper takes {cheaper.late_s:,.0f} s and ${cheaper.usd:.4f}." in found.why


def test_a_slower_pace_takes_longer() -> None:
    """If this fails, the planner ignores what finished jobs have shown."""
    pace = replace(Pace(), between_s=2 * Pace().between_s, anchor_s=2 * Pace().anchor_s)
    usual, slow = (planned(MINUTE, BASE, WORKERS, one).frontier[0] for one in (None, pace))
    assert slow.late_s > usual.late_s
    assert slow.usd > usual.usd


def test_a_small_memory_is_not_chosen_for_large_pictures() -> None:
    """If this fails, workers read pictures twice that they cannot keep, which nobody foretold."""
    found = {one.choice.memory_mb for one in candidates(PUBLISHED, BASE, WORKERS, Pace())}
    assert found == {5307, 10_240}
    assert {one.choice.memory_mb for one in candidates(MINUTE, BASE, WORKERS, Pace())} >= {1769}


def test_limits_only_shrink() -> None:
    """If this fails, a choice runs more functions than the stack or the job's turn allows."""
    given = Limits(20, 4, 3, concurrency=30, granted=10)
    wide = Choice(0, 16, 5307, batch_workers=40, job_workers=3000).limits(given, usual_mb=5307)
    assert wide == given
    narrow = Choice(0, 16, 10_240, batch_workers=1, job_workers=5).limits(given, usual_mb=5307)
    assert narrow == Limits(5, 1, 5, memory_mb=10_240, concurrency=30, granted=10)


def test_the_table_and_the_picture_show_every_point() -> None:
    """If this fails, `estimate` leaves out a way, or marks another than the chosen one."""
    found = planned(MINUTE, BASE, WORKERS, goal=Goal(within_s=60))
    lines = [row(one, chosen=one is found.chosen) for one in found.frontier]
    assert {len(line) for line in lines} == {len(HEAD)}
    assert [line[0] for line in lines].count("*") == 1
    drawn = ElementTree.fromstring(picture(found.frontier, found.chosen, "a < b"))
    circles = drawn.findall("{*}circle")
    assert len([one for one in circles if one.get("r") == "4"]) == len(found.frontier)
    [mark] = (one for one in circles if one.get("stroke") == "red")
    places = [(one.get("cx"), one.get("cy")) for one in circles if one.get("r") == "4"]
    assert found.chosen is not None
    assert places.index((mark.get("cx"), mark.get("cy"))) == found.frontier.index(found.chosen)
    assert drawn.findtext("{*}title") == "a < b"
    alone: tuple[Point, ...] = found.frontier[:1]
    assert ElementTree.fromstring(picture(alone, None, "one")).findall("{*}circle")
