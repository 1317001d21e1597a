"""A job's objects in the store: their keys, and how to write and find them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, TypeVar

from excamera.errors import PlanMismatch
from excamera.job.batches import Batch
from excamera.job.packing import Packing
from excamera.job.plan import Plan
from excamera.job.records import AimRecord, Record
from mu import Context, NoSuchKey, Store, at_once

AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a job's objects; they follow from the job's name and the plan's numbers.

    Attributes:
        job: its name.
        rung: the size whose pieces they are of, if the job makes a ladder.
    """

    job: str
    rung: str = ""

    @property
    def prefix(self) -> str:
        """Common beginning of all keys of the job."""
        return f"jobs/{self.job}"

    @property
    def pieces(self) -> str:
        """Common beginning of the keys of what each size of a ladder has of its own."""
        return f"{self.prefix}/rungs/{self.rung}" if self.rung else self.prefix

    @property
    def plan(self) -> str:
        """The plan of the whole job."""
        return f"{self.prefix}/plan.json"

    @property
    def index(self) -> str:
        """All frames of the source, and what is known of the job before it is cut."""
        return f"{self.prefix}/index.json"

    def span(self, span: int) -> str:
        """A part of the source that one worker surveys, as a plan of one batch."""
        return f"{self.prefix}/spans/{span:06d}.json"

    def survey(self, span: int) -> str:
        """The survey of such a part; it is a record without an object."""
        return f"{self.prefix}/surveys/{span:06d}.json"

    @property
    def sampling(self) -> str:
        """What is tried of the film, if the job has a target (`excamera.job.aiming`)."""
        return f"{self.prefix}/sampling.json"

    def probe(self, round: int, sample: int) -> str:
        """A sample as encoded in one of the rounds; it is a record without an object."""
        return f"{self.prefix}/probes/{round}/{sample:06d}.json"

    @property
    def aim(self) -> str:
        """The quality of each batch, if the job has a target; a record without an object."""
        return f"{self.prefix}/aim.json"

    def part(self, batch: int) -> str:
        """The part of the plan that the workers of one batch read."""
        return f"{self.prefix}/plan/{batch:06d}.json"

    @property
    def items(self) -> str:
        """What the flow maps over, see `Job.save`."""
        return f"{self.prefix}/items.json"

    @property
    def spool(self) -> str:
        """Copy of a source that can only be read once (a pipe, standard input)."""
        return f"{self.prefix}/source/spool"

    @property
    def packets(self) -> str:
        """Video packets of a source that was indexed by decoding."""
        return f"{self.prefix}/source/packets"

    @property
    def pictures(self) -> str:
        """The list of the files, if the source is a sequence of numbered pictures."""
        return f"{self.prefix}/source/pictures.json"

    def anchors(self, batch: int) -> str:
        """The frames of a batch that are coded ahead, in mode anchors; and their record."""
        return f"{self.pieces}/anchors/{batch:06d}.ivf"

    def shares(self, batch: int, of: int) -> str:
        """Common beginning of the keys of a batch's shares, if it has so many."""
        return f"{self.pieces}/shares/{batch:06d}/{of:04d}/"

    def share(self, batch: int, of: int, share: int) -> str:
        """One of several shares of a batch, as its worker encoded it; and its record."""
        return f"{self.shares(batch, of)}{share:04d}.ivf"

    def joiner(self, batch: int, of: int) -> str:
        """The number of the share whose worker joins the batch."""
        return f"{self.shares(batch, of)}joiner"

    @property
    def clusters(self) -> str:
        """Common beginning of the keys of joined batches."""
        return f"{self.pieces}/batches/"

    def cluster(self, batch: int) -> str:
        """A joined batch with the sound before it, as in the result; and its record."""
        return f"{self.clusters}{batch:06d}.cluster"

    @property
    def audio(self) -> str:
        """All sound as packets; and its record. It is made before the plan."""
        return f"{self.prefix}/audio.packets"

    @property
    def sound(self) -> str:
        """The sound of a ladder as a file without its front."""
        return f"{self.prefix}/rungs/sound"

    def assembly(self, plan: str) -> str:
        """Prefix of what is known of the result's runs (`mu.Assembly`), by the plan's digest."""
        return f"{self.prefix}/assembly/{plan[:16]}"

    @property
    def uploads(self) -> str:
        """Prefix of the records of the uploads that workers write the result with, on AWS."""
        return f"{self.prefix}/uploads"

    def upload_of(self, plan: str) -> str:
        """The record of the upload of a plan, by its digest."""
        return f"{self.uploads}/{plan[:16]}.json"

    @property
    def timeline(self) -> str:
        """The timeline: an object for each attempt of each task. The key is its prefix."""
        return f"{self.prefix}/timeline"

    @property
    def map_results(self) -> str:
        """Prefix under which Step Functions lists the outcomes of the batches, on AWS."""
        return f"{self.prefix}/map"

    @property
    def failure(self) -> str:
        """Why the job failed, on AWS: step, batch and share, name, message, cause."""
        return f"{self.prefix}/failure.json"

    @property
    def end(self) -> str:
        """The last notice of the job's end, on AWS."""
        return f"{self.prefix}/end.json"

    @property
    def reports(self) -> str:
        """Common beginning of the keys of the job's reports, on AWS."""
        return f"{self.prefix}/report/"

    def report(self, number: int) -> str:
        """An attempt to make a report: a folder of what `excamera.lifecycle.reports` stores."""
        return f"{self.reports}{number:06d}/"

    @property
    def cancelled(self) -> str:
        """Marks a cancelled job, on AWS; it lies apart from the job's objects and outlives them."""
        return f"cancelled/{self.job}"

    @property
    def upload(self) -> str:
        """The request for a job whose source is still being uploaded, on AWS."""
        return f"uploads/{self.job}.json"

    @property
    def waiting(self) -> str:
        """The request for a job that waits for its turn, on AWS."""
        return f"admission/jobs/{self.job}.json"

    def file(self, file: int) -> str:
        """One of the files of a ladder, the manifest last, if the plan names no output."""
        return f"{self.prefix}/files/{file:06d}"

    def result(self, container: str) -> str:
        """The finished file, if the plan names no output."""
        return f"{self.pieces}/result.{container}"

    @staticmethod
    def record(key: str) -> str:
        """The JSON record beside an object."""
        return f"{key.rpartition('.')[0]}.json"


