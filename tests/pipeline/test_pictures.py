"""Numbered pictures are one film: in order, at their rate, each read only by its worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from excamera.cli import main
from excamera.errors import NoSuchInput, OptionError, SequenceRefused
from excamera.job.forms import parse_rate
from excamera.job.objects import Job
from excamera.job.options import EncodeOptions
from excamera.local import EncodeResult, encode_file
from excamera.media.source import location
from excamera.media.source.exr import is_whole
from excamera.media.source.numbered import Picture
from excamera.media.source.picture import frame_of
from excamera.media.source.reader import FrameReader
from mu import DirectoryStore, NoSuchKey
from tests.pipeline.clips import Clip, check_plays_alike, mean_error, moving_picture, packet_times

pytestmark = pytest.mark.slow  # many encodes, one after another

OPTIONS = EncodeOptions(chunk_frames=5, batch_chunks=2, crf=8)
Capture = pytest.CaptureFixture[str]
KINDS = {
    "png": ("png", "rgb24"),
    "jpg": ("mjpeg", "yuvj420p"),
    "tiff": ("tiff", "rgb24"),
    "bmp": ("bmp", "bgr24"),
    "webp": ("libwebp", "yuv420p"),
    "exr": ("exr", "gbrpf32le"),
    "dpx": ("dpx", "rgb24"),
    "tga": ("targa", "bgr24"),
    "ppm": ("ppm", "rgb24"),
    "jp2": ("jpeg2000", "yuv420p"),
}


def picture(path: Path, number: int, width: int = 96, height: int = 64) -> Path:
    """Write the picture of that number, of the kind that the path's ending says."""
    kind, pix_fmt = KINDS[path.suffix[1:]]
    context = av.CodecContext.create(kind, "w")
    context.width, context.height, context.pix_fmt = width, height, pix_fmt
    context.time_base = Fraction(1, 25)
    if kind == "mjpeg":
        context.options = {"qmin": "1", "qmax": "2"}
    frame = frame_of(moving_picture(number, width, height), "yuv420p").reformat(format=pix_fmt)
    if kind == "exr":
        values = frame.to_ndarray()
        linear = np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
        frame = VideoFrame.from_ndarray(linear.astype(np.float32), format=pix_fmt)
    frame.pts = 0
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(map(bytes, [*context.encode(frame), *context.encode(None)])))
    return path


def pictures(folder: Path, name: str, numbers: range = range(12)) -> Path:
    """Write pictures with these numbers in their names; they show 0, 1, 2 and so on."""
    for shown, number in enumerate(numbers):
        picture(folder / (name % number), shown)
    return folder


def encode(source: Path | str, output: Path, **more: Any) -> EncodeResult:
    """Encode with two workers."""
    options = replace(more.pop("options", OPTIONS), fps=more.pop("fps", ""))
    return encode_file(str(source), output, options, workers=2, **more)


def check_all_shown(output: Path, count: int = 12, rate: Fraction = Fraction(25)) -> None:
    """Check that a result shows the pictures 0, 1, 2 and so on at a rate."""
    shown = check_plays_alike(output)
    assert len(shown) == count
    for number, found in enumerate(shown):
        assert mean_error(found, moving_picture(number)) < 3.5, f"frame {number}"
    for number, time in enumerate(packet_times(output)):
        assert abs(time - number / rate) <= Fraction(1, 2000), f"frame {number}"


