"""Sources behind a file object, as in S3: the same plans and refusals, and few bytes read."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame

from excamera.container import ivf
from excamera.errors import (
    ExCameraError,
    InputError,
    NoFrames,
    NotAVideo,
    NoVideoStream,
    SourceUnavailable,
    TruncatedSource,
)
from excamera.objects import Keys
from excamera.options import EncodeOptions
from excamera.plan import Plan
from excamera.source.boxes import media_data
from excamera.source.guard import GuardedFile
from excamera.source.index import Index, index_packets
from excamera.source.media import fingerprint, open_media
from excamera.source.picture import Planes
from excamera.source.reader import FrameReader, read_all
from excamera.steps.plan import plan
from mu import Context, MemoryStore
from mu.block_file import BlockFile
from tests.pipeline.clips import RATE, Clip
from tests.pipeline.test_sources import B_FRAMES, CLIPS, MS, OPEN_GOP, VFR

pytestmark = pytest.mark.slow  # many encodes, one after another

OPTIONS = EncodeOptions(chunk_frames=5, batch_chunks=3, crf=8)
FRONT = {"movflags": "faststart"}
X265 = {"crf": "1", "x265-params": "log-level=none:keyint=10:open-gop=1:bframes=4"}


def blocks_of(data: bytes) -> BlockFile:
    """Bytes as a file that is read by ranges."""
    return BlockFile(lambda start, length: data[start : start + length], len(data))


def in_small_blocks(path: Path) -> BlockFile:
    """A file that is read hardly ahead, to see what is asked for."""
    data = path.read_bytes()
    return BlockFile(lambda a, n: data[a : a + n], len(data), first_block=1024, largest_block=1024)


def learn(file: BinaryIO, name: str) -> Index:
    """The index of a source."""
    with open_media(file, name) as opened:
        index = index_packets(opened)
    assert index is not None
    return index


class RangedStore(MemoryStore):
    """A store whose objects are read by ranges, as those in S3 are."""

    def source(self, key: str) -> str | BinaryIO:
        return blocks_of(self.get(key))


def plan_of(path: Path, by_path: bool, **more: Any) -> Plan:
    """The plan of a source that is given by its path, or as an object of the store."""
    store = RangedStore()
    given = {"name": path.name, "path": str(path)}
    if not by_path:
        store.put("in/source", path.read_bytes())
        given = {"name": path.name, "key": "in/source"}
    event = {"job": "j", "input": given, "container": "webm", "options": OPTIONS.to_json()}
    plan(event | more, Context(store))
    return Plan.from_json(store.get(Keys("j").plan))


def refusal(source: str | BinaryIO, name: str) -> tuple[type[ExCameraError], str]:
    """How a source is refused."""
    with pytest.raises(InputError) as caught, open_media(source, name) as opened:
        index_packets(opened)
    return type(caught.value), str(caught.value)


MORE_CLIPS = {
    "raw.264": Clip(frames=40, options=B_FRAMES),
    "x.ts": Clip(frames=40, options=B_FRAMES, sound="aac"),
    "sound.mp4": Clip(frames=40, options=B_FRAMES, sound="aac", container_options=FRONT),
    "fragments.mp4": Clip(
        frames=40, container_options={"movflags": "frag_keyframe+empty_moov"}, options=B_FRAMES
    ),
}


@pytest.mark.parametrize("name", [*CLIPS, *MORE_CLIPS])
def test_a_file_object_gives_the_plan_of_the_path(name: str, tmp_path: Path) -> None:
    """If this fails, a film encodes otherwise, or not at all, when it comes from S3."""
    source = (CLIPS | MORE_CLIPS)[name].write(
        tmp_path / name, "h264" if name.endswith(".264") else None
    )
    by_path, by_file = plan_of(source, by_path=True), plan_of(source, by_path=False)
    assert by_file.digest == by_path.digest
    assert by_file.source.indexed_by == by_path.source.indexed_by


def sound_only(path: Path) -> Path:
    """A file without pictures."""
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=RATE, layout="mono")
        frame = AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = RATE
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def cut(name: str, part: float, **how: Any) -> Callable[[Path], bytes]:
    """The first part of a clip."""

    def make(folder: Path) -> bytes:
        whole = Clip(frames=30, **how).write(folder / name).read_bytes()
        return whole[: int(len(whole) * part)]

    return make


IVF_HEAD = ivf.header(16, 16, Fraction(1, 25), 0)
Y4M_HEAD = b"YUV4MPEG2 W16 H16 F25:1 Ip A1:1 C420jpeg\n"
NO_B = {"crf": "10", "bf": "0"}
REFUSED: dict[str, tuple[Callable[[Path], bytes], type[InputError], str]] = {
    "empty.mp4": (lambda _: b"", NotAVideo, "not a video"),
    "text.mp4": (lambda _: b"hello\n" * 100, NotAVideo, "not a video"),
    "text.txt": (lambda _: b"hello\n" * 100, NotAVideo, "not a video"),
    "zeros.mkv": (lambda _: bytes(5000), NotAVideo, "not a video"),
    "empty.ivf": (lambda _: IVF_HEAD, NoFrames, "no frames"),
    "empty.y4m": (lambda _: Y4M_HEAD, NoFrames, "no frames"),
    "before-index.mp4": (cut("a.mp4", 0.9), TruncatedSource, "; 0 frames"),
    "front.mp4": (
        cut("a.mp4", 0.6, options=NO_B, container_options=FRONT),
        TruncatedSource,
        "bytes of at least",
    ),
    "x.mkv": (cut("a.mkv", 0.6, options=NO_B), TruncatedSource, "bytes of"),
    "x.webm": (cut("a.webm", 0.6, encoder="libvpx", options={}), TruncatedSource, "bytes of"),
    "x.y4m": (cut("a.y4m", 0.61, encoder="wrapped_avframe", options={}), TruncatedSource, "18 fr"),
    "x.avi": (
        cut("a.avi", 0.6, encoder="mjpeg", pix_fmt="yuvj420p", options={}),
        TruncatedSource,
        "truncated; ",
    ),
    "sound.mp4": (lambda f: sound_only(f / "s.mp4").read_bytes(), NoVideoStream, "no video"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_object_is_refused_like_a_path(name: str, tmp_path: Path) -> None:
    """If this fails, an upload that was cut short is encoded as if it were whole."""
    make, kind, words = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(make(tmp_path))
    expected = refusal(str(path), name)
    assert expected[0] is kind
    assert words in expected[1]
    assert refusal(io.BytesIO(path.read_bytes()), name) == expected
    assert refusal(blocks_of(path.read_bytes()), name) == expected


@pytest.fixture(scope="module")
def two_tracks(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MP4 with sound and its index at the end."""
    clip = Clip(frames=30, options=B_FRAMES, sound="aac")
    return clip.write(tmp_path_factory.mktemp("two") / "a.mp4").read_bytes()


