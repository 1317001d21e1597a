"""Videos uploaded to a bucket: the job that each of them starts, and the options it asks for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import CLOUD_CONTAINER, SourceFile
from excamera.lifecycle.names import legible
from excamera.media.source.location import look_up_source
from mu import Event, Json, NoSuchKey, ObjectUrl, Store, StoreError, look_up

METADATA_PREFIX = "excamera-"
"""``x-amz-meta-excamera-crf: 30`` on an uploaded object sets the option `crf`."""

_TAG = "tag"
"""``x-amz-meta-excamera-tag`` is not an option: the API and all notices of the job repeat it."""

_AWAITED = re.compile(r"uploads/(?P<job>[A-Za-z0-9][A-Za-z0-9-]{0,79})/[^/]+")


def job_of_upload(
    detail: Mapping[str, Any], *, options: Mapping[str, Any], output_store: str
) -> Event:
    """The job that an EventBridge event "Object Created" of S3 starts.

    Args:
        detail: the event's `detail`.
        options: the stack's defaults, as `EncodeOptions.to_json`.
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
    size: int | None = None,
) -> Event:
    """The job of an object in S3.

    Args:
        url: of the object, a `mu.ObjectUrl`.
        job: its name.
        options: the stack's defaults, as `EncodeOptions.to_json`.
        output_store: URL of the store for results.
        tag: any JSON; the API and all notices of the job repeat it.
        size: of the object in bytes, if it is known; the API's lists show it.

    Returns:
        The event of the index step, with `tag` and `size`.

    Raises:
        StoreError: the URL is not one.
    """
    source = ObjectUrl.parse(url)
    folder, slash, file = source.key.rpartition("/")
    stem = file.rpartition(".")[0] if "." in file else file
    return {
        "job": job,
        "input": {"name": source.name, "path": url},
        "output": {"store": output_store, "key": f"{folder}{slash}{stem}.{CLOUD_CONTAINER}"},
        "container": CLOUD_CONTAINER,
        "options": dict(options),
        "index": "auto",
        "tag": tag,
        "size": size,
    }


def job_name(key: str, seed: str) -> str:
    """A name for a job: the beginning of its file's name, and a digest of `seed`."""
    digest = hashlib.sha256(seed.encode()).hexdigest()[:20]
    stem = key.rpartition("/")[2].rpartition(".")[0]
    slug = legible(stem)
    return f"{slug}-{digest}" if slug else digest


def tag_of_upload(event: Event) -> Json:
    """The tag that an uploaded object's metadata has for its job: JSON, or text as it is."""
    try:
        text = look_up(event["input"]["path"]).metadata.get(METADATA_PREFIX + _TAG)
    except StoreError:
        return None  # the index step will say what is wrong with the object
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


def awaited_job(detail: Mapping[str, Any], prefix: str, store: Store) -> Event | None:
    """The job that was asked for before its source was uploaded; None for other uploads.

    Args:
        detail: of the EventBridge event "Object Created".
        prefix: with which keys of uploads that start jobs begin.
        store: the jobs'.
    """
    bucket, key = detail["bucket"]["name"], detail["object"]["key"]
    found = _AWAITED.fullmatch(key.removeprefix(prefix))
    if found is None:
        return None
    try:
        event: Event = json.loads(store.get(Keys(found["job"]).upload))["event"]
    except NoSuchKey:
        return None
    url = ObjectUrl(bucket, key, detail["object"].get("version-id", ""))
    return {**event, "input": {**event["input"], "path": str(url)}}


def uploaded(source: SourceFile, options: EncodeOptions) -> tuple[SourceFile, EncodeOptions]:
    """A source pinned to what lies there now, and the options that its metadata asks for.

    Raises:
        NoSuchInput: it is gone.
        InputNotReadable: it may not be read.
        OptionError: its metadata asks for what there is not.
    """
    if source.path is None:  # the job's own copy: nobody replaces it
        return source, options
    found = look_up_source(source.name, source.path)
    given = {
        name.removeprefix(METADATA_PREFIX): value
        for name, value in found.metadata.items()
        if name.startswith(METADATA_PREFIX) and name != METADATA_PREFIX + _TAG
    }
    modified = found.modified.isoformat() if found.modified else ""
    pinned = replace(source, etag=found.etag, modified=modified)
    return pinned, options.with_texts(given)
