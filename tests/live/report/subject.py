"""What probes work on and what they return."""

from __future__ import annotations

import json
import math
import statistics
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

import mu
from emulator.excamera.deployed import Deployed
from mu.engines.stack.share import Keys

REFUSED = (ClientError, BotoCoreError)
"""What boto3 raises if a service refuses, or does not know what it is asked."""

_LOOKS = 8


def deployed(name: str) -> Deployed:
    """The stack of that name, in the environment's account and region."""
    client: Callable[[str], Any] = cache(boto3.client)
    (found,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    outputs = {item["OutputKey"]: item["OutputValue"] for item in found["Outputs"]}
    return Deployed(name, client, outputs)


@dataclass(frozen=True)
class Scale:
    """How much probes do.

    Attributes:
        environments: workers that are started at the same time.
        sizes: bytes of the objects that a worker moves.
        parallel: requests of one worker at the same time.
        memories: memory sizes of workers that are tried.
        writers: workers that change one object at the same time.
        changes: changes that each of them makes.
        children: children of each map.
        starts: executions that are started at once.
        questions: DescribeExecutions at once.
        events: events of each kind whose way is timed.
        seconds: length of the clip.
        patience_s: seconds after which a job or a call is said not to have ended.
        records_s: the same for lines of logs, metrics and traces, which come late.
    """

    environments: int = 1_000
    sizes: tuple[int, ...] = (64 << 10, 1 << 20, 16 << 20)
    parallel: tuple[int, ...] = (1, 8, 32)
    memories: int = 2
    writers: int = 16
    changes: int = 20
    children: tuple[int, ...] = (10, 100, 1_000)
    starts: int = 1_000
    questions: int = 400
    events: int = 5
    seconds: float = 20.0
    patience_s: float = 600.0
    records_s: float = 120.0


USUAL = Scale()
SMALL = Scale(
    environments=4,
    sizes=(64 << 10, 1 << 20),
    parallel=(1, 4),
    memories=1,
    writers=3,
    changes=5,
    children=(2, 10),
    starts=20,
    questions=20,
    events=2,
    seconds=1.0,
    patience_s=120.0,
    records_s=5.0,
)


@dataclass
class Section:
    """What a probe found.

    Attributes:
        lines: sentences.
        head: of the table, if there is one.
        rows: of the table.
        facts: the same for programs.
        missing: what could not be measured here, and why.
    """

    lines: list[str] = field(default_factory=list)
    head: Sequence[str] = ()
    rows: list[Sequence[object]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@dataclass
class Live:
    """A deployed stack, and what a run of the report leaves there until it ends.

    Attributes:
        stack: the stack.
        scale: how much to do.
    """

    stack: Deployed
    scale: Scale
    _undo: list[tuple[str, Callable[[], object]]] = field(default_factory=list)
    _found: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """A name for what this run makes."""
        return f"live-report-{uuid.uuid4().hex[:8]}"

    @cached_property
    def told(self) -> dict[str, Any]:
        """What the stack says about its executors."""
        found: dict[str, Any] = json.loads(self.stack.outputs["Mu"])
        return found

    @cached_property
    def memories(self) -> list[int]:
        """Memory sizes of workers that are tried, in MB."""
        sizes = sorted(int(one) for one in self.told["functions"][self.told["architecture"]])
        return sizes[: self.scale.memories]

    @cached_property
    def clock_s(self) -> tuple[float, float]:
        """The least and the most by which AWS's clock can be ahead of this one, in seconds.

        S3 tells whole seconds, so it is asked at several fractions of one.
        """
        least, most = -math.inf, math.inf
        for _ in range(_LOOKS):
            before = time.time()
            answer = self.stack.s3.head_bucket(Bucket=self.stack.outputs["WorkBucket"])
            after = time.time()
            told = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
            least = max(least, told.timestamp() - after)
            most = min(most, told.timestamp() + 1 - before)
            time.sleep(1 / _LOOKS + 0.01)
        return least, most

    def now(self) -> float:
        """Unix time by AWS's clock."""
        return time.time() + sum(self.clock_s) / 2

    def executor(self, **options: Any) -> mu.Executor:
        """An executor on the stack, whose objects are removed in the end."""
        made = mu.Executor(f"stack:{self.stack.name}", timeout=self.scale.patience_s, **options)
        bucket = self.told["bucket"]
        self.undo(f"objects of the executor {made.job}",
                  lambda: self.remove_objects(bucket, Keys(made.job).prefix))  # fmt: skip
        return made

    def data(self, executor: mu.Executor) -> str:
        """The URL of the store that an executor's calls may use."""
        return f"below:{Keys(executor.job).data}|s3://{self.told['bucket']}?absent=forbidden"

    def until(self, condition: Callable[[], Any], patience_s: float | None = None) -> Any:
        """What `condition` returns once it is true, or at the end of patience."""
        deadline = time.monotonic() + (patience_s or self.scale.patience_s)
        while not (found := condition()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def once(self, what: str, find: Callable[[], Any]) -> Any:
        """What `find` returns, or raises, the first time: several probes share it."""
        if what not in self._found:
            try:
                self._found[what] = find()
            except Exception as error:
                self._found[what] = error
        found = self._found[what]
        if isinstance(found, Exception):
            raise found
        return found

    # --- what is left behind ---------------------------------------------------

    def undo(self, what: str, how: Callable[[], object]) -> None:
        """Do something in the end, whatever happens."""
        self._undo.append((what, how))

    def close(self) -> list[str]:
        """Remove all that this run has made, last things first; returns what could not be."""
        left = []
        while self._undo:
            what, how = self._undo.pop()
            try:
                how()
            except REFUSED as error:
                left.append(f"{what}: {error}")
        return left

    def remove_objects(self, bucket: str, prefix: str) -> None:
        """Remove all versions of all objects whose keys begin with `prefix`."""
        pages = self.stack.s3.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for one in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                version = {} if one["VersionId"] == "null" else {"VersionId": one["VersionId"]}
                self.stack.s3.delete_object(Bucket=bucket, Key=one["Key"], **version)


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """The least, the median and the greatest of some numbers."""
    found = sorted(values)
    if not found:
        return {}
    return {"least": found[0], "median": statistics.median(found), "most": found[-1]}


def spread(values: Iterable[float], unit: str = "s") -> str:
    """The same in words."""
    found = quantiles(values)
    if not found:
        return "none"
    return f"{found['least']:.2f} / {found['median']:.2f} / {found['most']:.2f} {unit}"
