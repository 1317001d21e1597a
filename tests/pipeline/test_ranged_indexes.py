"""Indexes of sources in S3: as trustworthy as those of whole files, and few bytes read."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from excamera.media.source.boxes import media_data
from excamera.media.source.guard import GuardedFile
from excamera.media.source.index import index_packets
from excamera.media.source.media import open_media
from excamera.media.source.reader import FrameReader, read_all
from tests.pipeline.clips import Clip
from tests.pipeline.ranged import FRONT, X265, blocks_of, in_small_blocks, learn, plan_of, same
from tests.pipeline.test_sources import MS, OPEN_GOP, VFR

pytestmark = pytest.mark.slow  # many encodes, one after another


def packets(path: Path, blank: bool) -> tuple[list[tuple[Any, ...]], int]:
    """All that an index is made of, packet by packet, and the bytes that were read."""
    file = in_small_blocks(path)
    with open_media(file, path.name) as opened:
        assert opened.file is not None
        keys = {entry.pos: entry.is_keyframe for entry in opened.video.index_entries}
        with opened.file.blanked(media_data(opened.file) if blank else []):
            found = [
                (p.pts, p.dts, p.duration, p.size, p.pos, p.is_discard, p.is_corrupt,
                 keys[p.pos] if blank and p.pos is not None else p.is_keyframe)
                for p in opened.container.demux(opened.video)
                if p.size
            ]  # fmt: skip
    return found, file.bytes_read


def big(encoder: str, **more: Any) -> Clip:
    """A clip many times larger than what FFmpeg reads to open it."""
    options = {"options": {"crf": "1", "bf": "3", "g": "12"}} | more
    return Clip(frames=50, width=320, height=192, encoder=encoder, **options)


TOLD_BY_TABLES = {
    "b-frames.mp4": big("libx264"),
    "open-gop.mp4": big("libx264", options=OPEN_GOP | {"crf": "1"}),
    "refresh.mp4": big("libx264", options={"crf": "1", "x264-params": "intra-refresh=1"}),
    "one-key.mp4": big("libx264", options={"crf": "1", "g": "999"}),
    "front.mp4": big("libx264", container_options=FRONT),
    "sound.mp4": big("libx264", sound="aac"),
    "sound.mov": big("libx264", sound="aac", container_options=FRONT),
    "late-sound.mp4": big("libx264", sound="aac", sound_start_s=0.5),
    "turned.mp4": big("libx264", rotation=90),
    "late.mp4": big("libx264", pts=[n + 100 for n in range(50)]),
    "vfr.mp4": big("libx264", pts=[*VFR, *range(3000, 6000, 100)], time_base=MS),
    "hevc.mp4": big("libx265", options=X265),
    "av1.mp4": big("libsvtav1", options={"crf": "5", "preset": "10", "g": "10"}),
    "mjpeg.mov": big("mjpeg", pix_fmt="yuvj420p", options={"qmin": "1", "qmax": "2"}),
    "prores.mov": big("prores_ks", pix_fmt="yuv422p10le", options={}),
    "dnxhd.mov": big("dnxhd", pix_fmt="yuv422p", options={"profile": "dnxhr_hq"}),
    "png.mov": big("png", pix_fmt="rgb24", options={}),
    "qtrle.mov": big("qtrle", pix_fmt="rgb24", options={}),
    "ffv1.mp4": big("ffv1", options={}),
    "cfhd.mov": big("cfhd", pix_fmt="yuv422p10le", options={}),
    "v210.mov": big("v210", pix_fmt="yuv422p10le", options={}),
    "jpeg2000.mov": big("jpeg2000", options={}),
    "raw.mov": big("rawvideo", options={}),
}


@pytest.mark.parametrize("name", TOLD_BY_TABLES)
def test_an_mp4_is_indexed_without_its_pictures(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, an MP4's plan is wrong, or costs the whole film's bytes."""
    clip = TOLD_BY_TABLES[name]
    if clip.encoder in ("libx265", "libsvtav1") and clip.encoder not in av.codecs_available:
        pytest.skip(f"this PyAV has no {clip.encoder}")
    path = clip.write(tmp_path / name)
    really, all_bytes = packets(path, blank=False)
    blank, few_bytes = packets(path, blank=True)
    assert blank == really
    assert len(really) == 50
    assert few_bytes < all_bytes / 2
    file = in_small_blocks(path)
    by_tables = learn(file, name)
    assert file.bytes_read < all_bytes / 2
    monkeypatch.setattr("excamera.media.source.index._not_needed", lambda _: [])
    assert learn(in_small_blocks(path), name) == by_tables


@pytest.mark.parametrize(
    "clip",
    [
        big("libvpx-vp9", options={"crf": "4", "b": "9M", "cpu-used": "8"}),
        big("libx264", container_options={"movflags": "frag_keyframe+empty_moov"}),
    ],
    ids=["vp9", "fragments"],
)
def test_a_doubtful_mp4_is_read(clip: Clip, tmp_path: Path) -> None:
    """If this fails, the index of such a file is made of zeros."""
    path = clip.write(tmp_path / "a.mp4")
    file = in_small_blocks(path)
    assert len(learn(file, "a.mp4").pts) == 50
    assert file.bytes_read > 0.9 * file.size


def box(kind: bytes, size: int, wide: bool = False) -> bytes:
    """A box with `size` bytes in it."""
    if wide:
        return (1).to_bytes(4, "big") + kind + (size + 16).to_bytes(8, "big") + bytes(size)
    return (size + 8).to_bytes(4, "big") + kind + bytes(size)


