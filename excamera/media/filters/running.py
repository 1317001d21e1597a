"""Runs a filter graph over frames of a film, each of which comes out as one frame."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import av.filter
import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

from excamera.errors import OptionError
from excamera.job.geometry import Geometry
from excamera.job.options import EncodeOptions
from excamera.media.filters.absent import check_known
from excamera.media.filters.known import MOST_FRAMES, Sight, refuse_files, sight
from excamera.media.filters.links import link, linked
from excamera.media.filters.syntax import Written, parse
from excamera.media.source.picture import Planes, frame_of, i420

_LIMITED = 1  # AVCOL_RANGE_MPEG
# The matrices that swscale knows by these names; it takes any other for BT.601.
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
_EXACT = "flags=bicubic+accurate_rnd+bitexact+full_chroma_inp+full_chroma_int"
_STEPS, _PARTS = 1024, 4096
_LARGEST_TERM = 1000
_REFUSED = (av.error.FFmpegError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Filters:
    """A graph that can be run in parts.

    Attributes:
        written: its filters.
        sight: of all of them together.
    """

    written: tuple[Written, ...]
    sight: Sight

    @classmethod
    def of(cls, options: EncodeOptions, *, files: bool = True) -> Filters:
        """The filters of the options `vf` and `vf_lead`.

        Args:
            options: with `vf`.
            files: whether they may use files of this machine.

        Raises:
            OptionError: it is no graph, or cannot be run in parts.
        """
        written = parse(options.vf)
        for one in written:
            check_known(one.name)
            if not files:
                refuse_files(one)
        if options.vf_lead >= 0:
            return cls(tuple(written), Sight(options.vf_lead, options.vf_lead))
        each = [sight(one) for one in written]
        found = Sight(sum(one.before for one in each), sum(one.behind for one in each))
        if max(found.before, found.behind) > MOST_FRAMES:
            raise OptionError(
                f"vf: the filters see {found.before} frames before and {found.behind} behind each; "
                f"{MOST_FRAMES} are allowed"
            )
        return cls(tuple(written), found)


class Run:
    """Filters frames that follow each other.

    Args:
        filters: the graph.
        geometry: of the frames that go in: those that are kept, in I420.
        time_base: seconds of a tick of their times.
        scale: the size of what comes out, as FFmpeg's filter scale takes it.

    Attributes:
        ready: frames that have come out and wait to be taken.

    Raises:
        OptionError: FFmpeg refuses the graph.
    """

    def __init__(
        self, filters: Filters, geometry: Geometry, time_base: Fraction, scale: str = "0:0"
    ) -> None:
        self._geometry = geometry
        self._time_base = time_base
        self._times: deque[int] = deque()
        self.ready: deque[VideoFrame] = deque()
        self._graph = _graph(filters.written, geometry, time_base, scale)

    def push(self, frame: VideoFrame, pts: int) -> None:
        """Filter the next frame, which is shown at a time.

        Raises:
            OptionError: a filter fails, or changes the frames' number or times.
        """
        frame.pts, frame.time_base = pts, self._time_base
        frame.color_range = _LIMITED
        frame.colorspace = self._geometry.matrix
        self._times.append(pts)
        try:
            self._graph.vpush(frame)
            self._pull()
        except av.error.FFmpegError as error:
            raise OptionError(f"vf: a filter fails: {error.strerror}") from error

    def finish(self) -> None:
        """Let all frames come out that are left.

        Raises:
            OptionError: some do not.
        """
        self._graph.vpush(None)
        self._pull()
        if self._times:
            raise OptionError(f"vf: the filters drop {len(self._times)} frames or more")

    def _pull(self) -> None:
        while True:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if not self._times:
                raise OptionError("vf: the filters make more frames than there were")
            pts = self._times.popleft()
            came = None if frame.pts is None else frame.pts * (frame.time_base or 0)
            if came not in (None, pts * self._time_base):
                raise OptionError(
                    "vf: the filters drop frames, or change their number or times; --fps, --start "
                    "and --duration do"
                )
            self.ready.append(frame)


def filtered_geometry(filters: Filters, geometry: Geometry, time_base: Fraction) -> Geometry:
    """The geometry of what comes out of a graph, which is tried with some frames.

    Raises:
        OptionError: FFmpeg refuses the graph, or it does not make one frame of each.
    """
    frame = _tried(filters, geometry, time_base)
    return replace(
        geometry,
        size=(frame.width, frame.height),
        sample_aspect=_shape(filters, geometry, time_base),
    )


def _tried(
    filters: Filters, geometry: Geometry, time_base: Fraction, scale: str = "0:0"
) -> VideoFrame:
    run = Run(filters, geometry, time_base, scale)
    for number in range(filters.sight.before + filters.sight.behind + 1):
        run.push(frame_of(_grey(geometry)), number)
    run.finish()
    return run.ready[0]


def _grey(geometry: Geometry) -> Planes:
    width, height = geometry.kept
    luma, chroma = (height, width), ((height + 1) // 2, (width + 1) // 2)
    kind = np.uint8 if geometry.bits == np.iinfo(np.uint8).bits else np.uint16
    middle = 1 << geometry.bits - 1
    y, u, v = (np.full(shape, middle, kind) for shape in (luma, chroma, chroma))
    return y, u, v


def _shape(filters: Filters, geometry: Geometry, time_base: Fraction) -> tuple[int, int]:
    """The shape of pixels behind a graph: its filter scale knows it, so a size tells it."""
    scaled = f"({_STEPS}*sar)"
    sides = f"w=1+floor{scaled}:h=1+floor({_PARTS}*({scaled}-floor{scaled}))"
    frame = _tried(filters, geometry, time_base, sides)
    parts = (frame.width - 1) * _PARTS + frame.height - 1
    if abs(Fraction(*geometry.sample_aspect) * _STEPS * _PARTS - parts) <= 1:
        return geometry.sample_aspect
    found = Fraction(2 * parts + 1, 2 * _STEPS * _PARTS).limit_denominator(_LARGEST_TERM)
    return (found.numerator, found.denominator) if found > 0 else (1, 1)


def _graph(
    written: Sequence[Written], geometry: Geometry, time_base: Fraction, scale: str
) -> Graph:
    width, height = geometry.kept
    num, den = geometry.sample_aspect
    matrix = _MATRICES.get(geometry.matrix, "bt601")
    pixels = i420(geometry.bits)
    graph = Graph()
    source = graph.add(
        "buffer",
        f"video_size={width}x{height}:pix_fmt={pixels}:time_base={time_base}:"
        f"pixel_aspect={num}/{den}:colorspace={geometry.matrix}:range={_LIMITED}",
    )
    # Filters that work in RGB come back to the film's matrix, by exact rules.
    back = graph.add("scale", f"{scale}:out_color_matrix={matrix}:out_range=tv:{_EXACT}")
    planar = graph.add("format", pixels)
    sink = graph.add("buffersink")
    with _heard() as said:
        nodes = [_added(graph, one, said) for one in written]
        into, out = linked(written, nodes)
        link((source, 0), into)
        link(out, (back, 0))
        try:
            graph.link_nodes(back, planar, sink).configure()
        except _REFUSED as error:
            raise OptionError(f"vf: {_reason(said, error)}") from error
    return graph


@contextlib.contextmanager
def _heard() -> Iterator[list[tuple[int, str, str]]]:
    """What FFmpeg says about errors, inside the block."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as said:
            yield said
    finally:
        av.logging.set_level(before)


def _added(graph: Graph, one: Written, said: list[tuple[int, str, str]]) -> FilterContext:
    try:
        return graph.add(one.name, one.options or None)
    except _REFUSED as error:
        raise OptionError(f"vf: {one.name}: {_reason(said, error)}") from error


def _reason(said: Sequence[tuple[int, str, str]], error: Exception) -> str:
    """What FFmpeg says, in one line."""
    if said:
        return " ".join(said[0][2].split())
    return str(getattr(error, "strerror", None) or error)