def refused(capfd: Capture, *arguments: str | Path) -> str:
    """The message of a command that ends with an error."""
    assert main([str(argument) for argument in arguments]) != 0
    *_, error = capfd.readouterr().err.strip().splitlines()
    assert error.startswith("excamera: ")
    return error


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_every_kind(kind: str, tmp_path: Path) -> None:
    """If this fails, such pictures are refused, or arrive changed, late or out of order."""
    pictures(tmp_path / "frames", f"frame_%04d.{kind}", range(1, 13))
    output = tmp_path / "out.webm"
    result = encode(tmp_path / "frames" / f"frame_%04d.{kind}", output, fps="24")
    check_all_shown(output, rate=Fraction(24))
    lost = ("32 bits a sample: made 8, all that vp8 has here",) if kind == "exr" else ()
    assert (result.frames, result.notes) == (12, lost)
    assert result.duration_s == 0.5


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("frame_%04d.png", range(12)),
        ("%d.png", range(5, 17)),
        ("shot 2 %d.png", range(95, 107)),
        ("take2_%02d.left.png", range(94, 106)),
        ("50%%_%03d.png", range(1000, 1012)),
    ],
)
def test_a_folder_of_numbered_pictures(name: str, numbers: range, tmp_path: Path) -> None:
    """If this fails, the order is that of the names, or a start, a prefix or a width matters."""
    folder = pictures(tmp_path / "frames", name, numbers)
    (folder / "notes 1.txt").write_text("not a picture")
    (folder / ".frame_0099.png").write_bytes(b"hidden")
    assert encode(folder, tmp_path / "a.webm").notes == ()
    check_all_shown(tmp_path / "a.webm")
    encode(folder / name, tmp_path / "b.webm")
    assert (tmp_path / "a.webm").read_bytes() == (tmp_path / "b.webm").read_bytes()


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", Fraction(24)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("24000/1001", Fraction(24000, 1001)),
        ("12.5", Fraction(25, 2)),
        ("12.50", Fraction(25, 2)),
        ("0.5", Fraction(1, 2)),
        ("1/3", Fraction(1, 3)),
    ],
)
def test_rates_are_exact(text: str, rate: Fraction) -> None:
    """If this fails, a film of two hours drifts away from its sound."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0", "-1", "x", "24/0", "1e3", "nan", "", "5000", "9" * 30])
def test_what_is_no_rate(text: str) -> None:
    """If this fails, nonsense becomes a rate, or a traceback."""
    with pytest.raises(OptionError, match="fps must be"):
        parse_rate(text)


def test_ntsc_rates_are_kept_by_both_containers(tmp_path: Path) -> None:
    """If this fails, the times of pictures drift from their rate."""
    folder = pictures(tmp_path / "frames", "%03d.jpg", range(30))
    rate = parse_rate("23.976")
    for ending in ("webm", "ivf"):
        output = tmp_path / f"out.{ending}"
        encode(folder, output, fps="23.976")
        check_all_shown(output, 30, rate)


def test_missing_numbers_are_said(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a gap ends the film early, or nobody hears of it."""
    folder = pictures(tmp_path / "frames", "%02d.png")
    for number, to in enumerate([1, 2, 3, 4, 6, 7, 8, 12, 13, 14, 20, 21][::-1]):
        (folder / f"{11 - number:02d}.png").rename(folder / f"{to:02d}.png")
    picture(folder / "cover.png", 5)
    result = encode(folder, tmp_path / "out.webm")
    check_all_shown(tmp_path / "out.webm")
    assert result.notes == (
        "9 pictures are missing (number 5, 9 to 11 and 15 to 19): the film goes on without a pause",
        "left out: 1 picture without a number",
    )
    message = refused(capfd, "encode", folder, tmp_path / "strict.webm", "--strict")
    assert "9 pictures are missing" in message


