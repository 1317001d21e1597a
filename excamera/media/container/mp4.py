"""Writing MP4 in pieces that different workers make: the index, in front of all samples.

The runs of `excamera.media.container.mp4_run` follow each other in one box of media data. What is
written here is everything before: a player that has read it knows every sample's place and time.
"""

from __future__ import annotations

import itertools
import math
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from excamera.errors import ContainerError
from excamera.job.tags import Chapter
from excamera.media.container.mp4_boxes import (
    UNITY,
    WORD,
    box,
    chunk_offsets,
    composition_offsets,
    full,
    halves,
    language,
    media_data_head,
    sample_sizes,
    samples_of_chunks,
    sync_samples,
    time_to_sample,
    words,
)
from excamera.media.container.mp4_chapters import (
    CHAPTER_SCALE,
    ChapterTrack,
    nero_chapters,
    text_entry,
    text_media_head,
)
from excamera.media.container.mp4_run import RunIndex
from excamera.media.container.mp4_tracks import (
    SOUND_SAMPLES,
    SoundTrack,
    VideoTrack,
    sound_entry,
    video_entry,
)

_VIDEO, _SOUND = 1, 2
_SOUND_GROUP = 1  # of tracks of which a player plays one
_ENABLED, _IN_MOVIE = 1, 2
_FINE = 1_000_000  # ticks of a second for clocks that 32 bits cannot hold


def timescale_of(times: Sequence[int], end: int, time_base: Fraction) -> int:
    """Ticks of a second: those of the film's own clock, if 32 bits hold it and its pauses."""
    longest = max(
        itertools.chain((b - a for a, b in itertools.pairwise(times)), [end - times[-1], 1])
    )
    for scale in (time_base.denominator, _FINE):
        if scale <= WORD and math.ceil(longest * time_base * scale) <= WORD // 2:
            return scale
    return min(time_base.denominator, 1000)


@dataclass(slots=True)
class _Samples:
    """The samples of a track, as they lie in the file."""

    sizes: array[int] = field(default_factory=lambda: array("I"))
    offsets: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def add(self, sizes: Sequence[int], offset: int) -> int:
        """A chunk at that place of the media data; returns the place behind it."""
        if not sizes:
            return offset
        self.offsets.append(offset)
        self.counts.append(len(sizes))
        self.sizes.extend(sizes)
        return offset + sum(sizes)

    def boxes(self, base: int, *, wide: bool) -> bytes:
        return (
            samples_of_chunks(self.counts)
            + sample_sizes(self.sizes)
            + chunk_offsets([base + one for one in self.offsets], wide=wide)
        )


@dataclass(frozen=True, slots=True)
class _Edit:
    """A part of a track: how long it is shown, and where it begins in the media; None for a pause.

    Durations are in seconds; the place in the media in its ticks.
    """

    seconds: Fraction
    begin: int | None


