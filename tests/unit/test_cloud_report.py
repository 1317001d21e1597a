"""The facts of a job in the cloud, when its objects may not be read, or are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from excamera.cloud.account import Account, Stack
from excamera.cloud.api import Api
from excamera.cloud.report import cloud_facts

JOB = {
    "id": "film-1", "state": "failed", "source": "s3://in/film.mp4", "output": "s3://out/film.webm",
    "options": {"crf": 30}, "result": None, "cost": None, "seconds": {},
    "predicted": {"seconds": 12.0, "usd": 0.5, "bytes": 1000},
    "actual": {"seconds": 15.0, "usd": 0.25},
    "failure": {"error": "TruncatedSource", "message": "ends early"},
}  # fmt: skip
ATTEMPT = {
    "task": "index", "step": "index", "attempt": 1, "outcome": "TruncatedSource", "queued": 1.0,
    "started": 2.0, "fetched": None, "computed": None, "stored": None, "finished": 3.5,
    "worker": "w", "peak_memory_mib": 100,
}  # fmt: skip


class Answers:
    """An API that knows one job, whose first task failed."""

    def get(self, path: str, **_: object) -> dict[str, Any]:
        """The job, or its timeline."""
        return {"attempts": [ATTEMPT], "next": None} if path.endswith("/timeline") else dict(JOB)


class Bucket:
    """An account whose work bucket is empty, or closed to these credentials."""

    def __init__(self, denied: bool) -> None:
        self._denied = denied

    def client(self, *_: object) -> Bucket:
        """Itself."""
        return self

    def get_paginator(self, _name: str) -> Bucket:
        """Itself."""
        return self

    def paginate(self, **_: object) -> Iterator[dict[str, Any]]:
        """The pages of a list."""
        if self._denied:
            told = {"Error": {"Code": "AccessDenied", "Message": "no"}}
            raise ClientError(cast(Any, told), "ListObjectsV2")
        yield {}


@pytest.mark.parametrize(
    ("denied", "note"), [(True, "s3:ListBucket"), (False, "the job's plan has expired")]
)
def test_a_job_whose_plan_cannot_be_read(denied: bool, note: str, tmp_path: Path) -> None:
    """If this fails, who may not read the work bucket gets no report, or no reason for its gaps."""
    stack = Stack("S", "CREATE_COMPLETE", {"WorkBucket": "work"}, {})
    [facts] = cloud_facts(
        cast(Account, Bucket(denied)), stack, cast(Api, Answers()), "film-1", tmp_path
    )
    run = facts.run
    assert (facts.source, facts.result) == (None, None)
    [said] = run.notes
    assert said.startswith("chunks, seams and roles are not known: ")
    assert note in said
    assert run.log == ["TruncatedSource: ends early"]
    assert [(one.name, one.error) for one in run.records] == [("index", "TruncatedSource")]
    assert run.predicted is not None
    assert run.actual is not None
    assert (run.predicted.usd, run.actual.usd, run.actual.bytes) == (0.5, 0.25, None)
    assert run.facts == {"Source": "s3://in/film.mp4", "State": "failed", "Workers": "1"}
