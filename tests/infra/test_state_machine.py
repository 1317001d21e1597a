"""The state machine that is derived from ExCamera's flow."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from docs.workload import all_retries, cut_film, events, histories, payloads, size
from excamera.job.batches import Batch
from excamera.job.options import EncodeOptions
from excamera.job.packing import MOST_SHARES, Packing
from excamera.job.steps import ENCODE_SIZES_MB, STEP_NAMES
from mu.fanout import NOTHING, RETRY_EVENTS, SPREAD, TASK_EVENTS
from mu.flow import DISCARD, Each, Sequence, Task
from stacks.quotas import quota
from stacks.states_language import Spreading, state_machine
from tests.infra.golden import GOLDEN, derived
from tests.support.assembly import resources

PAYLOAD_LIMIT = quota("input or output of a state or an execution").most
EVENT_LIMIT = quota("history of an execution").most

Definition = dict[str, Any]


@pytest.fixture(scope="module")
def machine() -> Definition:
    """The golden definition."""
    loaded: Definition = json.loads(GOLDEN.read_text())
    return loaded


def test_the_derived_definition_is_the_golden_one() -> None:
    """If this fails, the flow or its derivation changed.

    Write the golden file again (python -m tests.infra.golden), and read the difference.
    """
    assert derived() == GOLDEN.read_text()


def deployed(stack: dict[str, Any], construct: str) -> dict[str, Any]:
    """Returns the properties of one of the stack's state machines."""
    (properties,) = [
        machine["Properties"]
        for name, machine in resources(stack, "AWS::StepFunctions::StateMachine").items()
        if name.startswith(construct)
    ]
    found: dict[str, Any] = properties
    return found


def test_the_golden_definition_is_what_is_deployed(stack: dict[str, Any]) -> None:
    """If this fails, the definition that was reviewed is not the one that runs."""
    properties = deployed(stack, "Job")
    assert json.loads(properties["DefinitionString"]) == json.loads(GOLDEN.read_text())
    sizes = {f"encode{memory}" for memory in ENCODE_SIZES_MB}
    names = {*STEP_NAMES, *sizes, "failure", "spread", "WorkBucket", "Partition", "InvokeFunction"}
    assert set(properties["DefinitionSubstitutions"]) == names
    assert properties["LoggingConfiguration"]["Level"] == "ALL"
    assert properties["TracingConfiguration"] == {"Enabled": True}


def all_states(scope: Definition) -> dict[str, Definition]:
    """Returns every state of a definition, with those of branches and item processors."""
    found: dict[str, Definition] = {}
    for name, state in scope["States"].items():
        found[name] = state
        for inner in [*state.get("Branches", ()), state.get("ItemProcessor")]:
            if inner is not None:
                found |= all_states(inner)
    return found


