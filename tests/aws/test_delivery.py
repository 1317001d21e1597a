"""CloudFront in front of the results: signed URLs through the API, and what refuses others."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.excamera.synthesis import HOST_CONTEXT
from emulator.runs import PATIENCE_S
from excamera.cloud.account import Account
from excamera.cloud.api import Api
from excamera.errors import CloudUnavailable
from functions.api.delivery import _signing
from stacks import public_key
from tests.aws.conftest import Locally
from tests.support.assembly import built
from tests.support.edge import Edge, an_edge
from tests.support.keys import public_pem

pytestmark = pytest.mark.aws

STACK = "Delivered"
EXCAMERA = str(Path(sys.executable).with_name("excamera"))
Command = Callable[..., subprocess.CompletedProcess[str]]


def private_pem(key: Any) -> str:
    """Returns a private key as `openssl genpkey` writes it."""
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


@pytest.fixture(scope="module")
def keys() -> list[Any]:
    """Two private keys, one of each kind; CloudFront trusts both, and the first signs."""
    return [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)]


@pytest.fixture(scope="module")
def delivered(
    guarded: Emulator, keys: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> Deployed:
    """The stack, where roles and the bucket's policy are enforced; its secret has no value."""
    folder = tmp_path_factory.mktemp("delivered")
    built(
        folder, **HOST_CONTEXT, stack_name=STACK,
        cloudfront_public_keys=[public_pem(key) for key in keys],
        api_domain="api.films.example",
        api_certificate_arn="arn:aws:acm:us-east-1:000000000000:certificate/0b6e7a5c",
    )  # fmt: skip
    return Deployed(STACK, guarded.client, guarded.deploy(folder, STACK))


def configure(stack: Deployed, **told: str) -> None:
    """Tells the API something else of the distribution, in a new version of its function."""
    client, name = stack.client("lambda"), stack.function("api")
    now = client.get_function_configuration(FunctionName=f"{name}:live")
    variables = now["Environment"]["Variables"]
    variables["DELIVERY"] = json.dumps(json.loads(variables["DELIVERY"]) | told)
    client.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    version = client.publish_version(FunctionName=name)["Version"]
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


@pytest.fixture(scope="module")
def edge(guarded: Emulator, delivered: Deployed) -> Iterator[Edge]:
    """A place of CloudFront's, whose address the API takes for the distribution's."""
    client = delivered.client("cloudfront")
    [distribution] = client.list_distributions()["DistributionList"]["Items"]
    assert delivered.outputs["ResultsUrl"] == f"https://{distribution['DomainName']}"
    with an_edge(client, distribution["Id"], guarded.environment) as running:
        configure(delivered, url=running.url)
        yield running


@pytest.fixture(scope="module")
def signing(delivered: Deployed, keys: list[Any], edge: Edge) -> None:
    """Puts the private keys into the secret, after another that fits nothing."""
    others = [ec.generate_private_key(ec.SECP256R1()), keys[1], keys[0]]
    delivered.client("secretsmanager").put_secret_value(
        SecretId=delivered.outputs["ResultsKeysSecretArn"],
        SecretString="\n".join(private_pem(key) for key in others),
    )


@pytest.fixture
def excamera(guarded: Emulator, tmp_path: Path) -> Command:
    """Runs the command line."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [EXCAMERA, *map(str, arguments), "--stack", STACK],
            env={**inherited, **guarded.environment}, cwd=tmp_path, capture_output=True, text=True,
            check=False, timeout=PATIENCE_S,
        )  # fmt: skip

    return run


def api_of(stack: Deployed) -> Api:
    """Returns the stack's API, which has a domain of its own."""
    account = Account()
    assert stack.outputs["ApiUrl"] == "https://api.films.example/"
    return Api.of_stack(account, account.stack(stack.name))


