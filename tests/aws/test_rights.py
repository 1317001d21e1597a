"""Least privilege: the pipeline works with exactly its rights, and needs each of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.excamera.synthesis import STACK
from tests.aws.rights import rights, role_name, unneeded, without
from tests.aws.scenarios import AS_IT_SHOULD_BE, WORKERS, Scenarios
from tests.aws.spans import FRAMES, padded
from tests.pipeline.clips import Clip

pytestmark = [pytest.mark.aws, pytest.mark.slow]

# A right of each role, and a scenario that must see that it is taken away.
TAKEN = {
    "index": ("s3:DeleteObject", "forgets_index"),
    **{step: ("s3:DeleteObject", f"forgets_{step}") for step in WORKERS},
    "failure": ("s3:PutObject", "fails"),
    "start": ("s3:GetObjectVersion", "tags"),
    "admit": ("states:ListExecutions", "reconciles"),
    "ended": ("s3:DeleteObject", "forgets_ends"),
    "watch": ("lambda:InvokeFunction", "sweeps_again"),
    "warm": ("lambda:InvokeFunction", "warms_batches"),
    "sweep": ("s3:DeleteObject", "sweeps_again"),
    "report": ("s3:GetObjectVersion", "reports"),
    "api": ("s3:AbortMultipartUpload", "cancels"),
    "machine": ("s3:PutObject", "rebases"),
}


@pytest.fixture(scope="module")
def stack(guarded: Emulator, assembly: Path) -> Deployed:
    """The stack, deployed there."""
    return Deployed(STACK, guarded.client, guarded.deploy(assembly, STACK))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shortest film that needs every step: two chunks, and sound."""
    clip = Clip(frames=14, width=32, height=32, sound="aac")
    return clip.write(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of two spans."""
    clip = Clip(frames=FRAMES, width=32, height=32)
    return padded(clip.write(tmp_path_factory.mktemp("long") / "film.mp4"))


@pytest.fixture(scope="module")
def scenarios(guarded: Emulator, stack: Deployed, film: Path, long_film: Path) -> Scenarios:
    return Scenarios(guarded, stack, film, long_film)


@pytest.fixture(scope="module")
def seen(scenarios: Scenarios) -> dict[str, list[str]]:
    """What each scenario saw while no right was taken away."""
    return {name: scenarios.see(name) for name in AS_IT_SHOULD_BE}


def test_the_granted_rights_are_enough(stack: Deployed, seen: dict[str, list[str]]) -> None:
    """If this fails, a step lacks a right it needs: the stack works only for administrators."""
    assert seen == AS_IT_SHOULD_BE
    assert stack.keys("OutputBucket")


@pytest.mark.usefixtures("seen")
def test_every_right_is_needed(guarded: Emulator, stack: Deployed) -> None:
    """If this fails, a role may do more than its step needs."""
    assert unneeded(guarded, stack) == []


@pytest.mark.usefixtures("seen")
def test_a_right_too_many_is_named(guarded: Emulator, stack: Deployed) -> None:
    """If this fails, the test above finds nothing, whatever a role may do."""
    role, iam = role_name(stack, "plan"), stack.client("iam")
    more = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteBucket"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [more]})
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=document)
    try:
        named = unneeded(guarded, stack)
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="more")
    assert named == [f"{role} may s3:GetObject on *", f"{role} may s3:DeleteBucket on *"]


@pytest.mark.parametrize("role", TAKEN)
def test_a_right_taken_away_is_missed(stack: Deployed, scenarios: Scenarios, role: str) -> None:
    """If this fails, the emulator enforces nothing, and the tests above prove nothing."""
    action, scenario = TAKEN[role]
    taken = next(one for one in rights(stack, role_name(stack, role)) if one.action == action)
    with without(stack, taken):
        assert scenarios.see(scenario) != AS_IT_SHOULD_BE[scenario]


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("ended", "s3:GetObject"), ("ended", "s3:PutObject"), ("plan", "s3:GetObject"),
        ("api", "s3:GetObject"), ("api", "s3:DeleteObject"),
    ],
)  # fmt: skip
def test_a_right_to_the_model_taken_away_is_missed(
    stack: Deployed, scenarios: Scenarios, role: str, action: str
) -> None:
    """If this fails, a role has a right to what was learned that it does not need."""
    of_role = rights(stack, role_name(stack, role))
    [taken] = [one for one in of_role if one.action == action and "/model/" in one.resource]
    with without(stack, taken):
        assert scenarios.learns() != AS_IT_SHOULD_BE["learns"]


def test_strangers_are_refused(guarded: Emulator, stack: Deployed) -> None:
    """If this fails, the buckets are open to callers without rights in the account."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import ClientError

    stranger = boto3.client(
        "s3",
        endpoint_url=guarded.endpoint,
        region_name=guarded.environment["AWS_REGION"],
        verify=guarded.environment["AWS_CA_BUNDLE"],
        config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
    )
    for output in ("InputBucket", "WorkBucket", "OutputBucket"):
        with pytest.raises(ClientError, match=r"AccessDenied|Forbidden|403"):
            stranger.list_objects_v2(Bucket=stack.outputs[output])
        with pytest.raises(ClientError, match=r"AccessDenied|Forbidden|403"):
            stranger.put_object(Bucket=stack.outputs[output], Key="x.mp4", Body=b"")
