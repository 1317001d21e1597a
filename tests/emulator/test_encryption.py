"""Buckets with a customer's key, and roles that may or may not use it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from emulator import Emulator
from tests.support.emulator import an_emulator

pytestmark = pytest.mark.aws

STACK = "Sealed"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that enforces roles; skips if none is installed."""
    with an_emulator(tmp_path_factory.mktemp("guarded"), authenticate=True) as running:
        yield running


@pytest.fixture(scope="module")
def sealed(guarded: Emulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The outputs of a stack with a key and a bucket that it encrypts."""
    root = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    everything = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}
    rule = {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Fn::GetAtt": ["Key", "Arn"]},
        },
    }  # fmt: skip
    document = {
        "Resources": {
            "Key": {
                "Type": "AWS::KMS::Key",
                "Properties": {"KeyPolicy": {"Version": "2012-10-17", "Statement": [everything]}},
            },
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "Properties": {"BucketEncryption": {"ServerSideEncryptionConfiguration": [rule]}},
            },
        },
        "Outputs": {
            "Key": {"Value": {"Fn::GetAtt": ["Key", "Arn"]}},
            "Bucket": {"Value": {"Ref": "Bucket"}},
        },
    }  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("assembly")
    (folder / f"{STACK}.template.json").write_text(json.dumps(document))
    return guarded.deploy(folder, STACK)


def holder(guarded: Emulator, name: str, statements: list[dict[str, Any]]) -> Any:
    """Returns a client of S3 with the rights of a new role."""
    iam = guarded.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name, PolicyName="rights", PolicyDocument=json.dumps({"Statement": statements})
    )
    keys = guarded.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=guarded.endpoint,
        verify=guarded.environment["AWS_CA_BUNDLE"],
        region_name=guarded.environment["AWS_REGION"],
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def test_a_template_says_how_a_bucket_is_encrypted(
    guarded: Emulator, sealed: dict[str, str]
) -> None:
    """Buckets of templates are not encrypted with the key that the template says."""
    s3 = guarded.client("s3")
    found = s3.get_bucket_encryption(Bucket=sealed["Bucket"])["ServerSideEncryptionConfiguration"]
    assert found["Rules"] == [
        {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": sealed["Key"],
            },
            "BucketKeyEnabled": True,
        }
    ]  # fmt: skip
    put = s3.put_object(Bucket=sealed["Bucket"], Key="sealed", Body=b"1")
    assert put["SSEKMSKeyId"] == sealed["Key"]


@pytest.mark.parametrize(
    ("actions", "service", "reads", "writes", "sends_parts"),
    [
        ([], "s3", False, False, False),
        (["kms:Decrypt"], "s3", True, False, False),
        (["kms:GenerateDataKey"], "s3", False, True, False),
        (["kms:Decrypt", "kms:GenerateDataKey"], "s3", True, True, True),
        (["kms:Decrypt", "kms:GenerateDataKey"], "sqs", False, False, False),
    ],
)
def test_rights_on_the_key_decide(
    guarded: Emulator, sealed: dict[str, str], actions: list[str], service: str, reads: bool,
    writes: bool, sends_parts: bool,
) -> None:  # fmt: skip
    """Roles read or write encrypted objects without rights on the key, or not with them."""
    bucket = sealed["Bucket"]
    guarded.client("s3").put_object(Bucket=bucket, Key="there", Body=b"1")
    objects = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    via = {"StringEquals": {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}}
    use = {"Effect": "Allow", "Action": actions, "Resource": sealed["Key"], "Condition": via}
    name = f"role-{service}-{'-'.join(one.partition(':')[2] for one in actions)}"
    s3 = holder(guarded, name, [objects, *([use] if actions else [])])

    def send_parts() -> None:
        begun = s3.create_multipart_upload(Bucket=bucket, Key="parts")
        which = {"Bucket": bucket, "Key": "parts", "UploadId": begun["UploadId"]}
        part = s3.upload_part(**which, PartNumber=1, Body=b"1")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        s3.complete_multipart_upload(**which, MultipartUpload=parts)

    for act, allowed in (
        (lambda: s3.get_object(Bucket=bucket, Key="there"), reads),
        (lambda: s3.put_object(Bucket=bucket, Key="there", Body=b"2"), writes),
        (send_parts, sends_parts),
    ):
        if allowed:
            act()
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                act()
