"""Reports about jobs: the API asks for them, and the function `report` makes them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from excamera.api.answers import Job, JobReport
from excamera.api.refusals import Conflict, NotFound
from excamera.job.objects import Keys
from excamera.job.steps import ENCODING
from excamera.lifecycle.reports import Attempt, ask, fail, latest, results_of
from excamera.lifecycle.urls import URL_S
from functions.api.logs import job_log
from functions.api.settings import ApiSettings
from functions.api.uploads import signing_client
from mu import Store

_ACTIVE = ("uploading", "queued", "running")


class Reports:
    """The reports of one stack's jobs."""

    def __init__(self, settings: ApiSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._s3 = signing_client()
        self._lambda = boto3.client("lambda")

    def ask(self, job: Job) -> JobReport:
        """Have a job's report made, unless it is there or being made.

        Raises:
            Conflict: it has not ended, or what it had made is removed.
        """
        if job.state in _ACTIVE:
            raise Conflict("the job has not ended yet: its report is made afterwards")
        if job.state == "stopped":
            raise Conflict("the job was stopped, and what it had made is removed: no report")
        keys = Keys(job.id)
        before = self._latest(keys)
        if before is not None and before.state != "failed":
            return self._told(before)
        made = ask(self._store, keys, before, self._request(job), now=time.time())
        if made is None:  # another request was faster
            return JobReport(state="making")
        try:
            self._lambda.invoke(
                FunctionName=self._settings.report_function,
                InvocationType="Event",
                Payload=json.dumps({"job": job.id, "number": made.number}),
            )
        except (BotoCoreError, ClientError):
            fail(self._store, keys, made.number, "the function that makes it cannot be called")
            raise
        return self._told(made)

    def get(self, job: str) -> JobReport:
        """What has become of a job's report.

        Raises:
            NotFound: nobody has asked for it, or it has expired.
        """
        attempt = self._latest(Keys(job))
        if attempt is None:
            raise NotFound(f"there is no report of a job {job}: ask for it with POST")
        return self._told(attempt)

    def _latest(self, keys: Keys) -> Attempt | None:
        lasts_s = self._settings.report_timeout_s
        return latest(self._store, keys, lasts_s=lasts_s, now=time.time())

    def _request(self, job: Job) -> dict[str, Any]:
        """What the function needs to know: it asks neither Step Functions nor CloudWatch."""
        described = job.model_dump(mode="json", exclude={"result": {"url", "expires", "files"}})
        result = None if job.result is None else job.result.model_dump(mode="json")
        return {
            "job": described,
            "results": [one and one[1] for one in results_of(result)],
            "memory_mb": self._memory_mb(job),
            "log": job_log(job, self._settings.log_groups).model_dump(mode="json")["lines"],
        }

    def _memory_mb(self, job: Job) -> dict[str, int]:
        """Memory of the functions that worked for a job, by step."""
        memory_mb = {step: self._settings.memory_mb[step] for step in job.seconds}
        if job.planned is not None and ENCODING in memory_mb:
            memory_mb[ENCODING] = job.planned.chosen.memory_mb
        return memory_mb

    def _told(self, attempt: Attempt) -> JobReport:
        if attempt.state != "made":
            return JobReport(state=attempt.state, message=attempt.message or None)
        until = datetime.now(UTC) + timedelta(seconds=URL_S)
        return JobReport(
            state="made",
            url=self._url(attempt.page, "text/html; charset=utf-8"),
            facts_url=self._url(attempt.facts, "application/json"),
            expires=until.isoformat(),
        )

    def _url(self, key: str, kind: str) -> str:
        where = {"Bucket": self._settings.work_bucket, "Key": key, "ResponseContentType": kind}
        url: str = self._s3.generate_presigned_url("get_object", where, ExpiresIn=URL_S)
        return url
