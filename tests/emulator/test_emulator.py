"""What the tests of the stack take for granted of the emulator."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import Emulator

pytestmark = pytest.mark.aws

_names = (f"run-{number}" for number in itertools.count())


def until(condition: Callable[[], Any]) -> Any:
    """Waits for something to be true; a hang ends the test, not a slow machine."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("It never happened.")


def start(emulator: Emulator, machine: str, data: Any, name: str = "") -> str:
    answer = emulator.client("stepfunctions").start_execution(
        stateMachineArn=machine, name=name or next(_names), input=json.dumps(data)
    )
    return str(answer["executionArn"])


def ended(emulator: Emulator, execution: str) -> dict[str, Any]:
    def description() -> Any:
        found = emulator.client("stepfunctions").describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    found: dict[str, Any] = until(description)
    return found


def run(emulator: Emulator, machine: str, data: Any) -> dict[str, Any]:
    return ended(emulator, start(emulator, machine, data))


def output(description: dict[str, Any]) -> Any:
    assert description["status"] == "SUCCEEDED", description
    return json.loads(description["output"])


def history(emulator: Emulator, execution: str) -> list[dict[str, Any]]:
    pages = emulator.client("stepfunctions").get_paginator("get_execution_history")
    return [event for page in pages.paginate(executionArn=execution) for event in page["events"]]


def events(emulator: Emulator, outputs: dict[str, str], kind: str) -> list[dict[str, Any]]:
    """The events of a kind that the listener was sent."""
    s3 = emulator.client("s3")
    found = s3.list_objects_v2(Bucket=outputs["Bucket"], Prefix=f"events/{kind}/")
    return [
        json.loads(s3.get_object(Bucket=outputs["Bucket"], Key=item["Key"])["Body"].read())
        for item in found.get("Contents", [])
    ]


