"""Examine the source, refuse one that cannot be encoded, learn its frames."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from fractions import Fraction

from av.audio.stream import AudioStream
from av.video.frame import VideoFrame

import codec
from excamera.errors import (
    NoFrames,
    OptionError,
    UnreadableFrame,
)
from excamera.job.batches import mode_of_batch
from excamera.job.codecs import check_ladder
from excamera.job.cut import SPAN_PIXELS, Frames, cut, has_spans, spans
from excamera.job.draft import Draft
from excamera.job.flow import way_of_spans
from excamera.job.forms import parse_rate
from excamera.job.framing import cropped_geometry, rungs_of, scaled_geometry
from excamera.job.geometry import Geometry
from excamera.job.goal import Goal
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.packing import Limits
from excamera.job.plan import Output, Plan, SourceFile
from excamera.job.records import SurveyRecord
from excamera.job.results import IndexSummary
from excamera.lifecycle.acceptance import Accepted, surveyed
from excamera.lifecycle.results import replaceable
from excamera.lifecycle.uploads import uploaded
from excamera.media.container.output import output_container
from excamera.media.container.protocol import OutputContainer
from excamera.media.filters.known import Sight
from excamera.media.filters.running import Filters, filtered_geometry
from excamera.media.plain import nominal_rate
from excamera.media.scenes import Survey
from excamera.media.source.clock import GAP_S
from excamera.media.source.decoder import Decoder, packets_of
from excamera.media.source.deinterlacer import LEAD, is_interlaced
from excamera.media.source.framing import (
    deepened_geometry,
    depth_note,
    range_note,
    toned_geometry,
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
from excamera.media.source.pictures import open_picture
from excamera.media.source.streams import left_out, tags_of
from excamera.media.surveyor import Surveyor
from excamera.media.tracks import audio_streams
from excamera.price.film import Film
from excamera.steps.editing import edited, leading
from excamera.steps.frames import (
    SourceFrames,
    by_decoding,
    by_packets,
    counting_frames,
    of_pictures,
)
from excamera.steps.pieces import raster_of
from excamera.steps.room import check_room
from excamera.steps.survey import survey_of
from mu import Context, Event, NoSuchKey, Store

Accept = Callable[[Film, EncodeOptions, Goal | None], Accepted]
"""Raises an error if a film should not be encoded with these options, or not for this goal."""


def index(event: Event, context: Context, accept: Accept | None = None) -> Event:
    """Write ``index.json``, and the spans of a source that many workers survey.

    Args:
        event: `job`; `input` with `name` and `path` or `key`, and perhaps `mark`, which is another
            one if the source may be; `container`, the name of the result's; `options` as
            `EncodeOptions.to_json`; `index`: "auto", or "decoding" to learn the frames by decoding
            whatever the container says; perhaps `output`, the `store` and `key` of the result;
            `goal`, as `excamera.job.goal.Goal.to_json`; `limits`, those of
            `excamera.job.packing.Limits`; and `span_pixels`, see `excamera.job.cut.spans`; of a
            ladder `stem`, see `Plan`; on one machine `room`, see `check_room`.
        context: the store.
        accept: is asked once the film is known, and chooses for a goal.

    Returns:
        An `IndexSummary`, perhaps with a `warning` for the user.

    Raises:
        InputError: the source cannot be encoded; the class says why.
        OptionError: the options, or those an uploaded object carries, are wrong.
        OutputError: the output exists and is not ours to replace.
        DiskFull: a disk has too little room.
    """
    keys = Keys(event["job"])
    given = event["input"]
    options = EncodeOptions.from_json(event["options"])
    original = SourceFile(given["name"], stream=0, path=given.get("path"), key=given.get("key"))
    original, options, goal = uploaded(original, options, Goal.from_json(event.get("goal")))
    if goal is not None:
        if accept is None:
            raise OptionError("a time or a price is for the cloud: one machine has no prices")
        goal.check(options)
        options = surveyed(options)
    check_ladder(event["container"], options.ladder)
    before = _before(event, options, context.store, keys)
    if before is not None:
        warning = _warning(before.plan, len(before.frames), event)
        return _summary(before, Limits(**event["limits"]), warning)
    output = Output(**event["output"]) if event.get("output") else None
    if output is not None:
        _check_ending(output, event["container"], options)
        replaceable(output, original, event["job"])
    # What a stack is asked for must not reach the files of its machines.
    filters = Filters.of(options, files=accept is None) if options.vf else None
    media = locate(original, context.store)
    pictures = _pictures(original, options.fps)
    surveyor = _WholeSurveyor(options, event.get("span_pixels", SPAN_PIXELS))
    frames = None
    if pictures is not None:
        frames = of_pictures(original, pictures, context.store, keys, options)
    elif event.get("index") != "decoding":
        frames = by_packets(original, media, options)
    if frames is None:
        frames = by_decoding(
            original, media, context.store, keys, surveyor.look, options, context.deadline
        )
    context.mark("fetched")
    opening = open_picture(pictures.pictures[0]) if pictures else open_media(media, original.name)
    with opening as opened:
        container = output_container(event["container"], options.codec)
        if container.counts_frames:
            frames = counting_frames(frames, opened.frame_rate)
        mark = pictures.fingerprint if pictures else fingerprint(media)
        mark += given.get("mark", "")
        made, frames = _make_plan(opened, frames, mark, container, options, filters)
    accepted = Accepted(options, Limits(**event.get("limits", {})))
    if accept is not None:
        accepted = accept(Film.of(made, len(frames.pts)), options, goal)
    made = replace(
        made,
        container=event["container"],
        output=output,
        options=accepted.options,
        stem=_stem(event, options),
    )
    for place in made.places:
        replaceable(place, original, event["job"])
    warning = _warning(made, len(frames.pts), event)
    draft = _draft(made, frames, context.store, surveyor, filters)
    draft = replace(draft, planned=accepted.planned)
    context.mark("computed")
    draft.save(context.store, keys)
    context.mark("stored")
    return _summary(draft, accepted.limits, warning)


def _stem(event: Event, options: EncodeOptions) -> str:
    """How the names of a ladder's files begin: as that of the output; "" without a ladder."""
    if not options.ladder:
        return ""
    output = event.get("output")
    name = output["key"].rpartition("/")[2].rpartition(".")[0] if output else "result"
    return str(event.get("stem", name))


