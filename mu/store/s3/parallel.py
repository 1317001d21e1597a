"""Reads large objects of S3 by ranges, several at a time: one connection has 50 to 100 MB/s."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from mu.errors import ObjectChanged, ObjectExists, StoreUnavailable
from mu.store.protocol import REQUESTS_AT_ONCE, ends_early
from mu.store.s3.client import PastEnd, client, translated

PART_BYTES = 8 << 20
_READ_AT_ONCE_BYTES = 1 << 20  # what the SDK holds besides
_ATTEMPTS = 3  # the SDK does not try again once the answer has begun


@cache
def pool_of_requests() -> ThreadPoolExecutor:
    """One for the process, so that many reads at a time make no more requests than one."""
    return ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="mu s3")


def read_writable(bucket: str, key: str, start: int, length: int) -> bytearray:
    """See `Store.get_writable`."""
    data = bytearray(length)
    whole = memoryview(data)
    if not length:
        return data
    first = min(PART_BYTES, length)
    etag = _read(bucket, key, start, whole[:first], None)
    # All other parts must be of the same object.
    rest = [
        pool_of_requests().submit(_read, bucket, key, start + at, whole[at : at + PART_BYTES], etag)
        for at in range(first, length, PART_BYTES)
    ]
    try:
        for part in rest:
            part.result()
    finally:
        for part in rest:
            part.cancel()
    return data


def _read(bucket: str, key: str, start: int, into: memoryview, etag: str | None) -> str:
    """Read a range, and return the object's etag."""
    request: dict[str, Any] = {
        "Bucket": bucket, "Key": key, "Range": f"bytes={start}-{start + len(into) - 1}"
    }  # fmt: skip
    if etag is not None:
        request["IfMatch"] = etag
    attempt = 1
    while True:
        try:
            with translated(key):
                answer = client().get_object(**request)
                if _fill(into, answer["Body"]) < len(into):
                    raise ends_early(key, start + len(into))
                return str(answer["ETag"])
        except PastEnd as error:
            raise ends_early(key, start + len(into)) from error
        except ObjectExists as error:
            raise ObjectChanged(f"{key} was replaced") from error
        except StoreUnavailable:
            if attempt == _ATTEMPTS:
                raise
            attempt += 1


def _fill(into: memoryview, body: Any) -> int:
    """Read a body to its end or until the memory is full; returns how many bytes came."""
    at = 0
    while at < len(into):
        count = body.readinto(into[at : at + _READ_AT_ONCE_BYTES])
        if not count:
            break
        at += count
    return at
