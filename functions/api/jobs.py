"""What the API does: it creates, finds, describes and cancels jobs.

Step Functions knows which jobs there are and how they ended; S3 knows what they have done so far.
There is no other record of a job. A job that waits for its upload is an object in the work bucket
until the upload's event starts it.
"""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from excamera.errors import OptionError
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.lifecycle.cancel import cancel
from excamera.lifecycle.uploads import job_name, job_of_source
from functions.api.executions import Execution, Executions
from functions.api.models import Job, JobPage, JobRequest, JobSummary, Removed, State
from functions.api.problems import Conflict, Malformed, NoSuchJob, Unavailable, Unprocessable
from functions.api.progress import progress
from functions.api.settings import ApiSettings
from functions.api.sources import pinned
from functions.api.uploads import Multipart, Results, Uploads
from mu import NoSuchKey, Store

PAGE = 25


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A job whose source is being uploaded, as stored until the upload is complete.

    Attributes:
        job: its name.
        created: time of the request, ISO 8601.
        event: the event that will start it, without the version of its source.
        upload: the upload of its source.
    """

    job: str
    created: str
    event: dict[str, Any]
    upload: Multipart

    def to_json(self) -> bytes:
        body = {"job": self.job, "created": self.created, "event": self.event,
                "upload": self.upload.to_json()}  # fmt: skip
        return json.dumps(body).encode()

    @classmethod
    def from_json(cls, data: bytes) -> _Awaited:
        body = json.loads(data)
        return cls(body["job"], body["created"], body["event"], Multipart(**body["upload"]))


class Jobs:
    """The jobs of one stack."""

    def __init__(
        self,
        settings: ApiSettings,
        store: Store,
        executions: Executions,
        uploads: Uploads,
        results: Results,
    ) -> None:
        self._settings = settings
        self._store = store
        self._executions = executions
        self._uploads = uploads
        self._results = results

    # --- creating ------------------------------------------------------------------

    def create(self, request: JobRequest, token: str | None) -> tuple[Job, bool]:
        """Create a job; with a token that was used before, find the job it created.

        Returns:
            The job, and whether it is new.

        Raises:
            Conflict: the token was used for another request.
            Unprocessable: the stack cannot do what the request asks for.
        """
        options = self._options(request)
        if request.upload:
            return self._await_upload(request, options, token)
        assert request.source is not None
        bucket, _, key = request.source.removeprefix("s3://").partition("/")
        if bucket not in self._settings.source_buckets:
            allowed = ", ".join(self._settings.source_buckets)
            raise Unprocessable(
                f"the stack may not read {bucket}; it may read {allowed} (setting source_buckets)"
            )
        job = job_name(key, token or str(uuid.uuid4()))
        # Look first: to start a running execution again looks like a first start.
        known = self._executions.find(job)
        if known is None:
            event = self._event(request, options, job, *pinned(request.source))
            known = self._executions.start(job, event)
            if known is not None:
                return self._told(known), True
            known = self._executions.find(job)
        if known is None:
            raise Unavailable(f"the job {job} was created just now and is not visible yet")
        self._same(self._event(request, options, job, request.source), known.event)
        return self._told(known), False

    def _await_upload(
        self, request: JobRequest, options: dict[str, Any], token: str | None
    ) -> tuple[Job, bool]:
        assert request.name is not None
        assert request.size is not None
        if not request.name.lower().endswith(tuple(self._settings.suffixes)):
            raise Unprocessable(
                f"name: must end in one of {', '.join(self._settings.suffixes)}, "
                f"not {request.name!r}"
            )
        if request.size > self._settings.max_source_bytes:
            raise Unprocessable(
                f"size: {request.size} bytes are more than the {self._settings.max_source_bytes} "
                "that the stack accepts (setting max_source_gb)"
            )
        job = job_name(request.name, token or str(uuid.uuid4()))
        key = f"{self._settings.prefix}uploads/{job}/{request.name}"
        source = f"s3://{self._settings.input_bucket}/{key}"
        event = self._event(request, options, job, source, request.size)
        known = self._awaited(job)
        started = known is None and self._executions.find(job)
        if known is None and not started:
            upload = self._uploads.begin(key, request.size)
            awaited = _Awaited(job, datetime.now(UTC).isoformat(), event, upload)
            if self._store.put_new(Keys(job).upload, awaited.to_json()):
                return self.get(job), True
            self._uploads.abort(upload)  # another request with the same token was faster
            known = self._awaited(job)
        if known is not None:
            self._same(event, known.event)
            if known.upload.size != request.size:
                raise Conflict("the idempotency key was used for a file of another size")
        elif started:
            self._same(event, started.event)
        return self.get(job), False

    def _event(
        self,
        request: JobRequest,
        options: dict[str, Any],
        job: str,
        source: str,
        size: int | None = None,
    ) -> dict[str, Any]:
        store = f"s3://{self._settings.output_bucket}"
        event = job_of_source(source, job=job, options=options, output_store=store, size=size)
        if request.output is not None:
            event["output"]["key"] = request.output
        return {**event, "tag": request.tag}

    def _options(self, request: JobRequest) -> dict[str, Any]:
        defaults = EncodeOptions.from_json(self._settings.default_options)
        try:
            return defaults.with_values(request.options.values()).to_json()
        except OptionError as error:
            raise Unprocessable(f"options: {error}") from error

    def _same(self, asked: dict[str, Any], known: dict[str, Any]) -> None:
        versionless = {**known, "input": {**known["input"], "path": asked["input"]["path"]}}
        # Jobs of a source are asked for without its size, and older jobs have none.
        if {**versionless, "size": None} != {**asked, "size": None}:
            raise Conflict(
                f"the idempotency key was used before for another request; its job is "
                f"{known['job']}"
            )

    # --- finding -----------------------------------------------------------------

    def get(self, job: str) -> Job:
        """One job.

        Raises:
            NoSuchJob: there is no job of that name.
        """
        awaited = self._awaited(job)
        execution = self._executions.find(job)
        if execution is None:
            if awaited is None:
                raise _no_job(job)
            return self._uploading(awaited)
        return self._told(execution)

    def _told(self, execution: Execution) -> Job:
        return progress(execution, self._store, self._results, self._settings)

    def check(self, job: str) -> None:
        """Raise `NoSuchJob` if there is no job of that name."""
        if self._awaited(job) is None and self._executions.find(job) is None:
            raise _no_job(job)

    def _uploading(self, awaited: _Awaited) -> Job:
        event = awaited.event
        return Job(
            id=awaited.job,
            state="uploading",
            phase="uploading",
            created=awaited.created,
            source=event["input"]["name"],
            size=awaited.upload.size,
            output=f"{event['output']['store']}/{event['output']['key']}",
            options=event["options"],
            tag=event["tag"],
            upload=self._uploads.describe(awaited.upload),
        )

    def _awaited(self, job: str) -> _Awaited | None:
        try:
            return _Awaited.from_json(self._store.get(Keys(job).upload))
        except NoSuchKey:
            return None

    def page(self, state: State | None, limit: int, token: str | None) -> JobPage:
        """Some jobs; those that wait for an upload come first.

        Raises:
            Malformed: the token is not one of this API.
        """
        where = _unpacked(token) if token else {"uploads": ""}
        found: list[JobSummary] = []
        following: dict[str, str] | None = {}
        if "uploads" in where and state in (None, "uploading"):
            found, following = self._awaited_page(where["uploads"], limit)
        if following == {} and state != "uploading" and len(found) < limit:
            try:
                executions, more = self._executions.page(
                    state, limit - len(found), where.get("executions")
                )
            except ValueError as error:
                raise Malformed(f"next: {error}") from error
            events = self._executions.events([execution.job for execution in executions])
            found += map(_summary, executions, events)
            following = {"executions": more} if more else None
        elif following == {} and state != "uploading":
            following = {"executions": ""}
        return JobPage(jobs=found, next=_packed(following) if following else None)

    def _awaited_page(
        self, after: str, limit: int
    ) -> tuple[list[JobSummary], dict[str, str] | None]:
        keys = [key for key in self._store.list("uploads/") if key > after]
        found = []
        for key in keys[:limit]:
            awaited = self._awaited(key.removeprefix("uploads/").removesuffix(".json"))
            if awaited is not None:
                found.append(
                    JobSummary(
                        id=awaited.job,
                        state="uploading",
                        created=awaited.created,
                        source=awaited.event["input"]["name"],
                        size=awaited.upload.size,
                    )
                )
        return found, {"uploads": keys[limit - 1]} if len(keys) > limit else {}

    # --- ending --------------------------------------------------------------------

    def cancel(self, job: str) -> Removed:
        """Stop a job and remove its intermediate objects; results and uploaded sources stay.

        Raises:
            NoSuchJob: there is no job of that name.
        """
        awaited = self._awaited(job)
        execution = self._executions.find(job)
        if execution is None and awaited is None:
            raise _no_job(job)
        if awaited is not None:
            self._uploads.abort(awaited.upload)
            self._store.delete(Keys(job).upload)
        if execution is not None and execution.state == "running":
            self._executions.stop(job)
        removed = cancel(self._store, Keys(job))
        # It may have ended by itself meanwhile; a stop is not visible at once.
        after = self._executions.find(job)
        state: State = after.state if after and after.state != "running" else "stopped"
        return Removed(id=job, state=state, removed=removed)


def _no_job(job: str) -> NoSuchJob:
    return NoSuchJob(f"there is no job {job}, or it is older than 90 days")


def _summary(execution: Execution, event: dict[str, Any] | None) -> JobSummary:
    ended = execution.ended
    return JobSummary(
        id=execution.job,
        state=execution.state,
        created=execution.started.isoformat(),
        ended=ended.isoformat() if ended else None,
        source=event["input"]["name"] if event else None,
        size=event.get("size") if event else None,
    )


def _packed(where: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(where).encode()).decode()


def _unpacked(token: str) -> dict[str, str]:
    try:
        where: dict[str, str] = json.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError as error:
        raise Malformed("next: not a token of this API") from error
    known = isinstance(where, dict) and where.keys() <= {"uploads", "executions"} and where
    if not known or not all(isinstance(value, str) for value in where.values()):
        raise Malformed("next: not a token of this API")
    return where