def test_the_steps_follow_each_other_as_designed(machine: Definition) -> None:
    """If this fails, the derivation lost the flow's shape."""
    states = machine["States"]
    assert machine["StartAt"] == "index"
    following = {name: states[name]["Next"] for name in ("index", "ready", "rounds")}
    assert following == {"index": "ready", "ready": "rounds", "rounds": "batches"}
    rounds = states["rounds"]
    assert (rounds["ItemsPath"], rounds["MaxConcurrency"]) == ("$.ready.plan.rounds", 1)
    samples = rounds["ItemProcessor"]["States"]["samples"]
    assert (samples["ItemsPath"], samples["MaxConcurrencyPath"]) == ("$.samples", "$.at_once")
    audio, plan = states["ready"]["Branches"]
    assert (audio["StartAt"], plan["StartAt"]) == ("audio", "spans")
    assert states["ready"]["ResultPath"] == "$.ready"
    surveys = plan["States"]["spans distributed"]
    assert surveys["Next"] == "plan"
    assert surveys["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert surveys["MaxConcurrencyPath"] == "$.indexed.spans_at_once"
    assert states["stitch"]["Next"] == "done"
    batches = states["batches distributed"]
    assert batches["Next"] == "stitch"
    assert batches["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    ahead, shares = (batches["ItemProcessor"]["States"][name] for name in ("ahead", "shares"))
    for inner in (ahead, shares):
        assert inner["ItemProcessor"]["ProcessorConfig"]["Mode"] == "INLINE"
    assert ahead["Next"] == "shares"
    # The plan fits them to the account.
    assert batches["MaxConcurrencyPath"] == "$.ready.plan.batches_at_once"
    assert shares["MaxConcurrencyPath"] == "$.shares_at_once"


def test_every_task_has_a_limit_retries_by_name_and_a_way_to_fail(machine: Definition) -> None:
    """If this fails, a hanging or failing task goes unnoticed, or is retried for ever."""
    states = all_states(machine)
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task"}
    assert machine["TimeoutSeconds"] > 0
    for name, task in tasks.items():
        assert task["TimeoutSeconds"] <= 915, name
        if name.endswith(f" {SPREAD}"):
            assert "Retry" not in task  # its map has another way
            continue
        for rule in task["Retry"]:
            assert not set(rule["ErrorEquals"]) & {"States.ALL", "States.TaskFailed"}, name
            assert rule["JitterStrategy"] == "FULL"
            assert rule["BackoffRate"] > 1
            assert rule["MaxDelaySeconds"] <= 60
        recorder = name == "job failed" or name.endswith(" failed")
        if recorder:
            assert task["Resource"] == "${failure}"
        else:
            (catch,) = task["Catch"]
            assert catch["ErrorEquals"] == ["States.ALL"]
            assert catch["Next"] in states
            assert catch["ResultPath"] == f"$.failed.{name}"


@pytest.mark.parametrize(("name", "following"), [("spans", "plan"), ("batches", "stitch")])
def test_whatever_becomes_of_a_function_its_map_has_another_way(
    machine: Definition, name: str, following: str
) -> None:
    """If this fails, a job depends on the one function that begins all of its calls."""
    states = all_states(machine)
    choice, spread, apart = (states[one] for one in (name, f"{name} spread", f"{name} distributed"))
    assert choice["Default"] == f"{name} distributed"
    chosen = {one["StringEquals"]: one["Next"] for one in choice["Choices"]}
    assert chosen == {NOTHING: following, SPREAD: f"{name} spread"}
    assert spread["Resource"] == "${spread}"
    assert spread["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": f"{name} distributed"}
    ]
    assert spread["Parameters"]["event"] == {"job.$": "$.job", "each": name, "event.$": "$"}
    keys = ("Next", "ResultPath")
    assert [spread[key] for key in keys] == [apart[key] for key in keys] == [following, None]


def test_a_map_that_one_function_may_run_is_followed_by_something() -> None:
    """If this fails, an execution with an empty list ends in a state that there is not."""
    each = Each("map", "$.items", Task("work", "work"), output=DISCARD, distributed=True,
                way="$.way")  # fmt: skip
    given: dict[str, Any] = {"on_failure": "failure", "timeout_s": 60, "comment": ""}
    spreading = Spreading("spread", 60)
    with pytest.raises(ValueError, match="map: nothing follows it"):
        state_machine(Sequence("flow", (each,)), **given, spreading=spreading)
    alone = state_machine(Sequence("flow", (each,)), **given)
    assert alone["States"]["map"]["Type"] == "Map"
    followed = Sequence("flow", (replace(each, output="found"), Task("last", "last")))
    states = state_machine(followed, **given, spreading=spreading)["States"]
    assert states["map spread"]["ResultPath"] == "$.found"
    assert states["map spread"]["ResultSelector"] == {}


def test_what_the_flow_calls_transient_is_transient(machine: Definition) -> None:
    """If this fails, a retry rule names a class that nothing raises, or a permanent error."""
    from excamera import errors
    from mu import StoreUnavailable

    transient = {"StoreUnavailable": StoreUnavailable} | {
        kind.__name__: kind for kind in errors.TransientError.__subclasses__()
    }
    platform = ("Lambda.", "Sandbox.", "Runtime.", "States.Timeout", "MemoryError")
    for name, state in all_states(machine).items():
        for rule in state.get("Retry", ()):
            for error in rule["ErrorEquals"]:
                assert error.startswith(platform) or error in transient, (name, error)


def test_a_task_that_chooses_a_size_keeps_no_result() -> None:
    """If this fails, a step's result arrives wrapped in Lambda's answer, and the next one fails."""
    task = Task("work", "encode", input={"job": "$.job"}, size="$.size")
    given: dict[str, Any] = {"on_failure": "failure", "timeout_s": 60, "comment": ""}
    sizes = {"encode": ["encode", "encode1769"]}
    with pytest.raises(ValueError, match="work: its result would be wrapped"):
        state_machine(Sequence("flow", (task,)), **given, sizes=sizes)
    alone = state_machine(Sequence("flow", (task,)), **given, sizes={"encode": ["encode"]})
    assert alone["States"]["work"]["Resource"] == "${encode}"
    discarding = Sequence("flow", (replace(task, output=DISCARD),))
    chosen = state_machine(discarding, **given, sizes=sizes)["States"]["work"]["Parameters"]
    array = "States.Array('${encode}', '${encode1769}')"
    assert chosen["FunctionName.$"] == f"States.ArrayGetItem({array}, $.size)"
    assert chosen["Payload"]["event"] == {"job.$": "$.job"}


HOURS_3_AT_60_FPS = 3 * 3600 * 60


@pytest.fixture(scope="module", params=[(6, 16), (6, 1), (24, 1), (6, 1000)], ids=str)
def film(request: pytest.FixtureRequest) -> tuple[EncodeOptions, list[Batch]]:
    """Batches of a three-hour 4K film at 60 frames a second."""
    length, count = request.param
    options = EncodeOptions(chunk_frames=length, batch_chunks=count)
    return options, cut_film(HOURS_3_AT_60_FPS, options)


def test_payloads_of_a_long_film_stay_small(film: tuple[EncodeOptions, list[Batch]]) -> None:
    """If this fails, long films end in States.DataLimitExceeded."""
    options, batches = film
    found = payloads(options, batches, HOURS_3_AT_60_FPS, 3840 * 2160)
    assert len(found["the surveys of all spans"]) > 900
    for what, payload in found.items():
        assert size(payload) < PAYLOAD_LIMIT / 4, what


def test_histories_of_a_long_film_stay_short(machine: Definition) -> None:
    """If this fails, long films end because their history has 25,000 events."""
    retry = machine["States"]["index"]["Retry"]
    every = all_retries(machine)
    assert 2 + events(machine, 0, every) < EVENT_LIMIT / 4
    # If the account is full for as long as a job may take, one task after another is refused.
    (busy,) = [one for one in retry if one["ErrorEquals"] == ["Lambda.TooManyRequestsException"]]
    mean_pause_s = busy["MaxDelaySeconds"] / 2  # FULL jitter
    assert 3 * machine["TimeoutSeconds"] / mean_pause_s < EVENT_LIMIT
    last = sum(one["MaxAttempts"] for one in machine["States"]["job failed"]["Retry"])
    assert 2 + events(machine, 0, every) + TASK_EVENTS + RETRY_EVENTS * last < EVENT_LIMIT
    # Every share of a batch may use up all its retries.
    assert histories(machine, MOST_SHARES, every) < EVENT_LIMIT


def test_the_list_of_batches_is_one_that_step_functions_reads(
    film: tuple[EncodeOptions, list[Batch]],
) -> None:
    """If this fails, the distributed map of a long film does not start."""
    _, batches = film
    packing = Packing(MOST_SHARES, 1, MOST_SHARES)
    items = [
        packing.item(batch.number, len(batch.chunks), anchored=batch.is_anchored)
        for batch in batches
    ]
    assert size(items) < 8 << 20
    assert len(batches) <= 108_000
