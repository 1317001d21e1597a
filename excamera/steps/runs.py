"""The batches as runs of the result: what stitch has to know of each."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from excamera.errors import ConfigMismatch, PlanMismatch
from excamera.job.batches import Batch
from excamera.job.objects import Job
from excamera.job.records import BatchRecord
from excamera.lifecycle.result_uploads import assembly_of
from mu import Assembly, Gathered, NoSuchKey


@dataclass(frozen=True, slots=True)
class RunNote:
    """What is noted of a run; the fields are those of `BatchRecord`."""

    frames: int
    packets: int
    pts: str
    bytes: int
    key_frames: int
    cues: Any
    config: str


def add_run(job: Job, batch: int, record: BatchRecord) -> None:
    """Add a finished batch to the result."""
    note = RunNote(
        record.frames,
        record.packets,
        record.pts,
        record.bytes,
        record.key_frames,
        record.cues,
        record.config,
    )
    assembly_of(job).add(batch, record.size, astuple(note), record.work)


def checked_runs(job: Job, assembly: Assembly) -> tuple[Gathered, list[RunNote]]:
    """What is known of all runs, checked against the plan.

    Raises:
        PlanMismatch: a batch is missing, or does not have the planned frames.
        ConfigMismatch: one header cannot describe all batches.
    """
    whole = _whole(job, assembly)
    notes = [RunNote(*note) for note in whole.notes]
    for batch, note in zip(job.plan.batches, notes, strict=True):
        expected = (len(batch.pts), batch.pts_digest)
        if (note.frames, note.pts) != expected or note.key_frames != 1:
            raise PlanMismatch(f"batch {batch.number} does not have the planned frames")
        if note.config != notes[0].config:
            raise ConfigMismatch(
                f"the encoder of batch {batch.number} gave other headers than that of the first"
            )
    return whole, notes


def _whole(job: Job, assembly: Assembly) -> Gathered:
    try:
        return assembly.whole()
    except NoSuchKey:
        # Find out which batch it is. If all are there, they only have to be added.
        for batch in job.plan.batches:
            add_run(job, batch.number, _recorded(job, batch))
        return assembly.whole()


def _recorded(job: Job, batch: Batch) -> BatchRecord:
    record = job.finished(job.keys.cluster(batch.number), BatchRecord)
    if record is None:
        raise PlanMismatch(f"batch {batch.number} is missing or of another plan")
    return record
