"""Step 4: check the pieces against the plan and join them into the result."""

from __future__ import annotations

from typing import Any

from excamera.errors import PlanMismatch
from excamera.job.objects import Keys, finished, load
from excamera.job.plan import Batch, Plan
from excamera.lifecycle.uploads import publish
from excamera.media.container import ivf, webm
from excamera.steps.rebase import constant_frame_ns, pts_digest
from mu import Context, Event, Range, Store, at_once


def stitch(event: Event, context: Context) -> Event:
    """Write the result file.

    Args:
        event: `job`.
        context: the store.

    Returns:
        `key` of the result (in the plan's output store, if it names one), its `size` in
        bytes, `frames`, `key_frames`, `duration_s` and `video_bytes`; `sound`: "copied",
        "encoded" or "none".

    Raises:
        PlanMismatch: a piece is missing or does not have the planned frames.
        OutputError: the output exists and is not ours to replace.
    """
    keys = Keys(event["job"])
    plan = load(context.store, keys)
    records = _checked(plan, context.store, keys)
    sound = _sound(plan, context.store, keys)
    context.mark("fetched")
    if plan.container == "ivf":
        parts = _ivf_parts(plan, records, context.store, keys)
    else:
        parts = _webm_parts(plan, records, sound, context.store, keys)
    context.mark("computed")
    if plan.output is None:
        key = keys.result(plan.container)
        size = context.store.concat(key, parts)
    else:
        key = plan.output.key
        size = publish(plan.output, plan.container, plan.source, keys.job, parts)
    context.mark("stored")
    return {
        "key": key,
        "size": size,
        "frames": plan.frame_count,
        "key_frames": sum(record["key_frames"] for record in records),
        "duration_s": float(plan.end * plan.time_base),
        "video_bytes": sum(record["bytes"] for record in records),
        "sound": "none" if sound is None else "copied" if sound["copied"] else "encoded",
    }


def _checked(plan: Plan, store: Store, keys: Keys) -> list[dict[str, Any]]:
    """The records of all batches, each found to be what was planned."""
    digest = plan.digest

    def checked(batch: Batch) -> dict[str, Any]:
        record = finished(store, keys.cluster(batch.number), digest)
        if record is None:
            raise PlanMismatch(f"batch {batch.number} is missing or of another plan")
        expected = (len(batch.pts), pts_digest(batch.pts))
        if (record["frames"], record["pts"]) != expected or record["key_frames"] != 1:
            raise PlanMismatch(f"batch {batch.number} does not have the planned frames")
        return record

    return at_once(checked, plan.batches)


def _ivf_parts(
    plan: Plan, records: list[dict[str, Any]], store: Store, keys: Keys
) -> list[bytes | Range]:
    packets = sum(record["packets"] for record in records)
    head = ivf.header(plan.geometry.width, plan.geometry.height, plan.time_base, packets)
    batches = [
        Range(keys.cluster(number), 0, record["size"], store)
        for number, record in enumerate(records)
    ]
    return [head, *batches]


def _sound(plan: Plan, store: Store, keys: Keys) -> dict[str, Any] | None:
    """The record of the sound, or None where there is none."""
    if plan.source.audio_stream is None:
        return None
    record = finished(store, keys.audio, plan.digest)
    if record is None:
        raise PlanMismatch("the sound is missing or of another plan")
    return record if record["blocks"] else None


def _webm_parts(
    plan: Plan,
    records: list[dict[str, Any]],
    sound: dict[str, Any] | None,
    store: Store,
    keys: Keys,
) -> list[bytes | Range]:
    parts: list[bytes | Range] = []
    pieces: list[tuple[int, list[tuple[int, int]]]] = []
    runs = sound["runs"] if sound else [[0, 0]] * (len(records) + 1)
    for number, (offset, size) in enumerate(runs):
        if size:
            parts.append(Range(keys.audio, offset, size, store))
            pieces.append((size, []))
        if number < len(records):
            record = records[number]
            parts.append(Range(keys.cluster(number), 0, record["size"], store))
            pieces.append((record["size"], [(ms, at) for ms, at in record["cues"]]))
    end_ms = float(plan.end * plan.time_base * 1000)
    audio = None
    if sound:
        end_ms = max(end_ms, sound["end_ms"])
        audio = webm.AudioTrack(
            sound["channels"], bytes.fromhex(sound["private"]), sound["delay_ns"]
        )
    geometry = plan.geometry
    video = webm.VideoTrack(
        width=geometry.width,
        height=geometry.height,
        sample_aspect=geometry.sample_aspect,
        frame_ns=constant_frame_ns(plan),
        matrix=geometry.matrix,
        transfer=geometry.transfer,
        primaries=geometry.primaries,
    )
    front, behind = webm.wrap(end_ms, video, audio, pieces)
    return [front, *parts, behind]
