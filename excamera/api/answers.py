"""What the API answers about jobs and the stack's model, and how it refuses.

Its OpenAPI document is generated from these models.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, JsonValue

from excamera.lifecycle.admission import USUAL_PRIORITY

State = Literal["uploading", "queued", "running", "succeeded", "failed", "stopped", "timed_out"]
Phase = Literal["uploading", "queued", "planning", "anchoring", "encoding", "stitching", "ended"]


class Part(BaseModel):
    """A part of an upload that S3 does not have yet."""

    number: int
    offset: int
    size: int
    url: Annotated[str, Field(description="PUT the part's bytes here and keep the answer's ETag.")]


class ReceivedPart(BaseModel):
    """A part of an upload that S3 has."""

    number: int
    size: int
    etag: str


class Upload(BaseModel):
    """How to upload a job's source; GET the job again for URLs that are valid longer."""

    part_size: int
    parts: list[Part]
    received: list[ReceivedPart]
    complete_url: Annotated[
        str, Field(description="POST S3's CompleteMultipartUpload document here to start the job.")
    ]
    expires: Annotated[str, Field(description="Time until which the URLs are valid, ISO 8601.")]


class Count(BaseModel):
    """How many are done, and how many there are."""

    done: int
    total: int


class Cost(BaseModel):
    """US dollars at list prices of us-east-1."""

    so_far_usd: Annotated[float, Field(description="From the timeline: time, requests and states.")]
    estimated_usd: Annotated[
        float | None, Field(description="Estimate for the whole job, while its objects exist.")
    ]
    gb_seconds: dict[str, float]


class Outcome(BaseModel):
    """What a job takes; null for what is not known."""

    seconds: Annotated[
        float | None, Field(description="From the start of its execution to its end.")
    ] = None
    usd: Annotated[
        float | None, Field(description="List prices of us-east-1, as `cost` counts them.")
    ] = None
    bytes: Annotated[int | None, Field(description="Size of the result.")] = None


class Film(BaseModel):
    """The source as the plan found it; sizes in pixels."""

    frames: int
    width: int
    height: int
    duration_s: float
    sound: Annotated[int, Field(description="How many sound tracks the result has.")]
    bits: Annotated[int, Field(description="Of a sample of the result.")]


class Goal(BaseModel):
    """What was asked for in place of N, x, memory and number of workers."""

    within_s: float | None = None
    budget_usd: float | None = None
    or_fail: bool = False


class Choice(BaseModel):
    """What was chosen for a goal, and what was expected of it then."""

    chunk_frames: Annotated[int, Field(description="N; 0 if the pictures decide.")]
    batch_chunks: Annotated[int, Field(description="x.")]
    memory_mb: Annotated[int, Field(description="Memory of the function that encodes.")]
    batch_workers: Annotated[int, Field(description="Functions that may encode one batch.")]
    job_workers: Annotated[int, Field(description="Functions that may encode the job.")]
    seconds: Annotated[float, Field(description="Median of the simulations.")]
    late_s: Annotated[float, Field(description="The slowest of the simulations.")]
    usd: float
    size: Annotated[int, Field(description="Bytes of the result.")]
    more_bits: Annotated[float, Field(description="Fraction of those with the default N and x.")]
    batches: int
    shares: int
    workers: Annotated[int, Field(description="The most that run at the same time.")]
    spent: Annotated[
        dict[str, float], Field(description="Seconds of the critical path by what they are for.")
    ]


class Planned(BaseModel):
    """How a goal was understood."""

    goal: Goal
    met: Annotated[bool, Field(description="Whether the choice should meet the goal.")]
    why: str
    chosen: Choice
    simulations: int


class Failure(BaseModel):
    """Why a job failed."""

    error: str
    message: str
    step: str | None = None
    span: int | None = None
    batch: int | None = None
    share: int | None = None


class Reached(BaseModel):
    """What has become of a target: `bitrate`, `size`, `target_ssim` or `target_psnr`."""

    kind: str
    wanted: Annotated[
        float, Field(description="kbit/s of the picture, bytes of the file, or dB of the luma.")
    ]
    reached: Annotated[float, Field(description="The same of the result.")]
    by: Annotated[
        str, Field(description="`result`: counted in it; `samples`: measured on samples of it.")
    ]


class ResultFile(BaseModel):
    """One of the files of a ladder."""

    name: str
    rung: Annotated[
        str | None, Field(description="Its size, such as 1080p; null of the manifest and of sound.")
    ]
    key: str
    size: int
    url: Annotated[str | None, Field(description="GET it here; null if another job replaced it.")]


class Result(BaseModel):
    """A finished file; of a ladder the manifest, with the size of all files."""

    bucket: str
    key: str
    size: int
    frames: int
    key_frames: int
    duration_s: float
    sound: str
    notes: Annotated[list[str], Field(description="What a user should know of the source.")]
    target: Annotated[Reached | None, Field(description="Null for a job without a target.")] = None
    files: Annotated[
        list[ResultFile], Field(description="All files of a ladder, the manifest last; else none.")
    ] = []
    url: Annotated[str | None, Field(description="GET it here; null if another job replaced it.")]
    expires: str | None


class JobSummary(BaseModel):
    """A job in a list."""

    id: str
    state: State
    created: str
    ended: str | None = None
    place: Annotated[
        int | None, Field(description="Its place among those that wait; 1 is the next.")
    ] = None
    source: Annotated[
        str | None, Field(description="The source's address; null if it could not be looked up.")
    ] = None
    size: Annotated[
        int | None, Field(description="The source's size in bytes; null if it is not known.")
    ] = None