class _Film:
    """All tracks, laid out."""

    def __init__(
        self,
        video: VideoTrack,
        sounds: Sequence[SoundTrack],
        runs: Sequence[tuple[int, RunIndex]],
        chapters: Sequence[Chapter],
    ) -> None:
        self.video, self.sounds, self.chapters = video, sounds, chapters
        self.text: ChapterTrack | None = None
        if chapters:
            languages = [video.language, *(sound.language for sound in sounds)]
            self.text = ChapterTrack.of(chapters, next(filter(None, languages), ""))
        self.titles = _Samples()
        self.opening = b"" if self.text is None else b"".join(self.text.samples)
        """What stands in the media data before the runs."""
        self.size = len(self.opening) + sum(size for size, _ in runs)
        self.frames = _Samples()
        tracks = max((sound.place for sound in sounds), default=-1) + 1
        self.packets = [_Samples() for _ in range(tracks)]
        self.keys: list[int] = []
        moved: list[int] = []
        at = self.titles.add([len(one) for one in self.text.samples] if self.text else [], 0)
        for size, run in runs:
            self.keys += [len(moved) + key for key in run.keys]
            moved += run.moved
            end = self._lay_out(run, at)
            if end - at != size:
                raise ContainerError(f"a run has {size} bytes, and its samples {end - at}")
            at = end
        if len(moved) != len(video.times):
            raise ContainerError(
                f"MP4 holds shown frames only: {len(video.times)} are shown, {len(moved)} coded"
            )
        self.scale = timescale_of(video.times, video.end, video.time_base)
        times = self._ticks([*video.times, max(video.end, video.times[-1] + 1)])
        self.durations = [b - a for a, b in itertools.pairwise(times)]
        if max(self.durations) > WORD:
            raise ContainerError(
                f"a frame lasts {max(self.durations) // self.scale} s: too long for MP4"
            )
        # A frame is decoded at the time of the frame that has its place in the order of showing,
        # and all are shown so much later that none is shown before it is decoded.
        late = [times[n + by] - times[n] for n, by in enumerate(moved)]
        self.lead = max(0, -min(late))
        self.late = [by + self.lead for by in late]
        self.begin = Fraction(times[0], self.scale)
        self.movie_scale = self.scale
        scales = [sound.rate for sound in sounds]
        if self.text is not None and self.text.begin:
            scales.append(CHAPTER_SCALE)
        for scale in scales:
            common = math.lcm(self.movie_scale, scale)
            self.movie_scale = common if common <= WORD else self.movie_scale

    def _lay_out(self, run: RunIndex, at: int) -> int:
        frame, taken = 0, [0] * len(run.sounds)
        for _, frames, *counts in run.chunks:
            for place, (track, packets) in enumerate(zip(self.packets, counts, strict=False)):
                first, taken[place] = taken[place], taken[place] + packets
                at = track.add(run.sounds[place][first : taken[place]], at)
            at = self.frames.add(run.frames[frame : frame + frames], at)
            frame += frames
        return at

    def _ticks(self, times: Sequence[int]) -> list[int]:
        tick = self.video.time_base * self.scale
        over, under = tick.numerator, tick.denominator
        if under == 1:
            return [pts * over for pts in times]
        return [(2 * pts * over + under) // (2 * under) for pts in times]

    def movie(self, base: int, *, wide: bool, title: str) -> bytes:
        """The index, if the media data begins at `base`."""
        following = max((_SOUND + sound.place for sound in self.sounds), default=_VIDEO) + 1
        reference = b""
        if self.text is not None:
            reference = box("tref", box("chap", words(following)))
        tracks = [self._video_track(base, reference, wide=wide)]
        tracks += [self._sound_track(sound, base, wide=wide) for sound in self.sounds]
        if self.text is not None:
            tracks.append(self._text_track(self.text, following, base, wide=wide))
            following += 1
        longest = max(length for length, _ in tracks)
        version, head = _times(longest, self.movie_scale)
        return box(
            "moov",
            full(
                "mvhd", head, words(0x10000), halves(0x100, 0), words(0, 0), UNITY,
                words(0, 0, 0, 0, 0, 0, following), version=version
            ),
            *(track for _, track in tracks),
            _user_data(title, self.chapters),
        )  # fmt: skip

    def _video_track(self, base: int, reference: bytes, *, wide: bool) -> tuple[int, bytes]:
        video = self.video
        length = sum(self.durations)
        num, den = video.sample_aspect
        shown = (
            round(video.width * Fraction(num, den) * 0x10000) if num >= den else video.width << 16,
            round(video.height * Fraction(den, num) * 0x10000) if den > num else video.height << 16,
        )
        edits = [_Edit(Fraction(length, self.scale), self.lead)]
        if self.begin:
            edits.insert(0, _Edit(self.begin, None))
        return self._track(
            _VIDEO, edits, length, self.scale, video.language,
            head=words(*shown), volume=0, handler="vide", name="VideoHandler",
            reference=reference, kind=full("vmhd", halves(0, 0, 0, 0), flags=1),
            table=box(
                "stbl",
                full("stsd", words(1), video_entry(video)),
                time_to_sample(self.durations),
                composition_offsets(self.late),
                sync_samples(self.keys, len(self.frames.sizes)),
                self.frames.boxes(base, wide=wide),
            ),
        )  # fmt: skip

    def _sound_track(self, sound: SoundTrack, base: int, *, wide: bool) -> tuple[int, bytes]:
        packets = self.packets[sound.place]
        count = len(packets.sizes)
        begin = sound.first + sound.delay
        length = sound.delay + sound.samples
        last = length - SOUND_SAMPLES * (count - 1)
        if begin < 0 or not 0 < last <= SOUND_SAMPLES:
            raise ContainerError(
                f"{count} packets of AAC do not hold {length} samples, heard from {begin} on"
            )
        edits = [_Edit(Fraction(sound.samples, sound.rate), sound.delay)]
        if begin:
            edits.insert(0, _Edit(Fraction(begin, sound.rate), None))
        durations = itertools.chain(itertools.repeat(SOUND_SAMPLES, count - 1), [last])
        return self._track(
            _SOUND + sound.place, edits, length, sound.rate, sound.language,
            head=words(0, 0), volume=0x100, handler="soun", name="SoundHandler",
            title=sound.title, group=_SOUND_GROUP, enabled=sound.default,
            kind=full("smhd", halves(0, 0)),
            table=box(
                "stbl",
                full("stsd", words(1), sound_entry(sound, packets.sizes)),
                time_to_sample(durations),
                packets.boxes(base, wide=wide),
                # A decoder needs the packet before that from which it plays.
                full("sgpd", b"roll", words(2, 1), struct.pack(">h", -1), version=1),
                full("sbgp", b"roll", words(1, count, 1)),
            ),
        )  # fmt: skip

    def _text_track(
        self, text: ChapterTrack, number: int, base: int, *, wide: bool
    ) -> tuple[int, bytes]:
        length = sum(text.durations)
        edits = [_Edit(Fraction(length, CHAPTER_SCALE), 0)]
        if text.begin:
            edits.insert(0, _Edit(Fraction(text.begin, CHAPTER_SCALE), None))
        return self._track(
            number, edits, length, CHAPTER_SCALE, text.language,
            head=words(0, 0), volume=0, handler="text", name="ChapterHandler",
            title="Chapters", enabled=False, kind=text_media_head(),
            table=box(
                "stbl",
                full("stsd", words(1), text_entry()),
                time_to_sample(text.durations),
                self.titles.boxes(base, wide=wide),
            ),
        )  # fmt: skip

    def _track(
        self,
        number: int,
        edits: Sequence[_Edit],
        length: int,
        scale: int,
        code: str,
        *,
        head: bytes,
        volume: int,
        handler: str,
        name: str,
        kind: bytes,
        table: bytes,
        title: str = "",
        reference: bytes = b"",
        group: int = 0,
        enabled: bool = True,
    ) -> tuple[int, bytes]:
        """A track, and how long it is on the movie's clock."""
        rows = [
            (round(edit.seconds * self.movie_scale), -1 if edit.begin is None else edit.begin)
            for edit in edits
        ]
        shown = sum(duration for duration, _ in rows)
        wide = max(shown, *(begin for _, begin in rows)) > WORD // 2
        row = ">QqI" if wide else ">IiI"
        listed = b"".join(struct.pack(row, *one, 0x10000) for one in rows)
        trivial = rows == [(shown, 0)]
        media_version, media_times = _times(length, scale)
        self_contained = box("dinf", full("dref", words(1), full("url ", flags=1)))
        long = shown > WORD
        track_head = struct.pack(">QQIIQ" if long else ">5I", 0, 0, number, 0, shown)
        return shown, box(
            "trak",
            full(
                "tkhd", track_head, words(0, 0), halves(0, group, volume, 0), UNITY, head,
                version=int(long), flags=_ENABLED | _IN_MOVIE if enabled else _IN_MOVIE
            ),
            reference,
            b"" if trivial else box(
                "edts", full("elst", words(len(rows)), listed, version=int(wide))
            ),
            box(
                "mdia",
                full("mdhd", media_times, halves(language(code), 0), version=media_version),
                full("hdlr", words(0), handler.encode(), words(0, 0, 0), name.encode(), b"\0"),
                box("minf", kind, self_contained, table),
            ),
            box("udta", box("name", title.encode())) if title else b"",
        )  # fmt: skip


def front(
    video: VideoTrack,
    sounds: Sequence[SoundTrack],
    runs: Sequence[tuple[int, RunIndex]],
    title: str = "",
    chapters: Sequence[Chapter] = (),
) -> bytes:
    """What comes before the runs: type, index, the head of the media data, titles of chapters.

    Args:
        video: the video track.
        sounds: the sound tracks.
        runs: size and index of each, in the file's order.
        title: of the film, or "".
        chapters: in order.

    Raises:
        ContainerError: runs and tracks do not fit each other, or MP4 cannot hold them.
    """
    if max(video.width, video.height) > 0xFFFF:
        raise ContainerError(f"MP4 cannot hold pictures of {video.width}x{video.height} pixels")
    film = _Film(video, sounds, runs, chapters)
    kinds = ["isom", "iso2", "mp41", *([video.entry] if video.entry in ("avc1", "av01") else [])]
    head = box("ftyp", b"isom", words(0x200), *(kind.encode() for kind in kinds))
    data_head = media_data_head(film.size)

    def movie(base: int, *, wide: bool) -> bytes:
        return film.movie(base, wide=wide, title=title)

    for wide in (False, True):
        # The size of the index does not depend on the numbers in it.
        base = len(head) + len(movie(0, wide=wide) if wide or film.size <= WORD else b"")
        base += len(data_head)
        if wide or base + film.size <= WORD:
            break
    return head + movie(base, wide=wide) + data_head + film.opening


def _times(length: int, scale: int) -> tuple[int, bytes]:
    """Version and times of a header: no dates, so that equal films are equal files."""
    if length > WORD:
        return 1, struct.pack(">QQIQ", 0, 0, scale, length)
    return 0, words(0, 0, scale, length)


def _user_data(title: str, chapters: Sequence[Chapter]) -> bytes:
    parts = []
    if title:
        text = box("data", words(1, 0), title.encode())
        named = struct.pack(">I4s", 8 + len(text), b"\xa9nam") + text
        handler = full("hdlr", words(0), b"mdirappl", words(0, 0), b"\0")
        parts.append(full("meta", handler, box("ilst", named)))
    if chapters:
        parts.append(nero_chapters(chapters))
    return box("udta", *parts) if parts else b""
