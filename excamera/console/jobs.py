"""What the API does with the jobs of a folder: it creates, finds and cancels them."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import Field

from excamera.api.answers import (
    Cancelled,
    Job,
    JobPage,
    JobSummary,
    State,
    TimelinePage,
)
from excamera.api.attempts import timeline
from excamera.api.estimates import EstimateAnswer, EstimateRequest, asked, told
from excamera.api.logs import JobLog
from excamera.api.offers import Offers, offers
from excamera.api.refusals import Conflict, Malformed, NoSuchJob, NotFound, Unprocessable
from excamera.api.requests import JobRequest
from excamera.console.descriptions import SCHEME, Descriptions, iso, log_line
from excamera.console.parts import Parts
from excamera.console.records import Record, Records, logged
from excamera.console.turns import Turns
from excamera.errors import OptionError
from excamera.job.codecs import AUTO, MANIFESTS
from excamera.job.options import EncodeOptions
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.lifecycle.uploads import job_name
from excamera.price.machine import machine_seconds
from excamera.price.pace import Pace
from excamera.price.size import result_bytes
from excamera.price.stages import equal_batches
from excamera.price.workers import Workers
from excamera.work import JOB
from mu.machine import available_cpus

_MOST_LINES = 1000
_LONGEST_OF_LADDER = 200
"""Bytes of a manifest's name: file systems take 255, and sizes and partial files have more."""
_BY = "the constants of another machine"


class LocalJobRequest(JobRequest):
    """A new job on this machine: of a file to upload, or of one that was uploaded before."""

    source: Annotated[
        str | None,
        Field(
            pattern=rf"^{SCHEME}[A-Za-z0-9-]+/[^/]+$",
            max_length=1200,
            description="`source` of another job of this console.",
        ),
    ] = None


