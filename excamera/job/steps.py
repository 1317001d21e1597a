"""The steps of the flow and the other functions of the stack: one row for each.

The flow's registry, the stack (functions, memory, rights, alarms, dashboard), prices, estimates,
progress and logs read these rows. A new step needs a row here, a task in `excamera.job.flow`, a
module in `excamera.steps` and a folder in `functions`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from enum import Enum, auto
from typing import Any

CPU_MB = 1769
"""Memory with which a Lambda function has one CPU; CPUs grow in proportion to memory."""


def cpus_of(memory_mb: int) -> float:
    """CPUs of a function with that memory."""
    return memory_mb / CPU_MB


class Per(Enum):
    """The unit for which a step is called once, a field of `Counts`."""

    JOB = auto()
    SPAN = auto()
    PROBE = auto()
    AHEAD = auto()
    SHARE = auto()


class Right(Enum):
    """What a step may do; `stacks.rights` turns each into IAM statements, in this order."""

    ASKS_FOR_LIMITS = auto()
    CHANGES_TURN = auto()
    PREDICTS = auto()
    READS_SOURCE = auto()
    READS_JOBS = auto()
    WRITES_JOBS = auto()
    LOOKS_AT_OUTPUT = auto()
    WRITES_OUTPUT = auto()
    SENDS_PARTS = auto()
    ABORTS_OUTPUT = auto()
    COMPLETES_OUTPUT = auto()


@dataclass(frozen=True, slots=True)
class Counts:
    """How often something happens in a job.

    Attributes:
        job: once for the job.
        span: for each span of a long film.
        probe: for each sample of a job with a target in each round, and once to choose the crf's.
        round: for each of these rounds.
        tried: for each time that a call reads what was found of a sample in an earlier round.
        aimed: for each share of such a job.
        aimed_ahead: for each call of anchors of such a job.
        target: once for such a job.
        batch: for each batch.
        share: for each share of a batch.
        divided: for each batch of several shares.
        divided_share: for each share of such a batch.
        ahead: for each such batch of mode anchors.
        ahead_share: for each share of such a batch.
        rebased: for each such batch of mode rebase.
        node: for each node of the tree in which workers put the batches together.
        ladder: once for a job with a ladder.
        ladder_batch: for each batch of such a job.
        heard: once for such a job with sound.
        segment: for each segment of that sound.
        manifest: for each file of the ladder's manifest.
        listed: once if batches are a distributed map, which reads their list.
        spread: for each map that one function runs.
    """

    job: int = 0
    span: int = 0
    probe: int = 0
    round: int = 0
    tried: int = 0
    aimed: int = 0
    aimed_ahead: int = 0
    target: int = 0
    batch: int = 0
    share: int = 0
    divided: int = 0
    divided_share: int = 0
    ahead: int = 0
    ahead_share: int = 0
    rebased: int = 0
    node: int = 0
    ladder: int = 0
    ladder_batch: int = 0
    heard: int = 0
    segment: int = 0
    manifest: int = 0
    listed: int = 0
    spread: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(operator.add, astuple(self), astuple(other)))

    def times(self, other: Counts) -> int:
        """The sum over all units, if `other` says how many there are of each."""
        return sum(map(operator.mul, astuple(self), astuple(other)))


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda function of the stack.

    Attributes:
        name: its folder below `functions`.
        memory_mb: its memory, which the setting `memory_mb` can change.
        front: whether it serves jobs while their workers use all that the account runs; the
            setting `front_reserved` reserves concurrency for it.
    """

    name: str
    memory_mb: int
    front: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Step(Function):
    """A function that the flow calls.

    The requests to S3 are those of all its calls in a job in which nothing fails and no two batches
    end at the same moment, with a source small enough to be read whole when opened.

    Attributes:
        task: its task function, as ``"package.module:function"``.
        per: the unit for which it is called once.
        rights: what it may do.
        writes: requests that S3 prices as PUT, including records in the timeline.
        reads: requests that S3 prices as GET.
        reads_of_environment: further reads of each new environment.
        writes_of_size: what each further size of a ladder adds to the writes.
        reads_of_size: what it adds to the reads.
        phase: shown to the user while it runs; "" leaves the phase as it is.
        counts_frames: whether its frames are the job's progress.
        scratch: whether `/tmp` has the size of the setting `scratch_mb`.
        media: whether it handles pictures or sound. A step that does not begins faster, because its
            function has neither PyAV nor the codec.
    """

    task: str
    per: Per
    rights: frozenset[Right]
    writes: Counts
    reads: Counts
    reads_of_environment: int = 0
    writes_of_size: Counts = Counts()
    reads_of_size: Counts = Counts()
    phase: str = ""
    counts_frames: bool = False
    scratch: bool = False
    media: bool = True


