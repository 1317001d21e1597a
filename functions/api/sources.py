"""Sources that are in S3 already."""

from __future__ import annotations

from functions.api.problems import Unprocessable
from mu import NoSuchKey, StoreDenied
from mu.store.s3.bucket import S3Object


def pinned(url: str) -> tuple[str, int]:
    """The URL of an object's current version, if its bucket keeps versions, and its size in bytes.

    So a job encodes the object as it was at the time of the request. The look-up also reports a
    mistyped key at once: the functions that read sources may not list keys.

    Raises:
        Unprocessable: there is no such object, or the stack may not read it.
    """
    try:
        found = S3Object.look_up(url)
    except NoSuchKey as error:
        raise Unprocessable(f"source: there is no {url}") from error
    except StoreDenied as error:
        raise Unprocessable(
            f"source: the stack may not read {url}; see the bucket's policy and its key"
        ) from error
    return found.url, found.size