def asked(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Returns status, body and headers of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def test_without_the_private_key_the_api_says_what_is_missing(
    delivered: Deployed, edge: Edge, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, who forgets the secret gets URLs that nobody serves, or learns nothing."""
    job = delivered.job(delivered.upload("early.mp4", clip))
    assert job.status == "SUCCEEDED"
    monkeypatch.setattr("excamera.cloud.api._ATTEMPTS", 1)
    with pytest.raises(CloudUnavailable, match=r"has no private key that fits .*account\.md"):
        api_of(delivered).get(f"/jobs/{job.name}")


def test_a_film_comes_through_cloudfront(
    delivered: Deployed, excamera: Command, signing: None, edge: Edge, locally: Locally,
    clip: Path, tmp_path: Path,
) -> None:  # fmt: skip
    """If this fails, `submit -o` and `fetch` cannot use signed URLs, or not to the end."""
    film = tmp_path / "böse film+1.mp4"
    film.write_bytes(clip.read_bytes())
    edge.statuses.clear()
    done = excamera("submit", film, "-o", "out.webm")
    assert done.returncode == 0, done.stderr
    assert digest((tmp_path / "out.webm").read_bytes()) == locally(clip)
    assert edge.statuses == [206]
    job = re.findall(r"job (\S+)", done.stdout)[0]

    edge.statuses.clear()
    edge.cut_after[:] = [1000, 2000]
    broken = excamera("fetch", job, "-o", "resumed.webm")
    assert broken.returncode == 0, broken.stderr
    assert (tmp_path / "resumed.webm").read_bytes() == (tmp_path / "out.webm").read_bytes()
    assert edge.statuses == [206] * 3

    edge.statuses.clear()
    edge.ahead_s[:] = [3601]
    late = excamera("fetch", job, "-o", "late.webm")
    assert late.returncode == 0, late.stderr
    assert edge.statuses == [403, 206]


def test_only_what_is_signed_is_served(
    delivered: Deployed, signing: None, edge: Edge, clip: Path
) -> None:
    """If this fails, anybody gets results, or a URL opens more than its result and hour."""
    job = delivered.job(delivered.upload("once.mp4", clip))
    result = api_of(delivered).get(f"/jobs/{job.name}")["result"]
    url = result["url"]
    status, body, headers = asked(url)
    assert (status, len(body)) == (200, result["size"])
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, max-age=3600"
    assert asked(url, Range="bytes=10-19")[:2] == (206, body[10:20])
    assert len(url) < 400
    other_key = ec.generate_private_key(ec.SECP256R1())
    for wrong in (
        url.partition("?")[0],
        url.replace("once.webm", "early.webm"),
        re.sub(r"v=\w+", "v=0", url),
        re.sub(r"Expires=(\d+)", lambda found: f"Expires={int(found[1]) + 1}", url),
        url.replace("&Hash-Algorithm=SHA256", ""),
        re.sub(r"Key-Pair-Id=\w+", "Key-Pair-Id=K0", url),
    ):
        assert wrong != url
        assert asked(wrong)[0] == 403, wrong
    resource = re.split(r"&Expires=", url)[0]
    expires = re.findall(r"Expires=(\d+)", url)[0]
    forged = _forged(resource, int(expires), re.findall(r"Key-Pair-Id=(\w+)", url)[0], other_key)
    assert asked(forged)[0] == 403
    edge.ahead_s[:] = [3601]
    assert b"expired" in asked(url)[1]


def _forged(resource: str, expires: int, key_id: str, key: Any) -> str:
    """Returns a URL that another key has signed."""
    until = datetime.fromtimestamp(expires, UTC)
    signed = CloudFrontSigner(key_id, _signing(key)).generate_presigned_url(resource, until)
    return f"{signed}&Hash-Algorithm=SHA256"


def test_a_replaced_result_has_another_url(
    delivered: Deployed, signing: None, edge: Edge, clip: Path
) -> None:
    """If this fails, CloudFront serves for an hour what a result was before it was replaced."""
    urls = []
    for options in ({}, {"excamera-crf": "60"}):
        job = delivered.job(delivered.upload("twice.mp4", clip, options))
        urls.append(api_of(delivered).get(f"/jobs/{job.name}")["result"]["url"].split("&")[0])
    before, after = (re.fullmatch(r"(.*/twice\.webm)\?v=(\w+(-\d+)?)", url) for url in urls)
    assert before
    assert after
    assert (before[1], before[2] == after[2]) == (after[1], False)


def test_the_other_key_signs_as_well(
    delivered: Deployed, signing: None, edge: Edge, keys: list[Any], clip: Path
) -> None:
    """If this fails, keys of RSA cannot be used, or no key can be replaced by another."""
    client = delivered.client("cloudfront")
    known = {
        one["EncodedKey"]: one["Id"] for one in client.list_public_keys()["PublicKeyList"]["Items"]
    }
    pem = public_pem(keys[1])
    configure(delivered, key_id=known[pem], public_key=public_key.digest(pem))
    job = delivered.job(delivered.upload("rsa.mp4", clip))
    result = api_of(delivered).get(f"/jobs/{job.name}")["result"]
    status, body, _ = asked(result["url"])
    assert (status, len(body)) == (200, result["size"])
    assert f"Key-Pair-Id={known[pem]}&" in result["url"]


def test_only_the_api_reads_the_secret(guarded: Emulator, delivered: Deployed) -> None:
    """If this fails, other functions could sign URLs."""
    holders = {
        holder for holder, action, _ in guarded.needed_rights()
        if action == "secretsmanager:GetSecretValue"
    }  # fmt: skip
    assert [holder for holder in holders if "WorkersApi" not in holder] == []


def test_the_api_answers_by_its_own_domain(guarded: Emulator, delivered: Deployed) -> None:
    """If this fails, signatures for the domain are refused, or the document names another."""
    url = "https://api.films.example/openapi.json"
    at = urlsplit(guarded.environment["AWS_ENDPOINT_URL"])
    context = ssl.create_default_context(cafile=guarded.environment["AWS_CA_BUNDLE"])
    statuses = {}
    for name, headers in (("signed", Account().signed("GET", url, {}, b"")), ("not", {})):
        connection = http.client.HTTPSConnection(f"{at.hostname}:{at.port}", context=context)
        with contextlib.closing(connection):
            connection.request(
                "GET", "/openapi.json", headers={**headers, "Host": "api.films.example"}
            )
            answer = connection.getresponse()
            statuses[name], body = answer.status, answer.read()
        if name == "signed":
            assert answer.status == 200, body
            assert [one["url"] for one in json.loads(body)["servers"]] == [
                "https://api.films.example"
            ]
    assert statuses["not"] == 403
