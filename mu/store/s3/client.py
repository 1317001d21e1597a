"""A process's S3 client, and its errors as mu's: all that mu knows of the AWS SDK."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.session import Session

from mu.errors import (
    NoSuchKey,
    ObjectExists,
    StoreDenied,
    StoreError,
    StoreUnavailable,
    UploadGone,
)
from mu.store.protocol import REQUESTS_AT_ONCE

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound", "404"})
_REFUSED = frozenset({"AccessDenied", "Forbidden", "403", "InvalidAccessKeyId"})
_CONDITION = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})


class PastEnd(StoreError):
    """A range begins beyond the end of the object."""


class _Unlisted(list[str]):
    """Stands for the names of all services; whether one exists is seen when it is described."""

    def __contains__(self, name: object) -> bool:
        return True


class _Loader(Loader):  # type: ignore[misc]  # it has no types
    """Finds a service's description without a look into the folders of four hundred others."""

    def list_available_services(self, type_name: str) -> list[str]:
        """All, without a look."""
        return _Unlisted()


def _upload_file(s3: Any, *arguments: Any, **options: Any) -> None:
    """boto3's own; most processes upload no file, and begin without it."""
    from boto3.s3.inject import upload_file

    upload_file(s3, *arguments, **options)


def _add_upload(class_attributes: dict[str, Any], **_event: Any) -> None:
    class_attributes["upload_file"] = _upload_file


@cache
def client() -> Any:
    """This process's client; the SDK's own retries come before any of ours.

    Raises:
        StoreError: the environment's settings make no address.
    """
    config = Config(
        max_pool_connections=REQUESTS_AT_ONCE,
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=5,
        read_timeout=30,
        # No checksums by default: the plan verifies the pieces anyway.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        # boto3 would make the same client, but describe S3's resources, too.
        session = Session()
        session.register_component("data_loader", _Loader())
        session.register("creating-client-class.s3", _add_upload)
        # The SDK itself reads AWS_DEFAULT_REGION only.
        region = os.environ.get("AWS_REGION") or None
        return session.create_client("s3", region, config=config)
    except ValueError as error:  # an address that is none
        raise StoreError(
            f"AWS configuration: {error}: check AWS_REGION and AWS_ENDPOINT_URL"
        ) from error


@contextlib.contextmanager
def translated(key: str) -> Iterator[None]:
    """Turn the SDK's errors about `key` into mu's.

    Raises:
        NoSuchKey: nothing is stored there.
        StoreDenied: a right is missing.
        ObjectExists: a condition of the request was not met.
        PastEnd: a range begins beyond the end.
        UploadGone: there is no such upload in parts, or it lacks a part that is named.
        StoreUnavailable: anything else that a retry may cure.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _MISSING:
            raise NoSuchKey(key) from error
        if code in _REFUSED:
            raise StoreDenied(f"{key}: {error}") from error
        if code in ("NoSuchUpload", "InvalidPart"):
            raise UploadGone(f"{key}: {error}") from error
        if code == "InvalidRange":
            raise PastEnd(f"{key}: {error}") from error
        if code in _CONDITION:
            raise ObjectExists(f"{key}: {error}") from error
        if status >= 500 or status == 429 or code in ("SlowDown", "RequestTimeout"):
            raise StoreUnavailable(f"{key}: {error}") from error
        raise StoreError(f"{key}: {error}") from error
    except BotoCoreError as error:
        raise StoreUnavailable(f"{key}: {error}") from error