def _summary(draft: Draft, limits: Limits, warning: str) -> Event:
    summary = IndexSummary(
        frames=len(draft.frames),
        spans=list(range(len(draft.spans))),
        spans_at_once=limits.workers,
        # Processes of one machine already use all its CPUs.
        span_threads=1 if limits.processes else 0,
        limits=asdict(limits),
        planned=draft.planned,
        way=way_of_spans(len(draft.spans), limits),
    ).to_json()
    return summary | ({"warning": warning} if warning else {})


def _warning(made: Plan, frames: int, event: Event) -> str:
    """What to tell a user of this machine's disks, if anything."""
    room = event.get("room")
    return check_room(Film.of(made, frames), made.options, room) if room else ""


def _before(event: Event, options: EncodeOptions, store: Store, keys: Keys) -> Draft | None:
    """What an earlier run on this machine has learned, if nothing can have changed since."""
    mark = event["input"].get("mark")
    if mark is None:
        return None
    try:
        draft = Draft.load(store, keys)
    except (NoSuchKey, ValueError, KeyError, TypeError):
        return None  # of another version, or a disk has lost a part of it
    plan, source = draft.plan, draft.plan.source
    by_decoding = source.indexed_by == "decoding"
    asked = (options, event["container"], _stem(event, options))
    same = source.fingerprint.endswith(mark) and (plan.options, plan.container, plan.stem) == asked
    # Numbered pictures are soon read.
    if not same or source.pictures or (event["index"] == "decoding" and not by_decoding):
        return None
    return draft


def _check_ending(output: Output, container: str, options: EncodeOptions) -> None:
    """Refuse options of a source's metadata that came after the result had its name."""
    if options.output_container != container:
        raise OptionError(
            f"the metadata of the source ask for a .{options.output_container} result, "
            f"but its name is {output.key}: give codec and container with the job, too"
        )


def _draft(
    made: Plan,
    frames: SourceFrames,
    store: Store,
    surveyor: _WholeSurveyor,
    filters: Filters | None,
) -> Draft:
    """What is known before the cut, with the survey of a short source."""
    options = made.options
    seen = Sight() if filters is None else filters.sight
    shown = Frames(
        frames.pts, frames.read_pts, frames.seeks, seen.before, seen.behind, frames.zones
    )
    pixels = made.geometry.width * made.geometry.height
    divided = spans(len(shown), pixels, options, surveyor.span_pixels)
    if divided or not options.lengths.follow_scenes:
        return Draft(made, shown, divided)
    whole = shown.chunk(0, 0, len(shown))
    survey = surveyor.survey()
    if survey is None:
        survey = survey_of(whole, made, store, trying=len(shown) > options.lengths.longest_batch)
    # A film of one batch needs no trials here; whether it has more is known only now.
    if survey is not None and not survey.lost and _is_divided(shown, options, survey):
        survey = survey_of(whole, made, store)
    return Draft(made, shown, divided, survey)