@dataclass(frozen=True, slots=True)
class Job:
    """A planned job, or the part of it for one batch, and the store with its objects.

    Attributes:
        store: holds the objects.
        keys: of the objects.
        plan: of the job, or the part of it.
    """

    store: Store
    keys: Keys
    plan: Plan

    @classmethod
    def load(
        cls, store: Store, name: str, batch: int | None = None, *, span: int | None = None
    ) -> Self:
        """The job of that name, with its whole plan, the part for one batch, or a span.

        If the job has a target, the part has the quality that was chosen for the batch.
        """
        keys = Keys(name)
        key = keys.plan if batch is None else keys.part(batch)
        if span is not None:
            key = keys.span(span)
        job = cls(store, keys, Plan.from_json(store.get(key)))
        if batch is None or job.plan.options.target is None:
            return job
        return job.with_crf(job.aim().crfs[batch])

    def with_crf(self, crf: float) -> Self:
        """A part of the job with that quality of its batch."""
        return replace(self, plan=replace(self.plan, crf=crf))

    def rungs(self) -> list[Job]:
        """The job once for each size of a ladder; itself alone if there is none."""
        return [
            Job(self.store, replace(self.keys, rung=one.name), self.plan.rung(number))
            for number, one in enumerate(self.plan.rungs)
        ] or [self]

    def aim(self) -> AimRecord:
        """The quality of each batch of a job with a target.

        Raises:
            PlanMismatch: it is missing, or of another plan.
        """
        found = self.known(self.keys.aim, AimRecord)
        if found is None:
            raise PlanMismatch("the quality of the batches is missing or of another plan")
        return found

    def known(self, key: str, kind: type[AnyRecord]) -> AnyRecord | None:
        """A record without an object, if a run of the same plan has stored it, else None."""
        try:
            record = kind.from_json(self.store.get(key))
        except (NoSuchKey, TypeError, ValueError):
            return None
        return record if record.plan == self.plan.digest else None

    def save(self, packing: Packing) -> None:
        """Store the plan: its parts, then the whole, then the list that the flow maps over.

        An item of the list has the `batch`; its `shares`, their numbers, and how many there are,
        `of`; and `ahead`, the batch's number in a list if its anchors are coded before its shares.
        """
        plan, store, keys = self.plan, self.store, self.keys
        whole = plan.to_json()

        def save_part(batch: Batch) -> None:
            store.put(keys.part(batch.number), plan.part(batch).to_json())

        at_once(save_part, plan.batches)
        items = [
            packing.item(one.number, len(one.chunks), anchored=one.is_anchored)
            for one in plan.batches
        ]
        store.put(keys.plan, whole)
        store.put(keys.items, json.dumps(items).encode())

    def finished(self, key: str, kind: type[AnyRecord]) -> AnyRecord | None:
        """The record of an object if any run of the same plan has finished it, else None."""
        try:
            record = kind.from_json(self.store.get(Keys.record(key)))
            whole = record.plan == self.plan.digest and self.store.size(key) == record.size
        except (NoSuchKey, TypeError, ValueError):
            return None  # the record is of another version, or a disk has lost a part of it
        return record if whole else None

    def once(
        self,
        key: str,
        kind: type[AnyRecord],
        make: Callable[[], tuple[bytes, AnyRecord]],
        context: Context,
    ) -> AnyRecord:
        """Make an object, unless a run of the same plan has finished it.

        The record is stored after the object, so its presence means that the object is whole.

        Args:
            key: of the object.
            kind: of its record.
            make: returns the object and its record, without the fields of `Record`.
            context: of the task; its timeline gets the marks "computed" and "stored".

        Returns:
            The record as stored.
        """
        record = self.finished(key, kind)
        if record is not None:
            return record
        started = time.time()
        data, record = make()
        context.mark("computed")
        record = replace(
            record,
            plan=self.plan.digest,
            size=len(data),
            started=started,
            finished=time.time(),
        )
        self.store.put(key, data)
        self.store.put(Keys.record(key), record.to_json())
        context.mark("stored")
        return record
