"""The end of a ladder: finish the file of each size and of the sound, then write the manifest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from excamera.job.codecs import DASH, SOUND
from excamera.job.objects import Job
from excamera.job.plan import Plan
from excamera.job.records import AudioRecord
from excamera.job.results import JobResult
from excamera.lifecycle.result_uploads import assembly_of
from excamera.lifecycle.results import Write, publish
from excamera.media.container.output import index_of, output_container
from excamera.media.container.protocol import Run
from excamera.media.container.sound_file import (
    Piece,
    aac_front,
    aac_pieces,
    opus_front,
    opus_pieces,
)
from excamera.media.container.webm import Block
from excamera.media.manifest import dash, hls
from excamera.media.manifest.representation import (
    Representation,
    Segment,
    codec_string,
    segment_starts,
)
from excamera.media.segments import between
from excamera.steps.runs import RunNote, checked_runs
from excamera.steps.sound import notes_on, sound_of
from mu import Context, Range, Store

Files = list[dict[str, Any]]


def stitch_ladder(job: Job, context: Context) -> JobResult:
    """Finish all files; nobody sees the manifest before the others are there.

    Raises:
        PlanMismatch: a piece is missing or does not have the planned frames.
        OutputError: a file exists and is not ours to replace.
    """
    plan = job.plan
    sound = sound_of(job)
    files: Files = []
    sizes: list[Representation] = []
    notes: list[RunNote] = []
    for one, rung in zip(job.rungs(), plan.rungs, strict=True):
        of_size = _finish_size(one, rung.name, files)
        sizes.append(of_size[0])
        notes += of_size[1]
    heard = _finish_sound(job, sound, files) if sound else None
    context.mark("computed")
    duration_s = max(float(plan.end * plan.time_base), sound.end_ms / 1000 if sound else 0.0)
    if plan.container == DASH:
        _store(job, _manifest_name(plan), dash.MEDIA_TYPE,
               dash.dash_manifest(sizes, heard, duration_s), files)  # fmt: skip
    else:
        _store_playlists(job, sizes, heard, files)
    context.mark("stored")
    return JobResult(
        key=files[-1]["key"],
        size=sum(one["size"] for one in files),
        frames=plan.frame_count,
        key_frames=len(plan.batches),
        duration_s=duration_s,
        video_bytes=sum(note.bytes for note in notes),
        sound="none" if sound is None else sound.manner,
        notes=[*plan.notes, *(notes_on(sound) if sound else ())],
        files=files,
    )


def _manifest_name(plan: Plan) -> str:
    return f"{plan.stem}.{plan.container}"


def _finish_size(job: Job, name: str, files: Files) -> tuple[Representation, list[RunNote]]:
    """Finish the file of one size."""
    plan = job.plan
    container = output_container(plan.container, plan.options.codec)
    assembly = assembly_of(job)
    whole, notes = checked_runs(job, assembly)
    lengths_s = [(plan.until(one) - one.pts[0]) * plan.time_base for one in plan.batches]
    starts = segment_starts(lengths_s)
    runs = [
        Run(size, note.cues if number in set(starts) else ())
        for number, (size, note) in enumerate(zip(whole.sizes, notes, strict=True))
    ]
    config = bytes.fromhex(notes[0].config)
    front, end = container.wrap(plan, sum(note.packets for note in notes), None, runs, config)
    _finish(job, plan, container.media_type, plan.file_name(name, plan.container),
            partial(assembly.finish, whole, front, end), files)  # fmt: skip
    index = index_of(plan.container, front)
    geometry = plan.geometry
    return Representation(
        name=name,
        file=plan.file_name(name, plan.container),
        media_type=container.media_type,
        codec=codec_string(plan.options.codec, config),
        head=index[0],
        index=index,
        segments=_segments(lengths_s, whole.sizes, starts, len(front)),
        width=geometry.width,
        height=geometry.height,
        sample_aspect=geometry.sample_aspect,
        frame_rate=plan.frame_count / sum(lengths_s, Fraction(0)),
        language=plan.tags.video_language,
    ), notes


def _segments(
    lengths_s: Sequence[Fraction], sizes: Sequence[int], starts: Sequence[int], at: int
) -> list[Segment]:
    """The batches of a file as segments, the first of which begins at a byte."""
    segments = []
    for begin, end in itertools.pairwise([*starts, len(sizes)]):
        size = sum(sizes[begin:end])
        segments.append(Segment(sum(lengths_s[begin:end], Fraction(0)), at, size))
        at += size
    return segments


def _finish_sound(job: Job, sound: AudioRecord, files: Files) -> Representation:
    """Write the file of the sound; its packets pass through here, a piece at a time."""
    plan, (track,) = job.plan, sound.tracks
    parts = plan.rung(0).container
    container = output_container(plan.container, plan.options.codec)
    is_aac = container.sound_codec == "aac"
    pieces: list[tuple[Fraction, int]] = []
    packets: list[int] = []

    def told(found: Iterator[Piece]) -> Iterator[bytes | Range]:
        for piece in found:
            pieces.append((piece.begin_s, len(piece.data)))
            packets.extend(piece.packets)
            yield piece.data

    blocks = _blocks(job, sound)
    body = job.store.concat(
        job.keys.sound, told(aac_pieces(blocks, track) if is_aac else opus_pieces(blocks))
    )
    if is_aac:
        front, index = aac_front(track, pieces, packets, plan.tags)
    else:
        front, index = opus_front(track, pieces, plan.tags)
    media_type = container.media_type.replace("video/", "audio/")
    name = plan.file_name(SOUND, parts)

    def write(target: Store, key: str, **more: Any) -> int:
        return target.concat(key, [front, Range(job.keys.sound, 0, body, job.store)], **more)

    _finish(job, replace(plan, output=plan.beside(name)), media_type, name, write, files)
    begins = [max(Fraction(0), begin) for begin, _ in pieces]
    end = max(begins[-1] + Fraction(1, 1000), Fraction(track.end_ms) / 1000)
    lengths_s = [after - before for before, after in itertools.pairwise([*begins, end])]
    sizes = [size for _, size in pieces]
    return Representation(
        name=SOUND,
        file=name,
        media_type=media_type,
        codec=codec_string(container.sound_codec, bytes.fromhex(track.private)),
        head=index[0],
        index=index,
        segments=_segments(lengths_s, sizes, range(len(sizes)), len(front)),
        channels=track.channels,
        sampling_rate=track.rate,
        language=plan.tags.sounds[track.place].language,
    )


def _blocks(job: Job, sound: AudioRecord) -> Iterator[Block]:
    for number, offset, size in sound.segments:
        yield from between(job.store.get_range(job.keys.audio, offset, size), [number], None, None)


def _store_playlists(
    job: Job, sizes: Sequence[Representation], heard: Representation | None, files: Files
) -> None:
    listed = []
    for one in [*sizes, *([heard] if heard else [])]:
        name = f"{job.plan.stem}-{one.name}.{job.plan.container}"
        _store(job, name, hls.MEDIA_TYPE, hls.media_playlist(one), files)
        listed.append((one, name))
    sound = listed.pop() if heard else None
    _store(job, _manifest_name(job.plan), hls.MEDIA_TYPE,
           hls.master_playlist(listed, sound), files)  # fmt: skip


def _store(job: Job, name: str, media_type: str, data: bytes, files: Files) -> None:
    """Write a small file."""

    def write(target: Store, key: str, **more: Any) -> int:
        return target.concat(key, [data], **more)

    plan = replace(job.plan, output=job.plan.beside(name))
    _finish(job, plan, media_type, name, write, files)


def _finish(job: Job, plan: Plan, media_type: str, name: str, write: Write, files: Files) -> None:
    """Write a file to its place, and note it."""
    if plan.output is None:
        key = job.keys.file(len(files))
        size = write(job.store, key)
    else:
        key = plan.output.key
        size = publish(plan.output, media_type, plan.source, job.keys.job, write)
    files.append({"name": name, "key": key, "size": size})
