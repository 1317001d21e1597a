"""Leases on the deployed stack: what becomes of calls whose client is gone, or sleeps."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import mu
from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.excamera.synthesis import STACK
from mu.engines.stack import deployment
from mu.engines.stack.share import Keys, read_outcomes
from mu.store.s3 import client as s3_client
from tests.support.processes import alive, wait_until

pytestmark = [pytest.mark.aws, pytest.mark.slow]

TIMEOUT_S = 120

PROGRAM = (
    """
import os, sys, time
from pathlib import Path
import mu
from mu.engines.stack import lease

lease._VALID_S = 8.0  # of this client alone: environments are told

def work(place):
    first = mu.open_store("dir:" + place)
    if first.put_new("begun", str(os.getpid()).encode()):
        time.sleep(600)
    return "second attempt"

folder, count, limit = sys.argv[1:]
with mu.Executor("stack:{stack}", workers=2, timeout=float(limit)) as ex:
    print(ex.job, flush=True)
    places = [f"{{folder}}/{{number}}" for number in range(int(count))]
    print(list(ex.map(work, places)), flush=True)
""".replace("{stack}", STACK)
    .replace("{{", "{")
    .replace("}}", "}")
)


@pytest.fixture(scope="module")
def stack(guarded: Emulator, assembly: Path) -> Iterator[Deployed]:
    """The stack, deployed where roles are enforced; this process's clients reach it."""
    s3_client.client.cache_clear()
    deployment.client.cache_clear()
    yield Deployed(STACK, guarded.client, guarded.deploy(assembly, STACK))
    s3_client.client.cache_clear()
    deployment.client.cache_clear()


@contextmanager
def client_of(folder: Path, *, calls: int, limit_s: int) -> Iterator[subprocess.Popen[str]]:
    """A process with an executor; its calls take long, except those that are begun again."""
    script = folder / "script.py"
    script.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(script), str(folder), str(calls), str(limit_s)],
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def begun(folder: Path) -> list[int]:
    """The processes of the calls that have begun."""
    return [int(path.read_text()) for path in folder.glob("*/begun")]


def executions(stack: Deployed, job: str) -> list[tuple[str, str]]:
    """The name and the state of each execution of a job."""
    machine = json.loads(stack.outputs["Mu"])["machine"]
    found = stack.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return [(one["name"], one["status"]) for one in found if one["name"].startswith(job)]


def test_a_client_that_is_killed_leaves_nothing_running(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, calls of a client that is gone are billed to their ends."""
    # So many seconds leave one call for each share, so the map is a distributed one.
    with client_of(tmp_path, calls=45, limit_s=800) as running:
        assert running.stdout is not None
        job = running.stdout.readline().strip()
        wait_until(lambda: len(begun(tmp_path)) == 2, TIMEOUT_S)
        processes = begun(tmp_path)
        assert all(map(alive, processes))
        running.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(map(alive, processes)), TIMEOUT_S)
    ended = [(f"{job}-0", "SUCCEEDED")]
    wait_until(lambda: executions(stack, job) == ended, TIMEOUT_S)
    assert sorted(begun(tmp_path)) == sorted(processes), "others were begun for nobody"
    store = mu.open_store(f"s3://{json.loads(stack.outputs['Mu'])['bucket']}")
    written = [bytearray(store.get(key)) for key in store.list(Keys(job).outcomes)]
    outcomes = [one for data in written for one in read_outcomes(data)]
    assert {(one.number, one.outcome) for one in outcomes} == {(n, None) for n in range(45)}


def test_a_client_that_slept_gets_all_its_results(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, who closes the lid of a laptop for a while loses the job."""
    with client_of(tmp_path, calls=2, limit_s=800) as running:
        assert running.stdout is not None
        job = running.stdout.readline().strip()
        wait_until(lambda: len(begun(tmp_path)) == 2, TIMEOUT_S)
        processes = begun(tmp_path)
        running.send_signal(signal.SIGSTOP)
        try:
            ended = [(f"{job}-0", "SUCCEEDED")]
            wait_until(lambda: executions(stack, job) == ended, TIMEOUT_S)
            assert not any(map(alive, processes))
        finally:
            running.send_signal(signal.SIGCONT)
        out, _ = running.communicate(timeout=TIMEOUT_S)
        assert (running.returncode, out) == (0, f"{['second attempt'] * 2}\n")
