"""Sources behind a file object, as in S3: the same plans and refusals as by path."""

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

from excamera.errors import (
    ExCameraError,
    InputError,
    NoFrames,
    NotAVideo,
    NoVideoStream,
    SourceUnavailable,
    TruncatedSource,
)
from excamera.job.plan import Plan
from excamera.media.container import ivf
from excamera.media.source.index import index_packets
from excamera.media.source.media import fingerprint, open_media
from excamera.media.source.reader import FrameReader, read_all
from tests.pipeline.clips import RATE, Clip
from tests.pipeline.ranged import FRONT, blocks_of, plan_of, same
from tests.pipeline.test_sources import B_FRAMES, CLIPS

pytestmark = pytest.mark.slow  # many encodes, one after another


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
    """A file whose read number `at` fails, and all later reads if `lasts`."""

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
    """If this fails, a lost connection refuses a good film, or shortens it."""
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
    """If this fails, an error of the very first call ends in a traceback."""

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
