"""Serverless caches: a server on loopback with the users of the template."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from emulator import DeploymentError, Emulator
from tests.support.emulator import an_emulator

pytestmark = pytest.mark.aws

STACK = "Cached"


def template() -> dict[str, Any]:
    """A cache that one user may use."""
    return {
        "Resources": {
            "User": {
                "Type": "AWS::ElastiCache::User",
                "Properties": {
                    "Engine": "valkey",
                    "UserId": "reader",
                    "UserName": "reader",
                    "AccessString": "on ~films:* -@all +get",
                    "AuthenticationMode": {"Type": "iam"},
                },
            },
            "Users": {
                "Type": "AWS::ElastiCache::UserGroup",
                "Properties": {
                    "Engine": "valkey",
                    "UserGroupId": "users",
                    "UserIds": [{"Ref": "User"}],
                },
            },
            "Cache": {
                "Type": "AWS::ElastiCache::ServerlessCache",
                "Properties": {
                    "Engine": "valkey",
                    "ServerlessCacheName": "films",
                    "UserGroupId": {"Ref": "Users"},
                },
            },
        },
        "Outputs": {
            "Host": {"Value": {"Fn::GetAtt": ["Cache", "Endpoint.Address"]}},
            "Port": {"Value": {"Fn::GetAtt": ["Cache", "Endpoint.Port"]}},
        },
    }


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of its own, which a test empties."""
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        pytest.skip("no redis-server here (Debian: redis-server)")
    with an_emulator(tmp_path_factory.mktemp("caches")) as running:
        yield running


@pytest.fixture(autouse=True)
def emptied(emulator: Emulator) -> None:
    """Each test begins with an empty account."""
    emulator.reset()


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory like those that `cdk synth` writes."""
    directory = tmp_path_factory.mktemp("assembly")
    (directory / f"{STACK}.template.json").write_text(json.dumps(template()))
    return directory


def client(emulator: Emulator, outputs: dict[str, str], user: str | None) -> Any:
    """A client of the cache, which trusts the emulator's certificate."""
    return redis.Redis(
        host=outputs["Host"],
        port=int(outputs["Port"]),
        username=user,
        password="any" if user else None,
        ssl=True,
        ssl_ca_certs=str(emulator.certificate),
    )


def test_users_have_their_rights_and_nobody_else_has_any(
    emulator: Emulator, assembly: Path
) -> None:
    """A stack's user may do more in its cache than in an account, or less."""
    outputs = emulator.deploy(assembly, STACK)
    with client(emulator, outputs, "reader") as reader:
        assert reader.get("films:1") is None
        for command in (["GET", "others:1"], ["SET", "films:1", "x"], ["INFO"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                reader.execute_command(*command)
    for stranger in (None, "writer"):
        with (
            client(emulator, outputs, stranger) as other,
            pytest.raises(redis.exceptions.AuthenticationError),
        ):
            other.get("films:1")
    with pytest.raises(redis.ConnectionError):
        redis.Redis(host=outputs["Host"], port=int(outputs["Port"])).ping()


def test_a_cache_ends_with_its_stack_and_with_the_account(
    emulator: Emulator, assembly: Path
) -> None:
    """Servers pile up, or a stack cannot be deployed again."""
    for end in (lambda: emulator.destroy(STACK), emulator.reset):
        outputs = emulator.deploy(assembly, STACK)
        with client(emulator, outputs, "reader") as reader:
            assert reader.get("films:1") is None
        end()
        with client(emulator, outputs, "reader") as reader, pytest.raises(redis.ConnectionError):
            reader.get("films:1")


def test_a_cache_without_its_users_fails_the_deployment(emulator: Emulator, tmp_path: Path) -> None:
    """A template that names no users that there are deploys here, and nowhere else."""
    broken = template()
    broken["Resources"]["Cache"]["Properties"]["UserGroupId"] = "nobody"
    (tmp_path / "Broken.template.json").write_text(json.dumps(broken))
    with pytest.raises(DeploymentError, match="Cache"):
        emulator.deploy(tmp_path, "Broken")