class Job(JobSummary):
    """A job; times are ISO 8601."""

    phase: Phase
    source: str
    output: str
    options: dict[str, Any]
    given: Annotated[
        dict[str, bool | int | str],
        Field(description="The options as a new job takes them, for one like this."),
    ] = Field(default_factory=dict)
    priority: int = USUAL_PRIORITY
    tag: JsonValue = None
    goal: Annotated[
        Goal | None, Field(description="Of the request, or of the source's metadata.")
    ] = None
    planned: Annotated[
        Planned | None, Field(description="What was chosen for the goal, once the job is planned.")
    ] = None
    frames: int | None = None
    frames_done: Annotated[
        int | None, Field(description="How many are encoded; null where only shares are counted.")
    ] = None
    left_s: Annotated[
        float | None,
        Field(description="Seconds until all are, at the speed of the last; null if unknown."),
    ] = None
    film: Film | None = None
    chunks: int | None = None
    shares: Annotated[
        Count | None, Field(description="Shares of batches, each encoded by one call.")
    ] = None
    batches: Annotated[Count | None, Field(description="`done` are joined.")] = None
    seconds: dict[str, float] = Field(
        default_factory=dict, description="Total time of finished tasks, by step."
    )
    retries: int = 0
    workers_at_once: Annotated[
        int | None, Field(description="The most functions that encode it at the same time.")
    ] = None
    workers_useful: Annotated[
        int | None,
        Field(description="How many could, if the account ran so many functions at a time."),
    ] = None
    account_concurrency: Annotated[
        int | None,
        Field(
            description="The most functions that all jobs together run at the same time, by the "
            "account's quota and the stack's limit."
        ),
    ] = None
    cost: Cost | None = None
    predicted: Annotated[
        Outcome | None, Field(description="What the stack's model expected when it was planned.")
    ] = None
    actual: Annotated[Outcome | None, Field(description="What it took, once it has ended.")] = None
    failure: Failure | None = None
    result: Result | None = None
    upload: Upload | None = None


class JobPage(BaseModel):
    """Some jobs, latest first; `next` is for the next page."""

    jobs: list[JobSummary]
    next: str | None = None


class Cancelled(BaseModel):
    """A cancelled job; its intermediate objects are being removed."""

    id: str
    state: Annotated[State, Field(description="`stopped`, or how it had ended before.")]


class JobReport(BaseModel):
    """What has become of a job's report."""

    state: Literal["making", "made", "failed"]
    url: Annotated[str | None, Field(description="GET the page here, once it is made.")] = None
    facts_url: Annotated[
        str | None, Field(description="GET its facts here, as `excamera report --json` prints.")
    ] = None
    expires: Annotated[
        str | None, Field(description="Time until which the URLs are valid, ISO 8601.")
    ] = None
    message: Annotated[
        str | None, Field(description="Why it failed; whoever asks again has it made again.")
    ] = None


class TaskAttempt(BaseModel):
    """One attempt of one task; times are Unix seconds, null if it did not get that far."""

    task: str
    step: str
    span: int | None = None
    batch: int | None = None
    share: int | None = None
    attempt: int
    outcome: Annotated[str, Field(description='"done", or the name of the error.')]
    queued: float | None = None
    started: float
    fetched: float | None = None
    computed: float | None = None
    stored: float | None = None
    finished: float | None = None
    worker: str
    peak_memory_mib: int | None = None


class TimelinePage(BaseModel):
    """Some attempts, by step, span, batch and share; `next` is for the next page."""

    attempts: list[TaskAttempt]
    next: str | None = None


class LearnedPart(BaseModel):
    """What jobs have told of some constants of the model together."""

    factor: Annotated[
        float, Field(description="By how much they are larger here than on our own machine.")
    ]
    constants: Annotated[dict[str, float], Field(description="As the stack uses them.")]
    jobs: Annotated[int, Field(description="How many jobs have told of them.")]
    work: Annotated[float, Field(description="Of all of these, in `unit`.")]
    unit: str


class LearnedModel(BaseModel):
    """What the stack has learned from finished jobs, of its functions' architecture."""

    architecture: str
    memory_mb: Annotated[dict[str, int], Field(description="Of each function, by its name.")]
    encode_sizes: Annotated[
        list[int], Field(description="MB of the function encode; the usual size is the first.")
    ]
    jobs: Annotated[int, Field(description="How many jobs it has learned from.")]
    parts: dict[str, LearnedPart]
    pace: Annotated[
        dict[str, float], Field(description="All constants: `excamera.price.pace.Pace`.")
    ]
    errors: Annotated[
        dict[str, float],
        Field(description="Percent by which predictions of the last 20 jobs were wrong; medians."),
    ]
    problem: Annotated[
        str | None, Field(description="Why the record is ignored, if it cannot be used.")
    ] = None


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    pointer: Annotated[str, Field(description="The field, such as `body/options/crf`.")]
    detail: str


class Problem(BaseModel):
    """Problem details as in RFC 9457."""

    type: str = "about:blank"
    title: str
    status: Annotated[
        int | None,
        Field(description="As in the status line; absent if API Gateway itself refuses."),
    ] = None
    detail: str
    error: Annotated[str, Field(description="The problem's name, for programs.")]
    errors: list[FieldProblem] = Field(default_factory=list)
