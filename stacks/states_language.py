"""A mu flow as a state machine in Amazon States Language.

Two engines run one description: `mu.engines.coordinator` interprets it, and this module translates
it for Step Functions. A state machine also needs what only the cloud has:

- every Task calls its function with the event and with what Step Functions knows of the
  attempt (`mu.engines.stack.function` reads both), and is retried when Lambda itself fails;
- a map that may run inline is a Choice and three maps: distributed, inline, and for more items
  than an inline map runs at once, inline maps in an inline map. Names of states are unique, so the
  states of their bodies have the map's way after their name; errors and records have the name
  alone;
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
from typing import Any

from mu.fanout import ATTEMPTS, ATTEMPTS_OF_RECORDER
from mu.flow import DISCARD, Each, Node, Parallel, Retry, Sequence, Task

State = dict[str, Any]

STORE = "WorkBucket"
INVOKE = "InvokeFunction"
"""Stands for the resource of a Task that calls the function whose ARN it is given."""
DONE = "done"
JOB_FAILED = "job failed"

BUSY: State = {
    "ErrorEquals": ["Lambda.TooManyRequestsException"],
    "IntervalSeconds": 1,
    "BackoffRate": 2.0,
    "MaxDelaySeconds": 6,
    "MaxAttempts": 190,
    "JitterStrategy": "FULL",
}
"""Too many workers run at once: waiting helps, and costs next to nothing.

Pauses are short, so that a free place is not left empty. On average they take three seconds, so
attempts last for ten minutes; then the job as a whole starts again and keeps what is finished (see
`excamera.lifecycle.failure`). More attempts would fill the history of a batch, in which each leaves
three events of at most 25,000.
"""

_LAMBDA: State = {
    "ErrorEquals": [
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Runtime.OutOfMemory",
        "MemoryError",
        "Sandbox.Timedout",
        "States.Timeout",
    ],
    "IntervalSeconds": 2,
    "BackoffRate": 2.0,
    "MaxDelaySeconds": 30,
    "MaxAttempts": 3,
    "JitterStrategy": "FULL",
}
"""Lambda's own failures, and workers that were killed or ran out of memory or time."""

_INLINE: State = {
    "IntervalSeconds": 1,
    "BackoffRate": 2.0,
    "MaxDelaySeconds": 6,
    "JitterStrategy": "FULL",
}
"""How a task in the body of an inline map is tried again, whatever of the above has happened.

All bodies share a history, so there are few attempts: `mu.fanout` has the numbers.
"""

INLINE = "inline"
GROUPED = "grouped"
DISTRIBUTED = "distributed"
"""The ways in which a map runs, as they are part of the names of its states."""


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
) -> dict[str, Any]:
    """The definition of a state machine that runs a flow.

    Args:
        flow: the whole computation.
        on_failure: name of the function that records failures and decides what follows.
        timeout_s: limit for one execution, in seconds.
        comment: description that the console shows.
        sizes: the names of functions that there are in several sizes, by what tasks call them, in
            the order in which `Task.size` counts them.

    Raises:
        ValueError: a task that chooses a size keeps its result, or a sequence is in another.
    """
    states = _Writer(on_failure, sizes or {}).sequence(flow, JOB_FAILED)
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
        "Retry": [{**BUSY, "MaxDelaySeconds": 60, "MaxAttempts": 400}, _LAMBDA],
        "Next": first,
    }
    return {"Comment": comment, "StartAt": first, "TimeoutSeconds": timeout_s, "States": states}


