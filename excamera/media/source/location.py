"""From where a plan says its source lies to something that can be opened."""

from __future__ import annotations

from typing import BinaryIO

from excamera.errors import InputNotReadable, NoSuchInput, SourceChanged
from excamera.job.plan import SourceFile
from excamera.lifecycle.uploads import HIDDEN
from mu import NoSuchKey, Store, StoreDenied

S3 = "s3://"


def locate(source: SourceFile, store: Store) -> str | BinaryIO:
    """A path, or a seekable binary file that reads an object by ranges.

    Raises:
        NoSuchInput: there is no such object.
        InputNotReadable: it may not be read.
        SourceChanged: it is not the object that was planned.
    """
    return _open(source.path, source.key, source, store)


def locate_sound(source: SourceFile, store: Store) -> str | BinaryIO:
    """Likewise, for the file that holds the sound."""
    return _open(source.audio_path, source.audio_key, source, store)


def _open(path: str | None, key: str | None, source: SourceFile, store: Store) -> str | BinaryIO:
    if key is not None:
        return store.source(key)
    assert path is not None
    if not path.startswith(S3):
        return path
    from mu.store.s3.bucket import S3Object  # boto3 is needed only where sources are in S3

    try:
        found = S3Object.look_up(path)
    except NoSuchKey as error:
        raise NoSuchInput(f"{source.name}: no such object") from error
    except StoreDenied as error:
        if source.etag:  # it could be read when the job was planned
            raise SourceChanged(f"{source.name}: was removed after the job began") from error
        raise InputNotReadable(f"{source.name}: {HIDDEN}") from error
    if source.etag and found.etag != source.etag:
        raise SourceChanged(f"{source.name}: was replaced after the job began")
    return found.open()