_OPENED = 2
"""Reads that open a source: one looks it up, one reads it."""

# Every call ends with a record in the timeline (a write) and a check for a cancellation (a read).
# Every call except index's begins by reading what the job is, or its part of it.
STEPS = (
    Step(
        "index",
        memory_mb=1769,
        task="excamera.steps.index:index",
        per=Per.JOB,
        rights=frozenset({Right.ASKS_FOR_LIMITS, Right.READS_SOURCE, Right.WRITES_JOBS,
                          Right.LOOKS_AT_OUTPUT}),
        # The index, the record; each span as its worker reads it.
        writes=Counts(job=2, span=1),
        # The turns, the upload, the output, the check. Of a ladder the output is the manifest, and
        # each size has one beside it.
        reads=Counts(job=5 + _OPENED, ladder=1),
        reads_of_size=Counts(job=1),
        phase="reading the source",
        scratch=True,
    ),
    Step(
        "survey",
        # Its decoder and what looks at the pictures keep two CPUs busy: docs/adr/0024.
        memory_mb=3538,
        task="excamera.steps.survey:survey",
        per=Per.SPAN,
        rights=frozenset({Right.READS_SOURCE, Right.READS_JOBS, Right.WRITES_JOBS}),
        # The survey, the record.
        writes=Counts(span=2),
        # The span, the survey of an earlier attempt, the check.
        reads=Counts(span=3 + _OPENED),
        phase="looking for scenes",
    ),
    Step(
        "plan",
        memory_mb=1769,
        task="excamera.steps.plan:plan",
        per=Per.JOB,
        media=False,
        rights=frozenset({Right.CHANGES_TURN, Right.PREDICTS, Right.READS_JOBS,
                          Right.WRITES_JOBS, Right.SENDS_PARTS, Right.ABORTS_OUTPUT}),
        # The plan, the list of batches, the upload of the result and what is noted of it, the
        # record; a part of the plan for each batch. The list of the jobs that wait is priced as a
        # write, too, and the turn is one.
        # The list of samples.
        writes=Counts(job=7, batch=1, target=1),
        # The index, the turns, the model, an upload that was begun before, the check; all surveys.
        reads=Counts(job=6, span=1),
        # Each size of a ladder has an upload of its own.
        writes_of_size=Counts(job=2),
        reads_of_size=Counts(job=1),
    ),
    Step(
        "probe",
        memory_mb=5307,
        task="excamera.steps.probe:probe",
        per=Per.PROBE,
        rights=frozenset({Right.READS_SOURCE, Right.READS_JOBS, Right.WRITES_JOBS}),
        # The record, that in the timeline.
        writes=Counts(probe=2),
        # The plan, the record of an earlier attempt, the list of samples, the check; what earlier
        # rounds have found.
        reads=Counts(probe=4, tried=1),
        phase="trying qualities",
    ),
    Step(
        "anchors",
        memory_mb=5307,
        task="excamera.steps.anchors:anchors",
        per=Per.AHEAD,
        rights=frozenset({Right.READS_SOURCE, Right.READS_JOBS, Right.WRITES_JOBS}),
        # The anchors and their record, the record in the timeline.
        writes=Counts(ahead=3),
        # The plan, the record of an earlier attempt, the source, the check.
        # Of a job with a target, the quality of the batch.
        reads=Counts(ahead=3 + _OPENED, aimed_ahead=1),
        # The anchors of each size of a ladder and their record; the record of an earlier attempt.
        writes_of_size=Counts(ahead=2),
        reads_of_size=Counts(ahead=1),
        phase="coding anchors",
    ),
    Step(
        "encode",
        memory_mb=5307,
        task="excamera.steps.encode:encode",
        per=Per.SHARE,
        rights=frozenset({Right.READS_SOURCE, Right.READS_JOBS, Right.WRITES_JOBS,
                          Right.SENDS_PARTS}),
        # The joined batch and its record; the record in the timeline. Of several shares, each
        # and its record, a list of them, which is priced as a write, and who joins them. What is
        # noted of the batch, and a list of what is noted of its neighbours. Whoever finds all of
        # these does the same for a node of the tree; the last one has no neighbours.
        writes=Counts(batch=4, share=1, divided=1, divided_share=3, node=2, job=-1),
        # The plan, the record of an earlier batch, the check. Of several shares, the record of an
        # earlier one; in mode anchors, the anchors and their record. Whoever joins them reads
        # the others and their records, and looks again for an earlier batch. The sound and its
        # record; what is noted of neighbours, and whether they are put together already. The files
        # of a ladder have no sound.
        reads=Counts(batch=4, share=3, divided=-2, divided_share=3, ahead_share=2, node=2, job=-1,
                     aimed=1, ladder_batch=-2),
        # All of it again, but for what the call itself reads and writes.
        writes_of_size=Counts(batch=4, divided=1, divided_share=3, node=2, job=-1),
        reads_of_size=Counts(batch=2, share=1, divided=-2, divided_share=3, ahead_share=2, node=2,
                             job=-1),
        # An environment keeps its source open.
        reads_of_environment=_OPENED,
        phase="encoding",
        counts_frames=True,
    ),
    Step(
        "audio",
        memory_mb=5307,
        task="excamera.steps.audio:audio",
        per=Per.JOB,
        rights=frozenset({Right.READS_SOURCE, Right.READS_JOBS, Right.WRITES_JOBS}),
        writes=Counts(job=3),
        reads=Counts(job=3 + _OPENED),
    ),
    Step(
        "stitch",
        memory_mb=1769,
        task="excamera.steps.stitch:stitch",
        per=Per.JOB,
        media=False,
        rights=frozenset({Right.CHANGES_TURN, Right.READS_JOBS, Right.WRITES_JOBS,
                          Right.LOOKS_AT_OUTPUT, Right.WRITES_OUTPUT, Right.COMPLETES_OUTPUT}),
        # A part, the list of parts, the result, the record; the list of jobs and the turn, as in
        # plan. The sound of a ladder, first without what goes before it; the files of its manifest.
        writes=Counts(job=6, heard=2, manifest=1),
        # The turns, the plan, what is noted of all batches, the sound's record, the output, the
        # check. Batches of less than 5 MiB are read by encode or here; S3 copies larger ones, which
        # is a write.
        # Of a job with a target, what was expected. The sound of a ladder, its segments; what is in
        # the place of each file.
        reads=Counts(job=7, batch=1, target=1, heard=2, segment=1, manifest=1),
        # A part, the list of parts, the file; what is noted of all batches, the place, the batches.
        writes_of_size=Counts(job=3),
        reads_of_size=Counts(job=2, batch=1),
        phase="stitching",
    ),
)  # fmt: skip
"""In the order in which they begin, but the sound: that is made beside surveys and plan."""

