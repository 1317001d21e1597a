"""Probes on state machines of their own: children of a map, their events, and throttling."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from excamera.lifecycle.ending import is_of_child
from mu.prices import TRANSITION_USD
from tests.live.report.subject import REFUSED, Live, Scale, Section

_ROLE_S = 60.0  # until a new role may be used
_LAST_EVENTS_S = 20.0
_THREADS = 32
_PASS = {"StartAt": "nothing", "States": {"nothing": {"Type": "Pass", "End": True}}}
_MAP = {
    "StartAt": "each",
    "States": {
        "each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                **_PASS,
            },
            "ResultPath": None,
            "End": True,
        }
    },
}


def _own_arns(live: Live, name: str) -> tuple[str, str]:
    """ARNs of a state machine of that name, and of what belongs to its executions."""
    machine = live.stack.outputs["StateMachineArn"].rpartition(":")[0] + f":{name}"
    return machine, machine.replace(":stateMachine:", ":execution:")


def _role(live: Live, name: str) -> str:
    """Make a role for a state machine; returns its ARN."""
    iam = live.stack.client("iam")
    machine, executions = _own_arns(live, name)
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"},
             "Action": "sts:AssumeRole"}  # fmt: skip
    own = [
        {"Effect": "Allow", "Action": "states:StartExecution", "Resource": machine},
        {"Effect": "Allow", "Action": ["states:DescribeExecution", "states:StopExecution"],
         "Resource": f"{executions}/*"},
    ]  # fmt: skip
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))
    live.undo(f"the role {name}", lambda: iam.delete_role(RoleName=name))
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_document(*own))
    live.undo(f"the policy of the role {name}",
              lambda: iam.delete_role_policy(RoleName=name, PolicyName="own"))  # fmt: skip
    return str(made["Role"]["Arn"])


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _machine(live: Live, name: str, definition: dict[str, Any]) -> str:
    """Make a state machine with a role; returns its ARN."""
    states, role = live.stack.client("stepfunctions"), _role(live, name)
    deadline = time.monotonic() + _ROLE_S
    while True:
        try:
            made = states.create_state_machine(
                name=name, definition=json.dumps(definition), roleArn=role
            )
            break
        except ClientError:  # the role is not known everywhere yet
            if time.monotonic() > deadline:
                raise
            time.sleep(2)
    arn = str(made["stateMachineArn"])
    live.undo(f"the state machine {name}", lambda: states.delete_state_machine(stateMachineArn=arn))
    return arn


def _ended(live: Live, execution: str) -> dict[str, Any]:
    states = live.stack.client("stepfunctions")

    def found() -> Any:
        answer = states.describe_execution(executionArn=execution)
        return answer if answer["status"] != "RUNNING" else None

    answer = live.until(found)
    if answer is None or answer["status"] != "SUCCEEDED":
        raise AssertionError(f"{execution}: {answer and answer['status']}")
    return dict(answer)


# --- the children of a map ---------------------------------------------------------


def children_usd(scale: Scale) -> float:
    """What `children` costs at most."""
    return sum(4 + 2 * count for count in scale.children) * TRANSITION_USD


def children(live: Live) -> Section:
    """Run distributed maps whose children do nothing; see when they start, end and are told of."""
    name = f"{live.name}-map"
    section = Section(head=("children", "whole", "started in a second", "gathered in"))
    arn = _machine(live, name, _MAP)
    queue = _events_of(live, name, arn, section)
    states = live.stack.client("stepfunctions")
    for count in live.scale.children:
        began = states.start_execution(
            stateMachineArn=arn, input=json.dumps({"items": list(range(count))})
        )["executionArn"]
        whole = _ended(live, began)
        took = (whole["stopDate"] - whole["startDate"]).total_seconds()
        rate, gathered = "?", "?"
        try:
            found = _children(live, began)
            starts = [one["startDate"].timestamp() for one in found]
            stops = [one["stopDate"].timestamp() for one in found]
            rate = f"{(len(starts) - 1) / max(0.001, max(starts) - min(starts)):.0f}"
            gather_s = whole["stopDate"].timestamp() - max(stops)
            gathered = f"{gather_s:.2f} s"
            section.facts[str(count)] = {"whole_s": took, "gather_s": gather_s,
                                         "listed": len(found)}  # fmt: skip
        except (*REFUSED, ValueError) as error:
            section.facts[str(count)] = {"whole_s": took}
            section.missing.append(f"start and end of {count} children: {error}")
        section.rows.append((f"{count:,}", f"{took:.2f} s", rate, gathered))
    if queue:
        _tell_events(live, queue, section)
    return section


def _children(live: Live, execution: str) -> list[dict[str, Any]]:
    """The children of an execution's one map.

    Raises:
        ValueError: none are listed.
    """
    states = live.stack.client("stepfunctions")
    runs = states.list_map_runs(executionArn=execution)["mapRuns"]
    if not runs:
        raise ValueError("no map run is listed")
    pages = states.get_paginator("list_executions").paginate(mapRunArn=runs[0]["mapRunArn"])
    found = [one for page in pages for one in page["executions"]]
    if not found:
        raise ValueError("no child is listed")
    return found


def _events_of(live: Live, name: str, machine: str, section: Section) -> str:
    """Make a queue that gets all status events of a state machine and its children."""
    sqs, events = live.stack.client("sqs"), live.stack.client("events")
    try:
        url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
        live.undo(f"the queue {name}", lambda: sqs.delete_queue(QueueUrl=url))
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn = arn["Attributes"]["QueueArn"]
        allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
                 "Action": "sqs:SendMessage", "Resource": arn}  # fmt: skip
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": _document(allow)})
        # Children have more than the state machine's name in this.
        pattern = {"source": ["aws.states"], "detail": {"stateMachineArn": [{"prefix": machine}]}}
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        live.undo(f"the rule {name}", lambda: events.delete_rule(Name=name))
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        live.undo(f"the target of the rule {name}",
                  lambda: events.remove_targets(Rule=name, Ids=["queue"]))  # fmt: skip
    except REFUSED as error:
        section.missing.append(f"events of children: {error}")
        return ""
    return url


def _tell_events(live: Live, queue: str, section: Section) -> None:
    """Read the events that came, and say whether our code knows children by them."""
    sqs = live.stack.client("sqs")
    wait_s = min(_LAST_EVENTS_S, live.scale.records_s)
    quiet_since, details = time.monotonic(), []
    while time.monotonic() - quiet_since < wait_s:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2)
        for message in answer.get("Messages", ()):
            quiet_since = time.monotonic()
            details.append(json.loads(message["Body"])["detail"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    of_child = [one for one in details if is_of_child(one)]
    own = Counter(one["status"] for one in details if not is_of_child(one))
    section.facts["events"] = {
        "of_children": dict(Counter(one["status"] for one in of_child)),
        "of_jobs": dict(own),
        "example": of_child[0] if of_child else None,
    }
    if of_child:
        one = of_child[0]
        section.lines.append(
            f"Of children {len(of_child)} events reached EventBridge, such as of "
            f"`{one['executionArn']}` of `{one['stateMachineArn']}`."
        )
    else:
        section.missing.append("events of children: none reached EventBridge")
    expected = len(live.scale.children)
    section.lines.append(
        f"Of the {expected} executions themselves: {dict(own)}. An event of a child that looks "
        "like a job's would make these more."
    )


# --- throttling --------------------------------------------------------------------


def throttling_usd(scale: Scale) -> float:
    """What `throttling` costs at most."""
    return scale.starts * 3 * TRANSITION_USD


def throttling(live: Live) -> Section:
    """Start executions that do nothing, and ask for one, as fast as possible, without retries."""
    name = f"{live.name}-pass"
    arn = _machine(live, name, _PASS)
    states = live.stack.client("stepfunctions")
    known = states.start_execution(stateMachineArn=arn)["executionArn"]
    impatient = _without_retries(live)
    section = Section(head=("request", "sent", "refused", "a second, answered", "first refused at"))
    for what, count, ask in (
        ("StartExecution", live.scale.starts,
         lambda: impatient.start_execution(stateMachineArn=arn)),
        ("DescribeExecution", live.scale.questions,
         lambda: impatient.describe_execution(executionArn=known)),
    ):  # fmt: skip
        began = time.monotonic()

        def refused(number: int, ask: Any = ask) -> int | None:
            try:
                ask()
            except ClientError as error:
                if "hrottl" not in str(error):
                    raise
                return number
            return None

        with ThreadPoolExecutor(_THREADS) as threads:
            answers = list(threads.map(refused, range(count)))
        seconds = time.monotonic() - began
        numbers = [one for one in answers if one is not None]
        rate = (count - len(numbers)) / seconds
        section.rows.append(
            (what, count, len(numbers), f"{rate:.0f}", numbers[0] + 1 if numbers else "-")
        )
        section.facts[what] = {"sent": count, "refused": len(numbers), "seconds": seconds}
    return section


def _without_retries(live: Live) -> Any:
    """A client of Step Functions that gives up at once."""
    import boto3

    usual = live.stack.client("stepfunctions").meta
    return boto3.client(
        "stepfunctions",
        usual.region_name,
        endpoint_url=usual.endpoint_url,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=_THREADS),
    )
