"""The upload in parts by which the workers of a job write its result together, on AWS.

The plan begins it and tells its name to all workers; stitch completes it. It is recorded among the
job's objects, so that whoever sees the end of a job can abort what is left. If a job goes on after
that, since somebody redrove it, it joins its result of the objects that its workers stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from excamera.job.objects import Job, Keys
from excamera.job.plan import Plan
from excamera.lifecycle import results
from mu import Assembly, NoSuchKey, Store, upload_at


def begin_upload(plan: Plan, media_type: str, store: Store, keys: Keys) -> str:
    """Begin the upload of a plan's result, or find the one that was begun before.

    Args:
        plan: of the whole job.
        media_type: of the result.
        store: of the job.
        keys: of the job's objects.

    Returns:
        Its name; "" if the result stays in a store without such uploads.
    """
    if plan.output is None:
        return ""
    key = keys.upload_of(plan.digest)
    try:
        return _name(store.get(key))
    except NoSuchKey:
        pass
    name = results.begin(plan.output, media_type, plan.source, keys.job)
    record = {"store": plan.output.store, "key": plan.output.key, "name": name}
    if not name or store.put_new(key, json.dumps(record).encode()):
        return name
    return _name(store.get(key))


def assembly_of(job: Job) -> Assembly:
    """The result as it is put together of the batches; every worker opens its own."""
    plan, keys = job.plan, job.keys
    upload = None
    if plan.output is not None and plan.upload:
        upload = upload_at(plan.output.store, plan.output.key, plan.upload)
    return Assembly(job.store, assembly_prefix(plan, keys), plan.batch_count, keys.cluster, upload)


def assembly_prefix(plan: Plan, keys: Keys) -> str:
    """The key prefix of what is known of the joined batches."""
    # What is noted of one upload does not hold for the next one.
    name = hashlib.sha256(plan.upload.encode()).hexdigest()[:16]
    return f"{keys.assembly(plan.digest)}/{name}"


def abort_uploads(store: Store, keys: Keys) -> None:
    """Abort what a job has begun, and remove the records; completed uploads are left alone."""
    for key in store.list(f"{keys.uploads}/"):
        try:
            record = json.loads(store.get(key))
        except NoSuchKey:  # somebody else was quicker
            continue
        upload_at(record["store"], record["key"], record["name"]).abort()
        store.delete(key)


def without_uploads(found: Iterable[str], keys: Keys) -> list[str]:
    """The keys of a job's objects but those of the records of its uploads."""
    return [key for key in found if not key.startswith(f"{keys.uploads}/")]


def _name(record: bytes) -> str:
    return str(json.loads(record)["name"])
