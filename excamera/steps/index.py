"""Examine the source, refuse one that cannot be encoded, learn its frames."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame

import codec
from excamera.errors import (
    DamagedSource,
    NoFrames,
    TruncatedSource,
    UnreadableFrame,
    UnsupportedSize,
)
from excamera.job.cut import SPAN_PIXELS, Frames, cut, has_spans, spans
from excamera.job.draft import Draft
from excamera.job.flow import Limits
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import (
    Chunk,
    Geometry,
    Output,
    Plan,
    SourceFile,
    mode_of_batch,
)
from excamera.job.records import IndexSummary, SurveyRecord
from excamera.lifecycle.results import replaceable
from excamera.lifecycle.uploads import uploaded
from excamera.media.audio import audio_stream
from excamera.media.container.output import OutputContainer, output_container
from excamera.media.scenes import Survey, Surveyor
from excamera.media.source.clock import GAP_S, Clock, common_clock
from excamera.media.source.decoder import Decoder, packets_of
from excamera.media.source.deinterlacer import LEAD, is_interlaced
from excamera.media.source.index import (
    counted,
    ends_before_promised,
    index_packets,
    missing_frames,
    promised_but_missing,
    truncated,
)
from excamera.media.source.location import locate
from excamera.media.source.media import Opened, fingerprint, open_media
from excamera.media.source.numbered import (
    USUAL_RATE,
    NumberedPictures,
    find_pictures,
    is_sequence,
)
from excamera.media.source.picture import geometry_of, to_i420
from excamera.media.source.pictures import PictureList, open_picture
from excamera.media.source.recording import Recording, display_times
from excamera.media.source.streams import left_out, tags_of
from excamera.steps.pieces import raster_of
from excamera.steps.survey import survey_of
from mu import Context, Event, Store


@dataclass(frozen=True, slots=True)
class _Frames:
    """All frames of the source, with its own times.

    Attributes:
        source: as workers read it.
        time_base: seconds of a tick.
        pts: when each is shown, in ticks.
        read_pts: by what workers know each.
        seeks: for each, where decoding can start to reach it, best first.
        end: when the last one ends, in ticks.
        sound_clock: of the sound.
        interlaced: whether some are.
        notes: what a user should know of them.
    """

    source: SourceFile
    time_base: Fraction
    pts: list[int]
    read_pts: list[int]
    seeks: list[tuple[int, ...]]
    end: int
    sound_clock: Clock = Clock()  # noqa: RUF009 (it cannot change)
    interlaced: bool = False
    notes: tuple[str, ...] = ()


def index(event: Event, context: Context) -> Event:
    """Write ``index.json``, and the spans of a source that many workers survey.

    Args:
        event: `job`; `input` with `name` and `path` or `key`, and perhaps `fps`, the rate of
            numbered pictures; `container`, the name of the result's; `options` as
            `EncodeOptions.to_json`; `index`: "auto", or "decoding" to learn the frames by
            decoding whatever the container says; perhaps `output`, the
            `store` and `key` of the result; `limits`, those of `excamera.job.flow.Limits`; and
            `span_pixels`, see `excamera.job.cut.spans`.
        context: the store.

    Returns:
        An `IndexSummary`.

    Raises:
        InputError: the source cannot be encoded; the class says why.
        OptionError: the options, or those an uploaded object carries, are wrong.
        OutputError: the output exists and is not ours to replace.
    """
    keys = Keys(event["job"])
    given = event["input"]
    options = EncodeOptions.from_json(event["options"])
    original = SourceFile(given["name"], stream=0, path=given.get("path"), key=given.get("key"))
    original, options = uploaded(original, options)
    output = Output(**event["output"]) if event.get("output") else None
    if output is not None:
        replaceable(output, original, event["job"])
    media = locate(original, context.store)
    pictures = _pictures(original, given.get("fps"))
    surveyor = _WholeSurveyor(options, event.get("span_pixels", SPAN_PIXELS))
    frames = None
    if pictures is not None:
        frames = _by_number(original, pictures, context.store, keys, options)
    elif event.get("index") != "decoding":
        frames = _by_packets(original, media, options)
    if frames is None:
        frames = _by_decoding(original, media, context.store, keys, surveyor, options)
    context.mark("fetched")
    opening = open_picture(pictures.pictures[0]) if pictures else open_media(media, original.name)
    with opening as opened:
        container = output_container(event["container"])
        if container.counts_frames:
            frames = _counted(frames, opened.frame_rate)
        mark = pictures.fingerprint if pictures else fingerprint(media)
        made = _make_plan(opened, frames, original, mark, container, options)
    draft = _draft(replace(made, output=output), frames, context.store, surveyor)
    context.mark("computed")
    draft.save(context.store, keys)
    context.mark("stored")
    limits = Limits(**event.get("limits", {}))
    return IndexSummary(
        frames=len(frames.pts),
        spans=list(range(len(draft.spans))),
        spans_at_once=limits.workers,
        limits=asdict(limits),
    ).to_json()


def _draft(made: Plan, frames: _Frames, store: Store, surveyor: _WholeSurveyor) -> Draft:
    """What is known before the cut, with the survey of a short source."""
    options = made.options
    origin = round(made.origin_s / made.time_base)
    times = [pts - origin for pts in frames.pts]
    shown = Frames(times, frames.read_pts, frames.seeks, lead=LEAD if made.deinterlaced else 0)
    pixels = made.geometry.width * made.geometry.height
    divided = spans(len(shown), pixels, options, surveyor.span_pixels)
    if divided or not options.follows_scenes:
        return Draft(made, shown, divided)
    whole = Chunk(0, 0, tuple(shown.pts), tuple(shown.read_pts))
    survey = surveyor.survey()
    if survey is None:
        survey = survey_of(whole, made, store, trying=len(shown) > options.longest_batch)
    # A film of one batch needs no trials here; whether it has more is known only now.
    if survey is not None and not survey.lost and _is_divided(shown, options, survey):
        survey = survey_of(whole, made, store)
    return Draft(made, shown, divided, survey)


def _is_divided(frames: Frames, options: EncodeOptions, survey: SurveyRecord) -> bool:
    """Whether a source with that survey has more than one batch of mode anchors."""
    if mode_of_batch(options) != "anchors" or len(survey.alone) != len(frames):
        return False
    return len(list(cut(frames, options, Survey([survey])))) > 1


def _pictures(original: SourceFile, fps: str | None) -> NumberedPictures | None:
    """The numbered pictures that a source stands for; None if it is one file."""
    if original.path is None or not is_sequence(original.path):
        return None
    return find_pictures(original.path, original.name, Fraction(fps) if fps else USUAL_RATE)


def _by_number(
    original: SourceFile,
    found: NumberedPictures,
    store: Store,
    keys: Keys,
    options: EncodeOptions,
) -> _Frames:
    """Each picture is a frame, which workers find by its number."""
    if found.missing and options.strict:
        raise DamagedSource(f"{original.name}: {found.missing} (if not for --strict)")
    store.put(keys.pictures, PictureList.of(found.pictures).to_json())
    numbers = list(range(len(found.pictures)))
    return _Frames(
        replace(original, pictures=keys.pictures),
        1 / found.rate,
        numbers,
        numbers,
        [(number,) for number in numbers],
        len(numbers),
        notes=(*filter(None, [found.missing]), *found.notes),
    )


def _by_packets(
    original: SourceFile, media: str | BinaryIO, options: EncodeOptions
) -> _Frames | None:
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
    return _Frames(source, time_base, found.pts, found.pts, found.seeks, found.end)


def _by_decoding(
    original: SourceFile,
    media: str | BinaryIO,
    store: Store,
    keys: Keys,
    surveyor: _WholeSurveyor,
    options: EncodeOptions,
) -> _Frames:
    """Learn the frames by decoding once, and record the packets to read them by number."""
    with open_media(media, original.name) as opened:
        sound = audio_stream(opened.container, opened.encrypted)
        recording = Recording(opened, sound, surveyor.look)
        store.concat(keys.packets, recording.parts())
        stream, time_base, rate = opened.video.index, opened.time_base, opened.frame_rate
        video_clock, sound_clock = common_clock(
            recording.video, recording.sound, steady=opened.arbitrary_clock
        )
        pts, end = display_times(
            recording.shown, recording.times, recording.last_end, video_clock, time_base, rate
        )
        ends_early = (
            recording.ends_early
            or bool(promised_but_missing(opened))
            or ends_before_promised(opened, max(float(end * time_base), recording.sound.end))
        )
    count = len(recording.shown)
    if ends_early and not options.damaged:
        raise truncated(original.name, count)
    missing = max(recording.failed, 0 if recording.repeats else missing_frames(pts))
    notes = [
        *_damage(recording.damaged + missing, count, ends_early),
        *_jumps(video_clock, sound_clock),
    ]
    if notes and options.strict:
        raise DamagedSource(f"{original.name}: {'; '.join(notes)} (if not for --strict)")
    entries = [entry.frame for entry in recording.entries] if recording.is_complete else []
    return _Frames(
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
        sound_clock,
        recording.interlaced,
        tuple(notes),
    )


def _damage(damaged: int, count: int, ends_early: bool) -> Iterator[str]:
    if ends_early:
        yield f"ends early, after {counted(count, 'frame')}"
    if damaged:
        yield f"{counted(damaged, 'frame')} damaged or missing: concealed"


def _jumps(video: Clock, sound: Clock) -> Iterator[str]:
    jumps = max(len(video.pieces), len(sound.pieces))
    if jumps:
        yield f"the clock jumps {'once' if jumps == 1 else f'{jumps} times'}: made continuous"


def _counted(frames: _Frames, rate: Fraction) -> _Frames:
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


class _WholeSurveyor:
    """Surveys a source while it is decoded for its index, unless it turns out to have spans.

    Attributes:
        span_pixels: see `excamera.job.cut.spans`.
    """

    def __init__(self, options: EncodeOptions, span_pixels: int) -> None:
        self.span_pixels = span_pixels
        self._surveyor: Surveyor | None = Surveyor(options.crf) if options.follows_scenes else None
        self._deinterlace = options.deinterlace
        self._geometry: Geometry | None = None

    def survey(self) -> SurveyRecord | None:
        """The survey; None if it has looked at nothing, or gave up."""
        seen = self._surveyor is not None and self._surveyor.count > 0
        return self._surveyor.record() if self._surveyor is not None and seen else None

    def look(self, frame: VideoFrame) -> None:
        """Look at the next frame."""
        if self._surveyor is None:
            return
        if frame.interlaced_frame and self._deinterlace:
            self._surveyor = None  # its whole pictures are surveyed later
            return
        self._geometry = self._geometry or geometry_of(frame, (1, 1))
        pixels = self._geometry.width * self._geometry.height
        if has_spans(self._surveyor.count + 1, pixels, self.span_pixels):
            self._surveyor = None
            return
        try:
            self._surveyor.add(raster_of(to_i420(frame, self._geometry)))
        except codec.FrameArgumentError:
            self._surveyor = None  # too large, which is refused later


def _make_plan(
    opened: Opened,
    frames: _Frames,
    original: SourceFile,
    mark: str,
    container: OutputContainer,
    options: EncodeOptions,
) -> Plan:
    sound = audio_stream(opened.container, opened.encrypted) if container.holds_sound else None
    sound_start = Fraction(0)
    if sound is not None and sound.start_time is not None and sound.time_base is not None:
        sound_start = sound.start_time * sound.time_base
    time_base = frames.time_base
    origin = min(0, frames.pts[0])
    first = frames.pts[0] * time_base
    begin = min(first, sound_start) if sound else first
    if opened.arbitrary_clock or begin > GAP_S:
        origin = math.floor(begin / time_base)
    aspect = opened.video.sample_aspect_ratio or Fraction(1)
    if aspect <= 0:
        aspect = Fraction(1)
    first_frame = _first_frame(opened)
    deinterlaced = options.deinterlace and (
        frames.interlaced or first_frame.interlaced_frame or is_interlaced(opened.video)
    )
    geometry = geometry_of(first_frame, (aspect.numerator, aspect.denominator))
    if max(geometry.width, geometry.height) > container.codec.max_side_px:
        raise UnsupportedSize(
            f"{opened.name}: {geometry.width}x{geometry.height} pixels; "
            f"VP8 holds at most {container.codec.max_side_px} each way"
        )
    return Plan(
        source=replace(
            frames.source,
            audio_stream=None if sound is None else sound.index,
            fingerprint=mark,
        ),
        geometry=geometry,
        time_base=time_base,
        origin_s=origin * time_base,
        end=frames.end - origin,
        sound_clock=frames.sound_clock.pieces,
        deinterlaced=deinterlaced,
        tags=tags_of(opened, sound),
        notes=(*frames.notes, *_notes_on(opened, sound, deinterlaced)),
        container=container.name,
        options=options,
        batches=(),
    )


def _first_frame(opened: Opened) -> VideoFrame:
    decoder = Decoder(opened.video.codec_context)
    arriving = (decoder.decode(packet, place) for place, packet in enumerate(packets_of(opened)))
    for frames in itertools.chain(arriving, map(Decoder.finish, [decoder])):
        for frame, _ in frames:
            return frame
    if decoder.failed:
        raise UnreadableFrame(f"{opened.name}: damaged; 0 frames could be read")
    raise NoFrames(f"{opened.name}: has no frames")


def _notes_on(opened: Opened, sound: AudioStream | None, deinterlaced: bool) -> Iterator[str]:
    if deinterlaced:
        yield "interlaced: made whole pictures (--no-deinterlace leaves them as they are)"
    others = left_out(opened, sound)
    if others:
        yield others
