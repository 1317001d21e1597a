"""Opening a store by its URL: the only module that knows every kind of store."""

from __future__ import annotations

from mu.errors import StoreError
from mu.store.directory import DirectoryStore
from mu.store.protocol import Store


def open_store(url: str) -> Store:
    """Open the store that a `Store.url` describes.

    Raises:
        StoreError: the scheme is not one mu knows.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "dir" and rest:
        return DirectoryStore(rest)
    if scheme == "s3" and rest.startswith("//"):
        from mu.store.s3.bucket import S3Store  # only buckets need boto3

        return S3Store(rest.removeprefix("//"))
    raise StoreError(f"no store for {url!r}")
