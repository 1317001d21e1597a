"""Access to the API: callers need a signature or a key, and are limited in rate."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.auth
import pytest
import urllib3

from emulator import Emulator
from emulator.excamera.deployed import digest
from emulator.excamera.synthesis import HOST_CONTEXT, STACK
from excamera.api import refusals
from excamera.api.answers import Problem
from excamera.cloud.account import Account
from excamera.cloud.api import Api, http
from excamera.console.of_stack import stack_console
from excamera.job.options import EncodeOptions
from tests.aws.conftest import Locally
from tests.aws.test_api import complete, ended, upload_parts
from tests.pipeline.clips import Clip
from tests.support.assembly import built

pytestmark = [pytest.mark.aws, pytest.mark.slow]


@pytest.fixture(scope="module")
def api(guarded: Emulator, assembly: Path) -> Api:
    """The API of a stack with the settings of cdk.json: for callers with the right in IAM."""
    guarded.deploy(assembly, STACK)
    account = Account()
    return Api.of_stack(account, account.stack(STACK))


@pytest.fixture(scope="module")
def keyed(guarded: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Api:
    """The API of a stack for callers with a key, who may call eight times a day."""
    folder = tmp_path_factory.mktemp("keyed")
    more = {"stack_name": "Keyed", "api_auth": "key", "api_requests_a_day": 8,
            "cors_origins": [PAGE]}  # fmt: skip
    built(folder, **HOST_CONTEXT, **more)
    guarded.deploy(folder, "Keyed")
    account = Account()
    return Api.of_stack(account, account.stack("Keyed"))


PAGE = "https://films.example"
Signed = Callable[..., dict[str, str]]
ANY = "arn:aws:execute-api:*:*:*"


def user(guarded: Emulator, name: str, resource: str | None) -> Signed:
    """Creates a user who may call `resource` of the API; returns a signer of their requests.

    The emulator trusts the account's owner without a signature, so tests of signatures need
    another user.
    """
    iam = guarded.client("iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    account = Account()
    account._session = boto3.Session(
        key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1"
    )
    if resource is not None:
        allow = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}
        document = {"Version": "2012-10-17", "Statement": [allow]}
        iam.put_user_policy(UserName=name, PolicyName="call", PolicyDocument=json.dumps(document))
    return account.signed


@pytest.fixture(scope="module")
def signed(guarded: Emulator) -> Signed:
    """A signer of requests, for a user who may call everything."""
    return user(guarded, "caller", ANY)


def ask(
    api: Api, headers: Mapping[str, str], path: str = "/jobs", method: str = "GET"
) -> urllib3.BaseHTTPResponse:
    """Sends a request with exactly these headers."""
    return http().request(method, api._url + path, headers=dict(headers))


def is_a_problem(answer: urllib3.BaseHTTPResponse) -> bool:
    """Returns whether an answer reports a problem as the API's document says."""
    problem = Problem.model_validate_json(answer.data)
    named = answer.headers["Content-Type"] == refusals.MEDIA_TYPE
    return named and bool(problem.detail) and problem.status in (None, answer.status)


def test_the_owner_may(api: Api) -> None:
    """If this fails, the refusals below prove nothing."""
    assert api.get("/jobs") == {"jobs": [], "next": None}


def test_unsigned_requests_are_refused(api: Api) -> None:
    """If this fails, anyone on the internet can encode at the account's cost."""
    for method, path in (
        ("GET", "/jobs"), ("POST", "/jobs"), ("GET", "/jobs/a"), ("DELETE", "/jobs/a"),
        ("GET", "/jobs/a/timeline"), ("GET", "/openapi.json"), ("GET", "/model"),
        ("DELETE", "/model"), ("GET", "/jobs/a/logs"), ("GET", "/options"), ("POST", "/estimate"),
        ("GET", "/console/index.html"), ("GET", "/mu"), ("GET", "/mu/a"),
    ):  # fmt: skip
        answer = ask(api, {}, path, method)
        assert answer.status == 403, (method, path, answer.data)


def test_wrong_signatures_are_refused(api: Api, signed: Signed) -> None:
    """If this fails, a signature proves nothing."""
    right = signed("GET", api._url + "/jobs", {}, b"")
    assert ask(api, right).status == 200
    changed = re.sub(r"Signature=....", "Signature=0000", right["Authorization"])
    refused = ask(api, {**right, "Authorization": changed})
    assert (refused.status, refused.json()["error"]) == (403, "INVALID_SIGNATURE")
    assert is_a_problem(refused)
    # A signature of one request does not fit another.
    assert ask(api, right, "/jobs?state=failed").status == 403