def _is_divided(frames: Frames, options: EncodeOptions, survey: SurveyRecord) -> bool:
    """Whether a source with that survey has more than one batch of mode anchors."""
    if mode_of_batch(options) != "anchors" or len(survey.alone) != len(frames):
        return False
    return len(list(cut(frames, options, Survey([survey])))) > 1


def _pictures(original: SourceFile, fps: str) -> NumberedPictures | None:
    """The numbered pictures that a source stands for; None if it is one file."""
    if original.path is None or not is_sequence(original.path):
        return None
    rate = parse_rate(fps) if fps else USUAL_RATE
    return find_pictures(original.path, original.name, rate)


class _WholeSurveyor:
    """Surveys a source while it is decoded for its index, unless it turns out to have spans.

    Attributes:
        span_pixels: see `excamera.job.cut.spans`.
    """

    def __init__(self, options: EncodeOptions, span_pixels: int) -> None:
        self.span_pixels = span_pixels
        # Pictures that are edited are surveyed later, as the result has them.
        looks = options.lengths.follow_scenes and not options.edits
        self._surveyor: Surveyor | None = Surveyor(options.trial_crf) if looks else None
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
    frames: SourceFrames,
    mark: str,
    container: OutputContainer,
    options: EncodeOptions,
    filters: Filters | None,
) -> tuple[Plan, SourceFrames]:
    """The plan without its batches, and the frames of the result."""
    sounds: list[AudioStream] = []
    if container.holds_sound:
        sounds = audio_streams(opened.container, opened.encrypted, options.audio)
    if options.ladder and len(sounds) > 1:
        raise OptionError(
            f"a ladder has one sound track, and audio {options.audio} names {len(sounds)}: give one"
        )
    starts = [
        Fraction(0)
        if sound.start_time is None or sound.time_base is None
        else sound.start_time * sound.time_base
        for sound in sounds
    ]
    time_base = frames.time_base
    origin = min(0, frames.pts[0])
    first = frames.pts[0] * time_base
    begin = min([first, *starts])
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
    geometry = toned_geometry(geometry, options, first_frame)
    geometry = deepened_geometry(geometry, options, first_frame)
    geometry = cropped_geometry(geometry, options, opened.name)
    if filters is not None:
        geometry = filtered_geometry(filters, geometry, frames.time_base)
    geometry = scaled_geometry(geometry, options)
    rungs, ladder_note = rungs_of(geometry, options)
    for width, height in [one.size for one in rungs] or [(geometry.width, geometry.height)]:
        container.codec.check_size(width, height, opened.name)
    if deinterlaced:
        frames = replace(frames, seeks=leading(frames.seeks, LEAD))
    shown, origin_s = edited(frames, origin, options)
    plan = Plan(
        source=replace(
            frames.source,
            audio_streams=tuple(sound.index for sound in sounds),
            fingerprint=mark,
        ),
        geometry=geometry,
        time_base=shown.time_base,
        origin_s=origin_s,
        end=shown.end,
        rate=nominal_rate(parse_rate(options.fps) if options.fps else opened.frame_rate),
        sound_clocks=tuple(clock.pieces for clock in frames.sound_clocks),
        deinterlaced=deinterlaced,
        tags=tags_of(opened, sounds, origin_s, shown.end * shown.time_base),
        notes=tuple(
            filter(
                None,
                (
                    *frames.notes,
                    *_notes_on(opened, sounds, container, deinterlaced),
                    range_note(geometry),
                    depth_note(geometry, options, first_frame),
                    ladder_note,
                ),
            )
        ),
        container=container.name,
        options=options,
        batches=(),
        rungs=rungs,
    )
    return plan, shown


def _first_frame(opened: Opened) -> VideoFrame:
    decoder = Decoder(opened.video.codec_context)
    arriving = (decoder.decode(packet, place) for place, packet in enumerate(packets_of(opened)))
    for frames in itertools.chain(arriving, map(Decoder.finish, [decoder])):
        for frame, _ in frames:
            return frame
    if decoder.failed:
        raise UnreadableFrame(f"{opened.name}: damaged; 0 frames could be read")
    raise NoFrames(f"{opened.name}: has no frames")


def _notes_on(
    opened: Opened, sounds: Sequence[AudioStream], container: OutputContainer, deinterlaced: bool
) -> Iterator[str]:
    if deinterlaced:
        yield "interlaced: made whole pictures (--no-deinterlace leaves them as they are)"
    others = left_out(opened, sounds, chapters=container.holds_chapters)
    if others:
        yield others
