"""Trims, rates, crops and sizes: the result is that of editing the whole film at once."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from excamera.cli import main
from excamera.errors import NoFrames, OptionError, UnsupportedSize
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.audio import read_sound
from excamera.media.source.clock import Clock
from excamera.price.edits import edited
from excamera.price.film import Film as FilmToPrice
from tests.pipeline.clips import (
    RATE,
    Clip,
    check_plays_alike,
    i420,
    mean_error,
    packet_times,
)
from tests.pipeline.films import Film, filtered

Capture = pytest.CaptureFixture[str]

CLIP = Clip(frames=40, options={"crf": "10", "g": "12"})


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same film in several containers, and one whose rate varies."""
    folder = tmp_path_factory.mktemp("clips")
    varied = list(np.cumsum([40, 20, 60, 33, 7, 100, 40, 40] * 5))
    return {
        "mp4": CLIP.write(folder / "a.mp4"),
        "mkv": CLIP.write(folder / "a.mkv"),
        "ts": CLIP.write(folder / "a.ts"),
        "varied": Clip(
            frames=40,
            options={"crf": "10", "g": "12"},
            pts=[int(one) for one in varied],
            time_base=Fraction(1, 1000),
        ).write(folder / "varied.mp4"),
    }


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts", "varied"])
@pytest.mark.parametrize(
    ("start", "duration"), [("0.52", ""), ("", "0.3"), ("0:00:00.4", "0.4"), ("0.01", "0.001")]
)
def test_a_trim_is_exact_to_the_frame(
    clips: dict[str, Path], kind: str, start: str, duration: str
) -> None:
    """If this fails, a trim begins or ends at another picture, or at another time than 0."""
    whole = Film(clips[kind])
    times = [pts * whole.plan.time_base for pts in whole.frames.pts]
    begin, length = (Fraction(text.rpartition(":")[2] or 0) for text in (start, duration))
    first = next(number for number, time in enumerate(times) if time >= begin)
    zero = times[first] if begin else Fraction(0)
    end = next(
        (n for n, time in enumerate(times) if length and n > first and time >= zero + length),
        len(times),
    )
    film = Film(clips[kind], start=start, duration=duration)
    assert [pts * film.plan.time_base for pts in film.frames.pts] == [
        time - zero for time in times[first:end]
    ]
    film.check_from_anywhere(whole.pictures()[first:end])
    if length:
        assert (film.plan.end - Fraction(1, 2)) * film.plan.time_base <= length


def test_a_start_behind_the_end_is_refused(clips: dict[str, Path]) -> None:
    """If this fails, a mistyped start gives an empty result, or nobody learns the film's length."""
    with pytest.raises(NoFrames, match=r"a\.mp4: has no frames from 1:00 on: it is 1\.600 s long"):
        Film(clips["mp4"], start="1:00")


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts", "varied"])
@pytest.mark.parametrize("rate", ["25", "24", "60", "30000/1001", "7", "1"])
def test_a_rate_drops_and_repeats_as_ffmpeg_does(
    clips: dict[str, Path], kind: str, rate: str
) -> None:
    """If this fails, --fps shows another picture somewhere, or workers disagree."""
    # The clock of a transport stream starts anywhere.
    from_zero = [("setpts", "PTS-STARTPTS")] if kind == "ts" else []
    wanted = filtered(clips[kind], *from_zero, ("fps", f"fps={rate}"))
    film = Film(clips[kind], fps=rate)
    assert film.plan.time_base == 1 / Fraction(rate)
    first = wanted[0].pts
    assert [pts - film.frames.pts[0] for pts in film.frames.pts] == [
        frame.pts - first for frame in wanted
    ]
    film.check_from_anywhere([i420(frame) for frame in wanted])


def test_of_pictures_with_one_time_the_first_is_taken(tmp_path: Path) -> None:
    """If this fails, workers take different ones of them, or find none."""
    pts = [0, 40, 80, 80, 80, 120, 160, 200, 200, 240]
    clip = Clip(frames=10, pts=pts, time_base=Fraction(1, 1000), encoder="ffv1", options={})
    source = clip.write(tmp_path / "a.mkv")
    whole = Film(source).pictures()
    assert Film(source).frames.pts == pts
    wanted = [whole[number] for number in (0, 1, 2, 5, 6, 7, 9)]
    Film(source, fps="25").check_from_anywhere(wanted)


