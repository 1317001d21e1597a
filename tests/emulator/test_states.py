"""The behaviour of Step Functions that the stack's tests rely on."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import Emulator
from emulator.runs import ended, history, output, run, start, until
from tests.emulator.example import events

pytestmark = pytest.mark.aws


def notices(emulator: Emulator, outputs: dict[str, str], arn: str) -> list[dict[str, Any]]:
    """Returns the events that announced an execution's end."""
    found = events(emulator, outputs, "Step Functions Execution Status Change")
    return [event for event in found if event["detail"]["executionArn"] == arn]


def test_context_object(emulator: Emulator, outputs: dict[str, str]) -> None:
    """The context object lacks fields that our state machine reads."""
    data = {"do": "nothing", "key": "", "seconds": 0}
    arn = start(emulator, outputs["Plain"], data, "context")
    result = output(ended(emulator, arn))["result"]
    assert (result["redrives"], result["retries"], result["name"]) == (0, 0, "context")
    assert result["entered"].endswith("Z")


def test_data_limit(emulator: Emulator, outputs: dict[str, str]) -> None:
    """States may pass on more data than AWS allows."""
    result = run(emulator, outputs["Optimized"], {"do": "large answer", "bytes": 256 * 1024})
    assert result["error"] == "States.DataLimitExceeded"


def test_start_is_idempotent(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A repeated start runs a job twice, or fails where AWS accepts it."""
    data = {"do": "sleep", "seconds": 1, "key": ""}
    first = start(emulator, outputs["Plain"], data, "twice")
    assert start(emulator, outputs["Plain"], data, "twice") == first
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        start(emulator, outputs["Plain"], {**data, "key": "other"}, "twice")
    entered = [e for e in history(emulator, first) if e["type"] == "TaskStateEntered"]
    assert len(entered) <= 1
    assert ended(emulator, first)["status"] == "SUCCEEDED"
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        start(emulator, outputs["Plain"], data, "twice")


def test_stop(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A stopped execution continues, or its end is not announced."""
    arn = start(emulator, outputs["Plain"], {"do": "wait", "key": "marks/stopped", "seconds": 0})
    until(lambda: emulator.workers(outputs["Task"]))
    emulator.client("stepfunctions").stop_execution(executionArn=arn, error="Stopped", cause="test")
    assert ended(emulator, arn)["status"] == "ABORTED"
    assert history(emulator, arn)[-1]["type"] == "ExecutionAborted"
    emulator.client("s3").put_object(Bucket=outputs["Bucket"], Key="marks/stopped", Body=b"")

    [event] = until(lambda: notices(emulator, outputs, arn))
    assert (event["detail"]["status"], event["detail"]["error"]) == ("ABORTED", "Stopped")


def test_redrive(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A redriven execution starts over, loses its history, or does not count the redrive."""
    states = emulator.client("stepfunctions")
    data = {"do": "fail once", "key": "redrive", "seconds": 0}
    arn = start(emulator, outputs["Plain"], data)
    assert ended(emulator, arn)["error"] == "Flaky"
    states.redrive_execution(executionArn=arn)
    description = ended(emulator, arn)
    assert output(description)["result"]["redrives"] == 1
    assert description["redriveCount"] == 1
    kinds = [event["type"] for event in history(emulator, arn)]
    assert kinds.count("PassStateEntered") == 1
    assert kinds.count("ExecutionRedriven") == 1
    with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
        states.redrive_execution(executionArn=arn)


def test_distributed_map(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A distributed map does not read its items from S3 or does not run them all."""
    s3, bucket = emulator.client("s3"), outputs["Bucket"]
    items = [{"mark": f"marks/all/{number}", "steps": [{}, {}]} for number in range(5)]
    s3.put_object(Bucket=bucket, Key="items/all.json", Body=json.dumps(items))
    result = run(emulator, outputs["Distributed"], {"items": "items/all.json", "run": 1})
    assert output(result)["mapped"] == {}
    marks = s3.list_objects_v2(Bucket=bucket, Prefix="marks/all/")
    assert marks["KeyCount"] == len(items)


def test_distributed_map_with_failing_child(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A map succeeds although a child failed, or continues with the others."""
    s3, bucket = emulator.client("s3"), outputs["Bucket"]
    failing = {"mark": "marks/bad/0", "steps": [{"do": "fail"}]}
    slow = {"do": "wait", "key": "marks/failed"}  # so that none can be done before
    others = [{"mark": f"marks/bad/{number}", "steps": [slow]} for number in range(1, 6)]
    s3.put_object(Bucket=bucket, Key="items/bad.json", Body=json.dumps([failing, *others]))
    arn = start(emulator, outputs["Distributed"], {"items": "items/bad.json", "run": 2})
    result = output(ended(emulator, arn))
    assert result["failure"]["Error"] == "States.ExceedToleratedFailureThreshold"
    s3.put_object(Bucket=bucket, Key="marks/failed", Body=b"")
    until(lambda: not emulator.workers(outputs["Task"]))
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="marks/bad/")


def test_missing_items(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A map without its items fails under another name than on AWS."""
    result = run(emulator, outputs["Distributed"], {"items": "items/none.json", "run": 3})
    assert result["error"] == "States.ItemReaderFailed"


def test_machine_timeout(emulator: Emulator, outputs: dict[str, str]) -> None:
    """An execution may run longer than its machine allows, or its end is not announced."""
    arn = start(emulator, outputs["Hurried"], {"do": "sleep", "seconds": 1.7})
    assert ended(emulator, arn)["status"] == "TIMED_OUT"
    assert history(emulator, arn)[-1]["type"] == "ExecutionTimedOut"
    [event] = until(lambda: notices(emulator, outputs, arn))
    assert event["detail"]["status"] == "TIMED_OUT"


def test_task_timeout(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A task may run longer than its state allows, or its end has another name than on AWS."""
    result = run(emulator, outputs["HurriedTask"], {"do": "sleep", "seconds": 1.7})
    assert result["error"] == "States.Timeout"


def test_bad_definition(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A state machine that AWS refuses can be deployed here."""
    with pytest.raises(ClientError, match="InvalidDefinition"):
        emulator.client("stepfunctions").create_state_machine(
            name="bad", definition='{"StartAt": "x"}', roleArn="arn:aws:iam::000000000000:role/r"
        )
