"""A customer's key of KMS: what it encrypts, and who may use it for what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.settings import SettingError
from tests.support.assembly import built, resources
from tests.support.pages import code_block, section

Template = dict[str, Any]

OURS = "arn:aws:kms:eu-west-1:123456789012:key/0b6e7a5c-1111-2222-3333-444455556666"
OTHER = "arn:aws:kms:eu-west-1:123456789012:key/7c1d0000-1111-2222-3333-444455556666"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A stack with a key of its own."""
    return built(
        tmp_path_factory.mktemp("own"), kms_key="create", webhook_url="https://example.com/jobs",
        api_logs="existing-role",
    )  # fmt: skip


def key_of(template: Template) -> dict[str, Any]:
    """Returns the ARN of the stack's own key, as the template has it."""
    [name] = resources(template, "AWS::KMS::Key")
    return {"Fn::GetAtt": [name, "Arn"]}


def uses(template: Template, actions: str) -> dict[str, set[tuple[str, str, str]]]:
    """Returns what policies allow to do with keys: action, key and service, by policy.

    Only of policies that allow one of the actions besides, of which the string has the beginning.
    """
    found = {}
    for name, policy in resources(template, "AWS::IAM::Policy").items():
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        if actions in json.dumps(statements):
            found[name] = {
                (action, json.dumps(key), via["Fn::Join"][1][0].strip("."))
                for one in statements
                for action in listed(one["Action"])
                if action.startswith("kms:")
                for key in listed(one["Resource"])
                for via in [one["Condition"]["StringEquals"]["kms:ViaService"]]
            }
    return found


def listed(value: Any) -> list[Any]:
    """Returns a list of what may be one thing or a list."""
    return value if isinstance(value, list) else [value]


def test_without_the_setting_there_is_no_key(stack: Template) -> None:
    """If this fails, a stack costs a dollar a month for a key that nobody asked for."""
    assert not resources(stack, "AWS::KMS::Key")
    assert "kms:" not in json.dumps(stack)


def test_the_key_encrypts_everything_that_is_kept(own: Template) -> None:
    """If this fails, something is encrypted with a key that the customer does not control."""
    key = key_of(own)
    for bucket in resources(own, "AWS::S3::Bucket").values():
        [rule] = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule == {
            "BucketKeyEnabled": True,
            "ServerSideEncryptionByDefault": {"KMSMasterKeyID": key, "SSEAlgorithm": "aws:kms"},
        }
    for kind, name in (("AWS::Logs::LogGroup", "KmsKeyId"), ("AWS::SNS::Topic", "KmsMasterKeyId"),
                       ("AWS::SQS::Queue", "KmsMasterKeyId")):  # fmt: skip
        found = resources(own, kind)
        assert found
        for one in found.values():
            assert one["Properties"][name] == key
            assert "SqsManagedSseEnabled" not in one["Properties"]


def test_the_key_is_turned_and_stays(own: Template, tmp_path: Path) -> None:
    """If this fails, deleting the stack makes the films unreadable that it leaves behind."""
    [key] = resources(own, "AWS::KMS::Key").values()
    assert key["Properties"]["EnableKeyRotation"] is True
    assert key["DeletionPolicy"] == "RetainExceptOnCreate"
    [gone] = resources(
        built(tmp_path, kms_key="create", removal="destroy"), "AWS::KMS::Key"
    ).values()
    assert gone["DeletionPolicy"] == "Delete"


def test_roles_may_use_the_key_for_what_they_do(own: Template) -> None:
    """If this fails, a function cannot read its film, or may decrypt more than it reads."""
    key = json.dumps(key_of(own))
    writing = {(f"kms:{what}", key, "s3") for what in ("Decrypt", "GenerateDataKey")}
    reading = {("kms:Decrypt", key, "s3")}
    for actions, service in (("sqs:SendMessage", "sqs"), ("sns:Publish", "sns")):
        sending = {(f"kms:{what}", key, service) for what in ("Decrypt", "GenerateDataKey")}
        senders = uses(own, actions)
        assert senders
        for name, found in senders.items():
            assert sending <= found, name
    for name, found in uses(own, "").items():
        statements = json.dumps(own["Resources"][name]["Properties"]["PolicyDocument"])
        of_s3 = {one for one in found if one[2] == "s3"}
        if "s3:PutObject" in statements:
            assert of_s3 == writing, name
        elif "s3:GetObject" in statements:
            assert of_s3 == reading, name
        else:
            assert of_s3 == set(), name
        for service, send in (("sqs", "sqs:SendMessage"), ("sns", "sns:Publish")):
            assert any(one[2] == service for one in found) == (send in statements), name
    readers = [
        name for name, found in uses(own, "s3:").items() if ("kms:Decrypt", key, "s3") in found
    ]
    assert len(readers) >= 15


