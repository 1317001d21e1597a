"""Results with 10 bits a sample: kept where they fit, said where they are lost, never mixed up."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from excamera.cli import main
from excamera.cli.estimate import edited, look_at
from excamera.errors import OptionError, SeamMismatch
from excamera.job.codecs import depth_of
from excamera.job.geometry import Geometry
from excamera.job.options import EncodeOptions
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.local import encode_file
from excamera.media import quality
from excamera.media.compare import compare_files
from excamera.media.plain import check_plain, encode_plain
from excamera.media.source.framing import cropped, sized
from excamera.media.source.picture import bits_of, frame_of, geometry_of, planes_of, to_i420
from excamera.media.source.tonemapping import PQ
from excamera.price.estimate import estimate
from excamera.price.pace import Pace
from excamera.price.workers import Workers
from tests.pipeline.clips import Clip
from tests.pipeline.test_headers import LIGHT, X265

WIDTH, HEIGHT = 160, 96
FRAMES = 12
TEN = "yuv420p10le"


def ramp(number: int, step: float = 0.5) -> VideoFrame:
    """A slow ramp of which 8 bits keep every fourth value; it moves."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    luma = (300 + step * (x + y + 4 * number)).astype(np.uint16)
    half = luma[::2, ::2] // 8 + 470
    return frame_of((luma, half, 1000 - half))


@pytest.fixture(scope="module")
def hdr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 10 bits without loss, marked as PQ in BT.2020."""
    path = tmp_path_factory.mktemp("depth") / "film.mkv"
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1", rate=25)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, TEN
        context = video.codec_context
        context.color_primaries, context.color_trc, context.colorspace = 9, PQ, 9
        context.color_range = 1
        for number in range(FRAMES):
            frame = ramp(number)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            frame.color_primaries, frame.color_trc, frame.colorspace = 9, PQ, 9
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def options(codec: str, depth: str = "10", **more: str) -> EncodeOptions:
    """Good quality in two chunks."""
    return EncodeOptions(codec=codec, crf=12, chunk_frames=6, depth=depth, **more)  # type: ignore[arg-type]


def first_frame(path: Path) -> VideoFrame:
    """The first picture of a film."""
    with av.open(str(path)) as container:
        return next(container.decode(container.streams.video[0]))


RESULTS = [("av1", "webm"), ("av1", "mkv"), ("av1", "mp4"), ("h264", "mp4"), ("h264", "mkv")]


@pytest.mark.parametrize(("codec", "ending"), RESULTS)
def test_ten_bits_and_their_colours_are_kept(
    codec: str, ending: str, hdr: Path, tmp_path: Path
) -> None:
    """If this fails, HDR results have bands, wrong colours, or are not marked as what they are."""
    output = tmp_path / f"out.{ending}"
    result = encode_file(str(hdr), output, options(codec), workers=2)
    assert result.notes == ("PQ (HDR): kept, with 10 bits; --tonemap makes BT.709 (SDR) of it",)
    frame = first_frame(output)
    assert frame.format.name == TEN
    assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (9, PQ, 9)
    deep = [one.overall_mse for one in compare_files(str(hdr), str(output))]
    flat = tmp_path / f"flat.{ending}"
    encode_file(str(hdr), flat, options(codec, "8"), workers=2)
    assert first_frame(flat).format.name == "yuv420p"
    # With 8 bits three of four steps are lost, whatever the encoder does.
    assert sum(deep) < sum(one.overall_mse for one in compare_files(str(hdr), str(flat))) / 2


@pytest.mark.parametrize(("codec", "ending"), [("av1", "webm"), ("av1", "mp4"), ("h264", "mkv")])
def test_the_light_of_hdr_is_kept_with_ten_bits(codec: str, ending: str, tmp_path: Path) -> None:
    """If this fails, a television dims or brightens a film, as it does not know its light."""
    clip = Clip(frames=4, encoder="libx265", pix_fmt=TEN, options={"x265-params": X265})
    source = clip.write(tmp_path / "hdr10.mkv")
    output = tmp_path / f"a.{ending}"
    encode_file(str(source), output, options(codec), workers=1)
    frame = first_frame(output)
    assert frame.format.name == TEN
    assert geometry_of(frame, (1, 1)).light == LIGHT


@pytest.mark.parametrize("codec", ["av1", "h264"])
def test_any_number_of_workers_writes_the_same_file(codec: str, hdr: Path, tmp_path: Path) -> None:
    """If this fails, a result of 10 bits depends on how many processes made it."""
    written = set()
    for workers in (1, 2):
        output = tmp_path / f"{workers}.mkv"
        encode_file(str(hdr), output, options(codec), workers=workers)
        written.add(hashlib.sha256(output.read_bytes()).digest())
    assert len(written) == 1


@pytest.mark.parametrize(
    ("codec", "depth", "source_bits", "bits"),
    [
        ("av1", "auto", 8, 8), ("av1", "auto", 10, 10), ("av1", "auto", 16, 10),
        ("av1", "8", 10, 8), ("av1", "10", 8, 10), ("h264", "auto", 10, 8),
        ("h264", "10", 12, 10), ("vp9", "auto", 10, 8), ("vp8", "auto", 10, 8),
    ],
)  # fmt: skip
def test_which_depth_a_result_has(codec: str, depth: str, source_bits: int, bits: int) -> None:
    """If this fails, results cannot be played where they were, or lose what nobody asked for."""
    assert depth_of(codec, depth, source_bits) == bits


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
def test_a_codec_without_ten_bits_is_refused_by_name(
    codec: str, hdr: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a user gets 8 bits instead of an error that names the codecs to choose."""
    with pytest.raises(OptionError, match=f"depth 10: {codec} has 8 bits here"):
        EncodeOptions(codec=codec, depth="10")
    output = str(tmp_path / "a.webm")
    assert main(["encode", str(hdr), output, "--codec", codec, "--depth", "10"]) == 2
    assert "choose av1 or h264, or leave out depth" in capfd.readouterr().err