def test_old_signatures_are_refused(
    api: Api, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, an intercepted request can be repeated for ever."""
    now = botocore.auth.get_current_datetime
    with monkeypatch.context() as patch:
        patch.setattr(
            botocore.auth,
            "get_current_datetime",
            lambda *given, **more: now(*given, **more) - timedelta(hours=1),
        )
        old = signed("GET", api._url + "/jobs", {}, b"")
    assert ask(api, old).status == 403


def test_who_lacks_the_right_is_refused(api: Api, guarded: Emulator) -> None:
    """If this fails, every user of the account may stop jobs."""
    for name, resource, status in (
        ("stranger", None, 403),
        ("reader", f"{ANY}/v1/GET/jobs", 200),
        ("other", f"{ANY}/v1/POST/jobs", 403),
    ):
        headers = user(guarded, name, resource)("GET", api._url + "/jobs", {}, b"")
        assert ask(api, headers).status == status, name


def test_two_users_at_once(
    api: Api, guarded: Emulator, clip: Path, locally: Locally, tmp_path: Path
) -> None:
    """If this fails, users who may only call the API cannot encode, or affect each other's jobs."""
    other = Clip(frames=30, width=48, height=80).write(tmp_path / "other.mp4")

    def encode(name: str, film: Path, options: dict[str, int]) -> str:
        own = Api(api._url, user(guarded, name, f"{ANY}/v1/*"))
        data = film.read_bytes()
        request = {"upload": True, "name": "film.mp4", "size": len(data), "options": options}
        job, _ = own.post("/jobs", request, idempotency_key=str(uuid.uuid4()))
        assert complete(job["upload"], upload_parts(job["upload"], data)).status == 200
        done = ended(own, job["id"])
        assert done["state"] == "succeeded", done
        return digest(http().request("GET", done["result"]["url"]).data)

    with ThreadPoolExecutor(2) as users:
        first = users.submit(encode, "ann", clip, {})
        second = users.submit(encode, "bob", other, {"crf": 35, "batch_chunks": 2})
    assert first.result() == locally(clip)
    assert second.result() == locally(other, EncodeOptions(crf=35, batch_chunks=2))


def test_urls_expire(api: Api) -> None:
    """If this fails, a leaked URL accepts uploads for ever."""
    request = {"upload": True, "name": "old.mp4", "size": 10}
    job, _ = api.post("/jobs", request, idempotency_key=str(uuid.uuid4()))
    [part] = job["upload"]["parts"]
    assert "X-Amz-Expires=3600" in part["url"]
    assert http().request("PUT", part["url"], body=b"x" * 10).status == 200
    expired = part["url"].replace("X-Amz-Expires=3600", "X-Amz-Expires=1")
    time.sleep(2)
    refused = http().request("PUT", expired, body=b"x" * 10)
    assert (refused.status, b"has expired" in refused.data) == (403, True)
    api.delete(f"/jobs/{job['id']}")


def test_named_pages_may_ask(keyed: Api) -> None:
    """If this fails, a web page that the settings name cannot call the API."""
    wanted = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    answer = ask(keyed, wanted, method="OPTIONS")
    assert answer.status in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "x-api-key" in answer.headers["Access-Control-Allow-Headers"].lower()


def test_a_console_keeps_the_key_to_itself(keyed: Api) -> None:
    """If this fails, a console cannot show a stack with a key, or tells the browser the key."""
    key = keyed._prove("GET", "", {}, b"")["x-api-key"]
    with stack_console(keyed, 0) as opened_at:
        split = urlsplit(opened_at)
        address, proof = f"http://{split.netloc}", {"Authorization": f"Bearer {split.fragment}"}
        answers = [
            http().request("GET", address + path, headers=headers)
            for path, headers in (
                ("/console/", {}),
                ("/jobs", proof),
                # What a page sends of its own is not passed on.
                ("/jobs", {**proof, "x-api-key": "guess-guess-guess-guess"}),
                ("/jobs", {}),
                ("/jobs", {"x-api-key": key}),
            )
        ]
    assert [answer.status for answer in answers] == [200, 200, 200, 403, 403]
    assert b"<title>ExCamera console</title>" in answers[0].data
    assert answers[1].json() == {"jobs": [], "next": None}
    assert key not in opened_at
    for answer in answers:
        assert key.encode() not in answer.data
        assert key not in str(dict(answer.headers))


def test_a_key_is_asked_for_and_counted(keyed: Api) -> None:
    """If this fails, an API with keys is open, or a key has no quota."""
    for headers in ({}, {"x-api-key": "guess-guess-guess-guess"}):
        refused = ask(keyed, headers)
        assert refused.status == 403
        assert is_a_problem(refused)
        assert refused.headers["Access-Control-Allow-Origin"] == PAGE  # so that it can be read
    right: dict[str, Any] = keyed._prove("GET", "", {}, b"")
    for origin, allowed in ((PAGE, PAGE), ("https://other.example", None)):
        shown = ask(keyed, {**right, "Origin": origin})
        assert (shown.status, shown.headers.get("Access-Control-Allow-Origin")) == (200, allowed)
    answers = [ask(keyed, right) for _ in range(8)]
    statuses = [answer.status for answer in answers]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert set(statuses) == {200, 429}
    assert is_a_problem(answers[-1])
