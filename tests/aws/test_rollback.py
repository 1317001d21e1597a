"""The stack's own buckets after a first deployment that fails, and after a deletion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.assembly import DeploymentError
from emulator.excamera.synthesis import HOST_CONTEXT
from tests.support.assembly import built, resources

pytestmark = pytest.mark.aws


def buckets(emulator: Emulator, stack: str) -> set[str]:
    """Returns the names of the account's buckets that belong to a stack."""
    found = emulator.client("s3").list_buckets()["Buckets"]
    return {one["Name"] for one in found if one["Name"].startswith(stack.lower())}


def test_a_first_deployment_that_fails_leaves_no_buckets(
    emulator: Emulator, tmp_path: Path
) -> None:
    """If this fails, each failed first deployment leaves three buckets behind."""
    document = built(tmp_path, **HOST_CONTEXT, stack_name="Broken")
    own = list(resources(document, "AWS::S3::Bucket"))
    [machine] = [
        resource
        for name, resource in resources(document, "AWS::StepFunctions::StateMachine").items()
        if "Job" in name
    ]
    machine["Properties"]["DefinitionString"] = "{}"
    machine["DependsOn"] = own  # so that there is something to take back
    (tmp_path / "Broken.template.json").write_text(json.dumps(document))
    with pytest.raises(DeploymentError, match="Invalid state machine definition"):
        emulator.deploy(tmp_path, "Broken")
    pages = emulator.client("cloudformation").get_paginator("describe_stack_events")
    made = {
        event["LogicalResourceId"]
        for page in pages.paginate(StackName="Broken")
        for event in page["StackEvents"]
        if event["ResourceStatus"] == "CREATE_COMPLETE"
    }
    assert made >= set(own)
    assert buckets(emulator, "Broken") == set()
    emulator.destroy("Broken")


def test_a_deleted_stack_leaves_its_buckets(emulator: Emulator, tmp_path: Path) -> None:
    """If this fails, whoever deletes a stack loses films and results."""
    built(tmp_path, **HOST_CONTEXT, stack_name="Kept")
    outputs = emulator.deploy(tmp_path, "Kept")
    named = {outputs[name] for name in ("InputBucket", "WorkBucket", "OutputBucket")}
    assert buckets(emulator, "Kept") == named
    emulator.destroy("Kept")
    assert buckets(emulator, "Kept") == named
