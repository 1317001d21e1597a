"""The facts of a report, as a page shows them and `--json` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from excamera.job.results import Outcome
from mu import TaskRecord

EQUAL_DB = 100.0
"""What stands for the quality of a picture without any difference, whose decibels are infinite."""

KEY, ANCHOR, FIRST, ORDINARY = "key", "anchor", "first", "ordinary"
"""What a frame is to its batch: its key frame; coded ahead; the first of a chunk that is joined to
the one before; none of these."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The shown frames of a video, in order of display; every list has an item for each.

    Attributes:
        time_s: when it is shown, in seconds; None if the container does not say.
        bytes: of the frame, with hidden ones: an anchor with what was coded ahead of it, others
            with those that are decoded just before them.
        hidden_bytes: the part of these that is of hidden frames.
        type: see `excamera.media.info.KEY`.
        role: see `KEY`; "" if there is no plan that tells.
        y_ac_qi: see `excamera.media.info.CodedFrame`; of an anchor, that of the hidden frame which
            it shows.
        psnr_db: of the luma, to two decimals; None if it was not measured.
        ssim_db: likewise.
    """

    time_s: Sequence[float | None]
    bytes: Sequence[int]
    hidden_bytes: Sequence[int]
    type: Sequence[str]
    role: Sequence[str]
    y_ac_qi: Sequence[int | None]
    psnr_db: Sequence[float | None]
    ssim_db: Sequence[float | None]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.bytes)


@dataclass(frozen=True, slots=True)
class Group:
    """Frames of one type or role.

    Attributes:
        frames: how many.
        bytes: of all of them.
        y_ac_qi: the least, the mean and the most; None without any.
        ssim_db: the mean of what was measured; None without any.
    """

    frames: int
    bytes: int
    y_ac_qi: tuple[int, float, int] | None
    ssim_db: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of a whole video, of the luma, to two decimals.

    Attributes:
        psnr_db: of the mean squared error.
        ssim_db: of the mean SSIM.
        frames: how many were measured.
    """

    psnr_db: float
    ssim_db: float
    frames: int


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """A batch.

    Attributes:
        mode: see `excamera.job.batches.Batch`.
        first_frame: of the result.
        chunk_frames: how many frames each of its chunks has.
        crf: of the batch, with what its zone adds; None if a target has not chosen it yet.
        bytes: of coded frames; None if it is not finished, like what follows.
        packets: coded frames.
        key_frames: see `excamera.job.records.BatchRecord`.
        states: digests of the decoder's state after each chunk: the seams.
        timings: seconds of each part of the join, by name.
    """

    mode: str
    first_frame: int
    chunk_frames: Sequence[int]
    crf: float | None = None
    bytes: int | None = None
    packets: int | None = None
    key_frames: int | None = None
    states: Sequence[str] = ()
    timings: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One encode, or one file.

    Attributes:
        name: of the file or the job.
        codec: FFmpeg's name of it; "" if there is no result yet.
        container: FFmpeg's names of it.
        bytes: of the file.
        duration_s: likewise.
        frame_rate: frames a second, as the file states it.
        width: of the picture, px.
        height: likewise.
        frames: none if there is no result yet.
        quality: None if it was not measured.
        plan: the digest of the plan, "" without one.
        batches: likewise.
        scenes: numbers of the frames that begin a scene, as the survey has found them; None if it
            is not known.
        options: with which it was encoded.
        predicted: what a model expected of the encode.
        actual: what it took.
        facts: more of it by name, such as its source.
        notes: what a user should know, a line each.
        log: the last lines that its workers printed, or why they failed.
        records: of its tasks.
        is_film: whether it is about a film, or about a job of mu of another kind.
        ladder: of one size of a ladder, the name of the run of the whole, which follows behind its
            sizes and has what is not of one size: workers, time, cost, options; else "".
    """

    name: str
    codec: str = ""
    container: str = ""
    bytes: int = 0
    duration_s: float = 0.0
    frame_rate: float = 0.0
    width: int = 0
    height: int = 0
    frames: Frames = field(default_factory=lambda: Frames([], [], [], [], [], [], [], []))
    quality: Quality | None = None
    plan: str = ""
    batches: Sequence[BatchFacts] = ()
    scenes: Sequence[int] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    predicted: Outcome | None = None
    actual: Outcome | None = None
    facts: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    log: Sequence[str] = ()
    records: Sequence[TaskRecord] = ()
    is_film: bool = True
    ladder: str = ""

    @property
    def types(self) -> dict[str, Group]:
        """The frames by type."""
        return _groups(self.frames, self.frames.type)

    @property
    def roles(self) -> dict[str, Group]:
        """The frames by role."""
        return _groups(self.frames, self.frames.role)

    def without_tasks(self) -> dict[str, Any]:
        """The run as JSON, without its frames and tasks."""
        bare = asdict(replace(self, frames=Frames([], [], [], [], [], [], [], []), records=()))
        del bare["frames"], bare["records"]
        return {
            **bare,
            "frame_count": self.frames.count,
            "video_bytes": sum(self.frames.bytes),
            "types": {name: asdict(group) for name, group in self.types.items()},
            "roles": {name: asdict(group) for name, group in self.roles.items()},
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a page shows.

    Attributes:
        title: of the page.
        made: when, ISO 8601.
        made_with: machine and versions by name.
        reference: the name of what qualities are measured against, or "".
        runs: side by side; frames of the same number are compared.
        pictured: numbers of the frames whose pictures are in the page, and why.
    """

    title: str
    made: str
    made_with: dict[str, str]
    reference: str
    runs: Sequence[Run]
    pictured: dict[int, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All of it but pictures."""
        return {
            **self.heading(),
            "runs": [
                {
                    **run.without_tasks(),
                    "frames": asdict(run.frames),
                    "tasks": [record.to_json() for record in run.records],
                }
                for run in self.runs
            ],
        }

    def heading(self) -> dict[str, Any]:
        """What is not about one run."""
        return {
            "title": self.title,
            "made": self.made,
            "made_with": self.made_with,
            "reference": self.reference,
            "pictured": {str(number): why for number, why in self.pictured.items()},
        }


def _groups(frames: Frames, names: Iterable[str]) -> dict[str, Group]:
    members: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        if name:
            members.setdefault(name, []).append(number)
    return {name: _group(frames, numbers) for name, numbers in members.items()}


def _group(frames: Frames, numbers: Sequence[int]) -> Group:
    steps = [step for number in numbers if (step := frames.y_ac_qi[number]) is not None]
    quality = [db for number in numbers if (db := frames.ssim_db[number]) is not None]
    return Group(
        frames=len(numbers),
        bytes=sum(frames.bytes[number] for number in numbers),
        y_ac_qi=(min(steps), round(sum(steps) / len(steps), 2), max(steps)) if steps else None,
        ssim_db=round(sum(quality) / len(quality), 2) if quality else None,
    )
