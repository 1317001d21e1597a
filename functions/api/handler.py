"""The REST API: it reads requests, calls `Jobs` and writes answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from excamera.api import refusals
from excamera.api.answers import (
    Cancelled,
    Job,
    JobPage,
    JobReport,
    LearnedModel,
    Problem,
    State,
    TimelinePage,
)
from excamera.api.attempts import timeline
from excamera.api.estimates import EstimateAnswer, EstimateRequest
from excamera.api.logs import JobLog
from excamera.api.mu import MOST_RECORDS, MuPage, MuRecords, mu_page, mu_records
from excamera.api.mu import NAME as MU_NAME
from excamera.api.offers import Offers, offers
from excamera.api.requests import JOB_ID, JobRequest
from excamera.console.page import page_file
from excamera.job.options import EncodeOptions
from functions import begun
from functions.api import problems
from functions.api.delivery import Delivery, SignedUrls
from functions.api.estimates import estimated
from functions.api.executions import Executions
from functions.api.jobs import Jobs
from functions.api.learned import forget, learned
from functions.api.lists import PAGE, Lists
from functions.api.logs import job_log
from functions.api.openapi import PATH, document
from functions.api.reports import Reports
from functions.api.settings import ApiSettings
from functions.api.uploads import Results, Uploads
from functions.sweeps import Sweeps
from mu import StoreError, open_store
from mu.timelines import STACK_PLACE, Timelines

BODY_BYTES = 64 << 10

logger = Logger()
metrics = Metrics()
tracer = Tracer()
settings = ApiSettings.from_environment()
store = open_store(f"s3://{settings.work_bucket}")
executions = Executions(settings.state_machine_arn)
jobs = Jobs(
    settings,
    store,
    executions,
    Uploads(settings.input_bucket),
    Results(
        settings.output_bucket,
        SignedUrls(Delivery(**settings.delivery)) if settings.delivery else None,
    ),
    Sweeps(settings.sweep_function),
)
lists = Lists(store, executions)
timelines = Timelines(store, STACK_PLACE)
reports = Reports(settings, store)
_origins = settings.cors_origins
app = APIGatewayRestResolver(
    enable_validation=True,
    cors=CORSConfig(_origins[0], extra_origins=_origins[1:]) if _origins else None,
)

JobId = Annotated[str, Path(pattern=JOB_ID, description="The job's id.")]
Next = Annotated[str | None, Query(max_length=5000, description="`next` of the page before.")]
MuNext = Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Requests with the same key create one job.",
    ),
]


def _problems(*statuses: int) -> dict[int, Any]:
    content = {refusals.MEDIA_TYPE: {"model": Problem}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in (400, 403, 422, 429, 500, 503, *statuses)
    }


@app.post(
    "/jobs",
    status_code=HTTPStatus.CREATED,
    operation_id="createJob",
    summary="Create a job",
    description="From an object in S3, which starts the job at once, or from an upload, which "
    "starts it when complete. 200 instead of 201 means that the key was used before.",
    responses={
        201: {"description": "Created", "content": {"application/json": {"model": Job}}},
        200: {"description": "Created before", "content": {"application/json": {"model": Job}}},
        **_problems(409, 413, 415),
    },
)
def create_job(request: JobRequest, idempotency_key: IdempotencyKey = None) -> Response[Job]:
    """Create a job."""
    job, new = jobs.create(request, idempotency_key)
    logger.info("job requested", job=job.id, new=new)
    status = HTTPStatus.CREATED if new else HTTPStatus.OK
    return Response(status_code=status, content_type="application/json", body=job)


@app.get(
    "/jobs",
    operation_id="listJobs",
    summary="List jobs, latest first",
    responses={
        200: {"description": "Some jobs", "content": {"application/json": {"model": JobPage}}},
        **_problems(),
    },
)
def list_jobs(
    state: Annotated[State | None, Query(description="Only jobs in this state.")] = None,
    day: Annotated[
        str | None,
        Query(
            pattern=r"^\d{4}-\d{2}-\d{2}$",
            description="Only ended jobs that began on this day (UTC), however long ago.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = PAGE,
    next: Next = None,
) -> JobPage:
    """List jobs."""
    if day is not None:
        return lists.page_of_day(day, state, limit, next)
    return lists.page(state, limit, next)


@app.get(
    "/jobs/<job_id>",
    operation_id="getJob",
    summary="Get a job",
    responses={
        200: {"description": "The job", "content": {"application/json": {"model": Job}}},
        **_problems(404),
    },
)
def get_job(job_id: JobId) -> Job:
    """Return a job."""
    return jobs.get(job_id)


@app.delete(
    "/jobs/<job_id>",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="cancelJob",
    summary="Stop a job and begin to remove its intermediate objects",
    responses={
        202: {"description": "Cancelled", "content": {"application/json": {"model": Cancelled}}},
        **_problems(404),
    },
)
def cancel_job(job_id: JobId) -> Response[Cancelled]:
    """Cancel a job."""
    cancelled = jobs.cancel(job_id)
    logger.info("cancelled", job=job_id, state=cancelled.state)
    return Response(
        status_code=HTTPStatus.ACCEPTED, content_type="application/json", body=cancelled
    )


@app.get(
    "/jobs/<job_id>/timeline",
    operation_id="getTimeline",
    summary="List every attempt of every task",
    responses={
        200: {"description": "Some", "content": {"application/json": {"model": TimelinePage}}},
        **_problems(404),
    },
)
def get_timeline(
    job_id: JobId, limit: Annotated[int, Query(ge=1, le=1000)] = 500, next: Next = None
) -> TimelinePage:
    """List a job's attempts."""
    jobs.check(job_id)
    return timeline(store, job_id, next, limit)


