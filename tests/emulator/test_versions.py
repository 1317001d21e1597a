"""Versions and aliases of functions, and executions that outlive their machine's definition."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from emulator import Emulator
from emulator.runs import ended, output, start, until

pytestmark = pytest.mark.aws


@pytest.fixture(scope="module")
def function(emulator: Emulator, outputs: dict[str, str]) -> Iterator[str]:
    """A function of which one call may run at a time, with an alias of its first version."""
    functions, name = emulator.client("lambda"), outputs["Reserved"]
    before = functions.get_function_configuration(FunctionName=name)["Environment"]
    published = functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion=published["Version"])
    changed = {"Variables": {**before["Variables"], "SETTING": "changed"}}
    functions.update_function_configuration(FunctionName=name, Environment=changed)
    yield name
    functions.update_function_configuration(FunctionName=name, Environment=before)
    functions.delete_alias(FunctionName=name, Name="live")


def say_who(emulator: Emulator, function: str) -> dict[str, Any]:
    """Calls a function, and returns what it knows of itself."""
    answer = emulator.client("lambda").invoke(
        FunctionName=function, Payload=json.dumps({"do": "say who"})
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def test_versions_do_not_change(emulator: Emulator, function: str) -> None:
    """A version runs what was deployed later, or does not know which version it is."""
    for name in (f"{function}:1", f"{function}:live"):
        found = say_who(emulator, name)
        assert (found["version"], found["setting"]) == ("1", None)
        assert "/[1]" in found["stream"]
    latest = say_who(emulator, function)
    assert (latest["version"], latest["setting"]) == ("$LATEST", "changed")
    assert "/[$LATEST]" in latest["stream"]


def test_reserved_concurrency_is_that_of_all_versions(emulator: Emulator, function: str) -> None:
    """A limit on a function does not hold for calls that name a version."""
    functions = emulator.client("lambda")

    def call(qualifier: str) -> str:
        try:
            functions.invoke(
                FunctionName=function,
                Qualifier=qualifier,
                Payload=json.dumps({"do": "sleep", "seconds": 3}),
            )
        except functions.exceptions.TooManyRequestsException:
            return "refused"
        return "called"

    with ThreadPoolExecutor(2) as callers:
        assert sorted(callers.map(call, ("1", "$LATEST"))) == ["called", "refused"]


def test_what_fails_by_an_alias_is_kept_as_the_alias_says(
    emulator: Emulator, function: str
) -> None:
    """An event that a function cannot handle is lost if it was called by an alias."""
    functions, sqs = emulator.client("lambda"), emulator.client("sqs")
    queue = sqs.create_queue(QueueName=f"kept-{uuid.uuid4()}")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    functions.put_function_event_invoke_config(
        FunctionName=function,
        Qualifier="live",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": attributes["Attributes"]["QueueArn"]}},
    )
    event, before = {"do": "fail", "why": str(uuid.uuid4())}, emulator.logs(function)
    functions.invoke(
        FunctionName=f"{function}:live", InvocationType="Event", Payload=json.dumps(event)
    )
    (message,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(message["Body"])["requestPayload"] == event
    after = until(lambda: emulator.logs(function)[len(before) :])
    assert after.count("doing fail") == 1


def test_an_execution_keeps_its_definition(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A running or redriven execution goes on with a definition that was deployed later."""
    states = emulator.client("stepfunctions")
    described = states.describe_state_machine(stateMachineArn=outputs["Single"])
    task = json.loads(described["definition"])["States"]["work"]["Resource"]

    def definition(mark: str) -> str:
        event = {"do": "fail once", "key": "kept definition", "mark": mark}
        work = {"Type": "Task", "Resource": task, "Parameters": event, "End": True}
        return json.dumps({"StartAt": "work", "States": {"work": work}})

    machine = states.create_state_machine(
        name="Changing", definition=definition("old"), roleArn=described["roleArn"]
    )["stateMachineArn"]
    arn = start(emulator, machine, {})
    assert ended(emulator, arn)["error"] == "Flaky"
    states.update_state_machine(stateMachineArn=machine, definition=definition("new"))
    told = states.describe_state_machine_for_execution(executionArn=arn)
    assert told["definition"] == definition("old")
    states.redrive_execution(executionArn=arn)
    assert output(ended(emulator, arn))["mark"] == "old"
    assert output(ended(emulator, start(emulator, machine, {})))["mark"] == "new"