def test_services_may_use_the_key_only_for_this_account(own: Template) -> None:
    """If this fails, logs, alarms or undelivered events are lost, or anybody's may use the key."""
    [key] = resources(own, "AWS::KMS::Key").values()
    statements = {one.get("Sid"): one for one in key["Properties"]["KeyPolicy"]["Statement"]}
    assert set(statements) == {None, "Logs", "Alarms", "UndeliveredEvents"}
    assert ":root" in json.dumps(statements[None]["Principal"])
    logs = json.dumps(statements["Logs"])
    assert '"logs.", {"Ref": "AWS::Region"}' in logs
    assert ":log-group:*" in logs
    assert statements["Alarms"]["Condition"]["StringEquals"] == {
        "aws:SourceAccount": {"Ref": "AWS::AccountId"}
    }
    for name in ("Alarms", "UndeliveredEvents"):
        assert statements[name]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]


def test_the_page_gives_existing_keys_the_same_policy(own: Template) -> None:
    """If this fails, an existing key that has the page's policy does not work."""
    [key] = resources(own, "AWS::KMS::Key").values()
    made = {one.get("Sid"): one for one in key["Properties"]["KeyPolicy"]["Statement"]}
    shown = json.loads(code_block(section("docs/account.md", "Encryption"), "json"))
    for one in shown:
        ours = made[one["Sid"]]
        assert one["Action"] == ours["Action"]
        assert one["Effect"] == ours["Effect"]
        assert set(one.get("Condition", {})) == set(ours.get("Condition", {}))
        assert set(one["Principal"]) == set(ours["Principal"])
    assert {one["Sid"] for one in shown} == set(made) - {None}


@pytest.mark.slow
def test_existing_keys_and_buckets(tmp_path: Path) -> None:
    """If this fails, existing buckets with keys cannot be used, or get rights on fewer keys."""
    made = built(
        tmp_path, kms_key=OURS, bucket_kms_keys=[OTHER, OURS], input_bucket="our-films",
    )  # fmt: skip
    assert not resources(made, "AWS::KMS::Key")
    for found in uses(made, "s3:GetObject").values():
        keys = {key for _, key, service in found if service == "s3"}
        assert keys == {json.dumps(OURS), json.dumps(OTHER)}
    for found in uses(made, "sqs:SendMessage").values():
        assert {key for _, key, service in found if service == "sqs"} == {json.dumps(OURS)}


@pytest.mark.slow
def test_buckets_with_keys_need_no_key_of_the_stack(tmp_path: Path) -> None:
    """If this fails, who only has an encrypted bucket of films has to encrypt everything else."""
    made = built(tmp_path, bucket_kms_keys=[OTHER], input_bucket="our-films")
    for bucket in resources(made, "AWS::S3::Bucket").values():
        assert "KMSMasterKeyID" not in json.dumps(bucket)
    for queue in resources(made, "AWS::SQS::Queue").values():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True
    readers = uses(made, "s3:GetObject")
    assert all(("kms:Decrypt", json.dumps(OTHER), "s3") in found for found in readers.values())


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"kms_key": "alias/films"}, "kms_key must be the ARN of a key"),
        ({"bucket_kms_keys": ["create"]}, "bucket_kms_keys must be ARNs of keys"),
        ({"api_logs": "yes"}, 'api_logs must be one of "", existing-role, own-role'),
        ({"source_days": -1}, "source_days must be 0 to 3650"),
        ({"source_days": 3, "input_bucket": "our-films"}, "source_days: the stack changes no"),
    ],
)
def test_wrong_settings(tmp_path: Path, context: dict[str, Any], words: str) -> None:
    """If this fails, a deployment fails, or a setting has no effect that seems to have one."""
    with pytest.raises(SettingError, match=words):
        built(tmp_path, **context)