class _Writer:
    """Writes the states of one scope: the top, a branch, or the body of a map."""

    def __init__(
        self, on_failure: str, sizes: Mapping[str, Collection[str]], way: str = ""
    ) -> None:
        """Begins a scope.

        Args:
            on_failure: see `state_machine`.
            sizes: see there.
            way: in which the map around it runs, if all its bodies share a history.
        """
        self._on_failure = on_failure
        self._sizes = sizes
        self._way = way

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
            own = self._states(step)
            for state in own.values():
                if state["Type"] == "Choice":
                    continue
                if number + 1 < len(node.steps):
                    state["Next"] = self._name(node.steps[number + 1])
                else:
                    state["End"] = True
                if caught_by is not None:
                    state["Catch"] = [_catch(step.name, caught_by)]
                elif isinstance(step, Task):
                    recorder = f"{self._name(step)} failed"
                    state["Catch"] = [_catch(step.name, recorder)]
                    recorders[recorder] = self._recorder(step)
            states |= own
        return states | recorders

    def _name(self, node: Node) -> str:
        return f"{node.name} {self._way}" if self._way else node.name

    def _states(self, node: Node) -> dict[str, State]:
        """The states of a step, the first of which is entered."""
        name = self._name(node)
        match node:
            case Task():
                return {name: self._task(node)}
            case Parallel():
                return {name: self._parallel(node)}
            case Each(inline=str() as ways):
                return {
                    name: _choice(name, ways),
                    f"{name} {INLINE}": self._inline(node, f"{ways}.items"),
                    f"{name} {GROUPED}": self._grouped(node, f"{ways}.groups"),
                    f"{name} {DISTRIBUTED}": self._map(node),
                }
            case Each():
                return {name: self._map(node)}
            case Sequence():
                raise ValueError(f"{node.name}: a sequence in a sequence is one sequence")

    def _retries(self, node: Task | None = None) -> list[State]:
        """The rules of a task, or of the call that records a failure."""
        own = [] if node is None else [_retry(rule) for rule in node.retry]
        rules = [*own, BUSY, _LAMBDA]
        if not self._way:
            return rules
        errors = [error for rule in rules for error in rule["ErrorEquals"]]
        attempts = ATTEMPTS_OF_RECORDER if node is None else ATTEMPTS
        return [{"ErrorEquals": errors, **_INLINE, "MaxAttempts": attempts}]

    def _task(self, node: Task) -> State:
        event = {"event.$": "$"} if node.input is None else {"event": _fields(node.input)}
        state: State = {
            "Type": "Task",
            **self._called(node, {**event, "state": _attempt(node.name)}),
            **_result(node.output),
        }
        if node.timeout_s is not None:
            state["TimeoutSeconds"] = int(node.timeout_s)
        state["Retry"] = self._retries(node)
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
                    **({"inline": True} if self._way else {}),
                },
                "state": _attempt(f"{node.name} failed"),
            },
            "TimeoutSeconds": 60,
            "Retry": self._retries(),
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

    def _inline(self, node: Each, items: str) -> State:
        """The map of a list of which all items may begin at once."""
        return {
            **_inline_map(
                items, node.item, _Writer(self._on_failure, self._sizes, INLINE).scope(node.body)
            ),
            **_at_once(node),
            "ResultSelector": {},
            **_result(node.output),
        }

    def _grouped(self, node: Each, groups: str) -> State:
        """A map of groups, each of which has a map of its own."""
        # A group's map is given what the items' events take from the event.
        given = {
            key: value
            for key, value in (node.item or {}).items()
            if isinstance(value, str) and value.startswith("$.")
        }
        item = None if node.item is None else {**node.item, **{key: f"$.{key}" for key in given}}
        body = _Writer(self._on_failure, self._sizes, GROUPED).scope(node.body)
        inner = {
            **_inline_map(f"$.{GROUP}", item, body),
            "ResultSelector": {},
            "End": True,
        }
        name = f"{node.name} {GROUP}"
        return {
            **_inline_map(
                groups, {**given, GROUP: "$item"}, {"StartAt": name, "States": {name: inner}}
            ),
            "ResultSelector": {},
            **_result(node.output),
        }


GROUP = "group"
"""Items that one of several inline maps has."""


def _choice(name: str, ways: str) -> State:
    """Chooses how a map runs, by what `mu.fanout.fan_out` said of its list."""
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": f"{ways}.items", "IsPresent": True, "Next": f"{name} {INLINE}"},
            {"Variable": f"{ways}.groups", "IsPresent": True, "Next": f"{name} {GROUPED}"},
        ],
        "Default": f"{name} {DISTRIBUTED}",
    }


def _inline_map(items: str, item: Mapping[str, Any] | None, body: State) -> State:
    return {
        "Type": "Map",
        "ItemsPath": items,
        **({} if item is None else {"ItemSelector": _fields(item)}),
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **body},
    }


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


def _retry(rule: Retry) -> State:
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
