"""Follows a job in the cloud with the display of a local encode, and fetches its result."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import urllib3

from codec.errors import CodecError
from excamera.cloud.api import Api, expired, http, pause
from excamera.errors import CloudUnavailable, JobEndedBadly, NoResult, ResultDamaged
from excamera.job.codecs import rung_of
from excamera.job.steps import ENCODING
from excamera.media.codecs import OUTPUT_CODECS
from excamera.places import written
from mu import Observer, TaskRecord
from mu.whole import is_special

LOOK_EVERY_S = 1.0
_ATTEMPTS = 6
_BLOCK = 64 << 10

Job = dict[str, Any]


class Follower:
    """Reports a job, as the API describes it, to an observer of a local run.

    Args:
        observer: the observer.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._planned = False
        self._begun: set[str] = set()

    def see(self, job: Job) -> None:
        """Report what is new to the observer."""
        if job["state"] in ("uploading", "queued"):
            return
        self._begin("index")
        shares, batches = job["shares"], job["batches"]
        if shares is None:
            return
        if not self._planned:
            self._planned = True
            result = {"frames": job["frames"], "chunks": job["chunks"], "batches": batches["total"]}
            self._observer.finished(_record("plan", result))
        if job["phase"] == "anchoring":
            self._begin("anchors")
            return
        self._begin(ENCODING)
        # As if all shares had as many frames, and all were one.
        frames = job["frames"] * shares["done"] // shares["total"]
        told = {"batch": 0, "share": 0, "frames": frames, "batches_done": batches["done"]}
        self._observer.message(ENCODING, told)
        if job["phase"] in ("stitching", "ended") and shares["done"] == shares["total"]:
            self._begin("stitch")

    def _begin(self, step: str) -> None:
        if step not in self._begun:
            self._begun.add(step)
            self._observer.started(_record(step))


def _record(step: str, result: Any = None) -> TaskRecord:
    return TaskRecord(step, 0, {}, time.time(), result=result)


def follow(
    api: Api, job: str, observer: Observer, queued: Callable[[int], None] = lambda _place: None
) -> Job:
    """Wait until a job has ended; returns its last state.

    Args:
        api: the stack's API.
        job: its id.
        observer: is told of its progress.
        queued: is told its place among the jobs that wait, whenever it changes; 1 is the next.
    """
    follower, place = Follower(observer), None
    while True:
        asked = time.monotonic()
        state: Job = api.get(f"/jobs/{job}")
        took_s = time.monotonic() - asked
        follower.see(state)
        if state["place"] is not None and state["place"] != place:
            place = state["place"]
            queued(place)
        if state["phase"] == "ended":
            return state
        time.sleep(max(LOOK_EVERY_S, 2 * took_s))


def check_succeeded(job: Job) -> None:
    """Raise `JobEndedBadly` if a job has ended and did not succeed."""
    if job["state"] in ("failed", "stopped", "timed_out"):
        failure = job["failure"] or {"error": job["state"], "message": ""}
        raise JobEndedBadly(
            f"{job['id']}: {failure['error']}: {failure['message'] or job['state']} "
            f"(`excamera logs {job['id']}` has more; `excamera submit` makes a new job)"
        )


def fetch(
    api: Api, job: Job, output: Path, got: Callable[[int], None] = lambda _bytes: None
) -> None:
    """Download a job's result; the file appears only when it is complete and verified.

    The files of a ladder lie beside the manifest under the names that it has for them; they appear
    when all are complete, the manifest last.

    Args:
        api: the stack's API, for a new URL when the job's has expired.
        job: the job as the API describes it.
        output: path of the file; an existing file is replaced.
        got: called with the number of bytes whenever some arrive.

    Raises:
        JobEndedBadly: the job failed or was stopped; the message says why.
        NoResult: there is nothing to download.
        ResultDamaged: the file is not what the job made.
        CloudUnavailable: S3 does not answer.
        DiskFull: the folder takes no more.
        OutputError: the file cannot be written for another reason.
    """
    result = job["result"]
    if result is None:
        check_succeeded(job)
        raise NoResult(
            f"{job['id']} is {job['state']}: fetch its result when it has succeeded "
            f"(`excamera status {job['id']}` shows how far it is)"
        )
    files = result.get("files") or [{"name": output.name, "size": result["size"]}]
    if None in (result["url"], *(one.get("url", "") for one in files)):
        raise NoResult(
            f"{job['id']}: its result was replaced or removed (`excamera submit` makes a new job)"
        )
    paths = [output.with_name(one["name"]) for one in files[:-1]] + [output]
    with contextlib.ExitStack() as names:
        # Contexts end in the opposite order.
        parts = [names.enter_context(written(path)) for path in reversed(paths)]
        for number, (part, path) in enumerate(zip(reversed(parts), paths, strict=True)):
            with part.open("wb") as file:
                for block in _blocks(api, job, number):
                    file.write(block)
                    got(len(block))
            if not is_special(part):
                _verify(part, files[number]["size"], result, path)


def _file(job: Job, number: int) -> tuple[str, int]:
    """The URL, "" if it has none, and the size of one of a result's files."""
    result = job["result"] or {"url": "", "size": 0}
    one = result["files"][number] if result.get("files") else result
    return one["url"] or "", one["size"]


def _blocks(api: Api, job: Job, number: int) -> Iterator[bytes]:
    """The bytes of a file; after a broken connection, reading resumes where it stopped."""
    url, size = _file(job, number)
    at, problem = 0, ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            pause(attempt)
        try:
            answer = http().request(
                "GET", url, headers={"Range": f"bytes={at}-"}, preload_content=False
            )
            if answer.status not in (200, 206):
                body = answer.read(1000)
                problem = f"status {answer.status}: {body.decode(errors='replace')}"
                if expired(answer, body):
                    url = _file(api.get(f"/jobs/{job['id']}"), number)[0] or url
                continue
            for block in answer.stream(_BLOCK):
                at += len(block)
                yield block
        except urllib3.exceptions.HTTPError as error:
            problem = str(error)
        if at >= size:
            return
    raise CloudUnavailable(f"the result stopped after {at} of {size} bytes: {problem}")


def _has_pictures(output: Path, result: dict[str, Any]) -> bool:
    """Whether a file is not the manifest of a ladder, a playlist, or the sound."""
    if not result.get("files"):
        return True
    return rung_of(output.name) is not None


def _count_frames(file: Path) -> tuple[int, int]:
    """How many frames of a result are shown, and how many are key frames."""
    shown = keys = 0
    try:
        with av.open(str(file)) as container:
            codec = OUTPUT_CODECS[container.streams.video[0].codec.canonical_name]
            for packet in container.demux(video=0):
                if packet.size:
                    shown += codec.is_shown(bytes(packet))
                    keys += codec.is_key_frame(bytes(packet))
    except (av.error.FFmpegError, IndexError, KeyError, CodecError):
        return 0, 0
    return shown, keys


def _verify(file: Path, expected: int, result: dict[str, Any], output: Path) -> None:
    """Check that a file is the result, or one of its files, by its size and its frames."""
    size = file.stat().st_size
    if size != expected:
        raise ResultDamaged(f"{output}: {size} bytes arrived of {expected}")
    if not _has_pictures(output, result):
        return
    shown, keys = _count_frames(file)
    if (shown, keys) != (result["frames"], result["key_frames"]):
        raise ResultDamaged(
            f"{output}: has {shown} frames, {keys} of them key frames; the job made "
            f"{result['frames']} and {result['key_frames']}"
        )