@pytest.mark.parametrize("missing", range(1, 2000, 83))
def test_an_mp4_cut_within_its_index_is_truncated(missing: int, two_tracks: bytes) -> None:
    """If this fails, an upload that lacks its last bytes is encoded without its sound."""
    kind, words = refusal(io.BytesIO(two_tracks[:-missing]), "a.mp4")
    assert kind is TruncatedSource
    assert "0 frames could be read" in words


def test_a_file_object_is_read_from_its_start_each_time(tmp_path: Path) -> None:
    """If this fails, a second look at a file begins where the first ended."""
    path = Clip(frames=12, options=B_FRAMES).write(tmp_path / "a.mp4")
    file = io.BytesIO(path.read_bytes())
    file.seek(777)
    first = fingerprint(file)
    assert first == fingerprint(str(path))
    for _ in range(2):
        with open_media(file, "a.mp4") as outer, open_media(file, "a.mp4") as inner:
            pairs = zip(
                outer.container.decode(outer.video),
                inner.container.decode(inner.video),
                strict=True,
            )
            assert sum(a.pts == b.pts for a, b in pairs) == 12
    assert not file.closed
    assert len(list(read_all(file, "a.mp4"))) == 12


class Replaced(InputError):
    """Stands for any error of the pipeline."""


class Reset(ConnectionResetError):
    """Stands for any error of the system."""


class Failing(io.BytesIO):
    """A file whose read number `at` fails, and, if it lasts, all that follow."""

    def __init__(self, data: bytes, at: int, error: BaseException, lasts: bool) -> None:
        super().__init__(data)
        self.reads = 0
        self._at, self._error, self._lasts = at, error, lasts

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads == self._at or (self._lasts and self.reads > self._at > 0):
            raise self._error
        return super().read(size)


