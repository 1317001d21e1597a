"""The state machine that is derived from ExCamera's flow."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from docs.workload import all_retries, cut_film, events, histories, payloads, size
from excamera.job.options import EncodeOptions
from excamera.job.packing import MOST_SHARES, Packing
from excamera.job.plan import Batch
from excamera.job.steps import ENCODE_SIZES_MB, STEP_NAMES
from mu.fanout import (
    ATTEMPTS,
    ATTEMPTS_OF_RECORDER,
    MOST_BYTES,
    MOST_EVENTS,
    RETRY_EVENTS,
    TASK_EVENTS,
)
from mu.flow import DISCARD, Sequence, Task
from stacks.quotas import quota
from stacks.states_language import DISTRIBUTED, GROUP, GROUPED, INLINE, state_machine
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
    names = {*STEP_NAMES, *sizes, "failure", "WorkBucket", "Partition", "InvokeFunction"}
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
    following = {name: states[name]["Next"] for name in ("index", "ready")}
    assert following == {"index": "ready", "ready": "batches"}
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
            assert catch["ResultPath"] == f"$.failed.{plain(name)}"


def plain(name: str) -> str:
    """Returns the name in the flow of what a state is for."""
    return name.removesuffix(f" {INLINE}").removesuffix(f" {GROUPED}")


def body(machine: Definition, name: str, way: str) -> Definition:
    """Returns what a map does with each item if it runs in some way."""
    states = all_states(machine)
    if way == GROUPED:
        assert states[f"{name} {GROUPED}"]["ItemProcessor"]["StartAt"] == f"{name} {GROUP}"
    found: Definition = states[f"{name} {GROUP if way == GROUPED else way}"]["ItemProcessor"]
    return found


def without_names(scope: Definition, way: str) -> Any:
    """Returns a scope with the names of the flow, and without what may differ by the map's way."""
    for name, state in all_states(scope).items():
        if state["Type"] == "Task":
            parameters = state["Parameters"]
            sent = parameters.get("Payload", parameters)
            assert sent["state"]["name"] == name.replace(f" {way}", "")
    found = json.loads(json.dumps(scope).replace(f" {way}", ""))
    for state in all_states(found).values():
        state.pop("Retry", None)
        if state.get("Resource") == "${failure}":
            assert state["Parameters"]["event"].pop("inline", False) == (way != DISTRIBUTED)
    found.pop("ProcessorConfig")
    return found


@pytest.mark.parametrize("name", ["spans", "batches"])
@pytest.mark.parametrize("way", [INLINE, GROUPED])
def test_a_map_does_the_same_in_every_way(machine: Definition, name: str, way: str) -> None:
    """If this fails, jobs of few batches run other calls, or records have other names of tasks."""
    apart = without_names(body(machine, name, DISTRIBUTED), DISTRIBUTED)
    assert without_names(body(machine, name, way), way) == apart
    states = all_states(machine)
    ways = {one: states[f"{name} {one}"] for one in (INLINE, GROUPED, DISTRIBUTED)}
    keys = ("Next", "ResultPath", "Catch")
    assert len({json.dumps([one.get(key) for key in keys]) for one in ways.values()}) == 1
    choice = states[name]
    assert choice["Default"] == f"{name} {DISTRIBUTED}"
    assert [one["Next"] for one in choice["Choices"]] == [f"{name} {INLINE}", f"{name} {GROUPED}"]
    # Whatever the bodies return, nothing of it is kept.
    assert ways[way]["ResultSelector"] == {}
    assert ways[way]["ResultPath"] is None


def test_inline_tasks_give_up_early(machine: Definition) -> None:
    """If this fails, refused calls of an inline map fill the history of the whole job."""
    states = all_states(machine)
    for name, state in states.items():
        way = name.removesuffix(" failed").rpartition(" ")[2]
        if state["Type"] != "Task" or way not in (INLINE, GROUPED):
            continue
        (rule,) = state["Retry"]
        recorder = name.endswith(" failed")
        assert rule["MaxAttempts"] == (ATTEMPTS_OF_RECORDER if recorder else ATTEMPTS)
        apart = states[plain(name.removesuffix(" failed")) + " failed" * recorder]
        assert rule["ErrorEquals"] == [
            error for one in apart["Retry"] for error in one["ErrorEquals"]
        ]


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
    assert 2 * MOST_BYTES < PAYLOAD_LIMIT * 5 / 8  # both lists, of a job whose maps are inline
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
    # The bodies of inline maps share the job's history, in which everything else may be retried.
    recorders = 2 * (TASK_EVENTS + RETRY_EVENTS * every)
    last = sum(one["MaxAttempts"] for one in machine["States"]["job failed"]["Retry"])
    others = 2 + events(machine, 0, every) + recorders + TASK_EVENTS + RETRY_EVENTS * last
    assert MOST_EVENTS + others < EVENT_LIMIT
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
