"""Listeners to the ends of jobs: queues in the account, and a user's HTTPS server."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from emulator.runs import until

_names = iter(range(1_000_000))


class Queue:
    """A queue in the account, and the messages it has received so far."""

    def __init__(self, client: Any) -> None:
        self._sqs = client("sqs")
        self.url = self._sqs.create_queue(QueueName=f"listener-{next(_names)}")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn: str = attributes["Attributes"]["QueueArn"]
        self._bodies: list[dict[str, Any]] = []

    def bodies(self) -> list[dict[str, Any]]:
        """Returns all messages so far, as JSON."""
        while found := self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in found:
                self._bodies.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return list(self._bodies)


class Subscriber(Queue):
    """A queue that is subscribed to the stack's topic, perhaps with a filter."""

    def __init__(self, client: Any, topic: str, policy: dict[str, Any] | None = None) -> None:
        super().__init__(client)
        attributes = {"FilterPolicy": json.dumps(policy)} if policy else {}
        client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=self.arn, Attributes=attributes
        )

    def of(self, job: str) -> list[dict[str, Any]]:
        """Returns the messages about a job: notices, with `attributes` as received."""
        found = []
        for body in self.bodies():
            notice = json.loads(body["Message"])
            if notice["job"] == job:
                attributes = body.get("MessageAttributes", {})
                values = {name: one["Value"] for name, one in attributes.items()}
                found.append({**notice, "attributes": values})
        return found

    def one(self, job: str) -> dict[str, Any]:
        """Waits for the first message about a job and returns it."""
        found: list[dict[str, Any]] = until(lambda: self.of(job))
        return found[0]


class BusListener(Queue):
    """A queue to which a rule on the account's default bus sends our events."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        name = self.arn.rpartition(":")[2]
        pattern = {"source": ["excamera"], "detail-type": ["ExCamera Job Ended"]}
        client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
        client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": self.arn}])

    def one(self, job: str) -> dict[str, Any]:
        """Waits for the first event about a job and returns it."""
        events: list[dict[str, Any]] = until(
            lambda: [event for event in self.bodies() if event["detail"]["job"] == job]
        )
        return events[0]


@dataclass(frozen=True)
class Request:
    """A request that the server received: its headers in lower case, and its bytes."""

    headers: dict[str, str]
    body: bytes

    @property
    def job(self) -> str:
        """The job that the notice is about."""
        return str(json.loads(self.body)["job"])


class Receiver:
    """An HTTPS server on loopback that answers as instructed and keeps each request.

    Args:
        certificate: path of its self-signed certificate.
        key: path of its key.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._requests: list[Request] = []
        self.answers: list[int] = []
        """Statuses of the next answers; 200 once they are used up."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver._requests.append(Request(headers, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("location", "https://127.0.0.1:1/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Logs nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The server's address."""
        return f"https://127.0.0.1:{self._server.server_port}/jobs"

    def of(self, job: str) -> list[Request]:
        """Returns the requests about a job so far."""
        return [request for request in self._requests if request.job == job]

    def stop(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
