"""What the stack tells its functions, as a typed value."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment variables of a function; each has those that it needs.

    Attributes:
        work_bucket: name of the bucket with the jobs' objects.
        output_bucket: name of the bucket for results.
        state_machine: ARN of the state machine that runs jobs.
        prefix: with which keys of uploads that start jobs begin.
        options: the stack's default options, as `excamera.job.options.EncodeOptions` takes them.
        batches_at_once: batches of a job under way at the same time.
        chunks_at_once: chunks of one batch under way at the same time.
        input_bucket: name of the bucket for uploads.
        source_buckets: names of the buckets from which the API takes sources.
        suffixes: file name endings that start a job, with their dot.
        max_source_bytes: the largest source that the API takes.
        memory_mb: memory of each function, by step.
        architecture: "arm64" or "x86_64", of every function.
        api_auth: "iam" or "key", how callers of the API prove who they are.
        cors_origins: web pages' origins from which browsers may call the API.
        stack: name of the stack.
        jobs_topic: ARN of the topic that hears of the ends of jobs.
        stalled_after_s: for how long no task of a job may end, in seconds.
        webhook_url: the user's receiver of notices.
        webhook_secret: ARN of the secret that they are signed with.
        undelivered_queue: URL of the queue with what could not be handled.
    """

    work_bucket: str
    output_bucket: str
    state_machine: str
    prefix: str
    options: dict[str, Any]
    batches_at_once: int
    chunks_at_once: int
    input_bucket: str
    source_buckets: list[str]
    suffixes: list[str]
    max_source_bytes: int
    memory_mb: dict[str, int]
    architecture: str
    api_auth: str
    cors_origins: list[str]
    stack: str
    jobs_topic: str
    stalled_after_s: int
    webhook_url: str
    webhook_secret: str
    undelivered_queue: str

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings of this environment."""
        return cls(
            work_bucket=os.environ.get("WORK_BUCKET", ""),
            output_bucket=os.environ.get("OUTPUT_BUCKET", ""),
            state_machine=os.environ.get("STATE_MACHINE_ARN", ""),
            prefix=os.environ.get("PREFIX", ""),
            options=json.loads(os.environ.get("DEFAULT_OPTIONS", "{}")),
            batches_at_once=int(os.environ.get("BATCHES_AT_ONCE", "1")),
            chunks_at_once=int(os.environ.get("CHUNKS_AT_ONCE", "1")),
            input_bucket=os.environ.get("INPUT_BUCKET", ""),
            source_buckets=json.loads(os.environ.get("SOURCE_BUCKETS", "[]")),
            suffixes=json.loads(os.environ.get("SUFFIXES", "[]")),
            max_source_bytes=int(os.environ.get("MAX_SOURCE_BYTES", "0")),
            memory_mb=json.loads(os.environ.get("MEMORY_MB", "{}")),
            architecture=os.environ.get("ARCHITECTURE", "arm64"),
            api_auth=os.environ.get("API_AUTH", "iam"),
            cors_origins=json.loads(os.environ.get("CORS_ORIGINS", "[]")),
            stack=os.environ.get("STACK", ""),
            jobs_topic=os.environ.get("JOBS_TOPIC_ARN", ""),
            stalled_after_s=int(os.environ.get("STALLED_AFTER_S", "0")),
            webhook_url=os.environ.get("WEBHOOK_URL", ""),
            webhook_secret=os.environ.get("WEBHOOK_SECRET_ARN", ""),
            undelivered_queue=os.environ.get("UNDELIVERED_QUEUE_URL", ""),
        )