def test_workers_read_only_their_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the last worker decodes the whole film before it begins."""
    folder = pictures(tmp_path / "frames", "%d.png", range(20))
    encode(folder, tmp_path / "out.webm", keep_job=tmp_path / "job")
    store = DirectoryStore(tmp_path / "job")
    plan = Job.load(store, "local").plan
    read: list[str] = []
    real = Picture.read

    def noted(self: Picture) -> bytes:
        read.append(Path(self.path).stem)
        return real(self)

    monkeypatch.setattr(Picture, "read", noted)
    chunk = plan.batches[-1].chunks[-1]
    with FrameReader.for_plan(plan, store) as reader:
        assert len(list(reader.read(chunk))) == 5
    assert read == ["15", "16", "17", "18", "19"]


def test_a_replaced_picture_makes_another_job(tmp_path: Path) -> None:
    """If this fails, a resumed job mixes pictures of before with those of now."""
    folder = pictures(tmp_path / "frames", "%d.bmp")
    encode(folder, tmp_path / "out.webm", keep_job=tmp_path / "job")
    picture(folder / "7.bmp", 100)  # as large as before
    encode(folder, tmp_path / "out.webm", keep_job=tmp_path / "job", overwrite=True)
    shown = check_plays_alike(tmp_path / "out.webm")
    assert mean_error(shown[7], moving_picture(100)) < 3.5


def test_a_picture_that_changes_during_the_job_is_noticed(tmp_path: Path) -> None:
    """If this fails, a worker encodes a picture that the plan does not know."""
    folder = pictures(tmp_path / "frames", "%d.bmp")
    encode(folder, tmp_path / "out.webm", keep_job=tmp_path / "job")
    store = DirectoryStore(tmp_path / "job")
    plan = Job.load(store, "local").plan
    os.utime(folder / "3.bmp", (1, 1))
    with (
        FrameReader.for_plan(plan, store) as reader,
        pytest.raises(Exception, match=r"3\.bmp: was replaced after the job began"),
    ):
        list(reader.read(plan.batches[0].chunks[0]))


def _smaller(folder: Path) -> None:
    picture(folder / "8.png", 8, 48, 32)


def _cut(folder: Path) -> None:
    path = folder / "8.png"
    path.write_bytes(path.read_bytes()[:-200])


def _other_kind(folder: Path) -> None:
    picture(folder / "8.jpg", 8).rename(folder / "8.png")


def _empty(folder: Path) -> None:
    (folder / "8.png").write_bytes(b"")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_smaller, "48x32 pixels, unlike others of the sequence: 96x64 pixels"),
        (_cut, "damaged"),
        (_other_kind, "not the kind of picture that the first one is (png)"),
        (_empty, "damaged"),
    ],
)
def test_a_picture_that_does_not_fit_is_named(
    change: Callable[[Path], None], why: str, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, users look for one bad picture among thousands."""
    folder = pictures(tmp_path / "frames", "%d.png")
    change(folder)
    for options in ((), ("-n", "5")):
        message = refused(capfd, "encode", folder, tmp_path / "out.webm", *options)
        assert "8.png: " in message, message
        assert why in message, message


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_was_not_copied_whole_is_named(
    kind: str, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, half of a picture is grey, and nobody hears of it."""
    folder = pictures(tmp_path / "frames", f"%d.{kind}", range(3))
    data = (folder / f"1.{kind}").read_bytes()
    (folder / f"1.{kind}").write_bytes(data[: len(data) // 2])
    assert f"1.{kind}: damaged" in refused(capfd, "encode", folder, tmp_path / "out.webm")


@pytest.mark.parametrize("compression", ["none", "rle", "zip1", "zip16"])
def test_an_aborted_rendering_is_noticed(compression: str, tmp_path: Path) -> None:
    """If this fails, black lines of a picture that was not rendered whole go into the film."""
    context = av.CodecContext.create("exr", "w")
    context.width, context.height, context.pix_fmt = 96, 64, "gbrpf32le"
    context.time_base, context.options = Fraction(1, 25), {"compression": compression}
    frame = frame_of(moving_picture(0), "yuv420p").reformat(format="gbrpf32le")
    data = b"".join(map(bytes, [*context.encode(frame), *context.encode(None)]))
    assert is_whole(data)
    for missing in (1, 10, 100, len(data) - 400):
        assert not is_whole(data[:-missing])
    assert not is_whole(data[: _table(data)] + bytes(8) + data[_table(data) + 8 :])


def _table(data: bytes) -> int:
    """Where the table of an OpenEXR file begins: its first entry names the end of all."""
    return next(
        at
        for at in range(len(data) - 8)
        if (place := int.from_bytes(data[at : at + 8], "little")) > at
        and place < len(data)
        and (place - at) % 8 == 0
        and data[at - 1] == 0
        and data[place : place + 4] == bytes(4)
    )


def test_endings_in_capital_letters(tmp_path: Path) -> None:
    """If this fails, the pictures of a camera are not found in their folder."""
    folder = pictures(tmp_path / "frames", "%03d.jpg")
    for number in range(12):
        ending = "JPG" if number % 2 else "jpg"
        (folder / f"{number:03d}.jpg").rename(folder / f"DSC{number:05d}.{ending}")
    encode(folder, tmp_path / "out.webm")
    check_all_shown(tmp_path / "out.webm")


def test_films_are_no_pictures(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, only the first frame of each of many films is encoded."""
    (tmp_path / "films").mkdir()
    for number in range(2):
        Clip(frames=3).write(tmp_path / "films" / f"{number}.mp4")
    output = tmp_path / "out.webm"
    message = refused(capfd, "encode", tmp_path / "films" / "%d.mp4", output)
    assert "cannot be read as numbered pictures" in message
    message = refused(capfd, "encode", tmp_path / "films", output)
    assert "is a directory without numbered pictures" in message


@pytest.mark.parametrize("url", ["s3://bucket/frames/", "s3://bucket/frames/a_%04d.png"])
def test_pictures_in_a_bucket_are_refused(
    url: str, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    """If this fails, a stack says that an object is missing, not that it takes single files."""
    assert "numbered pictures are read only by" in refused(capfd, "submit", url)

    def missing(place: str) -> None:
        raise NoSuchKey(place)

    monkeypatch.setattr(location, "look_up", missing)
    with pytest.raises(SequenceRefused):
        location.look_up_source(url, url)
    with pytest.raises(NoSuchInput):
        location.look_up_source("s3://bucket/a.mp4", "s3://bucket/a.mp4")


def test_several_sequences_in_a_folder_are_named(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, pictures of two films are mixed, or one is taken by chance."""
    folder = pictures(tmp_path / "frames", "left_%03d.png", range(3))
    pictures(folder, "right_%d.png", range(9, 11))
    pictures(folder, "left_%03d.jpg", range(4))
    message = refused(capfd, "encode", folder, tmp_path / "out.webm")
    for one in ("left_%03d.png (3)", "right_%d.png (2)", "left_%03d.jpg (4)"):
        assert one in message, message
    encode(folder / "left_%03d.png", tmp_path / "out.webm")
    check_all_shown(tmp_path / "out.webm", 3)


def test_one_number_twice_is_refused(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, one of two pictures is left out by chance."""
    folder = pictures(tmp_path / "frames", "%d.png", range(3))
    shutil.copy(folder / "1.png", folder / "01.png")
    message = refused(capfd, "encode", folder, tmp_path / "out.webm")
    assert "01.png and 1.png have the same number" in message


def test_names_that_stand_for_nothing(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a mistyped name makes a traceback, or does not say what there is."""
    folder = pictures(tmp_path / "frames", "frame_%04d.png", range(3))
    output = tmp_path / "out.webm"
    message = refused(capfd, "encode", folder / "frame_%d.png", output)
    assert "no picture of such a name; there are frame_%04d.png (3)" in message
    message = refused(capfd, "encode", tmp_path / "no" / "%d.png", output)
    assert "there is no folder" in message
    (tmp_path / "empty").mkdir()
    message = refused(capfd, "encode", tmp_path / "empty", output)
    assert "is a directory without numbered pictures" in message


def test_linear_light_is_made_visible(tmp_path: Path) -> None:
    """If this fails, a rendered film is far too dark, as a sequence or as one picture."""
    folder = pictures(tmp_path / "frames", "%d.exr", range(2))
    for source in (folder, folder / "0.exr"):
        output = tmp_path / "out.webm"
        encode(source, output, overwrite=True)
        assert mean_error(check_plays_alike(output)[0], moving_picture(0)) < 3.5


def test_a_file_whose_name_has_a_percent_sign_is_a_file(tmp_path: Path) -> None:
    """If this fails, a picture of that very name cannot be encoded."""
    source = picture(tmp_path / "a%03d.png", 0)
    assert encode(source, tmp_path / "out.webm").frames == 1


def test_pictures_can_be_compared(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, nobody can measure what an encode of pictures lost."""
    folder = pictures(tmp_path / "frames", "%d.png")
    assert main(["encode", str(folder), str(tmp_path / "out.webm"), "--fps", "23.976"]) == 0
    assert main(["compare", str(folder), str(tmp_path / "out.webm")]) == 0
    assert "12 frames" in capfd.readouterr().out


@pytest.mark.parametrize("command", ["submit", "estimate"])
def test_pictures_are_read_on_this_machine_only(
    command: str, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a folder is uploaded as a file, or the message names the wrong fault."""
    folder = pictures(tmp_path / "frames", "%d.png", range(2))
    for source in (folder, folder / "%d.png"):
        assert "numbered pictures are read only by" in refused(capfd, command, source)