MOOV, MDAT = box(b"moov", 20), box(b"mdat", 100)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (MOOV + MDAT, [(36, 136)]),
        (MDAT + MOOV, [(8, 108)]),
        (box(b"mdat", 100, wide=True) + MOOV, [(16, 116)]),
        (MOOV + MDAT + box(b"free", 0) + MDAT, [(36, 136), (152, 252)]),
        (MOOV + bytes(4) + b"mdat" + bytes(50), [(36, 86)]),
        (MOOV + MDAT[:-60], [(36, 76)]),
        (MDAT, []),
        (MOOV + box(b"moof", 5) + MDAT, []),
        (MOOV + MDAT + b"\0\0\0", []),
        (MOOV + MDAT + b"\0\0\0\x05junk", []),
        (MOOV + box(b"free", 0) * 1000 + MDAT, []),
        (b"", []),
    ],
)
def test_where_an_mp4_keeps_its_pictures(content: bytes, parts: list[tuple[int, int]]) -> None:
    """If this fails, something that the index needs is taken for zeros."""
    found = media_data(GuardedFile(io.BytesIO(content), "f", "f"))
    assert [(part.start, part.stop) for part in found] == parts


def key_marks(data: bytes, change: Callable[[list[int]], list[int]]) -> bytes:
    """An MP4 with other numbers, but equally many, in its list of key frames."""
    at = data.index(b"stss") + 8
    count = int.from_bytes(data[at : at + 4], "big")
    stop = at + 4 + 4 * count
    numbers = [int.from_bytes(data[n : n + 4], "big") for n in range(at + 4, stop, 4)]
    changed = b"".join(number.to_bytes(4, "big") for number in change(numbers))
    return data[: at + 4] + changed + data[stop:]


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_false_key_frames_are_found_out(encoder: str, tmp_path: Path) -> None:
    """If this fails, a file that marks the wrong frames makes pictures of garbage."""
    if encoder not in av.codecs_available:
        pytest.skip(f"this PyAV has no {encoder}")
    options = {"crf": "10", "g": "12", "bf": "2"} if encoder == "libx264" else X265
    path = Clip(frames=50, encoder=encoder, options=options).write(tmp_path / "a.mp4")
    path.write_bytes(key_marks(path.read_bytes(), lambda n: [n[0], *(x + 3 for x in n[1:])]))
    made = plan_of(path, by_path=False)
    expected = list(read_all(str(path), "a.mp4"))
    chunks = [chunk for batch in made.batches for chunk in batch.chunks]
    assert any(chunk.seek for chunk in chunks)
    for chunk in reversed(chunks):
        with FrameReader(str(path), made) as reader:
            stop = chunk.first_frame + len(chunk.pts)
            assert same(list(reader.read(chunk)), expected[chunk.first_frame : stop])


def test_who_marks_every_frame_is_not_believed(tmp_path: Path) -> None:
    """If this fails, each chunk of a file without key frame marks is read from the start."""
    path = Clip(frames=50, options={"crf": "10", "g": "10", "bf": "0"}).write(tmp_path / "a.mp4")
    data = path.read_bytes().replace(b"stss", b"free")  # without the box, all are key frames
    with open_media(io.BytesIO(data), "a.mp4") as opened:
        assert all(entry.is_keyframe for entry in opened.video.index_entries)
        index = index_packets(opened)
    assert index is not None
    ticks = index.pts[1] - index.pts[0]
    assert {seek[0] // ticks for seek in index.seeks if seek} == {10, 20, 30, 40}


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Some 25 MB of noise with sound, once in MP4 and once in Matroska."""
    folder = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (540, 640), np.uint8) for _ in range(5)]
    rate = {"b": "16M", "minrate": "16M", "maxrate": "16M", "bufsize": "16M"}
    path = folder / "noise.mp4"
    with av.open(str(path), "w") as out:
        video = out.add_stream(
            "libx264", rate=25, options={"preset": "ultrafast", "g": "25", "bf": "2"} | rate
        )
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        for number in range(320):
            frame = av.VideoFrame.from_ndarray(pictures[number % 5], format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    remuxed = folder / "noise.mkv"
    with av.open(str(path)) as a, av.open(str(remuxed), "w") as b:
        stream = b.add_stream_from_template(a.streams.video[0])
        for packet in a.demux(video=0):
            if packet.size:
                packet.stream = stream
                b.mux(packet)
    assert min(path.stat().st_size, remuxed.stat().st_size) > 20e6
    return {"mp4": path, "mkv": remuxed}


def test_the_plan_of_an_mp4_costs_few_bytes(noise: dict[str, Path]) -> None:
    """If this fails, planning a large MP4 in S3 fetches all of it."""
    data = noise["mp4"].read_bytes()
    file = blocks_of(data)
    assert len(learn(file, "noise.mp4").pts) == 320
    assert file.bytes_read < 2 << 20
    assert file.requests <= 3


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_chunk_costs_a_small_part_of_the_file(kind: str, noise: dict[str, Path]) -> None:
    """If this fails, every worker fetches the whole film for its few frames."""
    made = plan_of(noise[kind], by_path=True)
    data = noise[kind].read_bytes()
    for chunk in (made.batches[-1].chunks[-1], made.batches[len(made.batches) // 2].chunks[0]):
        file = blocks_of(data)
        with FrameReader(file, made) as reader:
            assert len(list(reader.read(chunk))) == len(chunk.pts)
        assert file.bytes_read < len(data) / 4
        assert file.requests <= 8


def test_a_matroska_file_is_read_through_once(noise: dict[str, Path]) -> None:
    """If this fails, planning a Matroska film fetches parts of it several times."""
    data = noise["mkv"].read_bytes()
    file = blocks_of(data)
    assert len(learn(file, "noise.mkv").pts) == 320
    assert file.bytes_read == len(data)
    assert file.requests <= 10
