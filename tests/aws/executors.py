"""What tests of executors on a stack share: where they run, and how calls and workers die."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import mu
from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.excamera.synthesis import STACK
from mu.engines.stack.share import Keys

ON = f"stack:{STACK}"

TIMEOUT_S = 120
"""Longer than any call of a test takes."""


@dataclass(frozen=True)
class Cloud:
    """The stack, deployed where roles are enforced.

    Attributes:
        emulator: the account.
        stack: what is deployed there.
    """

    emulator: Emulator
    stack: Deployed

    @property
    def bucket(self) -> str:
        """Where jobs have their objects."""
        return str(json.loads(self.stack.outputs["Mu"])["bucket"])

    def names(self) -> list[str]:
        """The names of all functions that are workers, without their versions."""
        told = json.loads(self.stack.outputs["Mu"])["functions"]
        named = [name for sizes in told.values() for names in sizes.values() for name in names]
        return [name.partition(":")[0] for name in named]

    def environments(self) -> list[int]:
        """The processes of the environments that run a share now."""
        return [pid for name in self.names() for pid in self.emulator.workers(name)]

    def objects(self, job: str) -> list[str]:
        """The keys of a job, without its own part."""
        prefix = Keys(job).prefix
        keys = self.stack.keys("WorkBucket")
        return [key.removeprefix(prefix) for key in keys if key.startswith(prefix)]

    def begun(self, job: str) -> bool:
        """Whether a job has sent calls to its workers."""
        return any(key.startswith("shares/") for key in self.objects(job))

    def running(self, job: str) -> list[str]:
        """The names of a job's executions that run."""
        listed = self.stack.client("stepfunctions").list_executions(
            stateMachineArn=json.loads(self.stack.outputs["Mu"])["machine"],
            statusFilter="RUNNING",
        )
        return [one["name"] for one in listed["executions"] if one["name"].startswith(job)]

    def data(self, ex: mu.Executor) -> str:
        """The URL of the store that the calls of an executor may use."""
        return f"below:{Keys(ex.job).data}|s3://{self.bucket}?absent=forbidden"


# ---- these run in the cloud; they travel by value ----


def square(x: int) -> int:
    """Squares, and says so."""
    print(f"squaring {x}")
    if x == 13:
        raise ValueError("thirteen")
    return x * x


def read(url: str) -> bytes:
    """Reads any object."""
    with mu.open(url) as file:
        return file.read()


def wait_for(store: mu.Store, key: str, seconds: float = 60) -> None:
    """Wait until another call has put something."""
    until = time.monotonic() + seconds
    while not store.exists(key):
        if time.monotonic() > until:
            raise TimeoutError(f"nobody has put {key}")
        time.sleep(0.05)


def die(who: str) -> None:
    """Kill the process of this call, or with it the whole environment that runs it.

    Args:
        who: "process" or "environment".
    """
    pid = os.getpid()
    if who == "environment":
        while b"awslambdaric" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(pid, signal.SIGKILL)
    time.sleep(60)  # until this process is told that its environment is gone
