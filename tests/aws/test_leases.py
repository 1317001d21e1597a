"""Leases on the deployed stack: what becomes of calls whose client is gone, or sleeps."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import mu
from emulator.excamera.deployed import Deployed
from emulator.excamera.synthesis import STACK
from mu.engines.stack.share import Keys, read_outcomes
from tests.aws.executors import Cloud
from tests.support.processes import alive, wait_until

pytestmark = [pytest.mark.aws, pytest.mark.slow]

TIMEOUT_S = 120

PROGRAM = """
import os, sys, time
import mu
from mu.engines.stack import lease

lease._VALID_S = 8.0  # of this client alone: environments are told

def work(number, data):
    if mu.open_store(data).put_new(f"begun/{number}", str(os.getpid()).encode()):
        time.sleep(600)
    return "second attempt"

stack, bucket, count = sys.argv[1:]
# So long a limit leaves one call for each share.
with mu.Executor(f"stack:{stack}", workers=2, timeout=800) as ex:
    print(ex.job, flush=True)
    data = f"below:mu/{ex.job}/data|s3://{bucket}?absent=forbidden"
    print(list(ex.map(work, range(int(count)), [data] * int(count))), flush=True)
"""


@pytest.fixture(scope="module")
def stack(cloud: Cloud) -> Deployed:
    """The stack, deployed where roles are enforced; this process's clients reach it."""
    return cloud.stack


class Client:
    """A process with an executor, as a user starts it.

    Its calls take long, except those that are begun again.

    Attributes:
        process: the process.
        job: the job's name.
        store: of all jobs.
    """

    def __init__(self, stack: Deployed, script: Path, calls: int) -> None:
        script.write_text(PROGRAM)
        told = json.loads(stack.outputs["Mu"])
        self._stack = stack
        self._machine = told["machine"]
        self.store = mu.open_store(f"s3://{told['bucket']}")
        self.process = subprocess.Popen(
            [sys.executable, str(script), STACK, told["bucket"], str(calls)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.job = self.process.stdout.readline().strip()

    def begun(self) -> list[int]:
        """The processes of the calls that have begun."""
        keys = self.store.list(f"{Keys(self.job).data}/begun/")
        return [int(self.store.get(key)) for key in keys]

    def executions(self) -> list[str]:
        """The states of the job's executions, from the last."""
        states = self._stack.client("stepfunctions")
        found = states.list_executions(stateMachineArn=self._machine)["executions"]
        return [one["status"] for one in found if one["name"].startswith(self.job)]


@pytest.fixture
def start(stack: Deployed, tmp_path: Path) -> Iterator[Callable[[int], Client]]:
    """Starts a client with so many calls; it is ended with the test."""
    started = []

    def started_client(calls: int) -> Client:
        started.append(Client(stack, tmp_path / "script.py", calls))
        return started[-1]

    yield started_client
    for one in started:
        one.process.kill()
        one.process.communicate()


def test_a_client_that_is_killed_leaves_nothing_running(start: Callable[[int], Client]) -> None:
    """If this fails, calls of a client that is gone are billed to their ends."""
    client = start(45)  # so many shares are a distributed map
    wait_until(lambda: len(client.begun()) == 2, TIMEOUT_S)
    processes = client.begun()
    assert all(map(alive, processes))
    client.process.send_signal(signal.SIGKILL)
    wait_until(lambda: client.executions() == ["SUCCEEDED"], TIMEOUT_S)
    wait_until(lambda: not any(map(alive, processes)))
    assert client.begun() == processes, "others were begun for nobody"
    keys = client.store.list(Keys(client.job).outcomes)
    outcomes = [one for key in keys for one in read_outcomes(bytearray(client.store.get(key)))]
    assert sorted((one.number, one.outcome) for one in outcomes) == [(n, None) for n in range(45)]


def test_a_client_that_slept_gets_all_its_results(start: Callable[[int], Client]) -> None:
    """If this fails, who closes the lid of a laptop for a while loses the job."""
    client = start(2)
    wait_until(lambda: len(client.begun()) == 2, TIMEOUT_S)
    processes = client.begun()
    client.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: client.executions() == ["SUCCEEDED"], TIMEOUT_S)
        wait_until(lambda: not any(map(alive, processes)))
    finally:
        client.process.send_signal(signal.SIGCONT)
    out, _ = client.process.communicate(timeout=TIMEOUT_S)
    assert (client.process.returncode, out) == (0, f"{['second attempt'] * 2}\n")
