"""A job's objects in the store: their keys, and how they are written and found again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from excamera.job.plan import Batch, Plan
from mu import NoSuchKey, Store, at_once


@dataclass(frozen=True, slots=True)
class Keys:
    """Where a job keeps its objects; a function of the job's name and the plan's numbers."""

    job: str

    @property
    def prefix(self) -> str:
        """Common beginning of all keys of the job."""
        return f"jobs/{self.job}"

    @property
    def plan(self) -> str:
        """The plan."""
        return f"{self.prefix}/plan.json"

    def part(self, batch: int) -> str:
        """The part of the plan that the workers of a batch read."""
        return f"{self.prefix}/plan/{batch:06d}.json"

    @property
    def items(self) -> str:
        """The list of batches that the flow maps over."""
        return f"{self.prefix}/items.json"

    @property
    def spool(self) -> str:
        """Copy of a source that can be read only once (a pipe)."""
        return f"{self.prefix}/source/spool"

    @property
    def remux(self) -> str:
        """The video stream of a source without timestamps or index, as NUT."""
        return f"{self.prefix}/source/video.nut"

    def chunk(self, batch: int, chunk: int) -> str:
        """A chunk as encoded; its record is beside it as ``.json``."""
        return f"{self.prefix}/chunks/{batch:06d}/{chunk:04d}.ivf"

    def cluster(self, batch: int) -> str:
        """A finished batch: Matroska clusters, or IVF frames for an IVF result."""
        return f"{self.prefix}/batches/{batch:06d}.cluster"

    @property
    def audio(self) -> str:
        """All sound as Matroska clusters."""
        return f"{self.prefix}/audio.clusters"

    @property
    def timeline(self) -> str:
        """Prefix of the timing records."""
        return f"{self.prefix}/timeline"

    @property
    def map_results(self) -> str:
        """Prefix under which Step Functions lists what became of the batches."""
        return f"{self.prefix}/map"

    @property
    def failure(self) -> str:
        """Why the job failed, if it did."""
        return f"{self.prefix}/failure.json"

    @property
    def end(self) -> str:
        """How the job ended, as everybody was told."""
        return f"{self.prefix}/end.json"

    @property
    def cancelled(self) -> str:
        """A mark that the job's objects are not wanted; apart from them, so that it stays."""
        return f"cancelled/{self.job}"

    @property
    def upload(self) -> str:
        """What was asked for with a job whose source is still being uploaded."""
        return f"uploads/{self.job}.json"

    def result(self, container: str) -> str:
        """The finished file."""
        return f"{self.prefix}/result.{container}"

    @staticmethod
    def record(key: str) -> str:
        """The JSON record beside an object."""
        return f"{key.rpartition('.')[0]}.json"


def save(plan: Plan, store: Store, keys: Keys) -> None:
    """Store a plan: its parts, then the whole, then the list of batches that the flow maps over."""
    whole = plan.to_json()

    def save_part(batch: Batch) -> None:
        store.put(keys.part(batch.number), plan.part(batch).to_json())

    at_once(save_part, plan.batches)
    store.put(keys.plan, whole)
    items = [{"batch": b.number, "chunks": list(range(len(b.chunks)))} for b in plan.batches]
    store.put(keys.items, json.dumps(items).encode())


def load(store: Store, keys: Keys, batch: int | None = None) -> Plan:
    """Read a job's plan, or the part of it that is about one batch."""
    return Plan.from_json(store.get(keys.plan if batch is None else keys.part(batch)))


def finished(store: Store, key: str, digest: str) -> dict[str, Any] | None:
    """The record of an object that an earlier run of the same plan finished, or None."""
    try:
        record: dict[str, Any] = json.loads(store.get(Keys.record(key)))
        whole = record.get("plan") == digest and store.size(key) == record["size"]
    except NoSuchKey:
        return None
    return record if whole else None


def finish(
    store: Store, key: str, data: bytes, digest: str, record: dict[str, Any]
) -> dict[str, Any]:
    """Store an object, then its record: a record means that the object is complete.

    Args:
        store: the job's.
        key: of the object.
        data: the object.
        digest: the plan's.
        record: what to remember of the object.

    Returns:
        The record as stored, with `plan` and `size`.
    """
    record = {"plan": digest, "size": len(data), **record}
    store.put(key, data)
    store.put(Keys.record(key), json.dumps(record).encode())
    return record
