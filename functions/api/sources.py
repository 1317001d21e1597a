"""Sources that lie in S3 already."""

from __future__ import annotations

from functions.api.problems import Unprocessable
from mu import NoSuchKey, StoreDenied
from mu.store.s3.bucket import S3Object


def pinned(url: str) -> str:
    """The URL of the version that an object has now, where its bucket keeps versions.

    So a job encodes what was there when it was asked for, and a mistyped key is told at once:
    the functions that read films may not ask which keys there are.

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
    return found.url
