"""Beginning and finding uploads in parts: the only module that knows which stores have them."""

from __future__ import annotations

from collections.abc import Mapping

from mu.store.parts import Upload
from mu.store.protocol import Store


def begin_upload(
    store: Store, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
) -> str:
    """Begin an upload in parts; returns its name, or "" if the store has no such uploads.

    Args:
        store: of the object.
        key: of the object.
        content_type: see `Store.concat`.
        metadata: see `Store.concat`.
    """
    if not _is_s3(store.url):
        return ""
    from mu.store.s3.uploads import begin  # the SDK takes longer to import than all else

    return begin(_bucket(store.url), key, content_type, metadata or {})


def upload_at(url: str, key: str, name: str) -> Upload:
    """The upload that `begin_upload` began.

    Args:
        url: of the store.
        key: of the object.
        name: that of the upload.

    Raises:
        ValueError: the store has no such uploads.
    """
    if not _is_s3(url):
        raise ValueError(f"{url} has no uploads in parts")
    from mu.store.s3.uploads import S3Upload  # as above

    return S3Upload(_bucket(url), key, name)


def _is_s3(url: str) -> bool:
    return url.startswith("s3://")


def _bucket(url: str) -> str:
    return url.removeprefix("s3://").partition("?")[0]
