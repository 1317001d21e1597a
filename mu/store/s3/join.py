"""Joins many pieces into one S3 object: S3 copies large ones, this process reads small ones.

S3 takes up to 10,000 parts of 5 MiB to 5 GiB (the last may be smaller). So the pieces are laid
out as a list of parts: a long run of one object becomes a part that S3 copies by itself, and
this process reads and uploads what lies between.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from mu.errors import StoreError
from mu.store.parts import MAX_PART, MAX_PARTS, MIN_PART
from mu.store.protocol import Buffer, Range, Store, at_once
from mu.store.s3.client import client, translated

_AT_ONCE = 8  # parts under way; each may hold a few MIN_PARTs in memory

Piece = Buffer | Range


@dataclass(slots=True)
class Part:
    """One part of the upload: pieces to read and send, or one range that S3 copies."""

    pieces: list[Piece] = field(default_factory=list)
    size: int = 0
    copied: bool = False


def least_part(total: int) -> int:
    """The smallest size of parts by which an object of `total` bytes has no more than S3 takes.

    Beside each part of that size there may be a smaller one, which fills a gap.
    """
    return max(MIN_PART, -(-total // (MAX_PARTS // 2)))


def lay_out(pieces: Iterable[Piece], min_part: int = MIN_PART) -> Iterator[Part]:
    """Cut pieces into parts; every range must have its length.

    Args:
        pieces: in order.
        min_part: smallest size of every part but the last, in bytes.
    """
    part = Part()
    for piece in pieces:
        rest = piece
        if isinstance(rest, Range) and 0 < part.size < min_part <= size_of(rest):
            # Fill up the part being read before a copied part may follow.
            taken = min_part - part.size
            if size_of(rest) - taken >= min_part:
                _add(part, _cut(rest, 0, taken))
                rest = _cut(rest, taken, size_of(rest) - taken)
        if isinstance(rest, Range) and size_of(rest) >= min_part and not 0 < part.size < min_part:
            if part.size:
                yield part
                part = Part()
            yield from _copies(rest, min_part)
            continue
        _add(part, rest)
        if part.size >= min_part:
            yield part
            part = Part()
    if part.size:
        yield part


def _copies(whole: Range, min_part: int) -> Iterator[Part]:
    at, size = 0, size_of(whole)
    while at < size:
        length = min(MAX_PART, size - at)
        if 0 < size - at - length < min_part:
            length -= min_part  # leave enough for the last part
        yield Part([_cut(whole, at, length)], length, copied=True)
        at += length


def _add(part: Part, piece: Piece) -> None:
    size = size_of(piece)
    if size:
        part.pieces.append(piece)
        part.size += size


def size_of(piece: Piece) -> int:
    """Bytes of a piece; a range must have its length."""
    if isinstance(piece, Range):
        assert piece.length is not None
        return piece.length
    return len(piece)


def _cut(whole: Range, at: int, length: int) -> Range:
    return Range(whole.key, whole.start + at, length, whole.store)


def join(
    target: Store,
    key: str,
    pieces: Iterable[Piece],
    request: Mapping[str, Any],
    condition: Mapping[str, str],
) -> int:
    """See `S3Store.concat`."""
    known = [_with_length(piece, target) for piece in pieces]
    total = sum(size_of(piece) for piece in known)
    if total < 2 * MIN_PART:
        data = b"".join(at_once(read_piece, known))
        with translated(key):
            client().put_object(
                Bucket=_bucket(target), Key=key, Body=data, **request, **dict(condition)
            )
        return total
    min_part = least_part(total)
    with translated(key):
        upload = client().create_multipart_upload(Bucket=_bucket(target), Key=key, **request)
    where = {"Bucket": _bucket(target), "Key": key, "UploadId": upload["UploadId"]}
    try:
        done = _upload(list(lay_out(known, min_part)), where)
        with translated(key):
            client().complete_multipart_upload(
                **where, MultipartUpload={"Parts": done}, **dict(condition)
            )
    except BaseException:
        # The caller must see the first error. If this role may not abort, a lifecycle rule
        # of the bucket removes the parts.
        with contextlib.suppress(Exception):
            client().abort_multipart_upload(**where)
        raise
    return total


def _bucket(store: Store) -> str:
    scheme, _, bucket = store.url.partition("://")
    if scheme != "s3":
        raise StoreError(f"{store.url} is not in S3")
    return bucket.partition("?")[0]


def _with_length(piece: Piece, target: Store) -> Piece:
    if not isinstance(piece, Range):
        return piece
    store = piece.store or target
    _bucket(store)
    length = store.size(piece.key) - piece.start if piece.length is None else piece.length
    return Range(piece.key, piece.start, length, store)


def read_piece(piece: Piece) -> Buffer:
    """The bytes of a piece; a range must have its length and store."""
    if not isinstance(piece, Range):
        return piece
    assert piece.store is not None
    data = piece.store.get_range(piece.key, piece.start, size_of(piece))
    if len(data) != size_of(piece):
        raise StoreError(f"{piece.key} ends before byte {piece.start + size_of(piece)}")
    return data


def _upload(parts: list[Part], where: dict[str, str]) -> list[Any]:
    done: list[Any] = []
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for number, part in enumerate(parts, start=1):
                waiting.append(pool.submit(send_part, part, number, where))
                if len(waiting) >= 2 * _AT_ONCE:
                    done.append(waiting.popleft().result())
            done.extend(future.result() for future in waiting)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return done


def send_part(part: Part, number: int, where: dict[str, str]) -> dict[str, Any]:
    """Send a part to an upload, and return what its completion needs to know of it."""
    with translated(where["Key"]):
        if part.copied:
            (piece,) = part.pieces
            assert isinstance(piece, Range)
            assert piece.store is not None
            copied = client().upload_part_copy(
                **where,
                PartNumber=number,
                CopySource={"Bucket": _bucket(piece.store), "Key": piece.key},
                CopySourceRange=f"bytes={piece.start}-{piece.start + part.size - 1}",
            )
            etag = copied["CopyPartResult"]["ETag"]
        else:
            data = b"".join(read_piece(piece) for piece in part.pieces)
            etag = client().upload_part(**where, PartNumber=number, Body=data)["ETag"]
    return {"PartNumber": number, "ETag": etag}
