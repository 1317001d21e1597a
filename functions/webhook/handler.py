"""Posts signed notices of the ends of jobs to the user's receiver."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import boto3
import urllib3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.lifecycle.webhook import WebhookRefused, deliver
from functions import begun
from functions.settings import Settings

_WAIT_S = 10


@dataclass(frozen=True, slots=True)
class WebhookSettings(Settings):
    """The settings of the webhook function.

    Attributes:
        webhook_url: the user's receiver of notices.
        webhook_secret_arn: of the secret that signs them.
        undelivered_queue_url: of the queue for events that could not be handled.
    """

    webhook_url: str
    webhook_secret_arn: str
    undelivered_queue_url: str


logger = Logger()
metrics = Metrics()
tracer = Tracer()
settings = WebhookSettings.from_environment()
secrets = boto3.client("secretsmanager")
sqs = boto3.client("sqs")
# Certificates are verified against the authorities that OpenSSL finds (SSL_CERT_FILE).
pool = urllib3.PoolManager(retries=False, timeout=_WAIT_S, cert_reqs="CERT_REQUIRED")


def post(body: bytes, headers: dict[str, str]) -> int:
    """Send one request; does not follow redirects, and does not read the answer's body."""
    try:
        answer = pool.request(
            "POST",
            settings.webhook_url,
            body=body,
            headers=headers,
            redirect=False,
            preload_content=False,
        )
        answer.close()
    except urllib3.exceptions.HTTPError as error:
        raise OSError(str(error)) from error
    return int(answer.status)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Deliver an "ExCamera Job Ended"; put it into the undelivered queue if refused for good."""
    notice = event["detail"]
    logger.append_keys(job=notice["job"], status=notice["status"], message_id=notice["id"])
    secret = secrets.get_secret_value(SecretId=settings.webhook_secret_arn)["SecretString"]
    try:
        status = deliver(notice, secret, post, now=time.time, sleep=time.sleep)
    except WebhookRefused as refused:
        logger.error("refused", error=str(refused))
        metrics.add_metric("WebhooksRefused", MetricUnit.Count, 1)
        sqs.send_message(QueueUrl=settings.undelivered_queue_url, MessageBody=_kept(event, refused))
        return
    logger.info("delivered", answer=status)
    metrics.add_metric("WebhooksDelivered", MetricUnit.Count, 1)


def _kept(event: dict[str, Any], refused: WebhookRefused) -> str:
    """A message for the undelivered queue, shaped like Lambda's own."""
    said = {"errorType": type(refused).__name__, "errorMessage": str(refused)}
    return json.dumps(
        {
            "requestContext": {"condition": "Refused"},
            "requestPayload": event,
            "responsePayload": said,
        }
    )


begun()