def test_retry_by_class_name(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Retry rules that name an exception's class do not match, or the function forgets."""
    event = {"do": "fail once", "key": "retry"}
    assert output(run(emulator, outputs["Single"], event)) == event


def test_catch_keeps_error_beside_input(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A caught error has another name, or ResultPath loses the state's input."""
    result = output(run(emulator, outputs["Single"], {"do": "take memory", "bytes": 1 << 30}))
    assert result["do"] == "take memory"
    assert result["failure"]["work"]["Error"] == "MemoryError"


def test_death_is_exit_error(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A function's process that ends is not reported as Lambda does, so it is not retried."""
    event = {"do": "die once", "key": "death"}
    assert output(run(emulator, outputs["Single"], event)) == event
    result = run(emulator, outputs["Optimized"], {"do": "die"})
    assert (result["status"], result["error"]) == ("FAILED", "Runtime.ExitError")


def test_killed_worker(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Tests cannot kill a function that runs, or the execution does not notice."""
    arn = start(emulator, outputs["Optimized"], {"do": "sleep", "seconds": 1.9})
    [pid] = until(lambda: emulator.workers(outputs["Task"]))
    os.kill(pid, signal.SIGKILL)
    assert ended(emulator, arn)["error"] == "Runtime.ExitError"


def test_timeout(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A function may run longer than its timeout, or its end has another name."""
    result = run(emulator, outputs["Optimized"], {"do": "sleep", "seconds": 30})
    assert (result["status"], result["error"]) == ("FAILED", "Sandbox.Timedout")


def test_throttle(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Reserved concurrency is not kept, or a refusal has another name than on AWS."""
    items = [{"do": "sleep", "seconds": 1}] * 3
    results = output(run(emulator, outputs["Throttled"], {"items": items}))
    errors = [result["Error"] for result in results if "Error" in result]
    assert 1 <= len(errors) <= 2
    assert set(errors) == {"Lambda.TooManyRequestsException"}


def test_data_limit(emulator: Emulator, outputs: dict[str, str]) -> None:
    """States may pass on more data than AWS allows."""
    result = run(emulator, outputs["Optimized"], {"do": "large answer", "bytes": 256 * 1024})
    assert result["error"] == "States.DataLimitExceeded"


def test_environment(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A function sees files of this machine, or not where Lambda has its own."""
    found = output(run(emulator, outputs["Optimized"], {"do": "where"}))
    if found["task"] != "/var/task":
        pytest.skip("This machine allows no mounts of its own.")
    assert found["path"] == "/opt/python"
    assert found["opt"] == []


def test_context_object(emulator: Emulator, outputs: dict[str, str]) -> None:
    """The context object lacks what our state machine takes from it."""
    data = {"do": "nothing", "key": "", "seconds": 0}
    arn = start(emulator, outputs["Plain"], data, "context")
    result = output(ended(emulator, arn))["result"]
    assert (result["redrives"], result["retries"], result["name"]) == (0, 0, "context")
    assert result["entered"].endswith("Z")


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
    """A stopped execution goes on, or nobody hears of its end."""
    arn = start(emulator, outputs["Plain"], {"do": "sleep", "seconds": 1.5, "key": ""})
    until(lambda: emulator.workers(outputs["Task"]))
    emulator.client("stepfunctions").stop_execution(executionArn=arn, error="Stopped", cause="test")
    assert ended(emulator, arn)["status"] == "ABORTED"
    assert history(emulator, arn)[-1]["type"] == "ExecutionAborted"

    def notice() -> Any:
        found = events(emulator, outputs, "Step Functions Execution Status Change")
        return [event for event in found if event["detail"]["executionArn"] == arn]

    [event] = until(notice)
    assert (event["detail"]["status"], event["detail"]["error"]) == ("ABORTED", "Stopped")


def test_redrive(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A redriven execution starts over, forgets its past, or does not know it was redriven."""
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
    """A map succeeds although a child failed, or goes on with the others."""
    s3, bucket = emulator.client("s3"), outputs["Bucket"]
    failing = {"mark": "marks/bad/0", "steps": [{"do": "fail"}]}
    slow = {"do": "sleep", "seconds": 1}
    others = [{"mark": f"marks/bad/{number}", "steps": [slow]} for number in range(1, 6)]
    s3.put_object(Bucket=bucket, Key="items/bad.json", Body=json.dumps([failing, *others]))
    arn = start(emulator, outputs["Distributed"], {"items": "items/bad.json", "run": 2})
    result = output(ended(emulator, arn))
    assert result["failure"]["Error"] == "States.ExceedToleratedFailureThreshold"
    until(lambda: not emulator.workers(outputs["Task"]))
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="marks/bad/")


def test_missing_items(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A map without its items fails under another name than on AWS."""
    result = run(emulator, outputs["Distributed"], {"items": "items/none.json", "run": 3})
    assert result["error"] == "States.ItemReaderFailed"


def test_conditional_writes(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Two writers may both believe that they were first."""
    s3, bucket = emulator.client("s3"), outputs["Bucket"]
    key = "conditional/ä b+c.txt"
    tag = s3.put_object(Bucket=bucket, Key=key, Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key=key, Body=b"3", IfMatch=tag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"4", IfMatch=tag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.get_object(Bucket=bucket, Key=key, IfMatch=tag)
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="conditional/")["Contents"]
    assert [item["Key"] for item in listed] == [key]


def test_multipart_copy(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Parts copied by range from a version are not that version's bytes."""
    s3, watched, bucket = emulator.client("s3"), outputs["Watched"], outputs["Bucket"]
    key = "source ä+.bin"
    old = bytes(range(256)) * (6 << 12)
    version = s3.put_object(Bucket=watched, Key=key, Body=old)["VersionId"]
    s3.put_object(Bucket=watched, Key=key, Body=b"new")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="copied")["UploadId"]
    parts = []
    for number, (first, last) in enumerate(((0, (5 << 20) - 1), (5 << 20, len(old) - 1)), 1):
        copied = s3.upload_part_copy(
            Bucket=bucket,
            Key="copied",
            UploadId=upload,
            PartNumber=number,
            CopySource={"Bucket": watched, "Key": key, "VersionId": version},
            CopySourceRange=f"bytes={first}-{last}",
        )
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    complete = {
        "Bucket": bucket,
        "Key": "copied",
        "UploadId": upload,
        "MultipartUpload": {"Parts": parts},
    }
    s3.put_object(Bucket=bucket, Key="copied", Body=b"in the way")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.complete_multipart_upload(**complete, IfNoneMatch="*")
    s3.delete_object(Bucket=bucket, Key="copied")
    s3.complete_multipart_upload(**complete, IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="copied")["Body"].read() == old


def test_object_created_events(emulator: Emulator, outputs: dict[str, str]) -> None:
    """An upload starts nothing, or its event lacks what the start needs."""
    s3, bucket = emulator.client("s3"), outputs["Watched"]
    version = s3.put_object(Bucket=bucket, Key="Film ä+1.MP4", Body=b"12345")["VersionId"]
    s3.put_object(Bucket=bucket, Key="note.txt", Body=b"1")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="in/parts")["UploadId"]
    target = {"Bucket": bucket, "Key": "in/parts", "UploadId": upload}
    tag = s3.upload_part(**target, PartNumber=1, Body=b"123")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    completed = s3.complete_multipart_upload(**target, MultipartUpload=parts)

    def both() -> Any:
        found = events(emulator, outputs, "Object Created")
        return found if len(found) >= 2 else None

    details = {event["detail"]["object"]["key"]: event["detail"] for event in until(both)}
    assert set(details) == {"Film ä+1.MP4", "in/parts"}
    put, multipart = details["Film ä+1.MP4"], details["in/parts"]
    assert put["object"]["version-id"] == version
    assert (put["object"]["size"], put["reason"]) == (5, "PutObject")
    assert (multipart["object"]["size"], multipart["reason"]) == (3, "CompleteMultipartUpload")
    assert multipart["object"]["etag"] == completed["ETag"].strip('"')
    assert int(put["object"]["sequencer"], 16) < int(multipart["object"]["sequencer"], 16)


def test_logs_and_counts(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Measurements miss calls, or a function's output is lost."""
    before = emulator.requests()
    output(run(emulator, outputs["Optimized"], {"do": "record", "key": "counted"}))
    calls = emulator.requests() - before
    assert (calls["lambda:Invoke"], calls["s3:PutObject"]) == (1, 1)
    assert calls["states:StartExecution"] == 1
    assert "doing record" in until(lambda: emulator.logs(outputs["Task"]))


def test_loopback_only(emulator: Emulator) -> None:
    """The emulator can be reached from the network."""
    try:
        listing = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("ss is not installed.")
    ours = [
        line.split()[3]
        for line in listing.stdout.splitlines()
        if any(os.getpgid(pid) in emulator.pids for pid in pids_of(line))
    ]
    assert len(ours) >= 2
    assert all(address.startswith("127.0.0.1:") for address in ours)


def pids_of(line: str) -> list[int]:
    """The processes that a line of `ss -p` names and that still run."""
    found = [int(part.split(",")[0].rstrip(")")) for part in line.split("pid=")[1:]]
    return [pid for pid in found if Path(f"/proc/{pid}").exists()]


def test_ends_with_its_parent(tmp_path: Path, emulator: Emulator) -> None:
    """A killed test run leaves servers behind."""
    program = (
        "import pathlib, sys, time\n"
        "from tests.emulator import Emulator\n"
        "emulator = Emulator(pathlib.Path(sys.argv[1]))\n"
        "emulator.start()\n"
        "print(*emulator.pids, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert len(pids) == 2
    until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
