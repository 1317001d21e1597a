"""The API's OpenAPI document, and a client that knows nothing else and tries everything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from excamera.cloud.account import Account
from excamera.cloud.api import Api

pytestmark = [pytest.mark.aws, pytest.mark.slow]

CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def account(emulator: Emulator) -> Iterator[Account]:
    """The emulated account, as the command line sees it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        yield Account()


@pytest.fixture(scope="module")
def api(account: Account, stack: Deployed) -> Iterator[Api]:
    """The stack's API; whatever the client started is cancelled."""
    api = Api.of_stack(account, account.stack(stack.name))
    yield api
    for job in api.get("/jobs", state="uploading", limit=100)["jobs"]:
        api.delete(f"/jobs/{job['id']}")


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    """The document that the API serves."""
    found: dict[str, Any] = api.get("/openapi.json")
    return found


class Signature(requests.auth.AuthBase):
    """Signs requests as AWS requires."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        data = body.encode() if isinstance(body, str) else body
        assert request.url is not None
        kept = {name: value for name, value in request.headers.items() if name == "Content-Type"}
        proven = self._account.signed(request.method or "GET", request.url, kept, data)
        request.headers.update(proven)
        return request


def test_the_document_has_every_operation(document: dict[str, Any]) -> None:
    """If this fails, a client generated from the document lacks some of the API's operations."""
    operations = {(method, path) for path, found in document["paths"].items() for method in found}
    assert operations == {
        ("get", "/jobs"), ("post", "/jobs"), ("get", "/jobs/{job_id}"),
        ("delete", "/jobs/{job_id}"), ("get", "/jobs/{job_id}/timeline"),
        ("get", "/jobs/{job_id}/logs"), ("get", "/jobs/{job_id}/report"),
        ("post", "/jobs/{job_id}/report"), ("get", "/options"), ("post", "/estimate"),
        ("get", "/model"), ("delete", "/model"), ("get", "/mu"), ("get", "/mu/{name}"),
    }  # fmt: skip
    assert document["openapi"].startswith("3.1")
    assert document["security"] == [{"caller": []}]
    for found in document["paths"].values():
        for operation in found.values():
            assert operation["summary"]
            assert "application/problem+json" in json.dumps(operation["responses"]["422"])


def test_the_document_says_where_and_how_to_call(api: Api, document: dict[str, Any]) -> None:
    """If this fails, a generated client calls nowhere, or does not know that it must sign."""
    assert document["servers"] == [{"url": api._url}]
    assert document["components"]["securitySchemes"] == {
        "caller": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4, service execute-api",
            "x-amazon-apigateway-authtype": "awsSigv4",
        }
    }


def test_no_request_finds_a_mistake(api: Api, account: Account, document: dict[str, Any]) -> None:
    """If this fails, some request gets a 5xx, or an answer that the document does not list."""
    # The emulator has no rate limit of the stage's.
    schema = schemathesis.openapi.from_dict(document)
    base = api._url
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=60,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @schemathesis_given(operation)
        def try_it(case: Any) -> None:
            case.call_and_validate(base_url=base, auth=Signature(account), checks=CHECKS)

        try_it()


def schemathesis_given(operation: Any) -> Any:
    """Returns requests to one operation, valid and invalid."""
    from hypothesis import given
    from schemathesis import GenerationMode

    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    return given(case=right | wrong)
