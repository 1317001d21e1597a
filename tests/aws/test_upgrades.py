"""Deployments under running jobs: a job ends with the code with which it began."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, Job, digest
from emulator.excamera.synthesis import HOST_CONTEXT
from emulator.runs import until
from excamera.cloud.account import Account
from excamera.cloud.deploy import look
from excamera.cloud.project import project
from excamera.cloud.versions import remove_old
from excamera.job.options import EncodeOptions
from stacks import workers
from stacks.code import function_code
from tests.aws.conftest import Locally
from tests.aws.test_cancel import stopped_at
from tests.support.assembly import built

pytestmark = pytest.mark.aws

STACK = "Upgraded"
AFTER_THE_ANCHORS = ("encode", "audio", "stitch")
DIVIDED = EncodeOptions(chunk_frames=4)
"""So that the batch has several shares, and a call of anchors before them."""
DIVIDED_METADATA = {"excamera-chunk-frames": str(DIVIDED.chunk_frames)}

CHANGED = "changed code, "


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's stack."""
    directory = tmp_path_factory.mktemp("first")
    built(directory, stack_name=STACK, **HOST_CONTEXT)
    return directory


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with other code: workers say so in the names under which they are recorded."""
    directory, changed = tmp_path_factory.mktemp("second"), tmp_path_factory.mktemp("code")
    shutil.copytree(function_code(HOST_CONTEXT["python"]), changed, dirs_exist_ok=True)
    handler = changed / "functions" / "task.py"
    text = handler.read_text()
    handler.chmod(0o644)
    handler.write_text(text.replace("worker=context", f"worker={CHANGED!r} + context"))
    assert handler.read_text() != text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "function_code", lambda _python: changed)
        built(directory, stack_name=STACK, **HOST_CONTEXT)
    return directory


@pytest.fixture
def upgraded(emulator: Emulator, first: Path) -> Iterator[Deployed]:
    """The stack, as first deployed."""
    yield Deployed(STACK, emulator.client, emulator.deploy(first, STACK))
    emulator.destroy(STACK)


def codes(stack: Deployed, job: Job, step: str) -> set[tuple[bool, int]]:
    """Returns which codes and versions a step's workers ran: whether changed, and the number."""
    found = set()
    for record in stack.timeline(job, step):
        version = re.search(r"\[(\d+)\]", record["worker"])
        assert version is not None, record["worker"]
        found.add((record["worker"].startswith(CHANGED), int(version[1])))
    return found


def all_codes(stack: Deployed, job: Job) -> set[tuple[bool, int]]:
    """Returns those of all steps."""
    steps = ("index", "plan", "anchors", *AFTER_THE_ANCHORS)
    return {one for step in steps for one in codes(stack, job, step)}


@contextmanager
def begun(stack: Deployed, clip: Path, key: str) -> Iterator[str]:
    """Holds a job between its anchors and its chunks; gives its execution."""
    with stopped_at(stack, "encode"):
        arn = stack.started(stack.upload(key, clip, DIVIDED_METADATA))
        folder = f"jobs/{arn.rpartition(':')[2]}/timeline/"
        until(lambda: stack.keys("WorkBucket", f"{folder}anchors"))
        yield arn


def test_a_job_ends_with_the_code_with_which_it_began(
    emulator: Emulator, upgraded: Deployed, second: Path, clip: Path, locally: Locally
) -> None:
    """If this fails, half of a job that runs during an upgrade is made by other code."""
    stack = upgraded
    with begun(stack, clip, "running.mp4") as running:
        emulator.deploy(second, STACK)
    old = stack.ended(running)
    assert old.status == "SUCCEEDED", old
    assert all_codes(stack, old) == {(False, 1)}
    new = stack.job(stack.upload("new.mp4", clip, DIVIDED_METADATA))
    assert new.status == "SUCCEEDED", new
    assert all_codes(stack, new) == {(True, 2)}
    assert {digest(stack.output(job.output["key"])) for job in (old, new)} == {
        locally(clip, DIVIDED)
    }


def test_a_redriven_job_keeps_its_code_and_an_upgrade_can_be_taken_back(
    emulator: Emulator, upgraded: Deployed, first: Path, second: Path, clip: Path
) -> None:
    """If this fails, resuming mixes codes, or older code cannot be deployed again."""
    stack, states = upgraded, upgraded.client("stepfunctions")
    with begun(stack, clip, "stopped.mp4") as stopped:
        states.stop_execution(executionArn=stopped)
    assert stack.ended(stopped).status == "ABORTED"
    emulator.deploy(second, STACK)
    emulator.deploy(first, STACK)
    new = stack.job(stack.upload("back.mp4", clip))
    assert (new.status, all_codes(stack, new)) == ("SUCCEEDED", {(False, 3)})
    states.redrive_execution(executionArn=stopped)
    again = stack.ended(stopped)
    assert again.status == "SUCCEEDED", again
    assert all_codes(stack, again) == {(False, 1)}


def test_a_deployment_shows_what_runs_and_removes_what_nothing_can_call(
    emulator: Emulator,
    upgraded: Deployed,
    first: Path,
    second: Path,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, jobs lose code that they need, or old code stays for ever."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    account, stack = Account(), upgraded
    now = datetime.now(UTC)
    later = now + timedelta(days=30)

    def removed(when: datetime) -> set[tuple[str, int]]:
        gone = remove_old(account, account.stack(STACK), when)
        return {(one.function, one.number) for one in gone}

    with begun(stack, clip, "long.mp4") as running:
        for assembly in (second, first, second):
            emulator.deploy(assembly, STACK)
        (shown,) = look(account, STACK, project(), {}).running
        assert shown.job == running.rpartition(":")[2]
        assert abs(shown.since - now) < timedelta(hours=1)
        assert removed(now) == set()
        gone = removed(later)
        # The running job still needs these; a second look finds no others.
        assert (stack.function("api"), 1) in gone
        assert {number for _, number in gone} == {1}
        assert not gone & {(stack.function(step), 1) for step in (*AFTER_THE_ANCHORS, "failure")}
        assert removed(later) == set()
    job = stack.ended(running)
    assert (job.status, all_codes(stack, job)) == ("SUCCEEDED", {(False, 1)})
    assert (stack.function("encode"), 1) in removed(later)
    new = stack.job(stack.upload("after.mp4", clip))
    assert (new.status, all_codes(stack, new)) == ("SUCCEEDED", {(True, 4)})
