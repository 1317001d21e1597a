"""For a job with a target: encode a sample of the film, and choose the quality of all batches."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from excamera.errors import OptionError
from excamera.job.aiming import ROUNDS, Aim, Sampling
from excamera.job.batches import Batch, Chunk
from excamera.job.objects import Job
from excamera.job.packing import SHARE_PIXELS
from excamera.job.plan import Plan
from excamera.job.records import AimRecord, ProbeRecord
from excamera.job.target import PSNR, SIZE, SSIM, Target
from excamera.media.codecs import OutputCodec
from excamera.media.container.output import output_container
from excamera.media.join import CodedChunk, JoinedChunk
from excamera.media.plain import decoded_plain
from excamera.media.playback import shown_pictures
from excamera.media.quality import mse, ssim
from excamera.media.segments import payload
from excamera.media.source.picture import Plane, planes_of
from excamera.media.source.reader import FrameReader
from excamera.steps.modes import mode_of
from excamera.steps.sound import sound_of
from mu import Context, Event, at_once
from mu.machine import available_cpus

_MOST_PIXELS = SHARE_PIXELS // 2
"""Of a sample, frames times pixels: of a larger batch only the beginning is encoded."""

_COMPARED_PIXELS = 500_000_000
"""Of samples that have more, frames times pixels, every fifth picture is compared: five divides no
usual length of a chunk, so all places in it count."""

_BYTES_OF_PACKET = {"webm": 7.0, "mkv": 7.0, "mp4": 7.3, "ivf": 12.0}
_BYTES_OF_FILE = {"webm": 500, "mkv": 500, "mp4": 1250, "ivf": 32}
"""What a container adds to a packet of the picture or of the sound, and to a file."""


def probe(event: Event, context: Context) -> Event:
    """Encode one sample with the crf of a round; or, after the last round, choose all crf's.

    Args:
        event: `job`, `round` and `sample` numbers, and `threads`, 0 for one on each CPU.
        context: the store.

    Returns:
        `frames` that were encoded: none if the earlier rounds say enough.

    Raises:
        SourceMismatch: the source does not have exactly the planned frames.
        OptionError: a file of the wanted size has no room for any picture.
    """
    store, name, number = context.store, event["job"], event["round"]
    whole = Job.load(store, name)
    key = whole.keys.aim if number == ROUNDS else whole.keys.probe(number, event["sample"])
    target = whole.plan.options.target
    if target is None or (known := whole.known(key, _KINDS[number == ROUNDS])) is not None:
        return {"frames": known.frames if isinstance(known, ProbeRecord) else 0}
    started = time.time()
    sampling = Sampling.from_json(json.loads(store.get(whole.keys.sampling)))
    tried = _tried(whole, sampling, number)
    record: ProbeRecord | AimRecord
    if number == ROUNDS:
        aim = Aim(sampling, tried, target, _bits_wanted(whole, target, tried))
        record = _chosen(aim, target)
    else:
        sample = sampling.samples[event["sample"]]
        crf = sampling.guess if sample.at_first else None
        if number:
            aim = Aim(sampling, tried, target, _bits_wanted(whole, target, tried))
            crf = None if aim.is_enough else aim.crfs()[sample.batch]
        record = ProbeRecord(crf=-1.0)
        if crf is not None:
            own = whole.plan.batches[sample.batch]
            record = _encoded(whole, own, crf, event["threads"], context)
    context.mark("computed")
    done = replace(record, plan=whole.plan.digest, started=started, finished=time.time())
    store.put(key, done.to_json())
    context.mark("stored")
    return {"frames": record.frames if isinstance(record, ProbeRecord) else 0}


_KINDS: tuple[type[ProbeRecord], type[AimRecord]] = (ProbeRecord, AimRecord)


def _tried(job: Job, sampling: Sampling, rounds: int) -> list[list[ProbeRecord]]:
    """What is known of each sample after so many rounds."""

    def of_sample(number: int) -> list[ProbeRecord]:
        keys = [job.keys.probe(one, number) for one in range(rounds)]
        records = [ProbeRecord.from_json(job.store.get(key)) for key in keys]
        return [one for one in records if one.crf >= 0]

    return list(at_once(of_sample, range(len(sampling.samples))))


def _bits_wanted(job: Job, target: Target, tried: Sequence[Sequence[ProbeRecord]]) -> float:
    """The bits that all batches may have; 0 if the target is a quality.

    Raises:
        OptionError: none are left beside the sound.
    """
    plan = job.plan
    if target.is_quality:
        return 0.0
    if target.kind != SIZE:
        return 1000 * target.wanted * float(plan.end * plan.time_base)
    container = output_container(plan.container, plan.options.codec).name
    packets = sum(one.packets for records in tried for one in records)
    frames = sum(one.frames for records in tried for one in records)
    of_file = packets / frames * plan.frame_count
    besides = float(_BYTES_OF_FILE[container])
    sound = sound_of(job)
    if sound is not None:
        besides += payload(sound.size, sound.blocks, len(sound.segments))
        of_file += sound.blocks
    besides += _BYTES_OF_PACKET[container] * of_file
    if target.wanted <= besides:
        raise OptionError(
            f"size {target.wanted:,.0f} bytes is too small: sound and container alone take about "
            f"{besides:,.0f}"
        )
    return 8 * (target.wanted - besides)


def _chosen(aim: Aim, target: Target) -> AimRecord:
    crfs = aim.crfs()
    expected = aim.expected(crfs)
    limit = ""
    if aim.is_limited:
        end = "best" if aim.is_best else "worst"
        limit = f"crf {crfs[0]:g} is the {end} there is"
    return AimRecord(crfs=crfs, expected=expected, limit=limit)


def _encoded(job: Job, batch: Batch, crf: float, threads: int, context: Context) -> ProbeRecord:
    """Encode a batch, or the beginning of a large one, and measure it."""
    geometry = job.plan.geometry
    batch = _beginning(batch, max(1, _MOST_PIXELS // (geometry.width * geometry.height)))
    part = replace(job, plan=job.plan.part(batch)).with_crf(crf)
    plan, target = part.plan, job.plan.options.target
    codec = output_container(plan.container, plan.options.codec).codec
    with mode_of(part, batch, batch.chunks, threads or available_cpus(), context) as mode:
        joined = list(mode.join(mode.encode()))
    frames = [frame for chunk in joined for frame in chunk.frames]
    loss = 0.0
    if target is not None and target.is_quality:
        loss = _loss(part, batch, joined, codec, target)
    return ProbeRecord(
        crf=crf,
        frames=len(batch.pts),
        packets=len(frames),
        bytes=sum(map(len, frames)),
        key_bytes=sum(len(frame) for frame in frames if codec.is_key_frame(frame)),
        loss=loss,
    )


def _beginning(batch: Batch, most: int) -> Batch:
    """A batch, or at most so many of its frames: as many whole chunks as there is room for."""
    chunks: list[Chunk] = []
    frames = 0
    for chunk in batch.chunks:
        if chunks and frames + len(chunk.pts) > most:
            break
        chunks.append(chunk.part(0, most) if len(chunk.pts) > most else chunk)
        frames += len(chunks[-1].pts)
    return replace(batch, chunks=tuple(chunks))


def _loss(
    job: Job, batch: Batch, joined: Sequence[JoinedChunk], codec: OutputCodec, target: Target
) -> float:
    """What a sample has lost of its luma, see `ProbeRecord.loss`."""
    plan = job.plan
    pixels = plan.geometry.width * plan.geometry.height * len(batch.pts)
    step = 5 if pixels > _COMPARED_PIXELS else 1
    losses = []
    with FrameReader.for_plan(plan, job.store) as reader:
        source = (planes_of(one)[0] for chunk in batch.chunks for one in reader.read(chunk))
        pairs = zip(source, _lumas(plan, joined), strict=True)
        for number, (own, coded) in enumerate(pairs):
            if number % step == 0:
                losses.append(_loss_of(own, coded, target.kind))
    return sum(losses) / len(losses)


def _loss_of(own: Plane, coded: Plane, kind: str) -> float:
    return {SSIM: _unlike, PSNR: _error}[kind](own, coded)


def _unlike(own: Plane, coded: Plane) -> float:
    return 1 - ssim(own, coded)


def _error(own: Plane, coded: Plane) -> float:
    return mse(own, coded) / 255**2


def _lumas(plan: Plan, joined: Iterable[JoinedChunk]) -> Iterator[Plane]:
    """The luma of all pictures that a player would show."""
    if not plan.options.is_plain:
        frames = [frame for chunk in joined for frame in chunk.frames]
        yield from (picture.planes()[0] for picture in shown_pictures(frames))
        return
    for one in joined:
        chunk = CodedChunk(one.frames, order=one.order, config=one.config)
        for frame in decoded_plain(chunk, plan.options.codec, 1):
            yield planes_of(frame)[0]