def test_a_trim_comes_before_a_rate(clips: dict[str, Path]) -> None:
    """If this fails, the times of a trimmed film at another rate do not begin at 0."""
    film = Film(clips["mp4"], start="0.52", duration="0.4", fps="50")
    assert film.frames.pts == list(range(20))
    assert film.frames.read_pts[:2] == [film.frames.read_pts[0]] * 2
    whole = Film(clips["mp4"]).pictures()
    film.check_from_anywhere([picture for picture in whole[13:23] for _ in range(2)])


def test_interlaced_pictures_of_a_trim_see_those_before_it(tmp_path: Path) -> None:
    """If this fails, a trim changes pictures at its ends, or drops one of them."""
    options = {"crf": "10", "g": "6", "flags": "+ildct+ilme", "x264-params": "tff=1"}
    source = Clip(frames=24, options=options).write(tmp_path / "a.mp4")
    whole = Film(source)
    assert whole.plan.deinterlaced
    film = Film(source, start="0.24", duration="0.4")
    film.check_from_anywhere(whole.pictures()[6:16])


def test_a_crop_and_a_size_are_those_of_ffmpeg(clips: dict[str, Path]) -> None:
    """If this fails, other pixels are kept than the user named."""
    film = Film(clips["mp4"], crop="51:31:10:4")
    exact = ("crop", "51:31:10:4:exact=1")
    film.check_from_anywhere([i420(frame) for frame in filtered(clips["mp4"], exact)])
    flags = "flags=bicubic+accurate_rnd+bitexact+full_chroma_inp+full_chroma_int"
    film = Film(clips["mp4"], crop="64:32:10:4", scale="-2:40")
    assert (film.plan.geometry.width, film.plan.geometry.height) == (80, 40)
    wanted = filtered(clips["mp4"], ("crop", "64:32:10:4"), ("scale", f"80:40:{flags}"))
    film.check_from_anywhere([i420(frame) for frame in wanted])


@pytest.mark.parametrize(
    ("scale", "size", "shape"),
    [
        ("48:32", (48, 32), (4, 3)),
        ("48:64", (48, 64), (8, 3)),
        ("-1:21", (32, 21), (21, 16)),
        ("50:-2", (50, 34), (34, 25)),
        ("1000:-1", (1000, 667), (667, 500)),
        ("32p", (48, 32), (4, 3)),
        ("33p", (48, 32), (4, 3)),
        ("64p", (96, 64), (4, 3)),
        ("1080p", (96, 64), (4, 3)),
    ],
)
def test_sides_and_pixel_shapes(
    tmp_path: Path, scale: str, size: tuple[int, int], shape: tuple[int, int]
) -> None:
    """If this fails, a scaled film is squeezed, or not as large as the user wanted."""
    source = Clip(frames=2, sample_aspect=Fraction(4, 3)).write(tmp_path / "a.mp4")
    geometry = Film(source, scale=scale).plan.geometry
    assert (geometry.width, geometry.height) == size
    assert geometry.sample_aspect == shape


@pytest.mark.parametrize(
    ("crop", "scale", "size"),
    [
        ("64:64:0:0", "40p", (40, 40)),
        ("40:60:0:0", "20p", (20, 30)),
        ("40:60:0:0", "60p", (40, 60)),
        ("51:31:10:4", "720p", (50, 30)),
        ("1:31:10:4", "720p", (1, 30)),
    ],
)
def test_the_most_lines_are_of_the_shorter_side(
    clips: dict[str, Path], crop: str, scale: str, size: tuple[int, int]
) -> None:
    """If this fails, a preset enlarges a film, squeezes upright ones, or makes what H.264 lacks."""
    geometry = Film(clips["mp4"], crop=crop, scale=scale).plan.geometry
    assert (geometry.width, geometry.height) == size


