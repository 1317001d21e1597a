"""The webhook: signed notices, posted to a user's HTTPS server and never lost.

The functions' roles are enforced here, so the webhook has only the rights it needs.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.excamera.synthesis import HOST_CONTEXT, STACK
from emulator.runs import until
from tests.aws.listeners import Receiver
from tests.aws.rights import rights, role_name, without
from tests.support.assembly import built
from tests.support.emulator import an_emulator
from tests.support.pages import code_block, section

pytestmark = [pytest.mark.aws, pytest.mark.slow]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator with roles, and a certificate for 127.0.0.1 that functions can read."""
    with an_emulator(tmp_path_factory.mktemp("webhook"), authenticate=True) as running:
        yield running


@pytest.fixture(scope="module")
def authority(guarded: Emulator) -> Path:
    """The self-signed certificate."""
    return Path(guarded.environment["AWS_CA_BUNDLE"])


@pytest.fixture(scope="module")
def receiver(authority: Path) -> Iterator[Receiver]:
    """The user's server."""
    server = Receiver(authority, authority.with_name("key.pem"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stack(
    guarded: Emulator, receiver: Receiver, authority: Path, tmp_path_factory: pytest.TempPathFactory
) -> Deployed:
    """The stack, deployed with the server as its webhook; it trusts the server's authority."""
    directory = tmp_path_factory.mktemp("assembly")
    built(directory, **HOST_CONTEXT, webhook_url=receiver.url)
    deployed = Deployed(STACK, guarded.client, guarded.deploy(directory, STACK))
    trust(deployed, str(authority))
    return deployed


def trust(stack: Deployed, authority: str) -> None:
    """Makes the function trust only one authority's certificates."""
    found = stack.configuration("webhook")["Environment"]["Variables"]
    stack.publish("webhook", Environment={"Variables": {**found, "SSL_CERT_FILE": authority}})


@pytest.fixture(scope="module")
def secret(stack: Deployed) -> str:
    """The secret that signs the requests."""
    found = stack.client("secretsmanager").get_secret_value(
        SecretId=stack.outputs["WebhookSecretArn"]
    )
    return str(found["SecretString"])


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Returns whether the snippet in docs/operations.md accepts a request."""
    names: dict[str, Any] = {}
    exec(code_block(section("docs/operations.md", "Webhook"), "python"), names)
    return bool(names["is_genuine"](secret, headers, body))


def kept(stack: Deployed) -> dict[str, Any]:
    """Waits for the next message of the undelivered queue and returns it."""
    sqs, queue = stack.client("sqs"), stack.queue()
    (message,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    found: dict[str, Any] = json.loads(message["Body"])
    return found


def test_a_notice_is_posted_signed(stack: Deployed, receiver: Receiver, secret: str) -> None:
    """If this fails, a receiver gets no notice, or cannot recognise a forged one."""
    receiver.answers = []
    job = stack.job(stack.upload("posted.mp4", b"no video"))
    (request,) = until(lambda: receiver.of(job.name))
    notice = json.loads(request.body)
    assert (notice["status"], notice["error"]) == ("failed", "NotAVideo")
    assert request.headers["webhook-id"] == notice["id"]
    assert request.headers["content-type"] == "application/json"
    assert verified(secret, request.headers, request.body)
    assert not verified(secret, request.headers, request.body.replace(b"failed", b"passed"))
    assert not verified(secret[:-4] + "AAAA", request.headers, request.body)


def test_a_receiver_that_fails_twice_gets_it_the_third_time(
    stack: Deployed, receiver: Receiver, secret: str
) -> None:
    """If this fails, a receiver that happened to restart never hears of the job."""
    receiver.answers = [503, 500]
    job = stack.job(stack.upload("at last.mp4", b"no video"))
    requests = until(lambda: found if len(found := receiver.of(job.name)) == 3 else None)
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert len({request.body for request in requests}) == 1
    for request in requests:
        assert verified(secret, request.headers, request.body)


@pytest.mark.parametrize("status", [400, 307])
def test_what_is_refused_is_kept_and_not_sent_again(
    stack: Deployed, receiver: Receiver, status: int
) -> None:
    """If this fails, a refused notice is lost, sent for ever, or sent where a redirect says."""
    receiver.answers = [status]
    job = stack.job(stack.upload(f"refused {status}.mp4", b"no video"))
    message = kept(stack)
    assert message["requestContext"]["condition"] == "Refused"
    assert message["requestPayload"]["detail"]["job"] == job.name
    assert message["responsePayload"]["errorMessage"].endswith(f"status {status}")
    assert len(receiver.of(job.name)) == 1


def test_a_receiver_that_stays_away_is_tried_and_the_notice_kept(
    stack: Deployed, receiver: Receiver
) -> None:
    """If this fails, a receiver loses the notices sent during a long outage."""
    receiver.answers = [502] * 9
    job = stack.job(stack.upload("away.mp4", b"no video"))
    message = kept(stack)
    receiver.answers = []
    assert message["requestPayload"]["detail"]["job"] == job.name
    assert message["responsePayload"]["errorType"] == "WebhookUnavailable"
    assert len(receiver.of(job.name)) == 9, "three attempts of each of Lambda's three calls"


def test_a_stranger_with_another_certificate_gets_nothing(
    stack: Deployed, receiver: Receiver, authority: Path
) -> None:
    """If this fails, an impostor that answers for the receiver learns of every film."""
    trust(stack, ssl.get_default_verify_paths().openssl_cafile)
    notice = {"id": "x", "job": "secret-film", "status": "succeeded"}
    answer = stack.client("lambda").invoke(
        FunctionName=stack.function("webhook"), Payload=json.dumps({"detail": notice}).encode()
    )
    said = json.loads(answer["Payload"].read())
    trust(stack, str(authority))
    assert said["errorType"] == "WebhookUnavailable"
    assert "certificate verify failed" in said["errorMessage"].lower()
    assert receiver.of("secret-film") == []


def test_the_secret_is_in_no_log(stack: Deployed, guarded: Emulator, secret: str) -> None:
    """If this fails, anyone who may read logs can forge notices."""
    log = guarded.logs(stack.function("webhook"))
    assert "delivered" in log
    assert secret not in log


def test_the_webhook_needs_each_of_its_rights(stack: Deployed, receiver: Receiver) -> None:
    """If this fails, the function that talks to the outside has more rights than it needs."""

    def is_refused() -> bool:
        """Returns whether the function learns of a refused notice and reports it to the queue."""
        receiver.answers = [400] * 3
        stack.job(stack.upload(f"{len(needed)}.mp4", b"no video"))
        condition = kept(stack)["requestContext"]["condition"]
        receiver.answers = []
        return bool(condition == "Refused")

    needed: list[str] = []
    for right in rights(stack, role_name(stack, "webhook")):
        if right.action.startswith(("logs:", "xray:")):
            continue
        with without(stack, right):
            assert not is_refused(), right
        needed.append(right.action)
    assert sorted(needed) == ["secretsmanager:GetSecretValue", "sqs:SendMessage"]
    assert is_refused()
