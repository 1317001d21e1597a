"""Least privilege: the pipeline works with exactly the rights it is given, and needs each one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.deployed import Deployed
from tests.aws.rights import rights, role_name, without
from tests.emulator import Emulator
from tests.emulator.runs import an_emulator, until
from tests.pipeline.clips import Clip
from tests.support.assembly import STACK

pytestmark = [pytest.mark.aws, pytest.mark.slow]

# What each of the scenarios below is to show.
AS_IT_SHOULD_BE = {
    "encodes": ["SUCCEEDED", "SUCCEEDED"],
    "fails": ["OutputExists", "True", "SUCCEEDED", "False"],
    "starts": ["SUCCEEDED"],
    "ends": ["succeeded", "stopped"],
    "watches": ["1"],
}

ROLES = (
    "plan",
    "encode",
    "rebase",
    "audio",
    "stitch",
    "failure",
    "start",
    "ended",
    "watch",
    "machine",
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that enforces roles, bucket policies and signatures, over TLS."""
    with an_emulator(tmp_path_factory.mktemp("guarded"), authenticate=True) as running:
        yield running


@pytest.fixture(scope="module")
def stack(guarded: Emulator, assembly: Path) -> Deployed:
    """The stack, deployed there."""
    return Deployed(STACK, guarded.client, guarded.deploy(assembly, STACK))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shortest film that needs every step: two chunks, and sound."""
    clip = Clip(frames=7, width=32, height=32, sound="aac")
    return clip.write(tmp_path_factory.mktemp("film") / "film.mp4")


class Scenarios:
    """What is seen of the stack; each call works on keys of its own."""

    def __init__(self, stack: Deployed, film: Path) -> None:
        self._stack = stack
        self._film = film
        self._number = 0

    def _key(self) -> str:
        self._number += 1
        return f"{self._number}.mp4"

    def encodes(self) -> list[str]:
        """A film, and then its next version, which finds the first one's result there."""
        key = self._key()
        seen = []
        for _ in range(2):
            seen.append(self._stack.job(self._stack.upload(key, self._film)).status)
            if seen[-1] != "SUCCEEDED":
                break
        return seen

    def fails(self) -> list[str]:
        """A film that fails, is mended and goes on, and leaves no record of the failure."""
        key = self._key()
        stack, output = self._stack, key.replace(".mp4", ".webm")
        taken = {"Bucket": stack.outputs["OutputBucket"], "Key": output}
        stack.s3.put_object(**taken, Body=b"precious")
        job = stack.job(stack.upload(key, self._film))
        record = f"jobs/{job.name}/failure.json"
        seen = [job.error, str(record in stack.keys("WorkBucket", record))]
        stack.s3.delete_object(**taken)
        stack.client("stepfunctions").redrive_execution(executionArn=job.arn)
        again = stack.ended(job.arn)
        return [*seen, again.status, str(record in stack.keys("WorkBucket", record))]

    def starts(self) -> list[str]:
        """A film that starts a job; if it does not, the event is kept."""
        upload = self._stack.upload(self._key(), self._film)

        def seen() -> list[str]:
            started = self._stack.executions(upload)
            return [self._stack.ended(arn).status for arn in started] or kept(self._stack)

        found: list[str] = until(seen)
        return found

    def ends(self) -> list[str]:
        """A job that succeeds and one that is stopped; an end that is not told is kept."""
        stack, seen = self._stack, []
        for stopped in (False, True):
            arn = stack.started(stack.upload(self._key(), self._film))
            if stopped:
                stack.client("stepfunctions").stop_execution(executionArn=arn)
            stack.ended(arn)
            end = f"jobs/{arn.rpartition(':')[2]}/end.json"

            def told(end: str = end) -> list[str]:
                found = stack.keys("WorkBucket", end)
                return [stack.read_work(end)["status"]] if found else kept(stack)

            seen += until(told)
        return seen

    def watches(self) -> list[str]:
        """A look at a job that waits for a worker, and at what it has done so far."""
        functions, name = self._stack.client("lambda"), self._stack.function("watch")
        plan = self._stack.function("plan")
        before = functions.get_function_configuration(FunctionName=name)["Environment"]
        impatient = {"Variables": {**before["Variables"], "STALLED_AFTER_S": "-1"}}
        functions.put_function_concurrency(FunctionName=plan, ReservedConcurrentExecutions=0)
        functions.update_function_configuration(FunctionName=name, Environment=impatient)
        arn = self._stack.started(self._stack.upload(self._key(), self._film))
        try:
            answer = functions.invoke(FunctionName=name)
            return [str(json.loads(answer["Payload"].read()).get("stalled"))]
        finally:
            self._stack.client("stepfunctions").stop_execution(executionArn=arn)
            functions.update_function_configuration(FunctionName=name, Environment=before)
            functions.delete_function_concurrency(FunctionName=plan)


def kept(stack: Deployed) -> list[str]:
    """What the queue of events that could not be handled says of one, which it then forgets."""
    queue, sqs = stack.queue(), stack.client("sqs")
    for message in sqs.receive_message(QueueUrl=queue).get("Messages", ()):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"])["requestContext"]["condition"]]
    return []


@pytest.fixture(scope="module")
def scenarios(stack: Deployed, film: Path) -> Scenarios:
    return Scenarios(stack, film)


def test_the_granted_rights_are_enough(stack: Deployed, scenarios: Scenarios) -> None:
    """If this fails, a step is denied something it needs: the stack works for administrators."""
    for name, expected in AS_IT_SHOULD_BE.items():
        assert getattr(scenarios, name)() == expected
    assert stack.keys("OutputBucket")


@pytest.mark.parametrize("role", ROLES)
def test_every_right_is_needed(stack: Deployed, scenarios: Scenarios, role: str) -> None:
    """If this fails, a role may do more than its step needs, or a right is not enforced here."""
    usual = {
        "failure": scenarios.fails,
        "start": scenarios.starts,
        "ended": scenarios.ends,
        "watch": scenarios.watches,
    }.get(role, scenarios.encodes)
    failing = stack.function("failure")
    not_needed = []
    for right in rights(stack, role_name(stack, role)):
        if right.is_unnoticed:
            continue
        scenario = scenarios.fails if right.resource.endswith(failing) else usual
        with without(stack, right):
            if scenario() == AS_IT_SHOULD_BE[scenario.__name__]:
                not_needed.append(str(right))
    assert not not_needed
    assert usual() == AS_IT_SHOULD_BE[usual.__name__]


def test_strangers_are_refused(guarded: Emulator, stack: Deployed) -> None:
    """If this fails, the buckets are open to who has no rights in the account."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import ClientError

    stranger = boto3.client(
        "s3",
        endpoint_url=guarded.endpoint,
        region_name=guarded.environment["AWS_REGION"],
        verify=guarded.environment["AWS_CA_BUNDLE"],
        config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
    )
    for output in ("InputBucket", "WorkBucket", "OutputBucket"):
        with pytest.raises(ClientError, match=r"AccessDenied|Forbidden|403"):
            stranger.list_objects_v2(Bucket=stack.outputs[output])
        with pytest.raises(ClientError, match=r"AccessDenied|Forbidden|403"):
            stranger.put_object(Bucket=stack.outputs[output], Key="x.mp4", Body=b"")
