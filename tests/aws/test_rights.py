"""Least privilege: the pipeline works with exactly its rights, and needs each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.excamera.synthesis import STACK
from tests.aws.rights import rights, role_name, without
from tests.aws.scenarios import AS_IT_SHOULD_BE, WORKERS, Scenarios
from tests.aws.spans import FRAMES
from tests.pipeline.clips import Clip

pytestmark = [pytest.mark.aws, pytest.mark.slow]

# The scenarios that together need each of a role's rights.
SCENARIOS = {
    "index": ("encodes", "fits", "forgets_index"),
    **{step: ("encodes", f"forgets_{step}") for step in WORKERS},
    "survey": ("surveys", "forgets_survey"),
    "join": ("rebases", "forgets_join"),  # which reads the source in mode rebase alone
    "failure": ("fails",),
    "start": ("starts", "tags", "awaits"),
    "ended": ("ends", "forgets_ends"),
    "watch": ("watches",),
    "api": ("asks", "sends", "cancels"),
    "machine": ("encodes", "surveys"),
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
    return clip.write(tmp_path_factory.mktemp("long") / "film.mp4")


@pytest.fixture(scope="module")
def scenarios(guarded: Emulator, stack: Deployed, film: Path, long_film: Path) -> Scenarios:
    return Scenarios(guarded, stack, film, long_film)


def test_the_granted_rights_are_enough(stack: Deployed, scenarios: Scenarios) -> None:
    """If this fails, a step lacks a right it needs: the stack works only for administrators."""
    for name, expected in AS_IT_SHOULD_BE.items():
        assert scenarios.see(name) == expected, name
    assert stack.keys("OutputBucket")


@pytest.mark.parametrize("role", SCENARIOS)
def test_every_right_is_needed(stack: Deployed, scenarios: Scenarios, role: str) -> None:
    """If this fails, a role may do more than its step needs, or the emulator ignores a right."""
    failing = stack.function("failure")
    not_needed = []
    for right in rights(stack, role_name(stack, role)):
        if right.is_unnoticed:
            continue
        names = ("fails",) if right.resource.endswith(failing) else SCENARIOS[role]
        with without(stack, right):
            if all(scenarios.see(name) == AS_IT_SHOULD_BE[name] for name in names):
                not_needed.append(str(right))
    assert not_needed == []
    for name in SCENARIOS[role]:
        assert scenarios.see(name) == AS_IT_SHOULD_BE[name], name


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
