"""The REST API in the synthesised template."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from stacks.settings import SettingError
from tests.support.assembly import built, resources


def methods(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Returns the properties of all methods, by HTTP method."""
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in resources(document, "AWS::ApiGateway::Method").values():
        properties = resource["Properties"]
        found.setdefault(properties["HttpMethod"], []).append(properties)
    return found


def test_callers_need_iam_unless_asked_otherwise(stack: dict[str, Any]) -> None:
    """If this fails, the API is open, or answers web pages that the settings do not name."""
    found = methods(stack)
    assert {method: len(some) for method, some in found.items()} == {
        "GET": 11, "POST": 3, "DELETE": 2,
    }  # fmt: skip
    for some in found.values():
        assert {one["AuthorizationType"] for one in some} == {"AWS_IAM"}
    assert not resources(stack, "AWS::ApiGateway::ApiKey")
    for bucket in resources(stack, "AWS::S3::Bucket").values():
        assert "CorsConfiguration" not in bucket["Properties"]
    [stage] = resources(stack, "AWS::ApiGateway::Stage").values()
    [limits] = stage["Properties"]["MethodSettings"]
    assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == (20, 40)


def test_keys_and_pages_by_context(tmp_path: Path) -> None:
    """If this fails, an API with keys accepts requests without one, or pages cannot use it."""
    document = built(
        tmp_path, api_auth="key", api_requests_a_day=7, cors_origins=["https://films.example"]
    )
    found = methods(document)
    for method in ("GET", "POST", "DELETE"):
        assert all(one["ApiKeyRequired"] for one in found[method])
    assert len(found["OPTIONS"]) == 12
    [plan] = resources(document, "AWS::ApiGateway::UsagePlan").values()
    assert plan["Properties"]["Quota"] == {"Limit": 7, "Period": "DAY"}
    assert "ApiKeyId" in document["Outputs"]
    open_to = [
        rule["AllowedOrigins"]
        for bucket in resources(document, "AWS::S3::Bucket").values()
        for rule in bucket["Properties"].get("CorsConfiguration", {}).get("CorsRules", [])
    ]
    assert open_to == [["https://films.example"]] * 2


def test_other_buckets_are_read_where_asked(tmp_path: Path) -> None:
    """If this fails, the API accepts sources that workers may not read, or workers read all."""
    document = built(tmp_path, source_buckets=["our-archive"])
    readers = [
        logical
        for logical, policy in resources(document, "AWS::IAM::Policy").items()
        if "our-archive/*" in str(policy)
    ]
    # start, index, survey, probe, anchors, encode, audio, report; api checks that it exists
    assert len(readers) == 9
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
    with pytest.raises(SettingError, match=re.escape(said)):
        built(tmp_path, **context)
