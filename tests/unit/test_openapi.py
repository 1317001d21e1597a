"""The API's document says where the API is, and how its callers prove who they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response

from functions.api.openapi import PATH, document
from functions.api.settings import ApiSettings


def served(api_auth: str, domain: str, path: str, **headers: str) -> dict[str, Any]:
    """The document that a request to an address gets."""
    settings = ApiSettings(
        state_machine_arn="", stack="", sweep_function="", report_function="", report_timeout_s=1,
        input_bucket="", work_bucket="", output_bucket="",
        default_options={}, prefix="", suffixes=[], source_buckets=[], max_source_bytes=1,
        memory_mb={}, encode_sizes=[], architecture="arm64", api_auth=api_auth, log_groups={},
        cors_origins=[], delivery={},
    )  # fmt: skip
    app = APIGatewayRestResolver(enable_validation=True)

    @app.get(PATH, include_in_schema=False, enable_validation=False)
    def answer() -> Response[str]:
        return Response(200, "application/json", document(app, settings))

    event = {
        "path": PATH,
        "httpMethod": "GET",
        "headers": headers,
        "requestContext": {"domainName": domain, "stage": "v1", "path": path},
    }
    found: dict[str, Any] = json.loads(app.resolve(event, None)["body"])  # type: ignore[arg-type]
    return found


API = "a1b2c3.execute-api.eu-north-1.amazonaws.com"


@pytest.mark.parametrize(
    ("domain", "path", "url"),
    [
        (API, f"/v1{PATH}", f"https://{API}/v1"),
        ("films.example", f"/encode{PATH}", "https://films.example/encode"),
        ("films.example", PATH, "https://films.example"),
    ],
    ids=["stage", "mapped path", "mapped domain"],
)
def test_the_server_is_the_one_that_was_asked(domain: str, path: str, url: str) -> None:
    """If this fails, a client made of the document calls an address where there is nothing."""
    assert served("iam", domain, path)["servers"] == [{"url": url}]
    forwarded = {"X-Forwarded-Proto": "http"}
    assert served("iam", domain, path, **forwarded)["servers"] == [{"url": f"http{url[5:]}"}]


def test_a_key_is_an_ordinary_api_key() -> None:
    """If this fails, a generated client signs requests, or sends the key under another name."""
    [scheme] = served("key", API, f"/v1{PATH}")["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "x-api-key")
    assert "x-amazon-apigateway-authtype" not in scheme