class LocalJobs:
    """The jobs of one folder.

    Args:
        records: the folder's jobs.
        turns: its queue.
        parts: its uploads.
        descriptions: what the API tells of its jobs.
    """

    def __init__(
        self, records: Records, turns: Turns, parts: Parts, descriptions: Descriptions
    ) -> None:
        self._records = records
        self._turns = turns
        self._parts = parts
        self._descriptions = descriptions
        self._creating = threading.Lock()

    # --- asking ---------------------------------------------------------------------

    def offers(self) -> Offers:
        """What jobs can be asked for."""
        return offers(EncodeOptions(), costs=False)

    def estimate(self, request: EstimateRequest) -> EstimateAnswer:
        """What a film would take on this machine.

        Raises:
            Unprocessable: the options do not fit the film.
        """
        film, options = asked(request, EncodeOptions())
        spans = film.cut(options, Workers(DEFAULT_MEMORY_MB).limits).spans
        seconds = machine_seconds(
            film, options, equal_batches(film, options), spans, available_cpus()
        )
        return told(film, seconds, result_bytes(film, options, Pace()), _BY)

    def report(self, job: str) -> list[str]:
        """What `excamera report` is asked for about a job.

        Raises:
            NoSuchJob: there is none.
            Conflict: it has not ended.
        """
        record = self.find(job)
        if record.ended is None:
            raise Conflict("the job has not ended yet: its report is made afterwards")
        return [str(self._records.objects(job)), f"--title={record.name}"]

    # --- creating -------------------------------------------------------------------

    def create(self, request: LocalJobRequest, token: str | None) -> tuple[Job, bool]:
        """Create a job; with a token that was used before, find the job it created.

        Returns:
            The job, and whether it is new.

        Raises:
            Conflict: the token was used for another request.
            Unprocessable: this machine cannot do what the request asks for.
        """
        if request.goal() is not None:
            raise Unprocessable("a time or a price is for a stack: here all CPUs work on a job")
        options, ending = _options(request)
        origin = None if request.source is None else self._origin(request.source)
        name = origin.name if origin is not None else request.name
        assert name is not None
        output = _output(request, name, ending)
        job = job_name(name, token or str(uuid.uuid4()))
        record = Record(
            id=job,
            state="uploading" if origin is None else "queued",
            created=time.time(),
            name=name,
            size=origin.size if origin is not None else (request.size or 0),
            source_of=job if origin is None else origin.source_of,
            options=options.to_json(),
            output=output,
            priority=request.priority,
            tag=request.tag,
            request=request.model_dump(mode="json", exclude_defaults=True),
        )
        with self._creating:
            known = self._records.find(job)
            if known is None:
                self._records.add(record)
                if origin is None:
                    self._parts.begin(record)
        if known is not None and known.request != record.request:
            raise Conflict(
                f"the idempotency key was used before for another request; its job is {job}"
            )
        self._turns.wake()
        return self.get(job), known is None

    def _origin(self, source: str) -> Record:
        job, _, name = source.removeprefix(SCHEME).partition("/")
        record = self._records.find(job)
        if record is None or record.name != unquote(name):
            raise Unprocessable(f"source: there is no {source}")
        if record.state == "uploading" or not self._records.source(record).is_file():
            raise Unprocessable(f"source: {record.name} is not here, or not whole: upload it again")
        return record

    def complete(self, job: str, document: bytes) -> None:
        """End the upload of a job, which then waits for its turn."""
        record = self.find(job)
        self._parts.complete(record, document)
        if not self._records.change_from("uploading", record, state="queued"):
            self._parts.check(record)  # which raises: somebody has just cancelled it
        self._turns.wake()

    # --- finding --------------------------------------------------------------------

    def find(self, job: str) -> Record:
        """The record of a job.

        Raises:
            NoSuchJob: there is none.
        """
        record = self._records.find(job)
        if record is None:
            raise NoSuchJob(f"there is no job {job}")
        return record

    def page(self, state: State | None, day: str | None, limit: int, token: str | None) -> JobPage:
        """Some jobs: those that wait for an upload, those that wait for their turn, all others.

        Raises:
            Malformed: the token is not one of this list.
        """
        waiting = self._records.waiting()
        found = self._records.latest_first()
        found = [
            *(one for one in found if one.state == "uploading"),
            *waiting,
            *(one for one in found if one.state not in ("uploading", "queued")),
        ]
        if state is not None:
            found = [one for one in found if one.state == state]
        if day is not None:
            found = [one for one in found if one.ended and iso(one.created)[:10] == day]
        after = _unpacked(token) if token else None
        if after is not None:
            places = [at for at, one in enumerate(found) if one.id == after]
            if not places:
                raise Malformed("next: not a token of this list")
            found = found[places[0] + 1 :]
        some = found[:limit]
        return JobPage(
            jobs=[JobSummary(**self._descriptions.summary(one)) for one in some],
            next=_packed(some[-1].id) if len(found) > limit else None,
        )

    def get(self, job: str) -> Job:
        """One job.

        Raises:
            NoSuchJob: there is none.
        """
        return self._descriptions.job(self.find(job))

    def timeline(self, job: str, limit: int, token: str | None) -> TimelinePage:
        """Some of a job's attempts."""
        return timeline(self._records.store(self.find(job).id), JOB, token, limit)

    def logs(self, job: str) -> JobLog:
        """The last lines of a job's program."""
        found = [log_line(one) for one in logged(self._records.log(self.find(job).id))]
        return JobLog(lines=found[-_MOST_LINES:], cut=len(found) > _MOST_LINES)

    def result(self, job: str) -> tuple[Record, Any]:
        """A job that has a result, and the path of that.

        Raises:
            NotFound: it has none, or nobody knows it.
        """
        record = self._records.find(job)
        if record is None or record.state != "succeeded":
            raise NotFound("there is no such result")
        return record, self._records.result(record)

    def file_of_result(self, job: str, name: str) -> Path:
        """One of the files of a ladder.

        Raises:
            NotFound: there is none of this name.
        """
        record, _ = self.result(job)
        for path in self._records.files(record):
            if path.name == name:
                return path
        raise NotFound("there is no such result")

    # --- ending ---------------------------------------------------------------------

    def cancel(self, job: str) -> Cancelled:
        """Stop a job; its film stays, unless it is still being uploaded.

        Raises:
            NoSuchJob: there is none.
        """
        record, now = self.find(job), time.time()
        if self._records.change_from("uploading", record, state="stopped", ended=now):
            self._parts.abort(record)
        elif not self._records.change_from("queued", record, state="stopped", ended=now):
            self._turns.stop(record)  # it runs, perhaps since a moment ago; or it has ended
        return Cancelled(id=job, state=record.state)


def _options(request: JobRequest) -> tuple[EncodeOptions, str]:
    """All options of a request, and the ending of its result."""
    given = request.options.values()
    if request.output is not None:
        ending = request.output.rpartition(".")[2]
        if given.get("container", AUTO) not in (AUTO, ending):
            raise Unprocessable(f"output: must end in .{given['container']}, the container")
        given["container"] = ending
    try:
        options = EncodeOptions().with_values(given)
        ending = options.output_container
        return replace(options, container=AUTO), ending
    except OptionError as error:
        raise Unprocessable(f"options: {error}") from error


def _output(request: JobRequest, name: str, ending: str) -> str:
    """The name of the result.

    Raises:
        Unprocessable: files of a ladder cannot have it.
    """
    if request.output is not None:
        output = request.output.rpartition("/")[2]
    else:
        output = f"{name.rpartition('.')[0] or name}.{ending}"
    if ending in MANIFESTS and len(output.encode(errors="replace")) > _LONGEST_OF_LADDER:
        raise Unprocessable(
            f"output: {len(output.encode(errors='replace'))} bytes, and the files of a ladder are "
            f"named after it: name one of at most {_LONGEST_OF_LADDER} bytes"
        )
    return output


def _packed(job: str) -> str:
    return base64.urlsafe_b64encode(job.encode()).decode()


def _unpacked(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError as error:
        raise Malformed("next: not a token of this list") from error
