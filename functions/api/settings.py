"""The settings of the `api` function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from functions.settings import Settings


@dataclass(frozen=True, slots=True)
class ApiSettings(Settings):
    """The settings of the API.

    Attributes:
        state_machine_arn: of the state machine that runs jobs.
        stack: name of the stack.
        input_bucket: name of the bucket for uploads.
        work_bucket: name of the bucket with the jobs' objects.
        output_bucket: name of the bucket for results.
        default_options: the stack's, as `excamera.job.options.EncodeOptions` takes them.
        prefix: how keys of uploads that start jobs begin.
        suffixes: file name endings that start a job, with their dot.
        source_buckets: names of the buckets from which the API takes sources.
        max_source_bytes: the largest source that the API takes.
        memory_mb: memory of each function, by its name.
        encode_sizes: the sizes of memory of the function encode; the usual one is the first.
        architecture: "arm64" or "x86_64", of every function.
        api_auth: "iam" or "key", how callers authenticate.
        sweep_function: ARN of the function that removes the objects of cancelled jobs.
        report_function: ARN of the function that makes reports.
        report_timeout_s: after which that function has ended.
        log_groups: of the functions of steps, by the step.
        cors_origins: web pages' origins from which browsers may call the API.
        delivery: what `functions.api.delivery.Delivery` has of the distribution; empty for none.
    """

    state_machine_arn: str
    stack: str
    input_bucket: str
    work_bucket: str
    output_bucket: str
    default_options: dict[str, Any]
    prefix: str
    suffixes: list[str]
    source_buckets: list[str]
    max_source_bytes: int
    memory_mb: dict[str, int]
    encode_sizes: list[int]
    architecture: str
    api_auth: str
    sweep_function: str
    report_function: str
    report_timeout_s: int
    log_groups: dict[str, str]
    cors_origins: list[str]
    delivery: dict[str, Any]
