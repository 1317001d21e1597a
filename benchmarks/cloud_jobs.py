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

from excamera.job import encode_file
from excamera.options import EncodeOptions
from excamera.plan import Keys
from tests.emulator import Emulator
from tests.emulator.runs import history
from tests.support.assembly import HOST_CONTEXT, STACK, synthesise

STEPS = ("plan", "audio", "encode", "rebase", "stitch")
_POLL_S = 0.25

Record = dict[str, Any]


@dataclass
class Run:
    """A finished job.

    Attributes:
        begun: Unix time when it was asked for.
        ended: Unix time of its end.
        records: one `mu.records.TaskRecord` for each task, as JSON.
        output_sha256: of the result.
        requests: AWS calls meanwhile, without the ones that wait for the end.
        invocations: calls of every Lambda function, the one that starts jobs included.
        parent_states: states that the execution itself entered, without its children's.
        peaks_mib: by step, the most memory that each of its processes has held so far.
    """

    begun: float
    ended: float
    records: list[Record]
    output_sha256: str
    requests: Counter[str] = field(default_factory=Counter)
    invocations: int = 0
    parent_states: int = 0
    peaks_mib: dict[str, list[int]] = field(default_factory=dict)

    def of(self, step: str) -> list[Record]:
        """The records of one step."""
        return [record for record in self.records if record["name"] == step]


def sha256(data: bytes) -> str:
    """The data's SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def run_locally(source: Path, texts: dict[str, str], workers: int) -> Run:
    """Encode with the local engine.

    Args:
        source: the video.
        texts: options that differ from the defaults, by the command line's names.
        workers: processes.
    """
    options = EncodeOptions().with_texts(texts)
    with tempfile.TemporaryDirectory() as folder:
        job, output = Path(folder, "job"), Path(folder, "output.webm")
        begun = time.time()
        encode_file(str(source), output, options, workers=workers, keep_job=job)
        ended = time.time()
        records = [
            json.loads(path.read_text())
            for path in sorted((job / Keys("local").timeline).glob("*.json"))
        ]
        return Run(begun, ended, records, sha256(output.read_bytes()))


class Cloud:
    """The stack on an emulator of its own.

    Attributes:
        definition: the deployed state machine's.
    """

    def __init__(self, emulator: Emulator, outputs: dict[str, str]) -> None:
        self._emulator = emulator
        self._outputs = outputs
        self._numbers = itertools.count()
        described = emulator.client("stepfunctions").describe_state_machine(
            stateMachineArn=outputs["StateMachineArn"]
        )
        self.definition: dict[str, Any] = json.loads(described["definition"])

    def run(self, source: Path, texts: dict[str, str], *, watch_memory: bool = False) -> Run:
        """Upload a video and wait for the end of its job.

        Args:
            source: the video.
            texts: options, which go along as the object's metadata.
            watch_memory: whether to note the memory of the functions' processes.

        Raises:
            RuntimeError: the job failed.
        """
        s3, states = self._emulator.client("s3"), self._emulator.client("stepfunctions")
        name = f"{source.stem}-{next(self._numbers)}"
        peaks: dict[int, tuple[str, int]] = {}
        calls_before = self._invocations()
        before = self._emulator.requests()
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
            if watch_memory:
                peaks |= self._peaks()
            if found["status"] != "RUNNING":
                break
            time.sleep(_POLL_S)
        requests = self._emulator.requests() - before
        for waiting in ("states:ListExecutions", "states:DescribeExecution"):
            del requests[waiting]
        if found["status"] != "SUCCEEDED":
            raise RuntimeError(f"{name}: {found}")
        ended = found["stopDate"].timestamp()
        output = s3.get_object(Bucket=self._outputs["OutputBucket"], Key=f"{name}.webm")
        by_step: dict[str, list[int]] = {}
        for step, peak in peaks.values():
            by_step.setdefault(step, []).append(peak)
        return Run(
            begun=begun,
            ended=ended,
            records=self._records(execution.rpartition(":")[2]),
            output_sha256=sha256(output["Body"].read()),
            requests=requests,
            invocations=self._invocations() - calls_before,
            parent_states=sum(
                "stateEnteredEventDetails" in event for event in history(self._emulator, execution)
            ),
            peaks_mib={step: sorted(by_step[step]) for step in ("start", *STEPS)}
            if watch_memory
            else {},
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

    def _invocations(self) -> int:
        functions = self._emulator.client("lambda").list_functions()["Functions"]
        return sum(
            self._emulator.logs(function["FunctionName"]).count("START RequestId")
            for function in functions
        )

    def _peaks(self) -> dict[int, tuple[str, int]]:
        """Step and peak of every process of a function there is, by process id.

        The kernel's mark of a process's memory, not `getrusage`'s: that one begins with what
        the process was forked from.
        """
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                pid = int(folder.name)
                if os.getpgid(pid) not in self._emulator.pids:
                    continue
                command = (folder / "cmdline").read_text().split("\0")
                if "awslambdaric" not in command:
                    continue
                status = dict(
                    line.split(":", 1) for line in (folder / "status").read_text().splitlines()
                )
                step = command[command.index("awslambdaric") + 1].split(".")[1]
                found[pid] = step, int(status["VmHWM"].split()[0]) >> 10
        return found


@contextlib.contextmanager
def deployed(concurrency: int) -> Iterator[Cloud]:
    """The stack with the defaults of cdk.json, for this host, on an emulator.

    Args:
        concurrency: how many functions may run at once.

    Raises:
        RuntimeError: `app.py` failed.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        assembly = Path(folder, "assembly")
        synthesised = synthesise(assembly, **HOST_CONTEXT)
        if synthesised.returncode:
            raise RuntimeError(synthesised.stderr)
        with Emulator(Path(folder, "emulator"), concurrency=concurrency) as emulator:
            yield Cloud(emulator, emulator.deploy(assembly, STACK))
