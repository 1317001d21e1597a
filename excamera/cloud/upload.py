"""Uploads a file's parts in parallel, and resumes an upload that stopped."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import urllib3

from excamera.cloud.api import Api, expired, http, pause
from excamera.errors import CloudUnavailable, NoSuchJob, UploadFailed

PARTS_AT_ONCE = 6
_ATTEMPTS = 6
_REFUSALS = 3
"""Rounds of new URLs without a single part arriving, after which an upload fails."""

Sent = Callable[[int], None]


class _ExpiredError(Exception):
    """A URL has expired."""


def upload_file(path: Path, job: dict[str, Any], api: Api, sent: Sent) -> None:
    """Upload the source of a job that waits for it; S3 then starts the job.

    Parts that S3 already has are not sent again. S3 compares every part with its digest.

    Args:
        path: path of the file.
        job: the job as the API describes it, with `upload`.
        api: the stack's API, for new URLs when these have expired.
        sent: called with the number of bytes whenever some have arrived.

    Raises:
        UploadFailed: the file cannot be read or has changed, or S3 refuses it.
        CloudUnavailable: S3 does not answer.
    """
    upload, refused = job["upload"], 0
    sent(sum(part["size"] for part in upload["received"]))
    while True:
        try:
            _send_all(path, upload["parts"], sent)
        except _ExpiredError:
            pass
        else:
            # Ask again: S3 lists the parts of all runs, and confirms that it has them whole.
            upload = api.get(f"/jobs/{job['id']}")["upload"]
            if upload is None:
                return
            if not upload["parts"]:
                _complete(upload, job["id"], api)
                return
            continue
        before = {part["number"] for part in upload["parts"]}
        upload = api.get(f"/jobs/{job['id']}")["upload"]
        if upload is None:
            return
        # If the URLs expired before the first part was sent, no part arrives.
        refused = refused + 1 if {part["number"] for part in upload["parts"]} == before else 0
        if refused == _REFUSALS:
            raise UploadFailed(f"{path}: S3 refuses its parts")


def _send_all(path: Path, parts: list[dict[str, Any]], sent: Sent) -> None:
    pool = http()
    stop = threading.Event()

    def send(part: dict[str, Any]) -> None:
        if not stop.is_set():
            try:
                _send(path, part, pool)
            except BaseException:
                stop.set()
                raise
            sent(part["size"])

    with ThreadPoolExecutor(PARTS_AT_ONCE) as threads:
        try:
            for _ in threads.map(send, parts):
                pass
        except BaseException:  # Ctrl-C too: each thread ends after its part
            stop.set()
            raise


def _send(path: Path, part: dict[str, Any], pool: urllib3.PoolManager) -> None:
    with path.open("rb") as file:
        file.seek(part["offset"])
        body = file.read(part["size"])
    if len(body) != part["size"]:
        raise UploadFailed(f"{path}: became shorter while it was uploaded")
    # S3 compares it. An ETag is the digest only in buckets without a KMS key.
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    problem = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            pause(attempt)
        try:
            answer = pool.request("PUT", part["url"], body=body, headers={"Content-MD5": digest})
        except urllib3.exceptions.HTTPError as error:
            problem = str(error)
            continue
        if answer.status == 200:
            return
        if expired(answer, answer.data):
            raise _ExpiredError
        if answer.status == 404:
            raise UploadFailed(f"{path}: the upload was cancelled, or is older than a day")
        problem = f"status {answer.status}: {answer.data[:300].decode(errors='replace')}"
    raise CloudUnavailable(f"{path}: part {part['number']} could not be sent: {problem}")


def _complete(upload: dict[str, Any], job: str, api: Api) -> None:
    """Join the parts into the object."""
    listed = "".join(
        f"<Part><PartNumber>{part['number']}</PartNumber><ETag>{part['etag']}</ETag></Part>"
        for part in sorted(upload["received"], key=lambda part: int(part["number"]))
    )
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    problem = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            pause(attempt)
        try:
            answer = http().request("POST", upload["complete_url"], body=body)
        except urllib3.exceptions.HTTPError as error:
            problem = str(error)
        else:
            # S3 may answer with status 200 and report an error in the body.
            if answer.status == 200 and b"<Error>" not in answer.data:
                return
            problem = answer.data[:300].decode(errors="replace")
        # Perhaps the object exists, and only the answer was lost.
        try:
            if api.get(f"/jobs/{job}")["upload"] is None:
                return
        except NoSuchJob as error:
            raise UploadFailed("the upload was cancelled") from error
    raise CloudUnavailable(f"the upload could not be completed: {problem}")