@app.get(
    "/jobs/<job_id>/logs",
    operation_id="getLogs",
    summary="List the last log lines of a job, or of the task that failed",
    responses={
        200: {"description": "Some", "content": {"application/json": {"model": JobLog}}},
        **_problems(404),
    },
)
def get_logs(job_id: JobId) -> JobLog:
    """List a job's log lines."""
    return job_log(jobs.get(job_id), settings.log_groups)


@app.post(
    "/jobs/<job_id>/report",
    status_code=HTTPStatus.ACCEPTED,
    operation_id="makeReport",
    summary="Have the report of a job that has ended made, unless it is there",
    responses={
        202: {"description": "Asked", "content": {"application/json": {"model": JobReport}}},
        **_problems(404, 409),
    },
)
def make_report(job_id: JobId) -> Response[JobReport]:
    """Have a job's report made."""
    report = reports.ask(jobs.get(job_id))
    return Response(status_code=HTTPStatus.ACCEPTED, content_type="application/json", body=report)


@app.get(
    "/jobs/<job_id>/report",
    operation_id="getReport",
    summary="Get what has become of a job's report, and its addresses",
    responses={
        200: {"description": "Report", "content": {"application/json": {"model": JobReport}}},
        **_problems(404),
    },
)
def get_report(job_id: JobId) -> JobReport:
    """Return what has become of a job's report."""
    return reports.get(job_id)


@app.get(
    "/options",
    operation_id="getOptions",
    summary="Get what jobs can be asked for: options with their help, presets, limits",
    responses={
        200: {"description": "Offers", "content": {"application/json": {"model": Offers}}},
        **_problems(),
    },
)
def get_options() -> Offers:
    """Return what is offered."""
    return offers(
        EncodeOptions.from_json(settings.default_options),
        costs=True,
        suffixes=settings.suffixes,
        max_source_bytes=settings.max_source_bytes,
    )


@app.post(
    "/estimate",
    operation_id="estimate",
    summary="Estimate time, size and price of a film that is not sent yet",
    responses={
        200: {
            "description": "Estimate",
            "content": {"application/json": {"model": EstimateAnswer}},
        },
        **_problems(413, 415),
    },
)
def estimate(request: EstimateRequest) -> EstimateAnswer:
    """Estimate a job."""
    return estimated(request, store, settings)


