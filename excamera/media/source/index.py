"""The frames of a source and the places where decoding can start, from its packets alone.

The packets are read, not decoded. The index is trusted only if the container gives every
packet a timestamp and each packet shows one frame. Otherwise `index_packets` returns None,
and the plan falls back on decoding (`excamera.media.source.recording`).

The sample tables of an MP4 or MOV file with a plain ``moov`` box answer all of this. FFmpeg
still makes the packets, but with zeros instead of their content, which is not read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np
from av.stream import Discard
from numpy.typing import NDArray

import codec
from excamera.errors import NoFrames, SourceUnavailable, TruncatedSource
from excamera.media.container import ebml
from excamera.media.source.boxes import media_data
from excamera.media.source.clock import GAP_S
from excamera.media.source.guard import GuardedFile
from excamera.media.source.media import Opened, demux
from excamera.media.words import counted

# Containers whose timestamps and seeking are exact.
_TRUSTED = frozenset({"mov", "mp4", "matroska", "webm", "yuv4mpegpipe", "ivf"})
_MATROSKA = frozenset({"matroska", "webm"})
_STATE_LENGTH = frozenset({"avi", "asf", "mxf"})
"""Containers that say how long their picture is, besides those that have an index of it."""
_KEYS_BACK = 4
LOST_FRAMES = 1.5  # what is missing at the end is more than a matter of rounding
_STEADY = 0.9  # so many frames must follow each other evenly where a gap is a fault
# The codecs of which a packet is always one frame, or can be seen not to be.
_ONE_FRAME_A_PACKET = frozenset(
    {
        *("h264", "hevc", "av1", "vp8", "vp9", "mjpeg", "prores", "dnxhd", "ffv1", "rawvideo"),
        *("mpeg1video", "mpeg2video", "mpeg4", "huffyuv", "ffvhuff", "utvideo", "png", "qtrle"),
        *("theora", "wrapped_avframe", "vc1", "cfhd", "v210", "jpeg2000"),
    }
)
# The codecs of which FFmpeg takes packets from MP4 and MOV as they are; of the first three it
# looks for the mark of a key frame. (VP8, VP9, VC-1 and MPEG video it takes apart.)
_MARKED_BY_TABLES = frozenset({"h264", "hevc", "libdav1d"})
_WHOLE = frozenset(
    {
        *("mjpeg", "prores", "dnxhd", "png", "qtrle", "ffv1", "cfhd", "v210", "jpeg2000"),
        "rawvideo",
    }
)


class Entry(NamedTuple):
    """One packet that shows a frame, in decoding order.

    Attributes:
        pts: presentation timestamp, ticks.
        key: decoding can start here.
        duration: ticks, 0 when unknown.
    """

    pts: int
    key: bool
    duration: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """All frames of a source.

    Attributes:
        time_base: seconds of one tick.
        pts: timestamps in display order.
        seeks: for each frame in display order, timestamps to seek to, best first; empty
            for "from the start".
        end: when the last frame ends, ticks.
    """

    time_base: Fraction
    pts: list[int]
    seeks: list[tuple[int, ...]]
    end: int


def index_packets(opened: Opened) -> Index | None:
    """Index a source by its packets, or None if that cannot be trusted for this source.

    Afterwards the container is at its end, and perhaps had zeros instead of its packets'
    content: open the source again to decode it.

    Raises:
        NoFrames: the stream has no packets.
        TruncatedSource: the file ends earlier than its own index or header promises.
    """
    video = opened.video
    if not _trusted(opened):
        return None
    missing = promised_but_missing(opened)
    entries: list[Entry] = []
    cut = bool(missing)
    raw_size = 0  # of an uncompressed frame, all of which are equally large
    frame_end = 0
    keys: dict[int, bool] = {}  # by position in the file, if the file's own index decides
    is_raw = video.codec_context.name in ("rawvideo", "wrapped_avframe")
    may_hide = video.codec_context.name in ("vp8", "libvpx")
    try:
        with ExitStack() as stack:
            not_needed = _not_needed(opened)
            if opened.file is not None and not_needed:
                stack.enter_context(opened.file.blanked(not_needed))
                # FFmpeg would look for the marks in the pictures. If the file's own marks are
                # wrong, decoders return no frame before a real key frame: the reader notices.
                keys = {entry.pos: entry.is_keyframe for entry in video.index_entries}
            stack.enter_context(_alone(opened))
            for packet in demux(opened.container, video):
                if packet.size == 0:
                    continue
                pts = packet.pts
                if pts is None:
                    return None
                if packet.is_corrupt or packet.size < raw_size:
                    cut = True
                    break
                if is_raw:
                    raw_size = packet.size
                    frame_end = (packet.pos or 0) + len(b"FRAME\n") + packet.size
                if packet.is_discard or (may_hide and not codec.is_shown(bytes(packet))):
                    continue
                key = keys.get(packet.pos or 0, packet.is_keyframe)
                entries.append(Entry(pts, key, packet.duration or 0))
    except av.error.FFmpegError as error:
        opened.check()
        if opened.failed_to_read(error):
            raise SourceUnavailable(f"{opened.name}: {error.strerror}") from error
        return None
    opened.check()
    size = opened.file.size if opened.file is not None else 0
    if "yuv4mpegpipe" in opened.formats and 0 < frame_end < size:
        cut = True  # the demuxer does not report an incomplete last frame
    if cut:
        raise truncated(opened.name, len(entries), missing)
    if not entries:
        raise NoFrames(f"{opened.name}: has no frames")
    if opened.container.streams.audio and _pauses(entries, opened.time_base):
        return None  # the sound decides whether it is a pause or a jump of the clock
    found = make_index(entries, opened.time_base, opened.frame_rate)
    # These demuxers pass over damage without a word.
    end_s = float(found.end * opened.time_base)
    lost_s = promised_but_lost_s(opened, end_s)
    if opened.formats & _MATROSKA and (missing_frames(found.pts) or is_long(lost_s, end_s)):
        return None
    if opened.formats & _STATE_LENGTH and lost_s * opened.frame_rate > LOST_FRAMES:
        return None
    return found


def missing_frames(pts: Sequence[int]) -> int:
    """How many frames are missing between others that follow each other at a constant rate.

    Args:
        pts: in order, in ticks.
    """
    steps = np.diff(pts)
    typical = float(np.median(steps)) if len(steps) else 0.0
    # Times that are rounded to milliseconds differ by one.
    steady = np.abs(steps - typical) <= max(1.0, typical / 10)
    if typical <= 0 or steady.mean() < _STEADY:
        return 0
    return int(np.sum(np.rint(steps[steps > 1.5 * typical] / typical) - 1))


def promised_but_lost_s(opened: Opened, end_s: float, sound_end_s: float = 0.0) -> float:
    """By how many seconds a source ends before the time that its header says.

    Args:
        opened: the source.
        end_s: when the picture ends, in seconds.
        sound_end_s: when the sound ends, if that is known.
    """
    video, whole = opened.video, opened.container.duration
    if opened.formats & _MATROSKA and whole is not None:
        streams = opened.container.streams
        if len(streams.video) + len(streams.audio) + len(streams.subtitles) > 2:
            return 0.0  # the time may be that of another track
        return max(0.0, whole / av.time_base - max(end_s, sound_end_s))
    if opened.formats & _STATE_LENGTH and video.duration:
        promised = ((video.start_time or 0) + video.duration) * opened.time_base
        return max(0.0, float(promised) - end_s)
    return 0.0


def is_long(lost_s: float, end_s: float) -> bool:
    """Whether a source that lacks so much at its end has ended early, rather than lost a little."""
    return lost_s > max(1.0, (end_s + lost_s) / 20)


def _trusted(opened: Opened) -> bool:
    # AVI counts frames and knows no reordering, so it serves codecs without reordering.
    plain_avi = "avi" in opened.formats and opened.video.codec_context.codec.intra_only
    known = opened.video.codec_context.name in _decoders()
    return known and (plain_avi or bool(opened.formats & _TRUSTED))


def _not_needed(opened: Opened) -> list[range]:
    """The parts of the file that the index does not depend on."""
    codec_name = opened.video.codec_context.name
    if opened.file is None or not opened.formats & {"mov", "mp4"}:
        return []
    if codec_name in _MARKED_BY_TABLES:
        marks = [entry.is_keyframe for entry in opened.video.index_entries]
        if sum(marks) > max(2, len(marks) // 2):
            return []  # a file that marks every frame as a key frame does not know
    elif codec_name not in _WHOLE:
        return []
    return media_data(opened.file)


def truncated(name: str, readable: int, detail: str = "") -> TruncatedSource:
    """The error for a source that ends early."""
    return TruncatedSource(
        f"{name}: truncated{detail}; {counted(readable, 'frame')} could be read "
        "(--damaged encodes these)"
    )


def _decoders() -> frozenset[str]:
    # Decoders are named after their codec, except a few wrappers around libraries.
    return _ONE_FRAME_A_PACKET | {"libdav1d", "libvpx", "libvpx-vp9", "libaom-av1"}


@contextlib.contextmanager
def _alone(opened: Opened) -> Iterator[None]:
    """Let the container pass over all streams but the picture, inside the block."""
    others = [one for one in opened.container.streams if one is not opened.video]
    before = [one.discard for one in others]
    for one in others:
        one.discard = Discard.all
    try:
        yield
    finally:
        for one, discard in zip(others, before, strict=True):
            one.discard = discard


def _pauses(entries: Sequence[Entry], time_base: Fraction) -> bool:
    """Whether there is a long time without a picture."""
    pts, durations = (np.array([e[field] for e in entries], np.int64) for field in (0, 2))
    order = np.argsort(pts, kind="stable")
    gaps = np.diff(pts[order]) - durations[order][:-1]
    return bool(len(gaps)) and int(gaps.max()) * time_base > GAP_S


def make_index(entries: Sequence[Entry], time_base: Fraction, rate: Fraction) -> Index:
    """Display order and seek points of packets given in decoding order."""
    pts = np.array([entry.pts for entry in entries], np.int64)
    keys = np.flatnonzero([entry.key for entry in entries])
    order = np.argsort(pts, kind="stable")
    in_order = pts[order]
    # For each frame in display order: which is the last key packet at or before its packet?
    latest = np.searchsorted(keys, order, side="right") - 1
    # A picture shown before its key frame may need pictures from before the key frame. The start
    # of the file, which the first key packet stands for, needs no seek.
    seeks = _seeks(in_order, pts[keys], latest)
    last = entries[order[-1]]
    typical = max(1, round(1 / (rate * time_base)))
    return Index(time_base, in_order.tolist(), seeks, last.pts + (last.duration or typical))


def _seeks(
    shown: NDArray[np.int64], keys: NDArray[np.int64], latest: NDArray[np.int64]
) -> list[tuple[int, ...]]:
    """Where decoding can start for each frame: at most two of the last four key packets.

    Args:
        shown: when each frame is shown.
        keys: when each key packet is shown.
        latest: for each frame, number of the last key packet before its own; -1 if there is none.
    """
    none = np.iinfo(np.int64).min
    best = np.full((2, len(shown)), none)
    for back in range(_KEYS_BACK):
        number = latest - back
        at = keys[np.maximum(number, 0)] if len(keys) else shown
        good = (number > 0) & (at <= shown)
        first = good & (best[0] == none)
        second = good & ~first & (best[1] == none)
        best[0][first], best[1][second] = at[first], at[second]
    same: dict[tuple[int, int], tuple[int, ...]] = {}
    found = []
    for pair in zip(*best.tolist(), strict=True):
        if pair not in same:
            same[pair] = tuple(one for one in pair if one != none)
        found.append(same[pair])
    return found


def promised_but_missing(opened: Opened) -> str:
    """Why the file must be shorter than it once was, or ""."""
    file = opened.file
    if file is None:
        return ""
    if opened.formats & {"mov", "mp4"}:
        end = max((entry.pos + entry.size for entry in opened.video.index_entries), default=0)
        return f" ({file.size} bytes of at least {end})" if end > file.size else ""
    if opened.formats & _MATROSKA:
        end = _matroska_end(file)
        return f" ({file.size} bytes of {end})" if end > file.size else ""
    return ""


def _matroska_end(file: GuardedFile) -> int:
    """The end that the Segment states, in bytes from the start of the file, or 0."""
    head = file.read_at(0, 4096)
    at = 0
    with contextlib.suppress(IndexError):
        while True:
            identifier, size, start = ebml.read_element(head, at)
            if identifier == ebml.SEGMENT:
                return 0 if size == ebml.UNKNOWN_SIZE else start + size
            if size == ebml.UNKNOWN_SIZE:
                break
            at = start + size
    return 0
