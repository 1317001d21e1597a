"""Videos uploaded to a bucket: the job that each of them starts, and the options it asks for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from excamera.errors import OptionError
from excamera.job.goal import NAMES, Goal
from excamera.job.objects import Keys
from excamera.job.options import PRESET, EncodeOptions
from excamera.job.plan import SourceFile
from excamera.lifecycle.admission import (
    HIGHEST_PRIORITY,
    USUAL_PRIORITY,
    Waiting,
    priority_of,
)
from excamera.lifecycle.names import legible
from excamera.media.source.location import look_up_source
from mu import Event, Json, NoSuchKey, ObjectUrl, Store, StoreError, look_up

METADATA_PREFIX = "excamera-"
"""``x-amz-meta-excamera-crf: 30`` on an uploaded object sets the option `crf`."""

_TAG = "tag"
"""``x-amz-meta-excamera-tag`` is not an option: the API and all notices of the job repeat it."""

_PRIORITY = "priority"
"""Nor is ``x-amz-meta-excamera-priority``: it decides when the job starts."""

_AWAITED = re.compile(r"uploads/(?P<job>[A-Za-z0-9][A-Za-z0-9-]{0,79})/[^/]+")


def job_of_upload(
    detail: Mapping[str, Any], *, options: Mapping[str, Any], output_store: str
) -> Event:
    """The job that an EventBridge event "Object Created" of S3 starts.

    Args:
        detail: the event's `detail`.
        options: the stack's defaults, as `EncodeOptions.changed`.
        output_store: URL of the store for results.

    Returns:
        The event of the index step. Its `job` is a function of the bucket, the key and the
        version (or, where the bucket keeps none, of S3's number for this upload): however
        often the event comes, it names one job.
    """
    bucket, key = detail["bucket"]["name"], detail["object"]["key"]
    version = detail["object"].get("version-id", "")
    upload = version or detail["object"]["sequencer"]
    return job_of_source(
        str(ObjectUrl(bucket, key, version)),
        job=job_name(key, "\n".join((bucket, key, upload))),
        options=options,
        output_store=output_store,
        size=detail["object"].get("size"),
    )


def job_of_source(
    url: str,
    *,
    job: str,
    options: Mapping[str, Any],
    output_store: str,
    tag: Json = None,
    priority: int = USUAL_PRIORITY,
    size: int | None = None,
) -> Event:
    """The job of an object in S3.

    Args:
        url: of the object, a `mu.ObjectUrl`.
        job: its name.
        options: the stack's defaults, as `EncodeOptions.changed`.
        output_store: URL of the store for results.
        tag: any JSON; the API and all notices of the job repeat it.
        priority: -50 to 50; jobs of a higher one start before others that wait.
        size: of the object in bytes, if it is known.

    Returns:
        The event of the index step, with `tag`, `priority` and `size`.

    Raises:
        StoreError: the URL is not one.
    """
    source = ObjectUrl.parse(url)
    chosen = EncodeOptions.from_json(options)
    container = chosen.output_container
    return {
        "job": job,
        "input": {"name": source.name, "path": url},
        "output": {"store": output_store, "key": _with_ending(source.key, container)},
        "container": container,
        "options": chosen.to_json(),
        "index": "auto",
        "tag": tag,
        "priority": priority,
        "size": size,
    }


def _with_ending(key: str, container: str) -> str:
    folder, slash, file = key.rpartition("/")
    stem = file.rpartition(".")[0] if "." in file else file
    return f"{folder}{slash}{stem}.{container}"


def job_name(key: str, seed: str) -> str:
    """A name for a job: the beginning of its file's name, and a digest of `seed`."""
    digest = hashlib.sha256(seed.encode()).hexdigest()[:20]
    stem = key.rpartition("/")[2].rpartition(".")[0]
    slug = legible(stem)
    return f"{slug}-{digest}" if slug else digest


def marked(event: Event) -> Event:
    """A job with what its uploaded object's metadata say before it starts.

    That is its tag, its priority, and the codec and container by which its result has its name.
    The index step will say what is wrong with an object that cannot be read, or with what is said.

    Args:
        event: that `job_of_upload` returned.
    """
    try:
        metadata = look_up(event["input"]["path"]).metadata
    except StoreError:
        return event
    tag, priority = _marks(metadata)
    container = _container(metadata, event)
    output = event["output"]
    named = {**output, "key": _with_ending(output["key"], container)}
    return {**event, "tag": tag, "priority": priority, "container": container, "output": named}


def _container(metadata: Mapping[str, str], event: Event) -> str:
    names = (PRESET.name, "codec", "container", "ladder")
    given = {name: metadata.get(METADATA_PREFIX + name) for name in names}
    try:
        options = EncodeOptions.from_json(event["options"]).with_texts(
            {name: text for name, text in given.items() if text is not None}
        )
    except OptionError:
        container: str = event["container"]
        return container
    return options.output_container


def _marks(metadata: Mapping[str, str]) -> tuple[Json, int]:
    """The tag, which is JSON or text as it is, and the priority."""
    text = metadata.get(METADATA_PREFIX + _TAG)
    try:
        tag = None if text is None else json.loads(text)
    except ValueError:
        tag = text
    try:
        return tag, _priority(metadata)
    except OptionError:
        return tag, USUAL_PRIORITY


def _priority(metadata: Mapping[str, str]) -> int:
    text = metadata.get(METADATA_PREFIX + _PRIORITY, str(USUAL_PRIORITY))
    try:
        return priority_of(text)
    except ValueError as error:
        raise OptionError(
            f"{METADATA_PREFIX}{_PRIORITY} must be -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}, "
            f"not {text!r}"
        ) from error


def awaited_job(
    detail: Mapping[str, Any], prefix: str, store: Store, uploaded: float
) -> Waiting | None:
    """The job that was asked for before its source was uploaded; None for other uploads.

    Args:
        detail: of the EventBridge event "Object Created".
        prefix: with which keys of uploads that start jobs begin.
        store: the jobs'.
        uploaded: when the upload was complete, Unix seconds.
    """
    bucket, key = detail["bucket"]["name"], detail["object"]["key"]
    found = _AWAITED.fullmatch(key.removeprefix(prefix))
    if found is None:
        return None
    try:
        awaited = json.loads(store.get(Keys(found["job"]).upload))
    except NoSuchKey:
        return None
    event: Event = awaited["event"]
    url = ObjectUrl(bucket, key, detail["object"].get("version-id", ""))
    return Waiting({**event, "input": {**event["input"], "path": str(url)}}, uploaded)


def uploaded(
    source: SourceFile, options: EncodeOptions, goal: Goal | None
) -> tuple[SourceFile, EncodeOptions, Goal | None]:
    """A source pinned to what lies there now, and the options and the goal of its metadata.

    Args:
        source: where it lies.
        options: what its metadata does not name.
        goal: that of a job whose source's metadata names none.

    Raises:
        NoSuchInput: it is gone.
        InputNotReadable: it may not be read.
        OptionError: its metadata asks for what there is not.
    """
    if source.path is None:  # the job's own copy: nobody replaces it
        return source, options, goal
    found = look_up_source(source.name, source.path)
    _priority(found.metadata)
    marks = (METADATA_PREFIX + _TAG, METADATA_PREFIX + _PRIORITY)
    given = {
        name.removeprefix(METADATA_PREFIX): value
        for name, value in found.metadata.items()
        if name.startswith(METADATA_PREFIX) and name not in marks
    }
    modified = found.modified.isoformat() if found.modified else ""
    pinned = replace(source, etag=found.etag, modified=modified)
    goal = Goal.of_texts({name: given.pop(name) for name in NAMES if name in given}) or goal
    if goal is not None:
        goal.refuse({name.replace("-", "_"): value for name, value in given.items()})
    return pinned, options.with_texts(given), goal
