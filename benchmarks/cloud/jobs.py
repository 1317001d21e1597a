"""One job through the local engine or through the stack on the emulator, and its records."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulator import Emulator
from emulator.excamera.synthesis import HOST_CONTEXT, STACK, synthesise
from emulator.runs import billed, history
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.records import BatchRecord
from excamera.job.steps import SPREADING, STEP_NAMES
from excamera.local import encode_file

STEPS = STEP_NAMES
SERVERS = ("state machines", "other services")
"""The emulator's servers, in the order of `Emulator.pids`."""

_POLL_S = 0.25
_ASKED_HERE = (
    "states:ListExecutions",
    "states:DescribeExecution",
    "logs:FilterLogEvents",
    "lambda:GET",  # also GetAccountSettings of the index function, which is free
)

Record = dict[str, Any]


@dataclass
class Run:
    """A finished job.

    Attributes:
        begun: Unix time of the request.
        ended: Unix time of its end.
        records: one `mu.records.TaskRecord` per task, as JSON.
        output_sha256: of the result.
        output_size: of the result, in bytes.
        requests: AWS calls during the job, without those of the measurement.
        invocations: calls of all Lambda functions, including the one that starts jobs.
        parent_states: states that the execution itself entered, without its children's.
        peaks_mib: by step, the peak memory of each of its processes so far.
        cpu_s: CPU time of the emulator's servers and of the functions during the job.
        billed: by step, GB-seconds that Lambda reported.
        batches: of a local run, what was joined.
    """

    begun: float
    ended: float
    records: list[Record]
    output_sha256: str
    output_size: int
    requests: Counter[str] = field(default_factory=Counter)
    invocations: int = 0
    parent_states: int = 0
    peaks_mib: dict[str, list[int]] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    billed: dict[str, float] = field(default_factory=dict)
    batches: list[BatchRecord] = field(default_factory=list)

    def of(self, step: str) -> list[Record]:
        """Returns the records of one step."""
        return [record for record in self.records if record["name"] == step]


@dataclass(frozen=True)
class Process:
    """A process of the emulator: `what` it is, its peak memory in MiB, its CPU time in s."""

    what: str
    peak_mib: int
    cpu_s: float


