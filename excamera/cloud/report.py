"""The facts of a job in the cloud: from the API, and from its objects if they may be read."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from excamera.cloud.account import Account, Stack, explained
from excamera.cloud.api import Api
from excamera.cloud.follow import fetch
from excamera.cloud.timeline import records
from excamera.errors import CloudError
from excamera.job.objects import Job, Keys
from excamera.lifecycle.reports import results_of
from excamera.report.job import JobFacts
from excamera.report.of_stack import stack_facts
from mu import DirectoryStore, NoSuchKey, at_once

_CONNECTIONS = 32


def cloud_facts(
    account: Account, stack: Stack, api: Api, name: str, folder: Path
) -> list[JobFacts]:
    """What a stack tells of a job, and its results, see `excamera.report.job.sides_of`.

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
    made = results_of(described["result"])
    results: list[str | None] = []
    if made and None not in made:
        # The files of a ladder get the names that its manifest has for them.
        path = folder / PurePosixPath(described["output"]).name
        fetch(api, described, path)
        results = [str(path.with_name(one[0])) for one in made if one is not None]
    job = None
    note = ""
    try:
        _copy_plan(account, stack, name, folder)
        job = Job.load(DirectoryStore(folder), name)
    except CloudError as error:
        note = f"chunks, seams and roles are not known: {error}"
    except NoSuchKey:
        note = "chunks, seams and roles are not known: the job's plan has expired"
    return stack_facts(described, records(api, described), job, results, note=note)


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
    key = PurePosixPath(one["Key"])
    parents = (keys.prefix, keys.clusters.rstrip("/"), str(PurePosixPath(keys.survey(0)).parent))
    # Each size of a ladder has batches of its own.
    of_size = key.match(f"{Keys(keys.job, '*').clusters}*")
    return key.suffix == ".json" and (of_size or str(key.parent) in parents)
