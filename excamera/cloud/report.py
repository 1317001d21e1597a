"""The facts of a job in the cloud: from the API, and from its objects if they may be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from excamera.cloud.account import Account, Stack, explained
from excamera.cloud.api import Api
from excamera.cloud.follow import fetch
from excamera.cloud.timeline import records
from excamera.errors import CloudError
from excamera.job.objects import Job, Keys
from excamera.job.records import Outcome
from excamera.report.facts import Run
from excamera.report.files import file_run
from excamera.report.job import JobFacts, planned, with_file
from excamera.report.measure import Film
from mu import DirectoryStore, NoSuchKey, at_once

_CONNECTIONS = 32


def cloud_facts(account: Account, stack: Stack, api: Api, name: str, folder: Path) -> JobFacts:
    """What a stack tells of a job, and its result.

    Args:
        account: the stack's account.
        stack: the stack.
        api: the stack's API.
        name: of the job.
        folder: where copies of its result and of its plan may lie while the report is made.

    Raises:
        NoSuchJob: the stack has no such job.
        CloudError: the class says why.
        CloudUnavailable: AWS does not answer.
    """
    described = api.get(f"/jobs/{name}")
    tasks = records(api, described)
    failure = described["failure"]
    run = Run(
        name=name,
        records=tasks,
        options=described["options"],
        log=[f"{failure['error']}: {failure['message']}"] if failure else [],
    )
    path = None
    if described["result"] is not None and described["result"]["url"] is not None:
        path = folder / f"result.{described['output'].rpartition('.')[2]}"
        fetch(api, described, path)
    plan = None
    note = ""
    try:
        _copy_plan(account, stack, name, folder)
        job = Job.load(DirectoryStore(folder), name)
        plan, run = job.plan, planned(run, job, tasks)
    except CloudError as error:
        note = f"chunks, seams and roles are not known: {error}"
    except NoSuchKey:
        note = "chunks, seams and roles are not known: the job's plan has expired"
    if path is not None:
        run = with_file(run, plan, str(path)) if plan else _with_file(run, str(path))
    result = described["result"] or {}
    return JobFacts(
        replace(
            run,
            name=name,
            predicted=_outcome(described.get("predicted")),
            actual=_outcome(described.get("actual")),
            notes=[*result.get("notes", ()), *([note] if note else [])],
            facts={
                **run.facts,
                "Source": described["source"],
                "State": described["state"],
                "Workers": str(len({one.worker for one in tasks})),
            },
        ),
        None,
        None if path is None else Film(str(path)),
    )


def _with_file(run: Run, path: str) -> Run:
    found = file_run(path)
    return replace(found, name=run.name, records=run.records, options=run.options, log=run.log)


def _outcome(told: dict[str, Any] | None) -> Outcome | None:
    if not told:
        return None
    return Outcome(told.get("seconds"), told.get("usd"), told.get("bytes"))


def _copy_plan(account: Account, stack: Stack, name: str, folder: Path) -> None:
    """Copy what the work bucket has of the plan, the surveys and the batches' records."""
    keys = Keys(name)
    s3 = account.client("s3", _CONNECTIONS)
    bucket = stack.outputs["WorkBucket"]
    store = DirectoryStore(folder)

    def copy(key: str) -> None:
        with explained("s3:GetObject of the work bucket"):
            store.put(key, s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    wanted = []
    with explained("s3:ListBucket of the work bucket"):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=f"{keys.prefix}/"
        )
        for page in pages:
            wanted += [one["Key"] for one in page.get("Contents", []) if _is_wanted(keys, one)]
    at_once(copy, wanted)


def _is_wanted(keys: Keys, one: dict[str, Any]) -> bool:
    key = str(one["Key"])
    parents = (keys.prefix, keys.clusters.rstrip("/"), str(PurePosixPath(keys.survey(0)).parent))
    return key.endswith(".json") and key.rpartition("/")[0] in parents
