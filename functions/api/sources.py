"""Sources that are in S3 already."""

from __future__ import annotations

from excamera.api.refusals import Unprocessable
from mu import NoSuchKey, StoreDenied
from mu.store.s3.bucket import S3Object


def pinned(url: str) -> S3Object:
    """The object as it is now; its `url` names the version, if its bucket keeps versions.

    So a job encodes the object as it was at the time of the request. The look-up also reports a
    mistyped key at once: the functions that read sources may not list keys.

    Raises:
        Unprocessable: there is no such object, or the stack may not read it.
    """
    try:
        return S3Object.look_up(url)
    except NoSuchKey as error:
        raise Unprocessable(f"source: there is no {url}") from error
    except StoreDenied as error:
        raise Unprocessable(
            f"source: the stack may not read {url}; see the bucket's policy and its key"
        ) from error