def use(file: BinaryIO, made: Plan) -> int:
    """All that steps do with a source: frames read."""
    with open_media(file, "f") as opened:
        index_packets(opened)
    fingerprint(file)
    with FrameReader(file, made) as reader:
        last = made.batches[-1].chunks[-1]
        return sum(1 for _ in reader.read(last))


@pytest.mark.parametrize("lasts", [True, False])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Reset(104, "Connection reset by peer"), SourceUnavailable),
        (FileNotFoundError("gone"), SourceUnavailable),
        (EOFError("no more"), EOFError),
        (SourceUnavailable("busy"), SourceUnavailable),
        (Replaced("another upload"), Replaced),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "front.mp4", "a.mkv", "a.y4m"])
def test_no_failed_read_is_taken_for_damage(
    name: str, error: BaseException, expected: type[BaseException], lasts: bool, tmp_path: Path
) -> None:
    """If this fails, a lost connection refuses a good film, or gives a short one."""
    encoder = "wrapped_avframe" if name.endswith("y4m") else "libx264"
    clip = Clip(frames=25, encoder=encoder, options={} if encoder != "libx264" else B_FRAMES,
                width=160, container_options=FRONT if name == "front.mp4" else {})  # fmt: skip
    path = clip.write(tmp_path / name)
    made = plan_of(path, by_path=True)
    counting = Failing(path.read_bytes(), 0, error, lasts)
    frames = use(counting, made)
    assert frames == len(made.batches[-1].chunks[-1].pts)
    for at in range(1, counting.reads + 1):
        with pytest.raises(expected):
            use(Failing(path.read_bytes(), at, error, lasts), made)


def test_a_reader_recovers_from_a_failed_read(tmp_path: Path) -> None:
    """If this fails, one lost connection fails every later chunk of that worker."""
    path = Clip(frames=20, encoder="wrapped_avframe", options={}).write(tmp_path / "a.y4m")
    made = plan_of(path, by_path=True)
    file = Failing(path.read_bytes(), 0, OSError(5, "Input/output error"), False)
    chunks = [chunk for batch in made.batches for chunk in batch.chunks]
    with FrameReader(file, made) as reader:
        first = list(reader.read(chunks[0]))
        before = file.reads
        assert len(list(reader.read(chunks[1]))) == 5
        for at in range(1, file.reads - before + 1):
            reader.close()
            file._at = file.reads + at
            with pytest.raises(SourceUnavailable, match=r"a.y4m: cannot be read: Input/output"):
                list(reader.read(chunks[1]))
            assert len(list(reader.read(chunks[1]))) == 5
        assert same(list(reader.read(chunks[0])), first)


def test_a_file_that_cannot_say_its_size_is_unavailable() -> None:
    """If this fails, an error of the very first call comes out as a traceback."""

    class Closed(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise OSError("seek failed")

    with pytest.raises(SourceUnavailable, match="seek failed"):
        refusal(Closed(b"x"), "f")
    with pytest.raises(SourceUnavailable, match="seek failed"):
        fingerprint(Closed(b"x"))


def test_an_uploaded_playlist_does_not_open_local_files(tmp_path: Path) -> None:
    """If this fails, an upload can make a worker hand out files of its own."""
    Clip(frames=3).write(tmp_path / "secret.ts")
    playlist = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path}/secret.ts\n#EXT-X-ENDLIST\n"
    )
    concat = f"ffconcat version 1.0\nfile 'file:{tmp_path}/secret.ts'\n"
    for text, name in ((playlist, "a.m3u8"), (concat, "a.ffconcat")):
        with (
            pytest.raises(ExCameraError),
            open_media(io.BytesIO(text.encode()), str(tmp_path / name)) as opened,
        ):
            index_packets(opened)


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
    monkeypatch.setattr("excamera.source.index._not_needed", lambda _: [])
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


def same(ours: list[Planes], theirs: list[Planes]) -> bool:
    """Whether pictures are equal."""
    return len(ours) == len(theirs) and all(
        np.array_equal(a, b)
        for x, y in zip(ours, theirs, strict=True)
        for a, b in zip(x, y, strict=True)
    )


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_false_key_frames_are_found_out(encoder: str, tmp_path: Path) -> None:
    """If this fails, a file that marks the wrong frames gives pictures of garbage."""
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
