"""What the API takes and gives; its OpenAPI document is generated from these models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    create_model,
    field_validator,
    model_validator,
)

from excamera.job.options import OFFERED, Option, Value

JOB_ID = r"^[A-Za-z0-9][A-Za-z0-9-]{0,79}$"
State = Literal["uploading", "running", "succeeded", "failed", "stopped", "timed_out"]
Phase = Literal["uploading", "planning", "encoding", "stitching", "ended"]

_LARGEST_OBJECT = 5 << 40
_TAG_BYTES = 1024


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Options(_Request):
    def values(self) -> dict[str, Value]:
        """The options that the request gives."""
        return self.model_dump(exclude_none=True)


def _field(option: Option) -> tuple[Any, None]:
    rule = option.rule
    if rule.choices:
        return Annotated[Literal[rule.choices] | None, Field(description=rule.help)], None
    limits = Field(ge=rule.lowest, le=rule.highest, description=rule.help)
    return Annotated[int | None, limits], None


if TYPE_CHECKING:
    Options = _Options
else:
    Options = create_model(
        "Options",
        __base__=_Options,
        __doc__="Encode options; the stack's default stands for an option that is left out.",
        **{option.field: _field(option) for option in OFFERED},
    )


class JobRequest(_Request):
    """A new job: either of a `source` in S3, or of a file that is going to be uploaded."""

    source: Annotated[
        str | None,
        Field(
            pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$",
            max_length=1200,
            description="`s3://bucket/key` of a bucket that the stack may read; the key as it "
            "is, percent-encoded only in `%`, `?` and `#`. `?versionId=...` names a version.",
        ),
    ] = None
    upload: Annotated[
        bool, Field(description="Answer with URLs for a multipart upload of the source.")
    ] = False
    name: Annotated[
        str | None,
        Field(
            pattern=r"^[^/\\\x00-\x1f\x7f]+$",
            max_length=200,
            description="File name of an upload; its ending must be one that starts jobs.",
        ),
    ] = None
    size: Annotated[
        int | None, Field(ge=1, le=_LARGEST_OBJECT, description="Bytes of an upload.")
    ] = None
    output: Annotated[
        str | None,
        Field(
            pattern=r"^[^\x00-\x1f\x7f]+\.webm$",
            max_length=900,
            description="Key of the result; by default the source's with the ending .webm.",
        ),
    ] = None
    options: Options = Field(default_factory=Options)
    tag: Annotated[
        JsonValue,
        Field(description="Any JSON of at most 1 KiB; comes back in everything about the job."),
    ] = None

    @field_validator("tag")
    @classmethod
    def _small(cls, tag: JsonValue) -> JsonValue:
        if len(json.dumps(tag).encode()) > _TAG_BYTES:
            raise ValueError(f"is larger than {_TAG_BYTES} bytes")
        return tag

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.upload == (self.source is not None):
            raise ValueError("needs either a source or upload: true")
        if self.upload and (self.name is None or self.size is None):
            raise ValueError("an upload needs the file's name and size")
        if not self.upload and (self.name is not None or self.size is not None):
            raise ValueError("name and size belong to an upload")
        return self


class Part(BaseModel):
    """A part of an upload that S3 does not have yet."""

    number: int
    offset: int
    size: int
    url: Annotated[str, Field(description="PUT the part's bytes here; keep the answer's ETag.")]


class ReceivedPart(BaseModel):
    """A part of an upload that S3 has."""

    number: int
    size: int
    etag: str


class Upload(BaseModel):
    """How to upload a job's source; GET the job for URLs that are valid longer."""

    part_size: int
    parts: list[Part]
    received: list[ReceivedPart]
    complete_url: Annotated[
        str, Field(description="POST S3's CompleteMultipartUpload document here: starts the job.")
    ]
    expires: Annotated[str, Field(description="When the URLs end to be valid, ISO 8601.")]


class Count(BaseModel):
    """How many are done, of how many."""

    done: int
    total: int


class Cost(BaseModel):
    """US dollars at list prices of us-east-1."""

    so_far_usd: Annotated[float, Field(description="By the timeline: time, requests, states.")]
    estimated_usd: Annotated[float, Field(description="What the whole job was expected to cost.")]
    gb_seconds: dict[str, float]


class Film(BaseModel):
    """What is encoded, as the plan found it; sizes in pixels."""

    frames: int
    width: int
    height: int
    duration_s: float
    sound: bool


class Failure(BaseModel):
    """Why a job failed."""

    error: str
    message: str
    step: str | None = None
    batch: int | None = None
    chunk: int | None = None


class Result(BaseModel):
    """A finished file."""

    bucket: str
    key: str
    size: int
    frames: int
    key_frames: int
    duration_s: float
    sound: str
    url: Annotated[
        str | None, Field(description="GET it here; none where another job replaced it.")
    ]
    expires: str | None


class JobSummary(BaseModel):
    """A job as lists have it."""

    id: str
    state: State
    created: str
    ended: str | None = None


class Job(JobSummary):
    """A job; times are ISO 8601."""

    phase: Phase
    source: str
    output: str
    options: dict[str, Any]
    tag: JsonValue = None
    frames: int | None = None
    film: Film | None = None
    chunks: Count | None = None
    batches: Count | None = None
    seconds: dict[str, float] = Field(
        default_factory=dict, description="Time that finished tasks took in all, by step."
    )
    retries: int = 0
    chunks_at_once: Annotated[
        int | None, Field(description="Chunks of the whole job under way at the same time.")
    ] = None
    account_concurrency: Annotated[
        int | None, Field(description="Functions that the account lets run at the same time.")
    ] = None
    cost: Cost | None = None
    failure: Failure | None = None
    result: Result | None = None
    upload: Upload | None = None


class JobPage(BaseModel):
    """Some jobs, latest first; `next` asks for more."""

    jobs: list[JobSummary]
    next: str | None = None


class Removed(BaseModel):
    """What became of a job that was cancelled."""

    id: str
    state: State
    removed: Annotated[int, Field(description="How many intermediate objects there were.")]


class TaskAttempt(BaseModel):
    """One attempt of one task; times are Unix seconds, absent where it did not come so far."""

    task: str
    step: str
    batch: int | None = None
    chunk: int | None = None
    attempt: int
    outcome: Annotated[str, Field(description='"done", or the name of what it failed with.')]
    queued: float | None = None
    started: float
    fetched: float | None = None
    computed: float | None = None
    stored: float | None = None
    finished: float | None = None
    worker: str
    peak_memory_mib: int | None = None


class TimelinePage(BaseModel):
    """Some attempts, by step, batch and chunk; `next` asks for more."""

    attempts: list[TaskAttempt]
    next: str | None = None


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    pointer: Annotated[str, Field(description="Where, such as `body/options/crf`.")]
    detail: str


class Problem(BaseModel):
    """Problem details as in RFC 9457."""

    type: str = "about:blank"
    title: str
    status: Annotated[
        int | None,
        Field(description="As in the status line; refusals by API Gateway itself do without."),
    ] = None
    detail: str
    error: Annotated[str, Field(description="A name for programs.")]
    errors: list[FieldProblem] = Field(default_factory=list)
