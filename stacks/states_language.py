"""A mu flow as a state machine in Amazon States Language.

Two engines run one description: `mu.engines.coordinator` interprets it, and this module translates
it for Step Functions. A state machine also needs what only the cloud has:

- every Task calls its function with the event and with what Step Functions knows of the
  attempt (`mu.engines.stack.function` reads both), and is retried when Lambda itself fails;
- a map that one function may run (see `mu.fanout`) is a Choice of that function and of a
  distributed map. The latter also does what is left if the function fails, for whatever reason: so
  the function itself is not tried again;
- when a Task deep in the flow fails for good, a sibling state records the failure there,
  because a distributed map hides its children's errors from its parent;
- every failure arrives at one last Task. It either fails the execution under the name of the
  error, or sends it back to the start (see `excamera.lifecycle.failure`). It is a Task and not
  a Fail state, so that a redrive of the execution has something to run again.

``${name}`` stands for the ARN of the function `name`, ``${WorkBucket}`` for the store. A function
may be there in several sizes of memory, of which the event of its task chooses one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mu.fanout import DISTRIBUTED, NOTHING, SPREAD
from mu.flow import DISCARD, Each, Node, Parallel, Retry, Sequence, Task
from mu.retries import BUSY, DIED

State = dict[str, Any]

STORE = "WorkBucket"
INVOKE = "InvokeFunction"
"""Stands for the resource of a Task that calls the function whose ARN it is given."""
DONE = "done"
JOB_FAILED = "job failed"


@dataclass(frozen=True, slots=True)
class Spreading:
    """The function that runs whole maps.

    Attributes:
        function: its name.
        timeout_s: limit for one of its calls.
        event: what it is told beside the map's name (`each`) and the flow's event (`event`).
    """

    function: str
    timeout_s: int
    event: Mapping[str, Any] = field(default_factory=dict)


def _attempt(name: str) -> State:
    """What Step Functions knows of an attempt, and the task's name in the flow."""
    return {
        "name": name,
        "entered.$": "$$.State.EnteredTime",
        "retries.$": "$$.State.RetryCount",
    }


def state_machine(
    flow: Sequence,
    *,
    on_failure: str,
    timeout_s: int,
    comment: str,
    sizes: Mapping[str, Collection[str]] | None = None,
    spreading: Spreading | None = None,
) -> dict[str, Any]:
    """The definition of a state machine that runs a flow.

    Args:
        flow: the whole computation.
        on_failure: name of the function that records failures and decides what follows.
        timeout_s: limit for one execution, in seconds.
        comment: description that the console shows.
        sizes: the names of functions that there are in several sizes, by what tasks call them, in
            the order in which `Task.size` counts them.
        spreading: the function that runs maps with a `way`; None for none of them.

    Raises:
        ValueError: a task that chooses a size keeps its result, a sequence is in another, or
            nothing follows a map with a `way`.
    """
    states = _Writer(on_failure, sizes or {}, spreading).sequence(flow, JOB_FAILED)
    first = next(iter(states))
    for state in states.values():
        if state.pop("End", False):
            state["Next"] = DONE
    states[DONE] = {"Type": "Succeed"}
    states[JOB_FAILED] = {
        "Type": "Task",
        "Comment": "Fails the execution under the failure's own name, or starts it again",
        "Resource": f"${{{on_failure}}}",
        "Parameters": {
            "event": {
                "failed.$": "$.failed",
                "flow.$": "$",
                "redrives.$": "$$.Execution.RedriveCount",
            },
            "state": _attempt(JOB_FAILED),
        },
        "TimeoutSeconds": 60,
        # Nobody catches what it throws, and its history is the whole job's. No place stays empty
        # while it pauses.
        "Retry": [retry_rule(replace(BUSY, max_delay_s=60, attempts=400)), retry_rule(DIED)],
        "Next": first,
    }
    return {"Comment": comment, "StartAt": first, "TimeoutSeconds": timeout_s, "States": states}


