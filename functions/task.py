"""The handler of every step: logs, metrics, traces and records around its task function."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.job.objects import Keys
from excamera.job.steps import NUMBERS, step_of, task_name
from excamera.lifecycle.cancel import forget, is_cancelled
from excamera.lifecycle.warming import answer
from functions import begun
from functions.settings import StoreSettings
from mu import Event, Json, Store, StoreError, open_store
from mu.engines.stack.function import call, peak_memory_mib
from mu.task import TaskFunction, resolve

Handler = Callable[[Event, LambdaContext], Json]

logger = Logger()
metrics = Metrics()
tracer = Tracer()


def task_handler(step: str, function: TaskFunction | None = None) -> Handler:
    """The Lambda handler of one step of the flow.

    Args:
        step: the step's name.
        function: called instead of the step's own task function.

    Returns:
        A handler for the payload that the state machine sends: the step's `event`, and
        `state`, which is what Step Functions knows of this attempt; or for what
        `excamera.lifecycle.warming` asks.
    """
    task = function or resolve(step_of(step).task)
    store = open_store(f"s3://{StoreSettings.from_environment().work_bucket}")

    @metrics.log_metrics
    @tracer.capture_lambda_handler(capture_response=False)
    @logger.inject_lambda_context(clear_state=True)
    def handle(payload: Event, context: LambdaContext) -> Json:
        event = payload["event"]
        place = {name: event[name] for name in ("job", *NUMBERS) if name in event}
        logger.append_keys(**place, attempt=payload["state"]["retries"] + 1)
        _sweep()
        try:
            result = call(
                task,
                payload,
                store,
                worker=context.log_stream_name,
                timeline=Keys(event["job"]).timeline,
                task=task_name(step, event),
                deadline=time.time() + context.get_remaining_time_in_millis() / 1000,
            )
        except Exception as error:
            logger.exception("failed")
            metrics.add_dimension("error", type(error).__name__)
            metrics.add_metric("Failures", MetricUnit.Count, 1)
            raise
        finally:
            metrics.add_metric("PeakMemory", MetricUnit.Megabytes, peak_memory_mib())
            _forget_if_cancelled(store, Keys(event["job"]))
        for name, unit in (("frames", MetricUnit.Count), ("bytes", MetricUnit.Bytes)):
            if name in result:
                metrics.add_metric(name.capitalize(), unit, result[name])
        logger.info("done", result=result)
        return result

    def handler(payload: Event, context: LambdaContext) -> Json:
        warm = answer(payload, context.log_stream_name)
        return handle(payload, context) if warm is None else warm

    begun()
    return handler


def _forget_if_cancelled(store: Store, keys: Keys) -> None:
    """Remove this worker's objects if the job was cancelled while it wrote them."""
    with contextlib.suppress(StoreError):
        if is_cancelled(store, keys):
            logger.warning("cancelled", removed=forget(store, keys))


def _sweep() -> None:
    """Remove the scratch files of a call that was killed here: `/tmp` outlives calls."""
    for left in Path(tempfile.gettempdir()).glob("excamera-*"):
        with contextlib.suppress(OSError):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
