"""The console of one machine: the page, and the routes of the API over a folder."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from excamera.api.answers import State
from excamera.api.estimates import EstimateRequest
from excamera.api.mu import MOST_RECORDS, mu_page, mu_records
from excamera.api.refusals import (
    MEDIA_TYPE,
    NoSuchJob,
    NotFound,
    Refusal,
    TooLarge,
    Unavailable,
    problem,
    problem_of,
    problem_of_fields,
)
from excamera.api.requests import JOB_ID
from excamera.console.jobs import LocalJobRequest, LocalJobs
from excamera.console.page import INDEX, page_file
from excamera.console.parts import Parts, served
from excamera.console.reports import Reports
from excamera.console.urls import SignedPaths
from excamera.console.web import Answer, Request
from excamera.job.codecs import DASH, HLS
from excamera.media.container.output import OUTPUT_CONTAINERS
from excamera.media.manifest import dash, hls
from mu.timelines import Timelines
from mu.whole import NO_ROOM

PAGE = "/console/"
"""Where the page is, beside the API."""

JSON_BYTES = 64 << 10
_DOCUMENT_BYTES = 1 << 20
_MANIFESTS = {DASH: dash.MEDIA_TYPE, HLS: hls.MEDIA_TYPE}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_JOB = JOB_ID.strip("^$")

Model = TypeVar("Model", bound=BaseModel)


class _List(BaseModel):
    model_config = ConfigDict(extra="forbid")
    state: State | None = None
    day: Annotated[str | None, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] = None
    limit: Annotated[int, Field(ge=1, le=100)] = 25
    next: Annotated[str | None, Field(max_length=5000)] = None


class _Attempts(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: Annotated[int, Field(ge=1, le=1000)] = 500
    next: Annotated[str | None, Field(max_length=5000)] = None


class _MuList(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: Annotated[int, Field(ge=1, le=100)] = 25
    next: Annotated[str | None, Field(max_length=1000)] = None


class _MuRecords(_MuList):
    limit: Annotated[int, Field(ge=1, le=MOST_RECORDS)] = MOST_RECORDS


class _Invalid(Exception):
    """A part of a request has fields that its model rejects."""

    def __init__(self, part: str, error: ValidationError) -> None:
        super().__init__(str(error))
        self.errors: list[dict[str, Any]] = [
            {**one, "loc": (part, *one["loc"])} for one in error.errors()
        ]


class Gate:
    """Who may call: whoever has the token, and everybody for the page, which has no secret.

    Args:
        token: of the console.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def page(self, request: Request) -> Answer | None:
        """A file of the page, or None if the request is for something else."""
        if request.method not in ("GET", "HEAD"):
            return None
        if request.path in ("/", PAGE.rstrip("/")):
            return Answer(HTTPStatus.FOUND, headers={"Location": PAGE})
        if not request.path.startswith(PAGE):
            return None
        try:
            kind, data = page_file(request.path.removeprefix(PAGE) or INDEX)
        except KeyError:
            return refused(NotFound("there is no such file of the console's page"))
        return Answer.of(HTTPStatus.OK, kind, data)

    def lets_in(self, request: Request) -> bool:
        """Whether a request has the token."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return kind == "Bearer" and hmac.compare_digest(token.encode(), self._token)


class LocalSite:
    """Answers the requests of one machine's console.

    Args:
        gate: knows who may call.
        paths: knows which addresses prove themselves.
        jobs: of the folder.
        parts: of uploads.
        reports: of its jobs.
        mu: jobs of mu that are not films; None for none.
    """

    def __init__(
        self,
        gate: Gate,
        paths: SignedPaths,
        jobs: LocalJobs,
        parts: Parts,
        reports: Reports,
        mu: Timelines | None = None,
    ) -> None:
        self._gate = gate
        self._mu = mu
        self._reports = reports
        self._paths = paths
        self._jobs = jobs
        self._parts = parts
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            (method, re.compile(pattern), act)
            for method, pattern, act in (
                ("GET", "/jobs", self._list),
                ("POST", "/jobs", self._create),
                ("GET", rf"/jobs/({_JOB})", self._get),
                ("DELETE", rf"/jobs/({_JOB})", self._cancel),
                ("GET", rf"/jobs/({_JOB})/timeline", self._timeline),
                ("GET", rf"/jobs/({_JOB})/logs", self._logs),
                ("POST", rf"/jobs/({_JOB})/report", self._make_report),
                ("GET", rf"/jobs/({_JOB})/report", self._report),
                ("GET", "/options", self._offers),
                ("POST", "/estimate", self._estimate),
                ("GET", "/mu", self._mu_list),
                ("GET", "/mu/([^/]+)", self._mu_records),
            )
        ]
        self._signed: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            ("PUT", re.compile(rf"/uploads/({_JOB})/(\d{{1,5}})"), self._take),
            ("POST", re.compile(rf"/uploads/({_JOB})"), self._complete),
            ("GET", re.compile(rf"/results/({_JOB})"), self._result),
            ("GET", re.compile(rf"/results/({_JOB})/([^/]+)"), self._file_of_result),
            ("GET", re.compile(rf"/reports/({_JOB})/page"), self._page_of_report),
            ("GET", re.compile(rf"/reports/({_JOB})/facts"), self._facts_of_report),
        ]

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        page = self._gate.page(request)
        if page is not None:
            return page
        method = "GET" if request.method == "HEAD" else request.method
        try:
            for routes, allowed in (
                (self._signed, self._paths.proves(request.method, request.path, request.query)),
                (self._routes, self._gate.lets_in(request)),
            ):
                for wanted, pattern, act in routes:
                    found = pattern.fullmatch(request.path)
                    if found and wanted == method:
                        return act(request, *found.groups()) if allowed else not_allowed()
            if not self._gate.lets_in(request):
                return not_allowed()
            raise NotFound("there is nothing at this path")
        except Refusal as refusal:
            return refused(refusal)
        except _Invalid as invalid:
            return _problem(problem_of_fields(invalid.errors))
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            return refused(Unavailable(f"the disk takes no more: {error.strerror}"))

    # ---- the API ----

    def _list(self, request: Request) -> Answer:
        asked = _query(_List, request)
        return json_answer(self._jobs.page(asked.state, asked.day, asked.limit, asked.next))

    def _create(self, request: Request) -> Answer:
        if not _is_json(request):
            return _unsupported()
        body = _model(LocalJobRequest, request)
        job, new = self._jobs.create(body, request.headers.get("idempotency-key"))
        return json_answer(job, HTTPStatus.CREATED if new else HTTPStatus.OK)

    def _get(self, _request: Request, job: str) -> Answer:
        return json_answer(self._jobs.get(job))

    def _cancel(self, _request: Request, job: str) -> Answer:
        return json_answer(self._jobs.cancel(job), HTTPStatus.ACCEPTED)

    def _timeline(self, request: Request, job: str) -> Answer:
        asked = _query(_Attempts, request)
        return json_answer(self._jobs.timeline(job, asked.limit, asked.next))

    def _logs(self, _request: Request, job: str) -> Answer:
        return json_answer(self._jobs.logs(job))

    def _make_report(self, _request: Request, job: str) -> Answer:
        return json_answer(self._reports.ask(job), HTTPStatus.ACCEPTED)

    def _report(self, _request: Request, job: str) -> Answer:
        return json_answer(self._reports.get(job))

    def _offers(self, _request: Request) -> Answer:
        return json_answer(self._jobs.offers())

    def _estimate(self, request: Request) -> Answer:
        if not _is_json(request):
            return _unsupported()
        return json_answer(self._jobs.estimate(_model(EstimateRequest, request)))

    def _mu_list(self, request: Request) -> Answer:
        asked = _query(_MuList, request)
        return json_answer(mu_page(self._mu, asked.next, asked.limit))

    def _mu_records(self, request: Request, name: str) -> Answer:
        asked = _query(_MuRecords, request)
        return json_answer(mu_records(self._mu, name, asked.next, asked.limit))

    # ---- what addresses prove ----

    def _take(self, request: Request, job: str, number: str) -> Answer:
        etag = self._parts.take(
            self._jobs.find(job),
            int(number),
            request.length,
            request.body,
            request.headers.get("content-md5"),
        )
        return Answer(HTTPStatus.OK, headers={"ETag": etag})

    def _complete(self, request: Request, job: str) -> Answer:
        self._jobs.complete(job, _read(request, _DOCUMENT_BYTES))
        return Answer.of(HTTPStatus.OK, "application/xml", b"<CompleteMultipartUploadResult/>")

    def _result(self, request: Request, job: str) -> Answer:
        record, path = self._jobs.result(job)
        return file_answer(request, path, record.output)

    def _file_of_result(self, request: Request, job: str, name: str) -> Answer:
        return file_answer(request, self._jobs.file_of_result(job, name), name)

    def _page_of_report(self, _request: Request, job: str) -> Answer:
        return self._reports.page(job)

    def _facts_of_report(self, _request: Request, job: str) -> Answer:
        return self._reports.facts(job)


def file_answer(request: Request, path: Path, name: str) -> Answer:
    """A film, or the part of it that a player asks for.

    Args:
        request: of the film.
        path: of the file, or of the manifest of a ladder.
        name: under which it is saved.

    Raises:
        NoSuchJob: it is gone.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise NoSuchJob(f"the result {name} is not in the console's folder any more") from error
    headers = {
        "Content-Type": _media_type(path.suffix.removeprefix(".")),
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
        "Cache-Control": "no-store",
    }
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if not found or found.groups() == ("", ""):
        return Answer(HTTPStatus.OK, served(path, 0, size), size, headers)
    first, last = found.groups()
    if first:
        begin, end = int(first), min(int(last) if last else size - 1, size - 1)
    else:
        begin, end = max(0, size - int(last)), size - 1
    if begin >= size or end < begin:
        headers["Content-Range"] = f"bytes */{size}"
        return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
    headers["Content-Range"] = f"bytes {begin}-{end}/{size}"
    length = end - begin + 1
    return Answer(HTTPStatus.PARTIAL_CONTENT, served(path, begin, length), length, headers)


