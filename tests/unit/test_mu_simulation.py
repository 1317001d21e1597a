"""A flow in simulated time: cases that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from mu import DISCARD, Each, FlowError, Parallel, Retry, Sequence, Task
from mu.flow import build
from mu.simulation import CLOUD, Ahead, Cloud, Fanout, Function, Result, Shared, Work, simulate
from mu.simulation.calls import COLD, COMPUTE, DISPATCH, FAILURE, RAMP, WORKERS
from mu.simulation.rates import Rate
from mu.simulation.templates import template
from mu.timeline_page import page

FREE = CLOUD.instant()
"""A cloud that adds no time."""

ONE = Function(1769, init_s=0.0)

MAP = Each(
    "map",
    "$.items",
    Task("one", "one", {"number": "$.number"}),
    item={"number": "$item"},
    items_in_store=True,
    distributed=True,
    concurrency="$.at_once",
    output=DISCARD,
)


def run_map(
    count: int, cloud: Cloud, *, seconds: float = 60.0, at_once: int = 10_000, one: Function = ONE,
    **options: Any,
) -> Result:  # fmt: skip
    """Simulates a distributed map of equal tasks."""
    work = Work(cpu_s=seconds)
    return simulate(
        MAP,
        {"items": "list", "at_once": at_once},
        lambda _task, _event: work,
        {"one": one},
        stored={"list": range(count)},
        cloud=cloud,
        **options,
    )


def after_another(first: Work, cloud: Cloud = FREE, **options: Any) -> Result:
    """Simulates a call, then three of another function at once, each of which takes a second."""
    body = Task("two", "two", {"number": "$.number"})
    of_two = Each("map", "$.items", body, item={"number": "$item"}, output=DISCARD)
    flow = Sequence("flow", (Task("one", "one", output=DISCARD), of_two))
    return simulate(
        flow,
        {"items": [1, 2, 3]},
        lambda task, _event: first if task == "one" else Work(cpu_s=1),
        {"one": ONE, "two": Function(1769, init_s=2.0)},
        cloud=cloud,
        **options,
    )


def test_environments_made_ahead_are_there() -> None:
    """Calls wait for environments that an earlier call has had made, or these cost nothing."""
    ahead = Ahead({"two": 3}, left_s=6.0)
    cold = after_another(Work(cpu_s=10))
    made = after_another(Work(cpu_s=10, ahead=ahead))
    assert (cold.seconds, made.seconds) == (13.0, 11.0)
    assert COLD not in made.bottlenecks
    assert cold.cold_starts == made.cold_starts == {"one": 0 + 1, "two": 3}
    # They begin in any case; four calls more are three of them and one that asks for them.
    assert made.gb_seconds == pytest.approx(cold.gb_seconds)
    assert made.invocations == cold.invocations + 4
    assert (len(cold.calls), len(made.calls), len(made.ahead)) == (4, 4, 3)
    early = after_another(Work(cpu_s=10), early={"two": 3})
    assert early.seconds == made.seconds


def test_environments_asked_for_too_late_are_made_twice() -> None:
    """A call takes an environment that has not begun yet."""
    made = after_another(Work(cpu_s=10, ahead=Ahead({"two": 3}, left_s=1.0)))
    assert made.seconds == 13.0
    assert made.cold_starts["two"] == 6


def test_environments_without_a_place_are_not_made() -> None:
    """Calls that make environments are tried again, and take places of calls that work."""
    few = replace(FREE, concurrency=3)
    made = after_another(Work(cpu_s=10, ahead=Ahead({"two": 3}, left_s=6.0)), few)
    assert made.refused == {"concurrency": 1}
    assert len(made.ahead) == 2
    assert made.seconds == 13.0  # the third begins a new one


def test_waves() -> None:
    """5,000 minutes on 1,000 workers do not take five waves, or four waves are not told apart."""
    result = run_map(5000, replace(FREE, concurrency=1000), at_once=1000)
    assert result.seconds == pytest.approx(300)
    assert result.peak == 1000
    assert result.bottlenecks == pytest.approx({WORKERS: 240, COMPUTE: 60})
    assert not result.refused


def test_ramp() -> None:
    """3,000 long tasks get environments faster or slower than 1,000 at once and 100 a second."""
    ramped = replace(
        FREE, concurrency=5000, ramp=100.0, ramp_burst=1000.0,
        busy=Retry(CLOUD.busy.errors, 10_000, 1, 1.0, 1),
    )  # fmt: skip
    result = run_map(3000, ramped, seconds=600)
    # The last of 2,000 waits 20 s, and then until it tries again, which it does every second.
    assert 620 <= result.seconds <= 621
    assert result.bottleneck == COMPUTE
    assert result.bottlenecks[RAMP] == pytest.approx(result.seconds - 600)
    assert result.cold_starts == {"one": 3000}


def test_ramps_of_several_names() -> None:
    """Two names of a function do not get environments twice as fast."""
    ramped = replace(
        FREE, concurrency=5000, ramp=100.0, ramp_burst=1000.0,
        busy=Retry(CLOUD.busy.errors, 10_000, 1, 1.0, 1),
    )  # fmt: skip
    result = run_map(3000, ramped, seconds=600, one=replace(ONE, names=2))
    assert 605 <= result.seconds <= 606


def test_children_begin_at_their_rate() -> None:
    """A map begins more children in a second than it may, or the wait is blamed on another."""
    standard = replace(FREE, concurrency=5000, standard_children=100.0, child_s=0.5)
    result = run_map(1001, standard)
    assert result.seconds == pytest.approx(10 + 0.5 + 60)
    assert result.bottlenecks == pytest.approx({COMPUTE: 60, DISPATCH: 10.5})
    express = replace(standard, express_children=1000.0)
    fast = run_map(1001, express, fanout=Fanout.EXPRESS)
    assert fast.seconds == pytest.approx(1 + 0.5 + 60)


def test_every_constant_is_spent_once() -> None:
    """A flow of one of each node takes another time than the sum of what its parts take."""
    cloud = Cloud(
        concurrency=10, create_s=1.0, bandwidth=1000.0, state_s=0.01, invoke_s=0.02, map_s=0.04,
        read_items_s=0.08, child_s=0.16, gather_s=0.32, request_s=0.64, ramp=1e9, transitions=1e9,
        standard_children=1e9, transitions_burst=1e9,
    ).steady()  # fmt: skip
    flow = Sequence(
        "all",
        (
            Task("first", "first", output="first"),
            Parallel("both", {"map": MAP, "beside": Task("beside", "beside")}, output=DISCARD),
        ),
    )
    works = {
        "first": Work(cpu_s=4.0, read_bytes=500, written_bytes=500, rounds=2, reads_at_first=1),
        "one": Work(shared=(Shared(6.0),), rounds=1),
        "beside": Work(),
    }
    functions = {
        "first": Function(885, init_s=0.5),
        "one": Function(3538, init_s=0.25, warm=1),
        "beside": Function(1769),
    }
    event = {"items": "list", "at_once": 1}
    result = simulate(
        flow, event, lambda task, _: works[task], functions, stored={"list": [0]}, cloud=cloud,
        before_s=10.0,
    )  # fmt: skip
    first = 0.01 + 0.02 + 1.0 + 0.5 + 4.0 / (885 / 1769) + 1.0 + 3 * 0.64
    # Parallel, map, the task; then the state that ends the job.
    both = 0.01 + 0.01 + 0.08 + 0.04 + 0.16 + (0.01 + 0.02) + 3.0 + 0.64 + 0.32
    assert result.seconds == pytest.approx(10.0 + first + both + 0.01)
    assert result.seconds == pytest.approx(sum(result.bottlenecks.values()))
    # first, both, map, one, beside, and the last state.
    assert result.transitions == 6
    assert result.invocations == 3
    assert result.cold_starts == {"first": 1, "one": 0, "beside": 1}


@pytest.mark.parametrize("kind", Fanout)
def test_maps_of_nothing_end(kind: Fanout) -> None:
    """A map without items never ends, or takes the time to gather children that it has not."""
    cloud = replace(FREE, concurrency=10, gather_s=6.0, callback_s=1.0, state_s=0.5)
    assert run_map(0, cloud, fanout=kind).seconds == pytest.approx(1.0)


def test_retries_are_transitions() -> None:
    """A refused call is not tried again, or the attempt is not paid for as a transition."""
    result = run_map(3, replace(FREE, concurrency=1), seconds=1.0)
    refused = sum(result.refused.values())
    assert refused > 0
    # The map, its tasks, the last state; and each attempt after a refusal.
    assert result.transitions == 1 + 3 + 1 + refused
    assert result.invocations == 3
    assert result.peak == 1


def test_attempts_end() -> None:
    """A job whose calls are refused for ever does not fail."""
    never = replace(FREE, concurrency=0, busy=Retry(CLOUD.busy.errors, 5, 1, 2.0, 6))
    result = run_map(1, never)
    assert result.error == "Lambda.TooManyRequestsException"
    assert result.seconds == float("inf")
    assert sum(result.refused.values()) == 6


def test_dead_workers_are_paid_for() -> None:
    """A worker that dies is not replaced, or its time costs nothing."""
    mortal = replace(FREE, concurrency=1000, failures=0.2)
    result = run_map(200, mortal, seconds=10.0)
    died = result.invocations - 200
    assert 20 < died < 80
    assert not result.error
    # On average they have done half of their work.
    extra = result.gb_seconds["one"] / (200 * 10 * 1769 / 1024) - 1
    assert extra == pytest.approx(died / 200 / 2, rel=0.3)
    assert result.bottlenecks[FAILURE] > 0


def test_asynchronous_calls_make_no_transitions() -> None:
    """The other kinds of fan-out count children, transitions or calls that they do not make."""
    count = 100
    cloud = replace(FREE, concurrency=1000)
    found = {kind: run_map(count, cloud, fanout=kind) for kind in Fanout}
    assert {kind: one.transitions for kind, one in found.items()} == {
        Fanout.STANDARD: 1 + count + 1,
        Fanout.EXPRESS: 2,
        # Three inner maps of 40, 40 and 20.
        Fanout.INLINE: 1 + 3 + count + 1,
        Fanout.CALLBACK: 2,
    }
    assert {kind: one.children for kind, one in found.items()} == {
        Fanout.STANDARD: count, Fanout.EXPRESS: count, Fanout.INLINE: 0, Fanout.CALLBACK: 0,
    }  # fmt: skip
    assert {kind: one.invocations for kind, one in found.items()} == {
        Fanout.STANDARD: count, Fanout.EXPRESS: count, Fanout.INLINE: count,
        Fanout.CALLBACK: count + 1,
    }  # fmt: skip
    assert found[Fanout.EXPRESS].bill()["express"] == pytest.approx(
        count * (1e-6 + 60 / 16 * 0.06 / 3600)
    )
    assert found[Fanout.CALLBACK].writes == count


def test_what_the_cloud_would_not_do() -> None:
    """A call, an execution, a history or a list beyond its limit is simulated without a word."""
    cloud = replace(FREE, concurrency=10_000)
    assert "900 s" in run_map(1, cloud, seconds=901).problems[0]
    assert "300 s" in run_map(1, cloud, seconds=301, fanout=Fanout.EXPRESS).problems[0]
    history, size = run_map(60_000, cloud, fanout=Fanout.INLINE).problems[::-1]
    assert "262,144" in size
    assert "25,000" in history
    assert not run_map(1, cloud, seconds=299, fanout=Fanout.EXPRESS).problems


def test_pieces_leave_cpus_idle() -> None:
    """Sixteen chunks on six CPUs do not need three rounds, of which the last has four chunks."""
    work = Work(shared=(Shared(16.0, 16),))
    assert work.compute_s(6.0) == pytest.approx(3.0)
    assert work.compute_s(1.0) == pytest.approx(16.0)
    assert work.compute_s(0.5) == pytest.approx(32.0)
    assert work.compute_s(16.0) == pytest.approx(1.0)
    assert work.compute_s(32.0) == pytest.approx(1.0)
    assert Work(cpu_s=1.0, shared=(Shared(16.0),)).compute_s(4.0) == pytest.approx(5.0)
    assert Work(shared=(Shared(16.0, gain=0.5),)).compute_s(5.0) == pytest.approx(16 / 3)


def test_results_reach_later_events() -> None:
    """A task sees other events than an engine would give it."""
    seen: list[tuple[str, Any]] = []

    def work(task: str, event: Any) -> Work:
        seen.append((task, event))
        return Work(result={"list": [3, 5]} if task == "first" else event)

    flow = Sequence(
        "all",
        (
            Task("first", "first", output="first"),
            Each("each", "$.first.list", Task("one", "one"), item={"a": "$item", "b": "$index"},
                 output="all"),
            Task("last", "last", {"was": "$.all", "job": "$.job"}),
        ),
    )  # fmt: skip
    functions = dict.fromkeys(("first", "one", "last"), ONE)
    simulate(flow, {"job": "j"}, work, functions, cloud=replace(FREE, concurrency=5))
    assert seen == [
        ("first", {"job": "j"}),
        ("one", {"a": 3, "b": 0}),
        ("one", {"a": 5, "b": 1}),
        ("last", {"was": [{"a": 3, "b": 0}, {"a": 5, "b": 1}], "job": "j"}),
    ]


@pytest.mark.parametrize(
    "source", ["text", 7, "$", "$.a.b", "$item", "$item.c", "$index", {"x": "$.a", "y": {"z": 1}}]
)
def test_templates_are_filled_as_by_engines(source: Any) -> None:
    """A template gives another event in simulated time than in an engine."""
    event: Mapping[str, Any] = {"a": {"b": [1]}}
    assert template(source)(event, {"c": 2}, 9) == build(source, event, {"c": 2}, 9)


def test_templates_say_what_is_wrong() -> None:
    """A path that leads to nothing ends in another error than in an engine."""
    with pytest.raises(FlowError, match="leads to nothing"):
        template("$.a.b")({"a": {}}, None, None)


def test_functions_and_lists_must_be_known() -> None:
    """A flow whose function or list was forgotten is simulated as if these were nothing."""
    with pytest.raises(FlowError, match="task one"):
        simulate(MAP, {}, lambda _task, _event: Work(), {})
    with pytest.raises(FlowError, match="'list'"):
        simulate(MAP, {"items": "list", "at_once": 1}, lambda _task, _event: Work(), {"one": ONE})


def test_rates() -> None:
    """A bucket gives more than it holds, or does not fill at its rate."""
    rate = Rate(10.0, 5)
    assert [rate.take(0.0) for _ in range(7)] == pytest.approx([0, 0, 0, 0, 0, 0.1, 0.2])
    assert [rate.take_now(0.7) for _ in range(7)] == [True] * 5 + [False] * 2
    assert rate.take(100.0, 5) == 100.0
    endless = Rate(float("inf"))
    assert [endless.take(3.0, 9), endless.take_now(3.0)] == [3.0, True]


def test_records_are_a_timeline() -> None:
    """The page of a timeline cannot show a simulated job, or shows other calls."""
    result = run_map(20, replace(FREE, concurrency=4), at_once=4)
    records = result.records()
    assert [record.number for record in records] == list(range(20))
    assert {record.worker for record in records} == {f"one {number}" for number in range(4)}
    assert max(record.finished or 0 for record in records) == pytest.approx(result.seconds)
    assert sum(record.dollars for record in records) == pytest.approx(
        result.bill()["lambda"] + result.bill()["invocations"]
    )
    assert "one 3" in page(records, title="simulated")
    assert result.phases["one"].calls == 20


WAYS = replace(MAP, way="$.way")


def run_way(way: str, count: int, cloud: Cloud, **options: Any) -> Result:
    """Simulates a map that one function may run; its tasks take a minute."""
    work = {"one": Work(cpu_s=60.0), "spread": Work(reads=2, writes=1)}
    return simulate(
        WAYS, {"items": "list", "at_once": 10_000, "way": way}, lambda task, _event: work[task],
        {"one": ONE, "spread": ONE}, stored={"list": range(count)}, cloud=cloud, **options,
    )  # fmt: skip


def test_a_spread_map_gathers_nothing() -> None:
    """A job waits for children that it has not, or is billed for their states."""
    cloud = replace(
        FREE, concurrency=1000, gather_s=6.0, map_s=1.0, read_items_s=1.0, standard_children=1.0
    )
    result = run_way("spread", 40, cloud)
    assert result.seconds == pytest.approx(60.0)
    # The choice, the function, the last state.
    assert (result.children, result.transitions, result.events) == (0, 3, 2 + 2 + 5 + 2)
    assert result.invocations == 1 + 40
    assert result.gb_seconds["spread"] == pytest.approx(60.0 * ONE.memory_mb / 1024)
    # The list; twice and every five seconds whether it is wanted.
    assert (result.reads, result.writes) == (1 + 2 + 12, 1)
    apart = run_way("distributed", 2, cloud)
    assert apart.seconds == pytest.approx(1.0 + 1.0 + 1.0 + 60.0 + 6.0)
    assert apart.transitions == 1 + 1 + 2 + 1
    assert apart.children == 2
    empty = run_way("nothing", 0, cloud)
    assert (empty.seconds, empty.transitions, empty.invocations) == (0.0, 2, 0)


def test_a_spread_map_begins_calls_at_its_own_rate() -> None:
    """A simulated function begins all calls at once, where a real one takes its time."""
    cloud = replace(FREE, concurrency=1000, spread_calls=10.0, spread_s=0.5)
    result = run_way("spread", 41, cloud)
    assert result.seconds == pytest.approx(60.0 + 4.0 + 0.5)
    assert sum(result.bottlenecks.values()) == pytest.approx(result.seconds)
    assert result.bottlenecks["dispatch"] == pytest.approx(4.5)


def test_a_function_that_is_refused_leaves_its_map_to_children() -> None:
    """A simulated job fails where a real one is only slower."""
    cloud = replace(FREE, concurrency=1000, ramp=1.0, ramp_burst=0.5)
    functions = {"one": replace(ONE, warm=9), "spread": ONE}
    work = {"one": Work(cpu_s=60.0), "spread": Work()}
    result = simulate(
        WAYS, {"items": "list", "at_once": 9, "way": "spread"}, lambda task, _event: work[task],
        functions, stored={"list": range(9)}, cloud=cloud,
    )  # fmt: skip
    assert result.children == 9
    assert result.refused == {"ramp": 1}
    assert result.error == ""


def test_the_slowest_calls_of_a_spread_map_are_copied() -> None:
    """A simulated straggler holds up its job, where a real one has a copy."""
    chance = replace(
        FREE, concurrency=1000, stragglers=0.02, straggler_least=4.0, straggler_tail=9.0
    )
    for seed in range(5):
        alone, copied = (run_way("spread", 100, chance, seed=seed, copies=h) for h in (0.0, 0.05))
        slow = max(call.ended - call.began for call in alone.calls if call.task == "one") > 200
        copies = sum(call.copies for call in copied.calls)
        assert copies <= 5
        assert bool(copies) == slow
        if slow:
            assert copied.seconds < alone.seconds
            # The originals go on, and are paid for.
            assert copied.gb_seconds["one"] > alone.gb_seconds["one"]
        assert sum(copied.bottlenecks.values()) == pytest.approx(copied.seconds)
