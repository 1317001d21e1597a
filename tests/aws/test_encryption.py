"""A stack that encrypts with a key of its own, logs the API's requests and records no traces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.excamera.synthesis import HOST_CONTEXT
from tests.aws.conftest import Locally
from tests.support.assembly import built

pytestmark = pytest.mark.aws

STACK = "Sealed"


@pytest.fixture(scope="module")
def sealed(guarded: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """The stack, where roles are enforced, also on the key."""
    folder = tmp_path_factory.mktemp("sealed")
    built(folder, **HOST_CONTEXT, stack_name=STACK, kms_key="create", api_logs="own-role",
          tracing=False, source_days=30)  # fmt: skip
    return Deployed(STACK, guarded.client, guarded.deploy(folder, STACK))


def test_a_film_is_encoded_and_all_three_buckets_have_the_key(
    sealed: Deployed, locally: Locally, clip: Path
) -> None:
    """If this fails, a stack with a key does not deploy or encode, or leaves a bucket out."""
    assert digest(sealed.result(sealed.upload("film.mp4", clip))) == locally(clip)
    [key] = {
        rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"]
        for output in ("InputBucket", "WorkBucket", "OutputBucket")
        for rule in sealed.s3.get_bucket_encryption(Bucket=sealed.outputs[output])[
            "ServerSideEncryptionConfiguration"
        ]["Rules"]
    }
    found = sealed.client("kms").describe_key(KeyId=key)["KeyMetadata"]
    assert (found["KeyManager"], found["Enabled"]) == ("CUSTOMER", True)


def test_the_account_lets_the_api_log(sealed: Deployed) -> None:
    """If this fails, API Gateway has no role with which it could write the log."""
    role = sealed.client("apigateway").get_account()["cloudwatchRoleArn"]
    assert f":role/{STACK}-" in role


def test_a_replaced_result_can_be_had_back(sealed: Deployed, clip: Path) -> None:
    """If this fails, a film that is uploaded again takes the first result with it."""
    results = []
    for options in ({}, {"excamera-crf": "60"}):
        results.append(sealed.result(sealed.upload("twice.mp4", clip, options)))
    bucket = sealed.outputs["OutputBucket"]
    listed = sealed.s3.list_object_versions(Bucket=bucket, Prefix="twice.")["Versions"]
    kept = {
        sealed.s3.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])[
            "Body"
        ].read()
        for one in listed
    }
    assert len(set(results)) == 2
    assert kept == set(results)
    assert sealed.output("twice.webm") == results[1]


def test_a_function_without_its_right_on_the_key_reads_nothing(
    sealed: Deployed, guarded: Emulator, clip: Path
) -> None:
    """If this fails, nothing here shows that the roles' rights on the key are enough."""
    iam = sealed.client("iam")
    role = (
        sealed.client("lambda")
        .get_function_configuration(FunctionName=sealed.function("index"))["Role"]
        .rpartition("/")[2]
    )
    [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    without = [one for one in document["Statement"] if "kms:" not in json.dumps(one)]
    assert len(without) == len(document["Statement"]) - 1
    for statements in (without, document["Statement"]):
        iam.put_role_policy(
            RoleName=role, PolicyName=name,
            PolicyDocument=json.dumps({**document, "Statement": statements}),
        )  # fmt: skip
        job = sealed.job(sealed.upload(f"{len(statements)}.mp4", clip))
        assert (job.status == "SUCCEEDED") is (statements is not without), job
    needed = {act for holder, act, _ in guarded.needed_rights() if holder == role}
    assert needed >= {"kms:Decrypt", "kms:GenerateDataKey"}


def test_existing_buckets_with_a_key_serve(
    guarded: Emulator, locally: Locally, clip: Path, tmp_path: Path
) -> None:
    """If this fails, buckets that the account's owner encrypts cannot be used."""
    key = guarded.client("kms").create_key()["KeyMetadata"]["Arn"]
    buckets = {f"{what}_bucket": f"sealed-{what}" for what in ("input", "work", "output")}
    s3 = guarded.client("s3")
    sealing = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    for name in buckets.values():
        s3.create_bucket(Bucket=name)
        s3.put_bucket_encryption(
            Bucket=name,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": sealing}]
            },
        )
    s3.put_bucket_notification_configuration(
        Bucket=buckets["input_bucket"],
        NotificationConfiguration={"EventBridgeConfiguration": {}},
    )
    built(tmp_path, **HOST_CONTEXT, **buckets, stack_name="Guest", bucket_kms_keys=[key])
    guest = Deployed("Guest", guarded.client, guarded.deploy(tmp_path, "Guest"))
    assert digest(guest.result(guest.upload("film.mp4", clip))) == locally(clip)