def test_libvpx_has_eight_bits_only() -> None:
    """If this fails, PyAV's libvpx makes VP9 of 10 bits now, and `CODECS` should allow it."""
    formats = av.Codec("libvpx-vp9", "w").video_formats or []
    assert TEN not in [one.name for one in formats]


@pytest.mark.parametrize(
    ("codec", "note"),
    [
        ("vp8", "10 bits a sample: made 8, all that vp8 has here"),
        ("h264", "10 bits a sample: made 8 (--depth 10 keeps them)"),
    ],
)
def test_what_is_lost_is_said(codec: str, note: str, hdr: Path, tmp_path: Path) -> None:
    """If this fails, users learn of bands in a sky when they see them."""
    output = tmp_path / f"a.{'webm' if codec == 'vp8' else 'mp4'}"
    result = encode_file(str(hdr), output, EncodeOptions(codec=codec, crf=40), workers=1)
    assert note in result.notes
    assert first_frame(output).format.name == "yuv420p"


def test_edits_work_on_ten_bits(hdr: Path, tmp_path: Path) -> None:
    """If this fails, filters, crops, sizes or tone mapping bring a deep picture to 8 bits."""
    for number, edits in enumerate(
        ({"crop": "96:64:2:2", "scale": "80:-2", "vf": "hflip"}, {"tonemap": True})
    ):
        output = tmp_path / f"{number}.mkv"
        encode_file(str(hdr), output, replace(options("av1"), **edits), workers=1)
        frame = first_frame(output)
        assert frame.format.name == TEN
        luma = planes_of(frame)[0]
        assert len(np.unique(luma % 4)) == 4
    flipped = planes_of(first_frame(tmp_path / "0.mkv"))[0]
    assert flipped.shape == (54, 80)
    assert flipped[0, 0] > flipped[0, -1]  # the ramp rises to the right in the source


def test_pictures_are_turned_and_cut_without_loss() -> None:
    """If this fails, a rotated or cropped film of 10 bits has wrong pictures."""
    picture = ramp(3)
    luma = planes_of(picture)[0]
    geometry = Geometry(WIDTH, HEIGHT, quarter_turns=1, bits=10)
    turned = to_i420(picture, geometry)
    assert turned.format.name == TEN
    assert np.array_equal(planes_of(turned)[0], np.rot90(luma))
    cut = cropped(to_i420(picture, Geometry(WIDTH, HEIGHT, bits=10)),
                  Geometry(WIDTH, HEIGHT, crop=(32, 16, 4, 8), bits=10))  # fmt: skip
    assert np.array_equal(planes_of(cut)[0], luma[8:24, 4:36])
    assert bits_of(sized(cut, Geometry(32, 16, size=(16, 8), bits=10))) == 10
    # More bits than the result has are rounded, fewer are exact.
    flat = to_i420(picture, Geometry(WIDTH, HEIGHT))
    assert np.abs(planes_of(flat)[0].astype(int) * 4 - luma).max() <= 3
    again = to_i420(flat, Geometry(WIDTH, HEIGHT, bits=10))
    assert np.array_equal(planes_of(again)[0], planes_of(flat)[0].astype(np.uint16) * 4)


