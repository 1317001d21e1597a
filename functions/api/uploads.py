"""Uploads through presigned URLs: S3 takes the bytes, and its event starts the job."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from excamera.api.answers import Part, ReceivedPart, Upload
from excamera.lifecycle.urls import URL_S
from functions.api.delivery import SignedUrls

_MOST_PARTS = 1000  # of the 10,000 that S3 takes: one answer has a URL for each
_SMALLEST_PART = 8 << 20


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart upload to the input bucket.

    Attributes:
        key: key of the object that it creates.
        upload_id: S3's id of the upload.
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
        """The upload as stored with its job."""
        return asdict(self)


def signing_client() -> Any:
    """A client of S3 whose URLs name the region.

    By default they would name the global endpoint, which redirects uploads for some regions and
    breaks the preflight requests of browsers. If the endpoint is an address, as an emulator's is,
    the bucket is in the path all the same. An upload must not require checksums: parts sent
    through URLs have none.
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
        """Abort an upload and remove its parts; has no effect if it has ended."""
        try:
            self._s3.abort_multipart_upload(
                Bucket=self._bucket, Key=upload.key, UploadId=upload.upload_id
            )
        except self._s3.exceptions.NoSuchUpload:
            return

    def describe(self, upload: Multipart) -> Upload | None:
        """The missing parts with their URLs, or None if the upload has ended.

        Each URL takes exactly as many bytes as its part has.
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
    """Finished files, for anyone who has a URL.

    Args:
        bucket: name of the bucket for results.
        delivery: signs URLs of the distribution in front of it, or None if there is none.
    """

    def __init__(self, bucket: str, delivery: SignedUrls | None) -> None:
        self._bucket = bucket
        self._delivery = delivery
        self._s3 = signing_client()

    def url(self, key: str, job: str) -> tuple[str, str] | None:
        """A URL of a job's result and the time until which it is valid; None without a result."""
        try:
            head = self._s3.head_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise
        if head["Metadata"].get("excamera-job") != job:
            return None
        until = datetime.now(UTC) + timedelta(seconds=URL_S)
        if self._delivery is not None:
            return self._delivery.url(key, head["ETag"], until), until.isoformat()
        url: str = self._s3.generate_presigned_url(
            "get_object", {"Bucket": self._bucket, "Key": key}, ExpiresIn=URL_S
        )
        return url, until.isoformat()
