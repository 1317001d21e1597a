"""CloudFront's public keys and key groups in templates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from emulator import Emulator
from tests.support.emulator import an_emulator

pytestmark = pytest.mark.aws

KEY = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator."""
    with an_emulator(tmp_path_factory.mktemp("keys")) as emulator:
        yield emulator


def template(encoded: str, comment: str = "") -> str:
    """Returns a template with a public key and a group of it."""
    key = {"Name": "key", "CallerReference": "once", "EncodedKey": encoded, "Comment": comment}
    group = {"Name": "group", "Items": [{"Ref": "Key"}]}
    resources = {
        "Key": {"Type": "AWS::CloudFront::PublicKey", "Properties": {"PublicKeyConfig": key}},
        "Group": {"Type": "AWS::CloudFront::KeyGroup", "Properties": {"KeyGroupConfig": group}},
    }
    return json.dumps({"Resources": resources})


def test_a_template_may_have_keys(running: Emulator) -> None:
    """If this fails, a stack with signed URLs does not deploy, or its keys are not CloudFront's."""
    stacks, cloudfront = running.client("cloudformation"), running.client("cloudfront")

    def change(act: Any, name: str, body: str, waiter: str) -> str:
        act(StackName=name, TemplateBody=body)
        try:
            stacks.get_waiter(waiter).wait(
                StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
            )
        finally:
            status = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return str(status)

    assert change(stacks.create_stack, "keys", template(KEY), "stack_create_complete") == (
        "CREATE_COMPLETE"
    )
    [group] = cloudfront.list_key_groups()["KeyGroupList"]["Items"]
    [key] = group["KeyGroup"]["KeyGroupConfig"]["Items"]
    held = cloudfront.get_public_key(Id=key)["PublicKey"]["PublicKeyConfig"]
    assert held["EncodedKey"] == KEY
    change(stacks.update_stack, "keys", template(KEY, "ours"), "stack_update_complete")
    held = cloudfront.get_public_key(Id=key)["PublicKey"]["PublicKeyConfig"]
    assert held["Comment"] == "ours"
    for act, name, body, waiter in (
        (stacks.update_stack, "keys", template(KEY.replace("MFkw", "MFkx")),
         "stack_update_complete"),
        (stacks.create_stack, "again", template(KEY), "stack_create_complete"),
    ):  # fmt: skip
        with pytest.raises(Exception, match="terminal failure"):
            change(act, name, body, waiter)
    assert cloudfront.get_public_key(Id=key)["PublicKey"]["PublicKeyConfig"]["EncodedKey"] == KEY