def test_a_turned_picture_is_cropped_as_it_is_seen(tmp_path: Path) -> None:
    """If this fails, a crop of a film from a telephone keeps another part of it."""
    source = Clip(frames=3, rotation=90).write(tmp_path / "a.mp4")
    whole = [
        np.frombuffer(one, np.uint8)[: 64 * 96].reshape(96, 64) for one in Film(source).pictures()
    ]
    film = Film(source, crop="20:50:8:30")
    assert (film.plan.geometry.width, film.plan.geometry.height) == (20, 50)
    for seen, picture in zip(whole, film.pictures(), strict=True):
        kept = np.frombuffer(picture, np.uint8)[: 20 * 50].reshape(50, 20)
        assert np.array_equal(kept, seen[30:80, 8:28])


def test_what_does_not_lie_in_the_picture_is_refused(clips: dict[str, Path]) -> None:
    """If this fails, a crop beyond the picture is a traceback, or keeps something else."""
    with pytest.raises(
        OptionError, match=r"does not lie in the pictures of a\.mp4, which have 96x64"
    ):
        Film(clips["mp4"], crop="96:64:2:0")


def heard(path: Path) -> tuple[float, np.ndarray]:
    """When sound begins, in seconds, and all of it, mono, as a player hears it."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        start = float(frames[0].pts * frames[0].time_base)
    samples = [frame.to_ndarray() for frame in frames]
    packed = frames[0].format.name == "flt"
    first = [one.reshape(-1, 2)[:, 0] if packed else one[0] for one in samples]
    return start, np.concatenate(first)


@pytest.mark.parametrize(
    ("ending", "sound"), [("mp4", "aac"), ("mkv", "flac"), ("mp4", "libopus"), ("mkv", "libopus")]
)
def test_sound_is_trimmed_to_the_same_instants(ending: str, sound: str, tmp_path: Path) -> None:
    """If this fails, the sound of a trimmed film is early, late, too long or too short."""
    clip = Clip(frames=150, sound=sound, options={"crf": "30", "g": "12"})
    source = clip.write(tmp_path / f"a.{ending}")
    output = tmp_path / "out.webm"
    options = EncodeOptions(crf=40, start="3.16", duration="1.24", chunk_frames=10, batch_chunks=4)
    result = encode_file(str(source), output, options, workers=2)
    assert result.frames == 31
    assert result.duration_s == pytest.approx(1.24, abs=0.002)
    assert result.sound == ("copied" if sound == "libopus" else "encoded")
    whole_start, whole = heard(source)
    start, part = heard(output)
    # A block of WebM begins at a whole millisecond; the source's does, too, in Matroska.
    assert start == pytest.approx(0, abs=0.0011)
    assert abs(len(part) - 1.24 * RATE) <= RATE // 1000
    at = round((3.16 - whole_start) * RATE)
    shifts = range(-96, 97)
    middle = part[RATE // 10 : RATE]
    errors = [
        float(np.abs(whole[at + shift + RATE // 10 : at + shift + RATE] - middle).mean())
        for shift in shifts
    ]
    assert abs(shifts[int(np.argmin(errors))]) <= RATE // 2000 + (24 if ending == "mkv" else 0)


def test_an_edited_film_is_encoded(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, the command line does not pass on the edits, or the result has others."""
    source = CLIP.write(tmp_path / "a.mkv")
    output = tmp_path / "out.webm"
    given = ["--start", "0.4", "--duration", "0.8", "--crop", "64:48:16:8", "--scale", "96:-2"]
    shape = ["-n", "5", "-x", "2", "--crf", "8"]
    assert main(["encode", str(source), str(output), *given, *shape]) == 0
    shown = check_plays_alike(output)
    assert len(shown) == 20
    assert packet_times(output)[0] == 0
    wanted = Film(source, start="0.4", duration="0.8", crop="64:48:16:8", scale="96:-2").pictures()
    for number, (found, picture) in enumerate(zip(shown, wanted, strict=True)):
        luma = np.frombuffer(picture, np.uint8, 96 * 72).reshape(72, 96)
        assert mean_error(found, (luma, luma, luma)) < 3.5, number


