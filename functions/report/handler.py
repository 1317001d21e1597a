"""Makes the report of a job when the API asks for it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from aws_lambda_powertools import Logger, Tracer
from aws_lambda_powertools.utilities.typing import LambdaContext

from excamera.job.objects import Keys
from excamera.lifecycle import reports
from excamera.report.in_the_cloud import Place, made
from functions import begun
from functions.settings import StoreSettings
from mu import Event, open_store


@dataclass(frozen=True, slots=True)
class ReportSettings(StoreSettings):
    """The settings of the report function.

    Attributes:
        output_bucket: name of the bucket for results.
        architecture: "arm64" or "x86_64", of every function.
        version: of the package that was deployed.
    """

    output_bucket: str
    architecture: str
    version: str


logger = Logger()
tracer = Tracer()
settings = ReportSettings.from_environment()
store = open_store(f"s3://{settings.work_bucket}")


@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(event: Event, context: LambdaContext) -> None:
    """Make the attempt that the event names; a failure is stored, and no failure of this call."""
    keys, number = Keys(event["job"]), event["number"]
    logger.append_keys(report_of=keys.job, attempt=number)
    request = reports.begin(store, keys, number, now=time.time())
    if request is None:
        logger.info("made by another call")
        return
    place = Place(
        region=os.environ["AWS_REGION"],
        architecture=settings.architecture,
        memory_mb=int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]),
        version=settings.version,
        output=f"s3://{settings.output_bucket}",
        seconds=context.get_remaining_time_in_millis() / 1000,
    )
    try:
        page, facts = made(store, keys, request, place)
        reports.finish(store, keys, number, page, facts)
    except Exception as error:
        logger.exception("no report")
        reports.fail(store, keys, number, f"{type(error).__name__}: {error}")
        return
    logger.info("made", bytes=len(page))


begun()
