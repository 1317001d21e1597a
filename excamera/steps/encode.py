"""Encode a share of a batch; whoever finds all shares encoded joins the batch."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain

from excamera.errors import PlanMismatch
from excamera.job.batches import Batch, Chunk
from excamera.job.objects import Job, Keys
from excamera.job.packing import share_of
from excamera.job.records import BatchRecord, ShareRecord
from excamera.media.container.protocol import stamped
from excamera.media.join import CodedChunk
from excamera.steps.join import join
from excamera.steps.modes import Mode, mode_of
from excamera.steps.pictures import Reel
from excamera.steps.pieces import CODEC, frames_of, piece
from excamera.steps.runs import add_run
from excamera.steps.together import encode_together
from mu import Context, Event, at_once
from mu.machine import available_cpus


def encode(event: Event, context: Context) -> Event:
    """Encode a share of a batch.

    If it is the only one, nothing but the joined batch is stored. If there are several, each is
    stored, and the worker that finds all of them joins the batch. Of two that end at the same time,
    the first to say so does.

    Args:
        event: `job`, `batch` and `share` numbers; `of`, how many shares the batch has; `threads`,
            how many to use, 0 for one on each CPU.
        context: the store.

    Returns:
        `frames` (shown) of the share; if it has joined the batch, or found it joined, the `bytes`
        of the batch's coded frames; `again`, whether it was found.

    Raises:
        SourceMismatch: the source does not have exactly the planned frames.
        ChunkError: the encoder did not make a chunk of them.
        SeamMismatch: the joined batch does not decode to the predicted states.
    """
    job = Job.load(context.store, event["job"], event["batch"])
    batch = job.plan.batch(event["batch"])
    share, of, threads = event["share"], event["of"], event["threads"] or available_cpus()
    chunks = [batch.chunks[number] for number in share_of(len(batch.chunks), share, of)]
    sizes = job.rungs()
    found = [one.finished(one.keys.cluster(batch.number), BatchRecord) for one in sizes]
    for one, record in zip(sizes, found, strict=True):
        if record is not None:
            add_run(one, batch.number, record)  # to the upload of a job that was begun again
    missing = [one for one, record in zip(sizes, found, strict=True) if record is None]
    records = [record for record in found if record is not None]
    if missing and job.plan.rungs and batch.mode == "plain":
        records += encode_together(job, missing, batch, threads, context)
    elif missing:
        reel = Reel.of(job, chunks, threads) if job.plan.rungs else None
        for place, one in enumerate(missing, len(sizes) - len(missing)):
            mode = mode_of(one, batch, chunks, threads, context, reel)
            told = _told(batch, share, mode, context, Fraction(place, len(sizes)), len(sizes))
            with mode:
                if of == 1:
                    records.append(join(one, batch, mode, told, context))
                else:
                    joined = _encode_one(one, batch, mode, told, share, of, context)
                    records += [joined] if joined is not None else []
    whole = len(records) == len(sizes)
    return {
        "frames": sum(len(chunk.pts) for chunk in chunks),
        "bytes": sum(record.bytes for record in records) if whole else 0,
        "again": not missing,
    }


def _encode_one(
    job: Job,
    batch: Batch,
    mode: Mode,
    told: Iterator[CodedChunk],
    share: int,
    of: int,
    context: Context,
) -> BatchRecord | None:
    """Encode one share of several, and join them if all are stored; returns what it has joined."""
    keys = job.keys
    own: list[CodedChunk] = []

    def make() -> tuple[bytes, ShareRecord]:
        own.extend(told)
        frames = [
            stamp
            for one, chunk in zip(own, mode.chunks, strict=True)
            for stamp in stamped(one.frames, mode.coded_of(chunk).pts, CODEC)
        ]
        return piece(job.plan, frames), ShareRecord(
            chunks=[len(one.frames) for one in own], digests=[one.digest for one in own]
        )

    def found(number: int) -> tuple[list[CodedChunk], float]:
        if number == share and own:
            return own, 0.0
        chunks = [batch.chunks[one] for one in share_of(len(batch.chunks), number, of)]
        return _stored(job, batch, mode_of(job, batch, chunks, 1, context), number, of)

    job.once(keys.share(batch.number, of, share), ShareRecord, make, context)
    stored = set(job.store.list(keys.shares(batch.number, of)))
    complete = all(Keys.record(keys.share(batch.number, of, one)) in stored for one in range(of))
    if complete and _is_joiner(job, batch, share, of):
        shares = at_once(found, range(of))
        coded = chain.from_iterable(one for one, _ in shares)
        others_s = [seconds for number, (_, seconds) in enumerate(shares) if number != share]
        return join(job, batch, mode, coded, context, others_s=others_s)
    return None


def _is_joiner(job: Job, batch: Batch, share: int, of: int) -> bool:
    """Whether the worker of this share is the one that joins the batch, at any attempt."""
    key = job.keys.joiner(batch.number, of)
    number = str(share).encode()
    return job.store.put_new(key, number) or job.store.get(key) == number


def _told(
    batch: Batch, share: int, mode: Mode, context: Context, before: Fraction, sizes: int
) -> Iterator[CodedChunk]:
    """Encode the chunks of a share; the observer hears of each.

    Args:
        batch: the batch.
        share: its number.
        mode: the share.
        context: of the task.
        before: the part of the sizes of a ladder that are encoded already.
        sizes: how many there are.
    """
    frames = sum(len(chunk.pts) for chunk in mode.chunks)
    done = 0

    def told(chunk: Chunk, coded: CodedChunk) -> CodedChunk:
        nonlocal done
        done += len(chunk.pts)
        seen = int(frames * before + Fraction(done, sizes))
        context.report({"batch": batch.number, "share": share, "frames": seen})
        return coded

    return map(told, mode.chunks, mode.encode())


def _stored(
    job: Job, batch: Batch, mode: Mode, share: int, of: int
) -> tuple[list[CodedChunk], float]:
    """The chunks of a share as its worker stored them, and the seconds that it took."""
    key = job.keys.share(batch.number, of, share)
    record = ShareRecord.from_json(job.store.get(Keys.record(key)))
    data = job.store.get(key)
    stamps = iter(frames_of(data))
    coded: list[CodedChunk] = []
    times: list[int] = []
    for count, digest in zip(record.chunks, record.digests, strict=True):
        some = [next(stamps) for _ in range(count)]
        times += [pts for pts, frame in some if CODEC.is_shown(frame)]
        coded.append(CodedChunk([frame for _, frame in some], digest))
    planned = [pts for chunk in mode.chunks for pts in mode.coded_of(chunk).pts]
    if (record.plan, record.size) != (job.plan.digest, len(data)) or times != planned:
        raise PlanMismatch(f"share {share} of batch {batch.number} is of another plan")
    return coded, record.finished - record.started
