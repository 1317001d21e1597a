"""Opening a store by its URL: the only module that knows every kind of store."""

from __future__ import annotations

from mu.errors import StoreError
from mu.store.below import SCHEME, StoreBelow
from mu.store.directory import DirectoryStore, FileSource
from mu.store.protocol import Source, Store
from mu.store.url import is_object_url


def open_store(url: str) -> Store:
    """Open the store that a `Store.url` describes.

    Raises:
        StoreError: the scheme is not one mu knows.
    """
    scheme, _, rest = url.partition(":")
    if scheme == SCHEME and "|" in rest:
        prefix, _, whole = rest.partition("|")
        return StoreBelow(open_store(whole), prefix)
    if scheme == "dir" and rest:
        return DirectoryStore(rest)
    if scheme == "s3" and rest.startswith("//"):
        from mu.store.s3.bucket import S3Store  # the SDK takes longer to import than all else

        return S3Store.at(url)
    raise StoreError(f"no store for {url!r}")


def look_up(place: str) -> Source:
    """The object that an `ObjectUrl` names, or the file at a path.

    A file need not exist: the caller finds out when it opens it.

    Raises:
        NoSuchKey: there is no such object.
        StoreDenied: it may not be read.
        StoreUnavailable: the store does not answer.
    """
    if is_object_url(place):
        from mu.store.s3.bucket import S3Object  # as above

        return S3Object.look_up(place)
    return FileSource(place)