def test_a_chunk_of_another_depth_is_refused() -> None:
    """If this fails, a result's header and its pictures disagree on the depth."""
    for codec in ("av1", "h264"):
        geometry = Geometry(WIDTH, HEIGHT, bits=10)
        pictures = [ramp(number) for number in range(4)]
        chunk = encode_plain(pictures, options(codec), geometry, Fraction(25))
        check_plain(chunk, codec, 4, 1, 10)
        with pytest.raises(SeamMismatch, match=TEN):
            check_plain(chunk, codec, 4, 1, 8)


def test_measures_are_those_of_eight_bits() -> None:
    """If this fails, a result of 10 bits seems better or worse than the same one of 8."""
    rng = np.random.default_rng(1)
    a, b = (rng.integers(16, 236, (40, 56)).astype(np.uint8) for _ in range(2))
    deep_a, deep_b = a.astype(np.uint16) * 4, b.astype(np.uint16) * 4
    assert quality.mse(deep_a, deep_b) == quality.mse(a, b)
    assert quality.ssim(deep_a, deep_b) == pytest.approx(quality.ssim(a, b), rel=1e-12)
    large = np.zeros((2160, 3840), np.uint16)
    assert quality.mse(large, large + np.uint16(400)) == 100**2


def test_a_target_is_met_with_ten_bits(hdr: Path, tmp_path: Path) -> None:
    """If this fails, the quality of 10-bit samples is measured on another scale."""
    wanted = replace(options("h264"), target_psnr="40")
    result = encode_file(str(hdr), tmp_path / "a.mkv", wanted, workers=2)
    assert result.reached is not None
    mse = np.mean([one.mse[0] for one in compare_files(str(hdr), str(tmp_path / "a.mkv"))])
    # What is reached is told by samples of about that quality; another scale would be 12 dB off.
    assert result.reached.reached == pytest.approx(quality.psnr_db(float(mse)), abs=1)


def test_estimates_know_that_ten_bits_take_longer(hdr: Path) -> None:
    """If this fails, an HDR film takes half as long again as was promised."""
    film = look_at(str(hdr))
    assert film.bits == 10
    deep, flat = edited(film, options("h264")), edited(film, options("h264", "auto"))
    assert (deep.bits, flat.bits) == (10, 8)
    workers, pace = Workers(DEFAULT_MEMORY_MB), Pace()
    seconds = [
        estimate(one, options("h264"), workers, pace).usage.gb_seconds["encode"]
        for one in (deep, flat)
    ]
    assert seconds[0] > seconds[1]


def test_mediainfo_reads_the_depth(hdr: Path, tmp_path: Path) -> None:
    """If this fails, a header says 8 bits, and players choose a decoder that cannot show it."""
    if shutil.which("mediainfo") is None:
        pytest.skip("mediainfo is not installed")
    for codec, ending in RESULTS:
        output = tmp_path / f"{codec}.{ending}"
        encode_file(str(hdr), output, options(codec), workers=1)
        done = subprocess.run(
            ["mediainfo", "--Output=JSON", output], capture_output=True, check=True, timeout=60
        )
        [seen] = [
            one for one in json.loads(done.stdout)["media"]["track"] if one["@type"] == "Video"
        ]
        assert seen["BitDepth"] == "10"
        assert (seen["colour_primaries"], seen["transfer_characteristics"]) == ("BT.2020", "PQ")
        assert "Conformance" not in done.stdout.decode()
        if codec == "h264":
            assert seen["Format_Profile"] == "High 10"


@pytest.mark.parametrize("codec", ["av1", "h264"])
def test_mkvinfo_reads_the_depth(codec: str, hdr: Path, tmp_path: Path) -> None:
    """If this fails, Matroska's own tools see 8 bits."""
    if shutil.which("mkvinfo") is None:
        pytest.skip("mkvtoolnix is not installed")
    output = tmp_path / "a.mkv"
    encode_file(str(hdr), output, options(codec), workers=1)
    done = subprocess.run(
        ["mkvinfo", "--ui-language", "en_US", "--all", output],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "Bits per channel: 10" in done.stdout
