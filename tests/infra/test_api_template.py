"""The REST API in the synthesised template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.excamera.synthesis import synthesise
from tests.support.assembly import resources, template

Made = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Synthesises the template with some settings."""

    def make(**context: Any) -> dict[str, Any]:
        folder: Path = tmp_path_factory.mktemp("made")
        done = synthesise(folder, **context)
        assert done.returncode == 0, done.stderr
        return template(folder)

    return make


def methods(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Returns the properties of all methods, by HTTP method."""
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in resources(document, "AWS::ApiGateway::Method").values():
        properties = resource["Properties"]
        found.setdefault(properties["HttpMethod"], []).append(properties)
    return found


def test_callers_need_iam_unless_asked_otherwise(made: Made) -> None:
    """If this fails, the API is open, or answers web pages that the settings do not name."""
    document = made()
    found = methods(document)
    assert {method: len(some) for method, some in found.items()} == {
        "GET": 4, "POST": 1, "DELETE": 1,
    }  # fmt: skip
    for some in found.values():
        assert {one["AuthorizationType"] for one in some} == {"AWS_IAM"}
    assert not resources(document, "AWS::ApiGateway::ApiKey")
    for bucket in resources(document, "AWS::S3::Bucket").values():
        assert "CorsConfiguration" not in bucket["Properties"]
    [stage] = resources(document, "AWS::ApiGateway::Stage").values()
    [limits] = stage["Properties"]["MethodSettings"]
    assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == (20, 40)


def test_keys_and_pages_by_context(made: Made) -> None:
    """If this fails, an API with keys accepts requests without one, or pages cannot use it."""
    document = made(api_auth="key", api_requests_a_day=7, cors_origins=["https://films.example"])
    found = methods(document)
    for method in ("GET", "POST", "DELETE"):
        assert all(one["ApiKeyRequired"] for one in found[method])
    assert len(found["OPTIONS"]) == 4
    [plan] = resources(document, "AWS::ApiGateway::UsagePlan").values()
    assert plan["Properties"]["Quota"] == {"Limit": 7, "Period": "DAY"}
    assert "ApiKeyId" in document["Outputs"]
    open_to = [
        rule["AllowedOrigins"]
        for bucket in resources(document, "AWS::S3::Bucket").values()
        for rule in bucket["Properties"].get("CorsConfiguration", {}).get("CorsRules", [])
    ]
    assert open_to == [["https://films.example"]] * 2


def test_other_buckets_are_read_where_asked(made: Made) -> None:
    """If this fails, the API accepts sources that workers may not read, or workers read all."""
    document = made(source_buckets=["our-archive"])
    readers = [
        logical
        for logical, policy in resources(document, "AWS::IAM::Policy").items()
        if "our-archive/*" in str(policy)
    ]
    # start, index, survey, anchors, encode, join, audio; api checks that it exists
    assert len(readers) == 8
    assert all(logical.startswith("Workers") for logical in readers)


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"api_auth": "open"}, "api_auth must be one of iam, key"),
        ({"cors_origins": ["*"]}, "cors_origins must be origins"),
        ({"api_rate": 0}, "api_rate must be 1 to"),
        ({"max_source_gb": 6000}, "max_source_gb must be 1 to 5000"),
    ],
)
def test_wrong_settings(tmp_path: Path, context: dict[str, Any], said: str) -> None:
    """If this fails, a wrong setting is found only when the deployment fails, or never."""
    done = synthesise(tmp_path, **context)
    assert done.returncode
    assert said in done.stderr
