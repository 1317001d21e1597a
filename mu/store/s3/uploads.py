"""Uploads in parts, as S3 has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mu.errors import UploadGone
from mu.store.parts import MAX_PART, MIN_PART
from mu.store.protocol import NOTHING, Buffer, Range, at_once
from mu.store.s3.client import client, translated
from mu.store.s3.join import Part, read_piece, send_part, size_of

_ATTEMPTS = 3


def begin(bucket: str, key: str, content_type: str, metadata: Mapping[str, str]) -> str:
    """See `mu.store.uploads.begin_upload`."""
    request: dict[str, Any] = {"ContentType": content_type} if content_type else {}
    if metadata:
        request["Metadata"] = dict(metadata)
    with translated(key):
        begun = client().create_multipart_upload(Bucket=bucket, Key=key, **request)
    return str(begun["UploadId"])


@dataclass(frozen=True, slots=True)
class S3Upload:
    """See `mu.store.parts.Upload`."""

    bucket: str
    key: str
    name: str

    @property
    def _where(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.key, "UploadId": self.name}

    def send(self, number: int, pieces: Sequence[Buffer | Range]) -> None:
        """See `Upload.send`."""
        size = sum(map(size_of, pieces))
        if len(pieces) == 1 and isinstance(pieces[0], Range) and MIN_PART <= size <= MAX_PART:
            part = Part([pieces[0]], size, copied=True)
        else:
            part = Part([b"".join(at_once(read_piece, pieces))], size)
        send_part(part, number, self._where)

    def complete(self, parts: Sequence[tuple[int, int]], replaces: str | None = None) -> None:
        """See `Upload.complete`."""
        condition: dict[str, str] = {}
        if replaces is not None:
            condition = {"IfNoneMatch": "*"} if replaces == NOTHING else {"IfMatch": replaces}
        for attempts_left in reversed(range(_ATTEMPTS)):
            # A part that was sent twice has the etag of the later one: with keys of KMS, equal
            # bytes have different etags.
            found = self._parts()
            for number, size in parts:
                if number not in found or found[number][0] != size:
                    raise UploadGone(f"{self.key}: no part {number} of {size} bytes is there")
            listed = [{"PartNumber": number, "ETag": found[number][1]} for number, _ in parts]
            try:
                with translated(self.key):
                    client().complete_multipart_upload(
                        **self._where, MultipartUpload={"Parts": listed}, **condition
                    )
                return
            except UploadGone:  # perhaps only because a part was sent again meanwhile
                if not attempts_left:
                    raise

    def _parts(self) -> dict[int, tuple[int, str]]:
        """Size and etag of each part that is there."""
        with translated(self.key):
            pages = client().get_paginator("list_parts").paginate(**self._where)
            return {
                part["PartNumber"]: (part["Size"], part["ETag"])
                for page in pages
                for part in page.get("Parts", ())
            }

    def abort(self) -> None:
        """See `Upload.abort`."""
        try:
            with translated(self.key):
                client().abort_multipart_upload(**self._where)
        except UploadGone:
            pass
