"""Videos uploaded to a bucket: the job each one starts, its options, and its output.

An output remembers in its metadata which source, uploaded when, it was made from. A later
upload of the same source replaces it; anything else that bears the name is left alone.

boto3 is imported where it is needed only: one machine alone does without.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from excamera.errors import InputNotReadable, NoSuchInput, OutputExists, OutputNewer
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import Output, SourceFile
from mu import Event, Json, NoSuchKey, ObjectExists, Range, Store, StoreDenied, StoreError

METADATA_PREFIX = "excamera-"
"""``x-amz-meta-excamera-crf: 30`` on an uploaded object sets the option `crf`."""

HIDDEN = "there is no such object, or the stack may not read it"
"""What S3 answers to who may not list a bucket."""

_TAG = "tag"
"""``x-amz-meta-excamera-tag`` is no option: it comes back in what is told about the job."""

_SOURCE, _UPLOADED, _JOB = "excamera-source", "excamera-uploaded", "excamera-job"
_TYPES = {"webm": "video/webm", "ivf": "video/x-ivf"}
_LONGEST = 1024  # of the 2 KiB that all metadata of an object may take
_RACES = 3
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
        The event of the plan step. Its `job` is a function of the bucket, the key and the
        version (or, where the bucket keeps none, of S3's number for this upload): however
        often the event comes, it names one job.
    """
    bucket, key = detail["bucket"]["name"], detail["object"]["key"]
    version = detail["object"].get("version-id", "")
    upload = version or detail["object"]["sequencer"]
    return job_of_source(
        source_url(bucket, key, version),
        job=job_name(key, "\n".join((bucket, key, upload))),
        options=options,
        output_store=output_store,
    )


def job_of_source(
    url: str, *, job: str, options: Mapping[str, Any], output_store: str, tag: Json = None
) -> Event:
    """The job of an object in S3.

    Args:
        url: of the object, as `source_url` gives it.
        job: its name.
        options: the stack's defaults, as `EncodeOptions.to_json`.
        output_store: URL of the store for results.
        tag: anything that is to come back in what is told about the job.

    Returns:
        The event of the plan step, and `tag`.

    Raises:
        StoreError: the URL is not one.
    """
    from mu.store.s3.bucket import parse_url

    bucket, key, _ = parse_url(url)
    folder, slash, file = key.rpartition("/")
    stem = file.rpartition(".")[0] if "." in file else file
    return {
        "job": job,
        "input": {"name": f"s3://{bucket}/{key}", "path": url},
        "output": {"store": output_store, "key": f"{folder}{slash}{stem}.webm"},
        "container": "webm",
        "options": dict(options),
        "index": "auto",
        "tag": tag,
    }


def job_name(key: str, seed: str) -> str:
    """A name for a job: the beginning of its file's name, and a digest of `seed`."""
    digest = hashlib.sha256(seed.encode()).hexdigest()[:20]
    stem = key.rpartition("/")[2].rpartition(".")[0]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:40].strip("-")
    return f"{slug}-{digest}" if slug else digest


def source_url(bucket: str, key: str, version: str = "") -> str:
    """The URL of an object, or of one version of it."""
    return f"s3://{bucket}/{quote(key)}" + (f"?versionId={quote(version)}" if version else "")


def tag_of_upload(event: Event) -> Json:
    """The tag that an uploaded object's metadata has for its job: JSON, or text as it is."""
    from mu.store.s3.bucket import S3Object

    try:
        text = S3Object.look_up(event["input"]["path"]).metadata.get(METADATA_PREFIX + _TAG)
    except StoreError:
        return None  # the plan step will say what is wrong with the object
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
    path = source_url(bucket, key, detail["object"].get("version-id", ""))
    return {**event, "input": {**event["input"], "path": path}}


def uploaded(source: SourceFile, options: EncodeOptions) -> tuple[SourceFile, EncodeOptions]:
    """A source in S3 pinned to what lies there now, and the options its metadata asks for.

    Raises:
        NoSuchInput: it is gone.
        InputNotReadable: it may not be read.
        OptionError: its metadata asks for what there is not.
    """
    from mu.store.s3.bucket import S3Object

    assert source.path is not None
    try:
        found = S3Object.look_up(source.path)
    except NoSuchKey as error:
        raise NoSuchInput(f"{source.name}: no such object") from error
    except StoreDenied as error:
        raise InputNotReadable(f"{source.name}: {HIDDEN}") from error
    given = {
        name.removeprefix(METADATA_PREFIX): value
        for name, value in found.metadata.items()
        if name.startswith(METADATA_PREFIX) and name != METADATA_PREFIX + _TAG
    }
    pinned = replace(source, etag=found.etag, modified=found.modified.isoformat())
    return pinned, options.with_texts(given)


def check_output(output: Output, source: SourceFile, job: str) -> dict[str, str]:
    """The condition under which `source`'s result may be stored.

    Raises:
        OutputExists: something else is stored there.
        OutputNewer: what is stored there was made from a later upload.
    """
    from mu.store.s3.bucket import S3Object

    where = f"{output.store}/{output.key}"
    try:
        found = S3Object.look_up(source_url(output.store.removeprefix("s3://"), output.key))
    except NoSuchKey:
        return {"IfNoneMatch": "*"}
    made_from = found.metadata.get(_SOURCE)
    if made_from != _identity(source):
        raise OutputExists(
            f"{where} exists and was not made from {source.name}: "
            "move it away, or upload the source under another name"
        )
    if found.metadata.get(_JOB) != job and found.metadata.get(_UPLOADED, "") > source.modified:
        raise OutputNewer(f"{where} was made from a later upload of {source.name}")
    return {"IfMatch": found.etag}


def publish(
    output: Output, container: str, source: SourceFile, job: str, parts: Iterable[bytes | Range]
) -> int:
    """Join `parts` into the output, all or nothing; gives its size in bytes.

    Raises:
        OutputExists: see `check_output`.
        OutputNewer: likewise.
    """
    from mu.store.s3.bucket import S3Store

    store = S3Store(output.store.removeprefix("s3://"))
    request = {
        "ContentType": _TYPES[container],
        "Metadata": {_SOURCE: _identity(source), _UPLOADED: source.modified, _JOB: job},
    }
    pieces = list(parts)
    for races_left in reversed(range(_RACES)):
        condition = check_output(output, source, job)
        try:
            return store.concat(output.key, pieces, request, condition)
        except (ObjectExists, NoSuchKey):
            # Someone else stored or removed it meanwhile: look again at what it is now.
            if not races_left:
                raise
    raise AssertionError("unreachable")


def _identity(source: SourceFile) -> str:
    """The source whatever its version, in the little ASCII that metadata can hold."""
    path = source.audio_path if source.path is None else source.path
    assert path is not None
    name = path.removeprefix("s3://").partition("?")[0]
    return name if len(name) <= _LONGEST else hashlib.sha256(name.encode()).hexdigest()
