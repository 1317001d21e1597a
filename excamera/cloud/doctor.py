"""Checks the health of a deployed stack; each check reports what it found and what to do."""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from excamera.cloud.account import Account, Stack, explained
from excamera.cloud.api import Api
from excamera.cloud.deploy import concurrency
from excamera.cloud.follow import fetch, follow
from excamera.cloud.upload import upload_file
from excamera.errors import ExCameraError
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.sample import SampleClip, write_sample
from mu import Observer, split_name

CLIP = SampleClip(320, 180, 24, 2.0)
_SMALL_CONCURRENCY = 50

Verdict = Literal["well", "note", "unwell"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        what: the subject of the check.
        verdict: "unwell" needs a repair.
        message: what the check found, and what to do.
    """

    what: str
    verdict: Verdict
    message: str


def examine(account: Account, name: str) -> Iterator[Finding]:
    """Check a stack from outside to inside; a check that cannot be made ends the examination."""
    try:
        yield Finding("credentials", "well", account.identity())
        stack = account.stack(name)
        yield _status(stack)
        yield from _queue(account, stack)
        yield from _alarms(account, stack)
        yield _concurrency(account)
        api = Api.of_stack(account, stack)
        count = len(api.get("/jobs", state="running")["jobs"])
        yield Finding("api", "well", f"answers; {count} jobs are running")
        yield from _clip(account, stack, api)
    except ExCameraError as error:
        yield Finding("examination", "unwell", f"{type(error).__name__}: {error}")


def _status(stack: Stack) -> Finding:
    fine = stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
    advice = "" if fine else ": deploy again, and read the events of the stack"
    return Finding("stack", "well" if fine else "unwell", f"{stack.name}: {stack.status}{advice}")


def _concurrency(account: Account) -> Finding:
    limit = concurrency(account)
    if limit is None:
        return Finding("concurrency", "note", "the credentials may not ask for it")
    if limit < _SMALL_CONCURRENCY:
        return Finding(
            "concurrency", "note",
            f"this account runs at most {limit} functions at a time, so jobs are slow; a higher "
            "quota is free (docs/operations.md)",
        )  # fmt: skip
    return Finding("concurrency", "well", f"{limit} functions at a time")


def _queue(account: Account, stack: Stack) -> Iterator[Finding]:
    url = next(
        (physical for logical, physical in stack.resources.items()
         if logical.startswith("TriggerUndelivered") and physical.startswith("http")), None,
    )  # fmt: skip
    if url is None:
        return
    with explained("sqs:GetQueueAttributes"):
        found = account.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )
    count = int(found["Attributes"]["ApproximateNumberOfMessages"])
    yield Finding(
        "undelivered events",
        "unwell" if count else "well",
        f"{count} in the queue {url}: read them (docs/operations.md)" if count else "none",
    )


def _alarms(account: Account, stack: Stack) -> Iterator[Finding]:
    names = [physical for logical, physical in stack.resources.items() if "Alarm" in logical]
    if not names:
        return
    with explained("cloudwatch:DescribeAlarms"):
        found = account.client("cloudwatch").describe_alarms(
            AlarmNames=names[:100], StateValue="ALARM"
        )
    ringing = [alarm["AlarmName"] for alarm in found.get("MetricAlarms", [])]
    yield Finding(
        "alarms",
        "unwell" if ringing else "well",
        f"{', '.join(ringing)} (docs/operations.md)" if ringing else "none is ringing",
    )


def _clip(account: Account, stack: Stack, api: Api) -> Iterator[Finding]:
    """Encode two seconds in the cloud and here; the bytes must be equal."""
    options = EncodeOptions(batch_chunks=4)
    with tempfile.TemporaryDirectory(prefix="excamera-doctor-") as folder:
        clip, there, here = (Path(folder, name) for name in ("clip.mp4", "there.webm", "here.webm"))
        write_sample(clip, CLIP)
        request = {"upload": True, "name": "excamera-doctor.mp4", "size": clip.stat().st_size,
                   "options": options.offered()}  # fmt: skip
        job, _ = api.post("/jobs", request, idempotency_key=str(uuid.uuid4()))
        try:
            upload_file(clip, job, api, lambda _bytes: None)
            yield Finding("upload", "well", f"{clip.stat().st_size:,} bytes")
            done = follow(api, job["id"], Observer())
            if done["state"] != "succeeded":
                yield _failed(done)
                return
            yield Finding("job", "well", f"{done['id']}: {done['frames']} frames")
            fetch(api, done, there)
            yield Finding("result", "well", "downloaded and complete")
            encode_file(str(clip), here, options)
            yield _compared(there, here)
            cost = done["cost"]
            if cost:
                yield Finding("cost", "well", f"${cost['so_far_usd']:.4f} for this clip")
        finally:
            api.delete(f"/jobs/{job['id']}")
            left = _tidy(account, stack, job)
        if left:
            yield Finding("tidying", "note", f"these credentials may not delete {left}")


def _failed(job: dict[str, Any]) -> Finding:
    failure = job["failure"] or {"error": job["state"], "message": ""}
    return Finding(
        "job", "unwell",
        f"{job['id']}: {failure['error']}: {failure['message']} (`excamera logs {job['id']}`)",
    )  # fmt: skip


def _compared(there: Path, here: Path) -> Finding:
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (there, here)]
    if len(set(digests)) == 1:
        return Finding("bytes", "well", "equal to this machine's")
    return Finding(
        "bytes", "unwell",
        "differ from this machine's: the deployed version is not the installed one",
    )  # fmt: skip


def _tidy(account: Account, stack: Stack, job: dict[str, Any]) -> str:
    """Delete the clip and its result; returns what could not be deleted."""
    left = []
    s3 = account.client("s3")
    for url in (job["source"], job["output"]):
        bucket, key = split_name(url)
        try:
            with explained("s3:DeleteObject"):
                s3.delete_object(Bucket=bucket, Key=key)
        except ExCameraError:
            left.append(url)
    return ", ".join(left)