def _media_type(ending: str) -> str:
    found = _MANIFESTS.get(ending)
    return found if found is not None else OUTPUT_CONTAINERS[ending]().media_type


def refused(refusal: Refusal) -> Answer:
    """The answer to a refused request."""
    return _problem(problem_of(refusal))


def not_allowed() -> Answer:
    """The answer to a request without the token, or with an address that proves nothing now."""
    detail = "open the address that `excamera console` has printed: it has the key to this console"
    return _problem(problem(HTTPStatus.FORBIDDEN, "NotAllowed", detail))


def _unsupported() -> Answer:
    detail = "The body must be application/json."
    return _problem(problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", detail))


def _problem(found: Any) -> Answer:
    return Answer.of(found.status, MEDIA_TYPE, found.model_dump_json().encode())


def json_answer(model: BaseModel, status: int = HTTPStatus.OK) -> Answer:
    """The answer with a model."""
    return Answer.of(status, "application/json", model.model_dump_json().encode())


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().lower() == "application/json"


def _model(kind: type[Model], request: Request) -> Model:
    try:
        return kind.model_validate_json(_read(request, JSON_BYTES))
    except ValidationError as error:
        raise _Invalid("body", error) from error


def _query(kind: type[Model], request: Request) -> Model:
    try:
        return kind.model_validate(request.query)
    except ValidationError as error:
        raise _Invalid("query", error) from error


def _read(request: Request, most: int) -> bytes:
    if request.length > most:
        raise TooLarge(f"the body is larger than {most} bytes")
    return request.body.read(request.length)
