"""Runs shares of executors' calls, under rights on their own job alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from functions import begun
from functions.settings import StoreSettings
from mu import Event, Json
from mu.engines.stack.environment import Environment, Limits, new_scratch
from mu.store.s3.bucket import S3Store

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_CREDENTIALS_S = 3600
"""The longest that one role may hold another."""


@dataclass(frozen=True, slots=True)
class WorkerSettings(StoreSettings):
    """The settings of a worker.

    Attributes:
        task_role_arn: the role of calls; its rights follow the tag `job` of its session.
        usd_per_s: what Lambda charges for a second of this function.
    """

    task_role_arn: str
    usd_per_s: float


settings = WorkerSettings.from_environment()
sts = boto3.client("sts")


def credentials(job: str) -> tuple[Mapping[str, str], float]:
    """The variables through which a job's calls reach AWS, and how many seconds they hold."""
    made = sts.assume_role(
        RoleArn=settings.task_role_arn,
        RoleSessionName=job,
        DurationSeconds=_CREDENTIALS_S,
        Tags=[{"Key": "job", "Value": job}],
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
        "AWS_SESSION_TOKEN": made["SessionToken"],
    }, _CREDENTIALS_S


environment = Environment(
    name=os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
    # The role may not list the bucket, so S3 says "forbidden" of what is absent.
    store=S3Store(settings.work_bucket, absent_is_forbidden=True),
    limits=Limits(
        memory_mb=int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]),
        usd_per_s=settings.usd_per_s,
    ),
    credentials=credentials,
    scratch=new_scratch(),
)


def handler(event: Event, context: LambdaContext) -> Json:
    """Run a share; `mu.engines.stack.share` has the names of the event's fields."""
    return environment.run(
        event["job"],
        event["share"],
        slots=event["slots"],
        left_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )


begun()