FUNCTIONS: tuple[Function, ...] = (
    Function("start", 1769, front=True),
    Function("admit", 512, front=True),
    *STEPS,
    Function("spread", 1769),
    Function("failure", 256),
    Function("warm", 1769),
    Function("api", 1769, front=True),
    Function("ended", 1024, front=True),
    Function("watch", 1024),
    Function("sweep", 1024),
    Function("report", 5307),
    Function("webhook", 256),
)
"""All functions; `warm` is deployed unless `warm_ahead` is false, the last only with a
`webhook_url`."""

NUMBERS = ("span", "round", "sample", "batch", "share")
"""What the events of steps number, by the names of the fields."""

SPREADING = "spread"
"""The function that runs a map of the flow; the field `each` of its event names the map."""


def task_name(step: str, event: Mapping[str, Any]) -> str:
    """The name in a job's timeline of a step's call, such as "encode-000003-000001"."""
    numbers = [f"{event[name]:06d}" for name in NUMBERS if name in event]
    return "-".join([step, *([event["each"]] if "each" in event else []), *numbers])


STEP_NAMES = tuple(step.name for step in STEPS)

DEFAULT_MEMORY_MB: Mapping[str, int] = {one.name: one.memory_mb for one in FUNCTIONS}
"""Memory of each function, by its name."""


def name_of_size(step: str, memory_mb: int) -> str:
    """The name of a function in a further size of memory."""
    return f"{step}{memory_mb}"


ENCODE_SIZES_MB = (1769, 10_240)
"""Further sizes of the function that encodes: one CPU, which is never idle, and the most."""

FRONT_NAMES = tuple(one.name for one in FUNCTIONS if one.front)

PROVISIONED = "encode"
"""The function that the setting `provisioned` is about: the one that most environments run."""

[ENCODING] = (step.name for step in STEPS if step.counts_frames)
"""The step whose frames are a job's progress."""


def step_of(name: str) -> Step:
    """The row of a step.

    Raises:
        KeyError: there is no step of that name.
    """
    for step in STEPS:
        if step.name == name:
            return step
    raise KeyError(name)
