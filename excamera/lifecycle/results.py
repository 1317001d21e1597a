"""Storing a job's result under its final name, without harm to anything else of that name.

A result remembers in its metadata which source it was made from, and when that was uploaded. A
later upload of the same source replaces it; a job leaves anything else alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from excamera.errors import OutputExists, OutputNewer
from excamera.job.plan import Output, SourceFile
from mu import (
    NOTHING,
    NoSuchKey,
    ObjectExists,
    begin_upload,
    is_object_url,
    open_store,
)

_SOURCE, _UPLOADED, _JOB = "excamera-source", "excamera-uploaded", "excamera-job"
LONGEST_SOURCE = 1024
"""Characters that a result's metadata has for its source, of the 2 KiB that S3 allows for all."""

_RACES = 3


Write = Callable[..., int]
"""Stores the result, all or nothing, and returns its size in bytes: it is given a store, a key, and
`content_type`, `metadata` and `replaces` as `mu.Store.concat`."""


def replaceable(output: Output, source: SourceFile, job: str) -> str:
    """What the job's result may replace: the etag of the object there, or `mu.NOTHING`.

    Raises:
        OutputExists: something else is stored there.
        OutputNewer: what is stored there was made from a later upload.
    """
    where = f"{output.store}/{output.key}"
    try:
        found = open_store(output.store).look_up(output.key)
    except NoSuchKey:
        return NOTHING
    made_from = found.metadata.get(_SOURCE)
    if made_from != _identity(source):
        raise OutputExists(
            f"{where} exists and was not made from {source.name}: "
            "move it away, or upload the source under another name"
        )
    if found.metadata.get(_JOB) != job and found.metadata.get(_UPLOADED, "") > source.modified:
        raise OutputNewer(f"{where} was made from a later upload of {source.name}")
    return found.etag


def begin(output: Output, media_type: str, source: SourceFile, job: str) -> str:
    """Begin an upload of the output in parts; its name, or "" if its store has no such uploads."""
    return begin_upload(
        open_store(output.store),
        output.key,
        content_type=media_type,
        metadata=_metadata(source, job),
    )


def publish(output: Output, media_type: str, source: SourceFile, job: str, write: Write) -> int:
    """Have the output written, all or nothing, and return its size in bytes.

    Raises:
        OutputExists: see `replaceable`.
        OutputNewer: see `replaceable`.
    """
    store = open_store(output.store)
    for races_left in reversed(range(_RACES)):
        replaces = replaceable(output, source, job)
        try:
            return write(
                store,
                output.key,
                content_type=media_type,
                metadata=_metadata(source, job),
                replaces=replaces,
            )
        except (ObjectExists, NoSuchKey):
            # Someone else stored or removed it meanwhile: look again at what is there now.
            if not races_left:
                raise
    raise AssertionError("unreachable")


def _metadata(source: SourceFile, job: str) -> dict[str, str]:
    return {_SOURCE: _identity(source), _UPLOADED: source.modified, _JOB: job}


def _identity(source: SourceFile) -> str:
    """The source without its version, in the little ASCII that metadata can hold."""
    place = source.path
    assert place is not None
    name = place.partition("://")[2].partition("?")[0] if is_object_url(place) else place
    return name if len(name) <= LONGEST_SOURCE else hashlib.sha256(name.encode()).hexdigest()
