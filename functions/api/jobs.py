"""What the API does: it creates, finds, describes and cancels jobs.

Step Functions knows which jobs there are and how they ended; S3 knows what they have done so far.
There is no other record of a job. A job that waits for its upload is an object in the work bucket
until the upload's event puts it into the queue; one that waits for its turn, until it starts.
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Any

from excamera.api.answers import Cancelled, Job, State
from excamera.api.refusals import Conflict, NoSuchJob, Unprocessable
from excamera.api.requests import JobRequest
from excamera.errors import OptionError
from excamera.job.codecs import AUTO
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.lifecycle import catalogue
from excamera.lifecycle.admission import (
    USUAL_PRIORITY,
    Waiting,
    enqueue,
    find,
    forget,
    queue,
)
from excamera.lifecycle.cancel import mark
from excamera.lifecycle.uploads import job_name, job_of_source
from functions.api.awaited import Awaited, find_awaited
from functions.api.executions import Execution, Executions
from functions.api.lists import source_of, time_of
from functions.api.progress import progress
from functions.api.records import remembered
from functions.api.settings import ApiSettings
from functions.api.sources import pinned
from functions.api.uploads import Results, Uploads
from functions.sweeps import Sweeps
from functions.turns import call_admit
from mu import Store


class Jobs:
    """The jobs of one stack."""

    def __init__(
        self,
        settings: ApiSettings,
        store: Store,
        executions: Executions,
        uploads: Uploads,
        results: Results,
        sweeps: Sweeps,
    ) -> None:
        self._settings = settings
        self._store = store
        self._executions = executions
        self._uploads = uploads
        self._results = results
        self._sweeps = sweeps

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
        known = self._known(job)
        if known is None:
            source = pinned(request.source)
            event = self._event(request, options, job, source.url, source.size)
            waiting = Waiting(event, time.time())
            first = enqueue(waiting, self._store)
            call_admit(self._settings.stack)
            if first is waiting:
                return self._queued(waiting), True
            known = first.event  # another request with the same token was faster
        self._same(self._event(request, options, job, request.source), known)
        return self.get(job), False

    def _known(self, job: str) -> dict[str, Any] | None:
        """The event of a job that waits for its turn or has started, or None."""
        waiting = find(job, self._store)
        if waiting is not None:
            return waiting.event
        execution = self._executions.find(job)
        return None if execution is None else execution.event

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
        known = find_awaited(job, self._store)
        started = self._known(job) if known is None else None
        if known is None and started is None:
            upload = self._uploads.begin(key, request.size)
            awaited = Awaited(job, datetime.now(UTC).isoformat(), event, upload)
            if self._store.put_new(Keys(job).upload, awaited.to_json()):
                return self.get(job), True
            self._uploads.abort(upload)  # another request with the same token was faster
            known = find_awaited(job, self._store)
        if known is not None:
            self._same(event, known.event)
            if known.upload.size != request.size:
                raise Conflict("the idempotency key was used for a file of another size")
        elif started is not None:
            self._same(event, started)
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
        goal = request.goal()
        if goal is not None:
            event["goal"] = goal.to_json()
        if request.output is not None:
            event["output"]["key"] = request.output
        return {**event, "tag": request.tag, "priority": request.priority}

    def _options(self, request: JobRequest) -> dict[str, Any]:
        defaults = EncodeOptions.from_json(self._settings.default_options)
        given = request.options.values()
        if request.output is not None:
            ending = request.output.rpartition(".")[2]
            if given.get("container", AUTO) not in (AUTO, ending):
                raise Unprocessable(f"output: must end in .{given['container']}, the container")
            given["container"] = ending
        try:
            return defaults.with_values(given).to_json()
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
        # In the order in which jobs move on, so that none is missed on its way.
        awaited, waiting = find_awaited(job, self._store), find(job, self._store)
        execution = self._executions.find(job)
        if execution is not None:
            return self._told(execution)
        if waiting is not None:
            return self._queued(waiting)
        if awaited is not None:
            return self._uploading(awaited)
        ended = catalogue.find(job, self._store)
        if ended is not None:
            return remembered(ended, self._results, self._settings)
        raise _no_job(job)

    def _told(self, execution: Execution) -> Job:
        return progress(execution, self._store, self._results, self._settings)

    def check(self, job: str) -> None:
        """Raise `NoSuchJob` if there is no job of that name."""
        if find_awaited(job, self._store) is None and self._known(job) is None:
            raise _no_job(job)

    def _uploading(self, awaited: Awaited) -> Job:
        return _unstarted(
            awaited.event,
            state="uploading",
            phase="uploading",
            created=awaited.created,
            upload=self._uploads.describe(awaited.upload),
        )

    def _queued(self, waiting: Waiting) -> Job:
        names = list(queue(self._store).values())
        return _unstarted(
            waiting.event,
            state="queued",
            phase="queued",
            created=time_of(waiting),
            # It may have left the queue just now.
            place=1 + names.index(waiting.job) if waiting.job in names else 1,
        )

    # --- ending --------------------------------------------------------------------

    def cancel(self, job: str) -> Cancelled:
        """Stop a job and begin to remove its intermediates; results and uploaded sources stay.

        Raises:
            NoSuchJob: there is no job of that name.
        """
        awaited, waiting = find_awaited(job, self._store), find(job, self._store)
        execution = self._executions.find(job)
        if execution is None and awaited is None and waiting is None:
            raise _no_job(job)
        if awaited is not None:
            self._uploads.abort(awaited.upload)
            self._store.delete(Keys(job).upload)
        if execution is not None and execution.state == "running":
            self._executions.stop(job)  # before workers see the mark
        mark(self._store, Keys(job))
        if waiting is not None:
            forget(waiting, self._store)
            # Whoever starts it meanwhile sees the mark, or is seen here.
            execution = self._executions.find(job)
            if execution is not None and execution.state == "running":
                self._executions.stop(job)
        self._sweeps.begin(job)
        # It may have ended by itself meanwhile; a stop is not visible at once.
        after = self._executions.find(job)
        state: State = after.state if after and after.state != "running" else "stopped"
        return Cancelled(id=job, state=state)


def _no_job(job: str) -> NoSuchJob:
    return NoSuchJob(f"there is no job {job}, or it is older than 90 days")


def _unstarted(event: dict[str, Any], **more: Any) -> Job:
    """A job that waits, for its upload or its turn."""
    output = event["output"]
    return Job(
        id=event["job"],
        **source_of(event),
        output=f"{output['store']}/{output['key']}",
        options=event["options"],
        given=EncodeOptions.from_json(event["options"]).offered(),
        priority=event.get("priority", USUAL_PRIORITY),
        tag=event["tag"],
        goal=event.get("goal"),
        **more,
    )
