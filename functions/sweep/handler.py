"""Removes the objects of a cancelled job."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.job.objects import Keys
from excamera.lifecycle.cancel import is_cancelled, sweep
from functions import begun
from functions.settings import StoreSettings
from mu import open_store

_LAST_MS = 60_000
"""Time that the last requests of a call may take."""

logger = Logger()
tracer = Tracer()
store = open_store(f"s3://{StoreSettings.from_environment().work_bucket}")


@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, str], context: LambdaContext) -> None:
    """Sweep the job that the event names.

    A call that runs out of time just ends: `watch` begins the next one, as after a crash.
    """
    keys = Keys(event["job"])
    logger.append_keys(job=keys.job)
    if not is_cancelled(store, keys):
        logger.error("not cancelled: its objects stay")
        return
    removed = sweep(store, keys, lambda: context.get_remaining_time_in_millis() > _LAST_MS)
    if removed is None:
        logger.warning("there may be more")
    else:
        logger.info("swept", removed=removed)


begun()
