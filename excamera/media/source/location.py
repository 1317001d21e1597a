"""Opening the source that a plan names, wherever it lies."""

from __future__ import annotations

from typing import BinaryIO

from excamera.errors import InputNotReadable, NoSuchInput, SequenceRefused, SourceChanged
from excamera.job.plan import SourceFile
from excamera.media.source.numbered import has_number
from mu import NoSuchKey, Source, Store, StoreDenied, look_up


def locate(source: SourceFile, store: Store) -> str | BinaryIO:
    """A path, or a seekable binary file that reads an object by ranges.

    Raises:
        NoSuchInput: there is no such object.
        InputNotReadable: it may not be read.
        SourceChanged: it is not the object that was planned.
    """
    if source.key is not None:
        return store.look_up(source.key).open()
    assert source.path is not None
    found = look_up_source(source.name, source.path, planned=bool(source.etag))
    if source.etag and found.etag != source.etag:
        raise SourceChanged(f"{source.name}: was replaced after the job began")
    return found.open()


def look_up_source(name: str, path: str, *, planned: bool = False) -> Source:
    """The source as it is now.

    Args:
        name: its name in messages.
        path: a path or the URL of an object.
        planned: whether a plan found it before.

    Raises:
        NoSuchInput: there is no such object.
        SequenceRefused: its name stands for numbered pictures.
        InputNotReadable: it may not be read.
        SourceChanged: it was planned, and may not be read any more.
    """
    try:
        return look_up(path)
    except NoSuchKey as error:
        if stands_for_pictures(path):
            raise sequence_refused(name) from error
        raise NoSuchInput(f"{name}: no such object") from error
    except StoreDenied as error:
        if planned:
            raise SourceChanged(f"{name}: was removed after the job began") from error
        if stands_for_pictures(path):
            raise sequence_refused(name) from error
        raise InputNotReadable(
            f"{name}: there is no such object, or the stack may not read it"
        ) from error


def stands_for_pictures(url: str) -> bool:
    """Whether the URL of an object looks like a folder or the name of numbered pictures."""
    return url.endswith("/") or has_number(url)


def sequence_refused(name: str) -> SequenceRefused:
    """The error for numbered pictures where one file is needed."""
    return SequenceRefused(
        f"{name}: numbered pictures are read only by `excamera encode` and `excamera compare`, "
        "from files of this machine; encode them to one file first"
    )
