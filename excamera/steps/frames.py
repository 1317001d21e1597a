"""How the step `index` learns the frames of a source: from its packets, by decoding, by number."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from av.video.frame import VideoFrame

from excamera.errors import DamagedSource, TruncatedSource
from excamera.job.forms import NO_AUDIO
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import SourceFile
from excamera.job.zones import ZonedFrames
from excamera.media.source.clock import Clock, common_clock
from excamera.media.source.index import (
    LOST_FRAMES,
    index_packets,
    is_long,
    missing_frames,
    promised_but_lost_s,
    promised_but_missing,
    truncated,
)
from excamera.media.source.media import open_media
from excamera.media.source.numbered import NumberedPictures
from excamera.media.source.pictures import PictureList
from excamera.media.source.recording import Recording, display_times
from excamera.media.tracks import audio_streams
from excamera.media.words import counted
from mu import Store


@dataclass(frozen=True, slots=True)
class SourceFrames:
    """All frames of the source, with its own times.

    Attributes:
        source: as workers read it.
        time_base: seconds of a tick.
        pts: when each is shown, in ticks.
        read_pts: by what workers know each.
        seeks: for each, where decoding can start to reach it, best first.
        end: when the last one ends, in ticks.
        sound_clocks: of each sound track, if the clock jumps.
        interlaced: whether some are.
        notes: what a user should know of them.
        zones: see `excamera.job.cut.Frames`.
    """

    source: SourceFile
    time_base: Fraction
    pts: list[int]
    read_pts: list[int]
    seeks: list[tuple[int, ...]]
    end: int
    sound_clocks: tuple[Clock, ...] = ()
    interlaced: bool = False
    notes: tuple[str, ...] = ()
    zones: tuple[ZonedFrames, ...] = ()


def of_pictures(
    original: SourceFile,
    found: NumberedPictures,
    store: Store,
    keys: Keys,
    options: EncodeOptions,
) -> SourceFrames:
    """Each picture is a frame, which workers find by its number."""
    if found.missing and options.strict:
        raise DamagedSource(f"{original.name}: {found.missing} (if not for --strict)")
    store.put(keys.pictures, PictureList.of(found.pictures).to_json())
    numbers = list(range(len(found.pictures)))
    return SourceFrames(
        replace(original, pictures=keys.pictures),
        1 / found.rate,
        numbers,
        numbers,
        [(number,) for number in numbers],
        len(numbers),
        notes=(*filter(None, [found.missing]), *found.notes),
    )


def by_packets(
    original: SourceFile, media: str | BinaryIO, options: EncodeOptions
) -> SourceFrames | None:
    """Learn the frames from the container's packets, or None if they cannot be trusted."""
    with open_media(media, original.name) as opened:
        time_base = opened.time_base
        try:
            found = index_packets(opened)
        except TruncatedSource:
            if not options.damaged:
                raise
            return None
        if found is None:
            return None
        source = replace(original, stream=opened.video.index)
    return SourceFrames(source, time_base, found.pts, found.pts, found.seeks, found.end)


def by_decoding(
    original: SourceFile,
    media: str | BinaryIO,
    store: Store,
    keys: Keys,
    look: Callable[[VideoFrame], None],
    options: EncodeOptions,
    deadline: float | None = None,
) -> SourceFrames:
    """Learn the frames by decoding once, and record the packets to read them by number.

    Raises:
        SlowSource: that would last until after the `deadline`, a Unix time.
    """
    with open_media(media, original.name) as opened:
        # Sound that is left out still tells where the clock jumps.
        chosen = "" if options.audio == NO_AUDIO else options.audio
        sounds = audio_streams(opened.container, opened.encrypted, chosen)
        recording = Recording(opened, sounds, look, deadline)
        store.concat(keys.packets, recording.parts())
        stream, time_base, rate = opened.video.index, opened.time_base, opened.frame_rate
        video_clock, sound_clocks = common_clock(
            recording.video, recording.sounds, steady=opened.arbitrary_clock
        )
        pts, end = display_times(
            recording.shown, recording.times, recording.last_end, video_clock, time_base, rate
        )
        end_s = float(end * time_base)
        heard_s = max((sound.end for sound in recording.sounds), default=0.0)
        lost_s = promised_but_lost_s(opened, end_s, heard_s)
        ends_early = (
            recording.ends_early or bool(promised_but_missing(opened)) or is_long(lost_s, end_s)
        )
    count = len(recording.shown)
    if ends_early and not options.damaged:
        raise truncated(original.name, count)
    missing = 0 if recording.repeats else missing_frames(pts)
    if not ends_early and lost_s * rate > LOST_FRAMES:
        missing += round(lost_s * rate)
    missing = max(missing, recording.failed)
    notes = [
        *_damage(recording.damaged + missing, count, ends_early),
        *_jumps([video_clock, *sound_clocks]),
    ]
    if notes and options.strict:
        raise DamagedSource(f"{original.name}: {'; '.join(notes)} (if not for --strict)")
    entries = [entry.frame for entry in recording.entries] if recording.is_complete else []
    return SourceFrames(
        replace(
            original,
            stream=stream,
            indexed_by="decoding",
            packets=keys.packets if recording.is_complete else None,
        ),
        time_base,
        pts,
        list(range(count)),
        list(_seeks(entries, count)),
        end,
        tuple(sound_clocks) if any(one.pieces for one in sound_clocks) else (),
        recording.interlaced,
        tuple(notes),
    )


def _damage(damaged: int, count: int, ends_early: bool) -> Iterator[str]:
    if ends_early:
        yield f"ends early, after {counted(count, 'frame')}"
    if damaged:
        yield f"{counted(damaged, 'frame')} damaged or missing: concealed"


def _jumps(clocks: Sequence[Clock]) -> Iterator[str]:
    jumps = max(len(clock.pieces) for clock in clocks)
    if jumps:
        yield f"the clock jumps {'once' if jumps == 1 else f'{jumps} times'}: made continuous"


def counting_frames(frames: SourceFrames, rate: Fraction) -> SourceFrames:
    """The frames with their numbers as times, if their rate is constant."""
    pts = np.asarray(frames.pts)
    steps = set(np.diff(pts).tolist())
    if len(steps) == 1 and min(steps) > 0:
        step = steps.pop() * frames.time_base
    else:
        # Most containers round times to their ticks.
        step = 1 / rate
        ideal = [round(number * step / frames.time_base) for number in range(len(pts))]
        if np.abs(pts - pts[0] - ideal).max() > 1:
            return frames
    first = round(frames.pts[0] * frames.time_base / step)
    count = len(frames.pts)
    return replace(frames, time_base=step, pts=list(range(first, first + count)), end=first + count)


def _seeks(entries: Sequence[int], count: int) -> Iterator[tuple[int, ...]]:
    """For each frame, the frames at which decoding can start to reach it, best first."""
    for frame in range(count):
        last = bisect.bisect_right(entries, frame)
        yield tuple(reversed(entries[max(0, last - 2) : last]))
