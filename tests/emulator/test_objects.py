"""The behaviour of S3 and its events that the stack's tests rely on."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import Emulator
from emulator.runs import until
from tests.emulator.example import events

pytestmark = pytest.mark.aws


def test_conditional_writes(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Two writers may both believe that they were first."""
    s3, bucket = emulator.client("s3"), outputs["Bucket"]
    key = "conditional/ä b+c.txt"
    tag = s3.put_object(Bucket=bucket, Key=key, Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key=key, Body=b"3", IfMatch=tag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"4", IfMatch=tag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.get_object(Bucket=bucket, Key=key, IfMatch=tag)
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="conditional/")["Contents"]
    assert [item["Key"] for item in listed] == [key]


def test_lifecycle_rules_of_the_template(emulator: Emulator, outputs: dict[str, str]) -> None:
    """If this fails, a stack's rules seem to be missing: NoSuchLifecycleConfiguration."""
    s3 = emulator.client("s3")
    found = s3.get_bucket_lifecycle_configuration(Bucket=outputs["Watched"])["Rules"]
    assert found == [
        {
            "ID": "expire",
            "Status": "Enabled",
            "Filter": {"Prefix": "in/"},
            "Expiration": {"Days": 7},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        },
        {
            "ID": "abort",
            "Status": "Disabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
    ]
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=outputs["Bucket"])


def test_multipart_copy(emulator: Emulator, outputs: dict[str, str]) -> None:
    """Parts copied by range from a version differ from that version's bytes."""
    s3, watched, bucket = emulator.client("s3"), outputs["Watched"], outputs["Bucket"]
    key = "source ä+.bin"
    old = bytes(range(256)) * (6 << 12)
    version = s3.put_object(Bucket=watched, Key=key, Body=old)["VersionId"]
    s3.put_object(Bucket=watched, Key=key, Body=b"new")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="copied")["UploadId"]
    parts = []
    for number, (first, last) in enumerate(((0, (5 << 20) - 1), (5 << 20, len(old) - 1)), 1):
        copied = s3.upload_part_copy(
            Bucket=bucket,
            Key="copied",
            UploadId=upload,
            PartNumber=number,
            CopySource={"Bucket": watched, "Key": key, "VersionId": version},
            CopySourceRange=f"bytes={first}-{last}",
        )
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    complete = {
        "Bucket": bucket,
        "Key": "copied",
        "UploadId": upload,
        "MultipartUpload": {"Parts": parts},
    }
    s3.put_object(Bucket=bucket, Key="copied", Body=b"in the way")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.complete_multipart_upload(**complete, IfNoneMatch="*")
    s3.delete_object(Bucket=bucket, Key="copied")
    s3.complete_multipart_upload(**complete, IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="copied")["Body"].read() == old


def test_object_created_events(emulator: Emulator, outputs: dict[str, str]) -> None:
    """An upload starts nothing, or its event lacks what the start needs."""
    s3, bucket = emulator.client("s3"), outputs["Watched"]
    version = s3.put_object(Bucket=bucket, Key="Film ä+1.MP4", Body=b"12345")["VersionId"]
    s3.put_object(Bucket=bucket, Key="note.txt", Body=b"1")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="in/parts")["UploadId"]
    target = {"Bucket": bucket, "Key": "in/parts", "UploadId": upload}
    tag = s3.upload_part(**target, PartNumber=1, Body=b"123")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    completed = s3.complete_multipart_upload(**target, MultipartUpload=parts)

    def both() -> Any:
        found = events(emulator, outputs, "Object Created")
        return found if len(found) >= 2 else None

    details = {event["detail"]["object"]["key"]: event["detail"] for event in until(both)}
    assert set(details) == {"Film ä+1.MP4", "in/parts"}
    put, multipart = details["Film ä+1.MP4"], details["in/parts"]
    assert put["object"]["version-id"] == version
    assert (put["object"]["size"], put["reason"]) == (5, "PutObject")
    assert (multipart["object"]["size"], multipart["reason"]) == (3, "CompleteMultipartUpload")
    assert multipart["object"]["etag"] == completed["ETag"].strip('"')
    assert int(put["object"]["sequencer"], 16) < int(multipart["object"]["sequencer"], 16)


def test_range_of_version(emulator: Emulator, outputs: dict[str, str]) -> None:
    """A ranged read of a version returns other bytes, or another status, than on S3."""
    s3, bucket = emulator.client("s3"), outputs["Watched"]
    old = s3.put_object(Bucket=bucket, Key="ranged", Body=b"0123456789")
    s3.put_object(Bucket=bucket, Key="ranged", Body=b"new")
    target = {"Bucket": bucket, "Key": "ranged", "VersionId": old["VersionId"]}
    answer = s3.get_object(**target, Range="bytes=2-4", IfMatch=old["ETag"])
    assert answer["Body"].read() == b"234"
    assert answer["ContentRange"] == "bytes 2-4/10"
    assert s3.get_object(**target, Range="bytes=8-99")["Body"].read() == b"89"
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(**target, Range="bytes=10-")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.get_object(**target, Range="bytes=0-1", IfMatch='"other"')
    with pytest.raises(ClientError, match="NoSuchVersion"):
        s3.get_object(**{**target, "VersionId": "0" * 32}, Range="bytes=0-1")
