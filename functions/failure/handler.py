"""Records why a job failed and decides whether it starts again."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.lifecycle.failure import failure
from functions import begun
from functions.settings import StoreSettings
from mu import Json, open_store
from mu.engines.stack.function import call

logger = Logger()
tracer = Tracer()
store = open_store(f"s3://{StoreSettings.from_environment().work_bucket}")


@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(payload: dict[str, Any], context: LambdaContext) -> Json:
    """Handle a failure in the state machine; `excamera.lifecycle.failure` decides what follows."""
    event = payload["event"]
    logger.append_keys(job=event.get("job") or event["flow"]["job"])
    logger.error("step failed", failed=event["failed"])
    return call(failure, payload, store, worker=context.log_stream_name)


begun()