def test_sound_that_is_longer_than_the_picture_is_cut_where_the_user_says(tmp_path: Path) -> None:
    """If this fails, a trim cuts sound at the end of the picture, or not at all."""
    source = Clip(frames=25, sound="flac", sound_s=3.0).write(tmp_path / "a.mkv")
    output = tmp_path / "out.webm"
    options = EncodeOptions(crf=50, duration="1.5", chunk_frames=25)
    assert encode_file(str(source), output, options, workers=2).frames == 25
    _, samples = heard(output)
    assert abs(len(samples) - 1.5 * RATE) <= RATE // 1000


def test_a_trim_without_a_start_keeps_sound_that_begins_before_the_picture(tmp_path: Path) -> None:
    """If this fails, --duration alone cuts the beginning of a film."""
    pts = [500 + 40 * number for number in range(20)]
    source = Clip(frames=20, pts=pts, time_base=Fraction(1, 1000), sound="flac", sound_s=1.3)
    film = Film(source.write(tmp_path / "a.mkv"), duration="0.7")
    times = [pts * film.plan.time_base for pts in film.frames.pts]
    assert times == [Fraction(500 + 40 * number, 1000) for number in range(5)]
    assert (film.plan.origin_s, film.plan.end * film.plan.time_base) == (0, Fraction(7, 10))


class Counted(io.FileIO):
    """A file that counts the bytes that are read of it."""

    count = 0

    def readinto(self, buffer: Any) -> int:
        """Read and count."""
        got = super().readinto(buffer) or 0
        self.count += got
        return got

    def read(self, size: int | None = -1) -> bytes:
        """Read and count."""
        data = super().read(-1 if size is None else size) or b""
        self.count += len(data)
        return data


def interleaved(source: Path) -> Path:
    """The same film with picture and sound of one time beside each other."""
    path = source.with_name(f"b{source.suffix}")
    with av.open(str(source)) as film, av.open(str(path), "w") as out:
        made = {stream.index: out.add_stream_from_template(stream) for stream in film.streams}
        packets = [packet for packet in film.demux() if packet.dts is not None]
        for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
            packet.stream = made[packet.stream.index]
            out.mux(packet)
    return path


@pytest.mark.parametrize("ending", ["mov", "mkv"])
def test_the_sound_of_a_trim_is_read_from_shortly_before_it(ending: str, tmp_path: Path) -> None:
    """If this fails, ten seconds of a film of two hours are as slow as the whole film."""
    options = {"crf": "40", "preset": "ultrafast", "g": "10"}
    clip = Clip(frames=300, rate=5, options=options, sound="pcm_s16le")
    source = interleaved(clip.write(tmp_path / f"a.{ending}"))
    with Counted(str(source)) as file:
        sound = read_sound(file, "a", 1, Fraction(50), Clock(), trimmed=True, end_s=Fraction(2))
        assert file.count < source.stat().st_size / 4
    assert sound is not None
    assert sound.end_ms == pytest.approx(2000, abs=1)


def test_a_source_that_is_too_large_can_be_made_smaller(tmp_path: Path) -> None:
    """If this fails, the size of the source counts, although no worker encodes it."""
    source = Clip(frames=1, width=16400, height=16, encoder="ffv1", options={})
    path = source.write(tmp_path / "a.mkv")
    with pytest.raises(UnsupportedSize):
        Film(path)
    geometry = Film(path, scale="8200:-1").plan.geometry
    assert (geometry.width, geometry.height) == (8200, 8)


def test_an_estimate_counts_what_is_edited() -> None:
    """If this fails, an estimate is of the whole film, although a part of it is encoded."""
    whole = FilmToPrice(frames=2500, width=1920, height=1080, duration_s=100.0)
    options = EncodeOptions(
        start="10", duration="20", fps="50", crop="1280:720:0:0", scale="640:-2", audio="none"
    )
    assert edited(whole, options) == FilmToPrice(1000, 640, 360, 20.0, sound=False)
    with pytest.raises(NoFrames, match=r"100\.000 s long"):
        edited(whole, EncodeOptions(start="2:00"))
