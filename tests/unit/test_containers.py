"""IVF and WebM writers and readers, without any real coded frame."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import pytest

from excamera.errors import ContainerError, UnknownOutputFormat
from excamera.media.container import ebml, ivf, webm, webm_reader
from excamera.media.container.output import ENDINGS, OUTPUT_CONTAINERS, output_container
from tests.unit.test_segments import plan_of

KEY = b"\x10\x02\x00\x9d\x01\x2a\x10\x00\x10\x00" + b"\x00" * 20
INTER = b"\x11\x02\x00" + b"\x00" * 20


def webm_file(blocks: list[webm.Block], **track: object) -> bytes:
    """A whole WebM file of these blocks."""
    data = b""
    cues = []
    for cluster in webm.clusters(blocks):
        cues.append((cluster.time_ms, len(data)))
        data += cluster.data
    video = webm.VideoTrack(16, 16, **track)  # type: ignore[arg-type]
    front = webm.front(1000.0, video, [], [(len(data), cues)])
    return front + data


def video(time_ms: int, data: bytes = INTER, **more: object) -> webm.Block:
    """A block of the video track."""
    return webm.Block(webm.VIDEO_TRACK, time_ms, data, **more)  # type: ignore[arg-type]


def test_ivf_round_trip_keeps_timestamps_and_empty_frames() -> None:
    """If this fails, IVF results lose frames or their exact times."""
    records = [(0, KEY), (1001, b""), (1 << 40, INTER)]
    data = ivf.header(16, 9, Fraction(1, 30000), 3) + ivf.frames(records)
    file = ivf.parse(data)
    assert [(frame.pts, frame.data) for frame in file.frames] == records
    assert (file.width, file.height, file.time_base) == (16, 9, Fraction(1, 30000))


def test_damaged_ivf_is_refused() -> None:
    """If this fails, a cut or foreign file is decoded up to the fault, without an error."""
    data = ivf.header(16, 9, Fraction(1, 25), 1) + ivf.frames([(0, KEY)])
    for bad in (data[:20], b"XXXX" + data[4:], data[:8] + b"VP90" + data[12:], data[:-1],
                data[:40]):  # fmt: skip
        with pytest.raises(ContainerError):
            ivf.parse(bad)


def test_webm_round_trip_keeps_order_times_and_flags() -> None:
    """If this fails, hidden frames are shown, or seeking and playback order break."""
    blocks = [video(0, KEY, key=True), video(33, invisible=True), video(33), video(67, b"")]
    frames = webm_reader.parse(webm_file(blocks))
    assert [(f.time_ms, f.data, f.invisible) for f in frames] == [
        (0, KEY, False), (33, INTER, True), (33, INTER, False), (67, b"", False),
    ]  # fmt: skip


def test_long_batches_are_split_into_clusters() -> None:
    """If this fails, timestamps of a long batch overflow their 16 bits."""
    times = [0, 20_000, 40_000, 60_000, 300_000]
    data = webm_file([video(time, KEY, key=True) for time in times])
    assert [frame.time_ms for frame in webm_reader.parse(data)] == times
    with av.open(io.BytesIO(data)) as container:
        assert [p.pts for p in container.demux(video=0) if p.size] == times


def test_libavformat_reads_what_the_header_says() -> None:
    """If this fails, players see a wrong size, shape, rate or duration."""
    data = webm_file(
        [video(0, KEY, key=True), video(40)], sample_aspect=(4, 3), frame_ns=40_000_000, matrix=1
    )
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (16, 16)
        assert stream.sample_aspect_ratio == Fraction(21, 16)  # 16 * 4/3 is rounded to 21
        assert stream.average_rate == 25
        assert container.duration == 1_000_000
        assert stream.codec_context.colorspace == 1


def test_cut_webm_is_refused() -> None:
    """If this fails, a cut file is decoded up to the cut, without an error."""
    data = webm_file([video(0, KEY, key=True), video(40)])
    blocks_end = data.index(ebml.identifier(ebml.CUES), 200)
    for bad in (b"", data[:3], b"RIFF" + data[4:], data[: blocks_end - 5]):
        with pytest.raises(ContainerError):
            webm_reader.parse(bad)


@pytest.mark.parametrize("value", [0, 1, 126, 127, 128, 16382, 16383, 1 << 40])
def test_sizes_read_back(value: int) -> None:
    """If this fails, elements of some sizes (all ones means "unknown") are misread."""
    data = ebml.identifier(ebml.VOID) + ebml.size_field(value)
    assert ebml.read_element(data, 0) == (ebml.VOID, value, len(data))


def test_a_container_says_what_it_holds() -> None:
    """If this fails, a step writes sound into a file that cannot hold it."""
    for name in OUTPUT_CONTAINERS:
        container = output_container(name, "vp9")
        assert container.name == name
        assert f".{name}" in ENDINGS
        batch = container.batch(plan_of([0], 40), [(0, KEY)], last=True)
        if container.holds_sound:
            assert container.with_sound(*batch, [], [], 0) == batch
        else:
            with pytest.raises(ContainerError):
                container.with_sound(*batch, [], [], 0)
    with pytest.raises(UnknownOutputFormat, match=r"\.webm or \.mkv or \.mp4 or \.ivf, not \.avi"):
        output_container("avi", "vp8")
    with pytest.raises(UnknownOutputFormat, match=r"a \.webm file does not hold h264: .* \.mp4"):
        output_container("webm", "h264")