@app.get(
    "/mu",
    operation_id="listMuJobs",
    summary="List jobs of mu that are not films, latest first",
    responses={
        200: {"description": "Some jobs", "content": {"application/json": {"model": MuPage}}},
        **_problems(),
    },
)
def list_mu(limit: Annotated[int, Query(ge=1, le=100)] = PAGE, next: MuNext = None) -> MuPage:
    """List jobs of mu."""
    return mu_page(timelines, next, limit)


@app.get(
    "/mu/<name>",
    operation_id="getMuJob",
    summary="Get a job of mu, and list what its tasks did",
    responses={
        200: {"description": "Some", "content": {"application/json": {"model": MuRecords}}},
        **_problems(404),
    },
)
def get_mu(
    name: Annotated[str, Path(pattern=MU_NAME, description="The job's name.")],
    limit: Annotated[int, Query(ge=1, le=MOST_RECORDS)] = MOST_RECORDS,
    next: MuNext = None,
) -> MuRecords:
    """List the records of a job of mu."""
    return mu_records(timelines, name, next, limit)


@app.get("/console/<name>", include_in_schema=False, enable_validation=False)
def get_console(name: str) -> Response[str]:
    """A file of the console's page."""
    try:
        kind, data = page_file(name)
    except KeyError:
        raise refusals.NotFound("there is no such file of the console's page") from None
    return Response(200, kind, data.decode())


@app.get(
    "/model",
    operation_id="getModel",
    summary="Get what the stack has learned from its jobs",
    responses={
        200: {
            "description": "The model",
            "content": {"application/json": {"model": LearnedModel}},
        },
        **_problems(),
    },
)
def get_model() -> LearnedModel:
    """Return the model."""
    return learned(store, settings)


@app.delete(
    "/model",
    operation_id="resetModel",
    summary="Forget what the stack has learned from its jobs",
    responses={
        200: {
            "description": "The model without it",
            "content": {"application/json": {"model": LearnedModel}},
        },
        **_problems(),
    },
)
def reset_model() -> LearnedModel:
    """Forget the model."""
    logger.info("model forgotten")
    return forget(store, settings)


@app.get(PATH, include_in_schema=False, enable_validation=False)
def get_document() -> Response[str]:
    """The OpenAPI document of this API."""
    return Response(200, "application/json", document(app, settings))


def _refused(refusal: refusals.Refusal) -> Response[Any]:
    return problems.of_refusal(refusal)


def _invalid(error: RequestValidationError) -> Response[Any]:
    return problems.of_fields(error.errors())


def _unsupported(_error: RequestUnsupportedContentType) -> Response[Any]:
    return problems.answer(415, "UnsupportedMediaType", "The body must be application/json.")


def _not_found(_error: NotFoundError) -> Response[Any]:
    return problems.of_refusal(refusals.NotFound("there is nothing at this path"))


def _unavailable(error: Exception) -> Response[Any]:
    logger.exception("AWS refused")
    return problems.of_refusal(refusals.Unavailable(f"AWS did not answer: {type(error).__name__}"))


def _failed(_error: Exception) -> Response[Any]:
    logger.exception("failed")
    return problems.answer(500, "InternalError", "The API itself failed; its log has more.")


app.not_found(_not_found)
for _kind, _handle in (
    (refusals.Refusal, _refused),
    (RequestValidationError, _invalid),
    (RequestUnsupportedContentType, _unsupported),
    (StoreError, _unavailable),
    (BotoCoreError, _unavailable),
    (ClientError, _unavailable),
    (Exception, _failed),
):
    app.exception_handler(_kind)(_handle)


@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a request from API Gateway."""
    if len(event.get("body") or "") > BODY_BYTES:  # before it is parsed
        refused = problems.of_refusal(
            refusals.TooLarge(f"the body is larger than {BODY_BYTES} bytes")
        )
        return {"statusCode": refused.status_code, "body": refused.body,
                "headers": {"Content-Type": refusals.MEDIA_TYPE}}  # fmt: skip
    return app.resolve(event, context)


begun()