def sha256(data: bytes) -> str:
    """Returns the data's SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def run_locally(source: Path, texts: dict[str, str], workers: int) -> Run:
    """Encodes with the local engine.

    Args:
        source: the video.
        texts: options that differ from the defaults, by the command line's names.
        workers: number of processes.
    """
    options = EncodeOptions().with_texts(texts)
    with tempfile.TemporaryDirectory() as folder:
        job, output = Path(folder, "job"), Path(folder, "output.webm")
        begun = time.time()
        encode_file(str(source), output, options, workers=workers, keep_job=job)
        ended = time.time()
        records = [
            json.loads(path.read_text())
            for path in sorted((job / Keys("local").timeline).rglob("*.json"))
        ]
        encoded = output.read_bytes()
        batches = [
            BatchRecord.from_json(path.read_bytes())
            for path in sorted((job / Keys("local").clusters).glob("*.json"))
        ]
        return Run(begun, ended, records, sha256(encoded), len(encoded), batches=batches)


class Cloud:
    """The stack on an emulator of its own.

    Attributes:
        definition: of the deployed state machine.
    """

    def __init__(self, emulator: Emulator, outputs: dict[str, str]) -> None:
        self._emulator = emulator
        self._outputs = outputs
        self._numbers = itertools.count()
        described = emulator.client("stepfunctions").describe_state_machine(
            stateMachineArn=outputs["StateMachineArn"]
        )
        self.definition: dict[str, Any] = json.loads(described["definition"])

    def run(self, source: Path, texts: dict[str, str]) -> Run:
        """Uploads a video and waits for the end of its job.

        Args:
            source: the video.
            texts: options, sent as the object's metadata.

        Raises:
            RuntimeError: the job failed.
        """
        s3, states = self._emulator.client("s3"), self._emulator.client("stepfunctions")
        name = f"{source.stem}-{next(self._numbers)}"
        calls_before, billed_before = self._invocations(), self._billed()
        processes_before = self._processes()
        requests_before = self._emulator.requests()
        begun = time.time()
        s3.put_object(
            Bucket=self._outputs["InputBucket"],
            Key=f"{name}.mp4",
            Body=source.read_bytes(),
            Metadata={f"excamera-{option}": text for option, text in texts.items()},
        )
        execution = self._started(name)
        while True:
            found = states.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                break
            time.sleep(_POLL_S)
        while (after := self._billed())["ended"] == billed_before["ended"]:
            time.sleep(_POLL_S)  # the function that announces ends runs after it
        processes = self._processes()
        requests = self._emulator.requests() - requests_before
        for asked_here in _ASKED_HERE:
            del requests[asked_here]
        if found["status"] != "SUCCEEDED":
            raise RuntimeError(f"{name}: {found}")
        output = s3.get_object(Bucket=self._outputs["OutputBucket"], Key=f"{name}.webm")
        encoded = output["Body"].read()
        return Run(
            begun=begun,
            ended=found["stopDate"].timestamp(),
            records=self._records(execution.rpartition(":")[2]),
            output_sha256=sha256(encoded),
            output_size=len(encoded),
            requests=requests,
            invocations=self._invocations() - calls_before,
            parent_states=sum(
                "stateEnteredEventDetails" in event for event in history(self._emulator, execution)
            ),
            peaks_mib={
                step: sorted(one.peak_mib for one in processes.values() if one.what == step)
                for step in ("start", SPREADING, *STEPS)
            },
            cpu_s=_cpu_times(processes_before, processes),
            billed={step: after[step] - billed_before[step] for step in STEPS},
        )

    def _started(self, name: str) -> str:
        states = self._emulator.client("stepfunctions")
        while True:
            for execution in states.list_executions(
                stateMachineArn=self._outputs["StateMachineArn"]
            )["executions"]:
                if execution["name"].startswith(f"{name}-"):
                    return str(execution["executionArn"])
            time.sleep(_POLL_S)

    def _records(self, job: str) -> list[Record]:
        s3, bucket = self._emulator.client("s3"), self._outputs["WorkBucket"]
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{Keys(job).timeline}/"
        )
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [
            json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in sorted(keys)
        ]

    def _billed(self) -> dict[str, float]:
        """Returns the GB-seconds so far, by step."""
        found = {}
        for function in self._functions():
            package, _, name = function["Handler"].partition(".")
            if package == "functions":
                log = self._emulator.logs(function["FunctionName"])
                found[name.partition(".")[0]] = sum(billed(log))
        return found

    def _invocations(self) -> int:
        # The functions that encode have one log, whatever their size.
        names = {one["LoggingConfig"]["LogGroup"]: one["FunctionName"] for one in self._functions()}
        return sum(self._emulator.logs(name).count("START RequestId") for name in names.values())

    def _functions(self) -> list[Any]:
        found: list[Any] = self._emulator.client("lambda").list_functions()["Functions"]
        return found

    def _processes(self) -> dict[int, Process]:
        """Returns every process of the emulator, by process id.

        The peak is the kernel's high-water mark of the process, not the figure of `getrusage`:
        that one starts with the memory of the process it was forked from.
        """
        servers = dict(zip(self._emulator.pids, SERVERS, strict=True))
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                pid = int(folder.name)
                if os.getpgid(pid) not in servers:
                    continue
                command = (folder / "cmdline").read_text().split("\0")
                if "awslambdaric" in command:
                    what = command[command.index("awslambdaric") + 1].split(".")[1]
                else:
                    what = servers[pid]
                lines = (folder / "status").read_text().splitlines()
                status = dict(line.split(":", 1) for line in lines)
                # Fields 14 and 15 of proc(5), after the name in parentheses.
                times = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
                cpu_s = sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
                found[pid] = Process(what, int(status["VmHWM"].split()[0]) >> 10, cpu_s)
        return found


def _cpu_times(before: dict[int, Process], after: dict[int, Process]) -> dict[str, float]:
    times = dict.fromkeys((*SERVERS, "functions"), 0.0)
    for pid, process in after.items():
        spent = process.cpu_s - (before[pid].cpu_s if pid in before else 0.0)
        times[process.what if process.what in SERVERS else "functions"] += spent
    return times


@contextlib.contextmanager
def deployed(concurrency: int, **context: Any) -> Iterator[Cloud]:
    """Deploys the stack with the defaults of cdk.json, for this host, on an emulator.

    Args:
        concurrency: how many functions may run at once.
        **context: settings that differ from those of cdk.json.

    Raises:
        RuntimeError: `app.py` failed.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        assembly = Path(folder, "assembly")
        synthesised = synthesise(assembly, **HOST_CONTEXT, **context)
        if synthesised.returncode:
            raise RuntimeError(synthesised.stderr)
        with Emulator(Path(folder, "emulator"), concurrency=concurrency) as emulator:
            yield Cloud(emulator, emulator.deploy(assembly, STACK))
