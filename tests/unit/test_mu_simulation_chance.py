"""A flow in simulated time: what holds whatever chance and limits do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu import DISCARD, Each, Sequence, Task
from mu.simulation import CLOUD, Cloud, Fanout, Function, Result, Shared, Work, simulate

FLOW = Sequence(
    "all",
    (
        Task("plan", "plan", output="plan"),
        Each(
            "batches",
            "$.plan.items",
            Sequence(
                "batch",
                (
                    Task("ahead", "ahead", {"batch": "$.batch"}, output=DISCARD),
                    Each("shares", "$.shares", Task("share", "share"), output=DISCARD,
                         concurrency=3),
                ),
            ),
            item={"batch": "$item", "shares": "$.plan.shares"},
            items_in_store=True,
            distributed=True,
            concurrency="$.plan.at_once",
            output=DISCARD,
        ),
        Task("last", "last"),
    ),
)  # fmt: skip
FLAT = Sequence(
    "flat",
    (
        Each("batches", "$.items", Task("share", "share"), items_in_store=True, distributed=True,
             output=DISCARD),
        Task("last", "last"),
    ),
)  # fmt: skip

MEMORY = {
    "plan": Function(1769),
    "ahead": Function(5307, init_s=1.0),
    "share": Function(3538, init_s=1.0),
    "last": Function(1769),
}

CLOUDS = st.builds(
    replace,
    st.just(CLOUD),
    concurrency=st.integers(1, 60),
    ramp=st.sampled_from([2.0, 10.0, 100.0]),
    ramp_burst=st.sampled_from([1.0, 7.0, 1000.0]),
    failures=st.sampled_from([0.0, 0.05]),
    # With three attempts one job in some thousands would fail, and tell nothing of limits.
    died=st.just(replace(CLOUD.died, attempts=20)),
    stragglers=st.sampled_from([0.0, 0.1]),
    transitions=st.sampled_from([5.0, 800.0]),
    transitions_burst=st.sampled_from([1.0, 800.0]),
    standard_children=st.sampled_from([5.0, 100.0]),
    write_rate=st.sampled_from([3.0, 3500.0]),
)


def run(cloud: Cloud, *, batches: int = 20, at_once: int = 10, **options: Any) -> Result:
    """Simulates `FLOW`."""
    plan = {"items": "list", "at_once": at_once, "shares": [0, 1, 2, 3]}
    works = {
        "plan": Work(cpu_s=1.0, result=plan),
        "ahead": Work(cpu_s=1.0, shared=(Shared(6.0),), rounds=3, reads=3),
        "share": Work(shared=(Shared(10.0, 4),), rounds=4, reads=2, writes=2, read_bytes=1e6),
        "last": Work(cpu_s=0.5, reads=1, writes=1),
    }
    return simulate(
        FLOW, {}, lambda task, _: works[task], MEMORY, stored={"list": range(batches)},
        cloud=cloud, **options,
    )  # fmt: skip


def most_at_once(spans: list[tuple[float, float]]) -> int:
    """The most of these spans that overlap; one that ends when another begins does not."""
    moments = sorted([(end, -1) for _, end in spans] + [(begin, 1) for begin, _ in spans])
    running = most = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return most


@settings(max_examples=60)
@given(CLOUDS, st.integers(0, 2**40), st.integers(1, 12), st.sampled_from(Fanout))
def test_limits_hold(cloud: Cloud, seed: int, at_once: int, fanout: Fanout) -> None:
    """More calls run, more environments are made or more bodies run at once than may."""
    result = run(cloud, at_once=at_once, fanout=fanout, seed=seed)
    assert not result.error
    spans = [(call.began, call.ended) for call in result.calls]
    assert most_at_once(spans) <= result.peak <= cloud.concurrency
    for task in ("ahead", "share"):
        # The first call of an environment is what it was made for.
        first: dict[int, float] = {}
        for call in result.calls:
            if call.task == task:
                first[call.worker] = min(call.began, first.get(call.worker, call.began))
        made = sorted(first.values())
        for number, moment in enumerate(made):
            allowed = cloud.ramp_burst + cloud.ramp * (moment - made[0])
            assert number + 1 <= allowed + 1e-6
    if fanout is Fanout.CALLBACK:
        return  # nothing holds back what it calls
    ahead = [(call.began, call.ended) for call in result.calls if call.task == "ahead"]
    assert most_at_once(ahead) <= at_once
    shares = [(call.began, call.ended) for call in result.calls if call.task == "share"]
    assert most_at_once(shares) <= 3 * at_once


@settings(max_examples=60)
@given(CLOUDS, st.integers(0, 2**40), st.sampled_from(Fanout), st.sampled_from([0.0, 0.2]))
def test_the_critical_path_is_the_whole_time(
    cloud: Cloud, seed: int, fanout: Fanout, hedge: float
) -> None:
    """A second of the job is not explained, or explained twice; or a call is lost."""
    result = run(cloud, fanout=fanout, seed=seed, hedge=hedge, before_s=3.0)
    assert sum(result.bottlenecks.values()) == pytest.approx(result.seconds)
    assert min(result.bottlenecks.values()) >= 0
    originals = {(call.task, call.key) for call in result.calls if not call.copies}
    if not hedge:
        assert len(originals) == len(result.calls) == 1 + 20 + 80 + 1
    # A batch of which a copy has ended begins no more calls of its own.
    assert len(originals) <= 102


@settings(max_examples=40)
@given(CLOUDS, st.integers(0, 2**40), st.sampled_from(Fanout))
def test_a_seed_decides_everything(cloud: Cloud, seed: int, fanout: Fanout) -> None:
    """A simulation cannot be repeated."""
    one, other = (run(cloud, fanout=fanout, seed=seed, hedge=0.1) for _ in range(2))
    assert one.records() == other.records()
    assert (one.seconds, one.dollars(), one.path) != (0, 0, None)
    assert one.seconds == other.seconds
    assert one.bottlenecks == other.bottlenecks
    assert one.bill() == other.bill()


def test_seeds_differ() -> None:
    """All seeds draw the same, or tasks and calls do."""
    assert len({run(CLOUD, seed=seed).seconds for seed in range(20)}) == 20
    call_s = [call.spent[0][1] for call in run(CLOUD).calls if call.task == "share"]
    assert len(set(call_s)) == len(call_s)


@settings(max_examples=100)
@given(
    CLOUDS,
    st.integers(0, 2**40),
    st.integers(2, 80),
    st.sampled_from([0.01, 0.05, 0.3, 1.0]),
    st.sampled_from([Fanout.STANDARD, Fanout.EXPRESS]),
)
def test_copies_delay_nothing(
    cloud: Cloud, seed: int, count: int, share: float, fanout: Fanout
) -> None:
    """A job with copies of its slowest calls ends later than without them."""
    work = {"share": Work(shared=(Shared(10.0),), rounds=2, writes=1), "last": Work(cpu_s=1.0)}

    def ended(hedge: float) -> Result:
        return simulate(
            FLAT, {"items": "list"}, lambda task, _: work[task], MEMORY,
            stored={"list": [{"n": number} for number in range(count)]},
            cloud=replace(cloud, failures=0.0, write_rate=3500.0), fanout=fanout, hedge=hedge,
            seed=seed,
        )  # fmt: skip

    without, with_copies = ended(0.0), ended(share)
    assert with_copies.seconds <= without.seconds + 1e-9
    copies = [call for call in with_copies.calls if call.copies]
    if copies:
        assert with_copies.copies_gb_s > 0
    assert len(copies) <= max(1, int(share * count))


def test_copies_help_against_stragglers() -> None:
    """Copies gain no time where some calls take five times as long, or cost nothing."""
    slow = replace(CLOUD, concurrency=200, stragglers=0.02, straggler_least=5.0)
    work = {"share": Work(shared=(Shared(100.0),)), "last": Work(cpu_s=1.0)}
    seconds, dollars = {}, {}
    for hedge in (0.0, 0.1):
        found = [
            simulate(
                FLAT, {"items": "list"}, lambda task, _: work[task], MEMORY,
                stored={"list": [{"n": number} for number in range(100)]}, cloud=slow,
                hedge=hedge, seed=seed,
            )
            for seed in range(10)
        ]  # fmt: skip
        seconds[hedge] = sum(one.seconds for one in found) / len(found)
        dollars[hedge] = sum(one.dollars() for one in found)
        assert bool(hedge) == any(one.copies_gb_s for one in found)
    assert dollars[0.0] < dollars[0.1] < 1.1 * dollars[0.0]
    assert seconds[0.1] < 0.6 * seconds[0.0]


def test_hedge_is_a_share() -> None:
    """A share beyond 1 is taken."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        run(CLOUD, hedge=5)
