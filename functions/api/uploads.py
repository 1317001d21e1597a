"""Uploads through presigned URLs: S3 takes the bytes, and its event starts the job."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from functions.api.models import Part, ReceivedPart, Upload

URL_S = 3600
"""Seconds for which URLs are valid."""

_MOST_PARTS = 1000  # of the 10,000 that S3 takes: every one has a URL in one answer
_SMALLEST_PART = 8 << 20


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart upload to the input bucket.

    Attributes:
        key: of the object it will make.
        upload_id: S3's name for it.
        size: bytes of the object.
    """

    key: str
    upload_id: str
    size: int

    @property
    def part_size(self) -> int:
        """Bytes of every part but the last."""
        return max(_SMALLEST_PART, -(-self.size // _MOST_PARTS))

    def to_json(self) -> dict[str, Any]:
        """As it is stored with the job's request."""
        return asdict(self)


def signing_client() -> Any:
    """A client of S3 whose URLs name the region.

    By default they would name the endpoint of all regions, which sends uploads to some regions
    away and breaks what browsers ask beforehand. Endpoints that are addresses, as an emulator's,
    get the bucket in the path all the same. An upload must not ask for checksums, which parts
    that come through URLs do not have.
    """
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual"},
        request_checksum_calculation="when_required",
    )
    return boto3.client("s3", config=config)


class Uploads:
    """Multipart uploads to one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = signing_client()

    def begin(self, key: str, size: int) -> Multipart:
        """Begin an upload."""
        begun = self._s3.create_multipart_upload(Bucket=self._bucket, Key=key)
        return Multipart(key, begun["UploadId"], size)

    def abort(self, upload: Multipart) -> None:
        """Forget an upload and its parts; nothing happens if it has ended."""
        try:
            self._s3.abort_multipart_upload(
                Bucket=self._bucket, Key=upload.key, UploadId=upload.upload_id
            )
        except self._s3.exceptions.NoSuchUpload:
            return

    def describe(self, upload: Multipart) -> Upload | None:
        """What is missing, with URLs to send it to; None if the upload has ended.

        Each URL is for exactly as many bytes as its part has.
        """
        received = self._received(upload)
        if received is None:
            return None
        there = {part.number for part in received}
        parts = []
        for number, offset in enumerate(range(0, upload.size, upload.part_size), start=1):
            size = min(upload.part_size, upload.size - offset)
            if number not in there:
                url = self._sign("upload_part", upload, PartNumber=number, ContentLength=size)
                parts.append(Part(number=number, offset=offset, size=size, url=url))
        return Upload(
            part_size=upload.part_size,
            parts=parts,
            received=received,
            complete_url=self._sign("complete_multipart_upload", upload),
            expires=(datetime.now(UTC) + timedelta(seconds=URL_S)).isoformat(),
        )

    def _received(self, upload: Multipart) -> list[ReceivedPart] | None:
        pages = self._s3.get_paginator("list_parts").paginate(
            Bucket=self._bucket, Key=upload.key, UploadId=upload.upload_id
        )
        try:
            return [
                ReceivedPart(number=part["PartNumber"], size=part["Size"], etag=part["ETag"])
                for page in pages
                for part in page.get("Parts", [])
            ]
        except self._s3.exceptions.NoSuchUpload:
            return None

    def _sign(self, operation: str, upload: Multipart, **more: Any) -> str:
        where = {"Bucket": self._bucket, "Key": upload.key, "UploadId": upload.upload_id}
        url: str = self._s3.generate_presigned_url(operation, {**where, **more}, ExpiresIn=URL_S)
        return url


class Results:
    """Finished files, for whoever has a URL."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._s3 = signing_client()

    def url(self, key: str, job: str) -> tuple[str, str] | None:
        """A URL of a job's result and when it ends to be valid; None if it is not there."""
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise
        if head["Metadata"].get("excamera-job") != job:
            return None
        url: str = self._s3.generate_presigned_url(
            "get_object", {"Bucket": self._bucket, "Key": key}, ExpiresIn=URL_S
        )
        return url, (datetime.now(UTC) + timedelta(seconds=URL_S)).isoformat()