class _Writer:
    """Writes the states of one scope: the top, a branch, or the body of a map."""

    def __init__(
        self,
        on_failure: str,
        sizes: Mapping[str, Collection[str]],
        spreading: Spreading | None,
    ) -> None:
        """Begins a scope; see `state_machine`."""
        self._on_failure = on_failure
        self._sizes = sizes
        self._spreading = spreading

    def scope(self, node: Node) -> State:
        """The states of `node` alone, as a branch or an item processor holds them."""
        steps = node.steps if isinstance(node, Sequence) else (node,)
        states = self.sequence(Sequence(node.name, steps), None)
        return {"StartAt": next(iter(states)), "States": states}

    def sequence(self, node: Sequence, caught_by: str | None) -> dict[str, State]:
        """The chained states of a sequence; failures go to `caught_by`, or are only recorded."""
        states: dict[str, State] = {}
        recorders: dict[str, State] = {}
        for number, step in enumerate(node.steps):
            following = node.steps[number + 1].name if number + 1 < len(node.steps) else None
            own = self._states(step, following)
            for state in own.values():
                if state["Type"] == "Choice":
                    continue
                if following is not None:
                    state["Next"] = following
                else:
                    state["End"] = True
                if "Catch" in state:
                    continue
                if caught_by is not None:
                    state["Catch"] = [_catch(step.name, caught_by)]
                elif isinstance(step, Task):
                    recorder = f"{step.name} failed"
                    state["Catch"] = [_catch(step.name, recorder)]
                    recorders[recorder] = self._recorder(step)
            states |= own
        return states | recorders

    def _states(self, node: Node, following: str | None) -> dict[str, State]:
        """The states of a step, the first of which is entered."""
        match node:
            case Task():
                return {node.name: self._task(node)}
            case Parallel():
                return {node.name: self._parallel(node)}
            case Each(way=str()) if self._spreading is not None:
                return self._ways(node, self._spreading, following)
            case Each():
                return {node.name: self._map(node)}
            case Sequence():
                raise ValueError(f"{node.name}: a sequence in a sequence is one sequence")

    def _ways(self, node: Each, spreading: Spreading, following: str | None) -> dict[str, State]:
        """A map that one function may run."""
        if following is None:
            raise ValueError(f"{node.name}: nothing follows it, if its list is empty")
        spread, distributed = f"{node.name} {SPREAD}", f"{node.name} {DISTRIBUTED}"
        nexts = {NOTHING: following, SPREAD: spread}
        choices = [
            {"Variable": node.way, "StringEquals": way, "Next": state}
            for way, state in nexts.items()
        ]
        event = {**_fields(spreading.event), "each": node.name, "event.$": "$"}
        return {
            node.name: {"Type": "Choice", "Choices": choices, "Default": distributed},
            spread: {
                "Type": "Task",
                "Resource": f"${{{spreading.function}}}",
                "Parameters": {"event": event, "state": _attempt(spread)},
                **({} if node.output == DISCARD else {"ResultSelector": {}}),
                **_result(node.output),
                "TimeoutSeconds": spreading.timeout_s,
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": distributed}],
            },
            distributed: self._map(node),
        }

    def _task(self, node: Task) -> State:
        event = {"event.$": "$"} if node.input is None else {"event": _fields(node.input)}
        state: State = {
            "Type": "Task",
            **self._called(node, {**event, "state": _attempt(node.name)}),
            **_result(node.output),
        }
        if node.timeout_s is not None:
            state["TimeoutSeconds"] = int(node.timeout_s)
        state["Retry"] = [retry_rule(rule) for rule in (*node.retry, BUSY, DIED)]
        return state

    def _called(self, node: Task, payload: State) -> State:
        """What a task calls, with what."""
        sizes = [f"'${{{one}}}'" for one in self._sizes.get(str(node.function), ())]
        if node.size is None or len(sizes) < 2:
            return {"Resource": f"${{{node.function}}}", "Parameters": payload}
        if node.output != DISCARD:
            raise ValueError(f"{node.name}: its result would be wrapped in Lambda's answer")
        chosen = f"States.ArrayGetItem(States.Array({', '.join(sizes)}), {node.size})"
        parameters = {"FunctionName.$": chosen, "Payload": payload}
        return {"Resource": f"${{{INVOKE}}}", "Parameters": parameters}

    def _recorder(self, node: Task) -> State:
        return {
            "Type": "Task",
            "Comment": f"Records why {node.name} failed, and fails under the same name",
            "Resource": f"${{{self._on_failure}}}",
            "Parameters": {
                "event": {
                    **_fields(node.input or {}),
                    "failed.$": "$.failed",
                },
                "state": _attempt(f"{node.name} failed"),
            },
            "TimeoutSeconds": 60,
            "Retry": [retry_rule(BUSY), retry_rule(DIED)],
            "End": True,
        }

    def _parallel(self, node: Parallel) -> State:
        names = {f"{name}.$": f"$[{number}]" for number, name in enumerate(node.branches)}
        return {
            "Type": "Parallel",
            "Branches": [self.scope(branch) for branch in node.branches.values()],
            **({} if node.output == DISCARD else {"ResultSelector": names}),
            **_result(node.output),
        }

    def _map(self, node: Each) -> State:
        state: State = {"Type": "Map"}
        if node.items_in_store:
            state["ItemReader"] = {
                "Resource": "arn:${Partition}:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": f"${{{STORE}}}", "Key.$": node.items},
            }
        else:
            state["ItemsPath"] = node.items
        if node.item is not None:
            state["ItemSelector"] = _fields(node.item)
        state |= _at_once(node)
        mode = {"Mode": "INLINE"}
        if node.distributed:
            mode = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        state["ItemProcessor"] = {"ProcessorConfig": mode, **self.scope(node.body)}
        if node.results is not None:
            state["ResultWriter"] = {
                "Resource": "arn:${Partition}:states:::s3:putObject",
                "Parameters": {"Bucket": f"${{{STORE}}}", "Prefix.$": node.results},
            }
        if node.distributed and node.output != DISCARD:
            state["ResultSelector"] = {}
        return state | _result(node.output)


def _at_once(node: Each) -> State:
    if node.concurrency is None:
        return {}
    by_path = isinstance(node.concurrency, str)
    return {"MaxConcurrencyPath" if by_path else "MaxConcurrency": node.concurrency}


def _catch(step: str, target: str) -> State:
    return {"ErrorEquals": ["States.ALL"], "ResultPath": f"$.failed.{step}", "Next": target}


def _result(output: str | None) -> State:
    if output is None:
        return {}
    return {"ResultPath": None if output == DISCARD else f"$.{output}"}


def retry_rule(rule: Retry) -> State:
    """A rule as a retrier."""
    return {
        "ErrorEquals": list(rule.errors),
        "IntervalSeconds": rule.interval_s,
        "BackoffRate": rule.backoff,
        "MaxDelaySeconds": rule.max_delay_s,
        "MaxAttempts": rule.attempts,
        "JitterStrategy": "FULL",
    }


def _fields(template: Mapping[str, Any]) -> State:
    """A mu template as a payload template, in which ``.$`` marks paths."""
    fields: State = {}
    for name, value in template.items():
        if isinstance(value, Mapping):
            fields[name] = _fields(value)
        elif isinstance(value, str) and value.startswith("$"):
            path = value.replace("$item", "$$.Map.Item.Value", 1)
            fields[f"{name}.$"] = path.replace("$index", "$$.Map.Item.Index", 1)
        else:
            fields[name] = value
    return fields
