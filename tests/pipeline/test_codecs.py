"""Codecs and containers of every age: the pictures that FFmpeg shows, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import pytest

from excamera.cli import main
from excamera.media.source.picture import geometry_of, planes_of, to_i420
from tests.pipeline.clips import Clip, check_plays_alike, mean_error

pytestmark = pytest.mark.slow  # many encodes, one after another


@dataclass
class Kind:
    """An encoder of FFmpeg's, its pixel format, and what else it needs."""

    encoder: str
    pix_fmt: str = "yuv420p"
    container: str | None = None
    size: tuple[int, int] = (96, 64)


KINDS = {
    "real.rm": Kind("rv20"),
    "sorenson.mov": Kind("svq1", "yuv410p"),
    "old-quicktime.mov": Kind("rpza", "rgb555le"),
    "animation.mov": Kind("qtrle", "rgb24"),
    "windows.asf": Kind("wmv1"),
    "divx3.avi": Kind("msmpeg4"),
    "xvid.avi": Kind("mpeg4"),
    "video-cd.mpg": Kind("mpeg1video"),
    "phone.3gp": Kind("h263", size=(176, 144)),
    "screen.flv": Kind("flashsv", "bgr24"),
    "wavelet.nut": Kind("snow"),
    "lossless.nut": Kind("ffvhuff"),
    "one-bit.nut": Kind("rawvideo", "monob"),
    "studio.mxf": Kind("dnxhd", "yuv422p", size=(1280, 720)),
    "camera.dv": Kind("dvvideo", size=(720, 576)),
    "moving.apng": Kind("apng", "rgb24"),
    "moving.gif": Kind("gif", "rgb8"),
    "moving.png": Kind("apng", "rgb24", container="apng"),
}


def write(kind: Kind, path: Path) -> Path:
    """A short clip of that kind; PyAV gives DNxHD a rate that it has."""
    width, height = kind.size
    options = {"strict": "-2"}
    if kind.encoder == "dnxhd":
        options |= {"b": "110M"}
    if kind.encoder in ("mpeg4", "rv20", "wmv1", "msmpeg4", "mpeg1video", "h263", "svq1"):
        options |= {"qmin": "2", "qmax": "4", "g": "12"}
    clip = Clip(frames=30, width=width, height=height, encoder=kind.encoder,
                pix_fmt=kind.pix_fmt, options=options)  # fmt: skip
    return clip.write(path, kind.container)


@pytest.mark.parametrize("name", KINDS)
def test_a_codec_of_any_age_is_read(name: str, tmp_path: Path) -> None:
    """If this fails, such files are refused, lose frames, or show garbage from some chunk on."""
    source = write(KINDS[name], tmp_path / name)
    output = tmp_path / "result.ivf"
    assert main(["encode", str(source), str(output), "--crf", "4", "-n", "5", "-x", "2"]) == 0
    with av.open(str(source)) as container:
        frames = list(container.decode(video=0))
    geometry = geometry_of(frames[0], (1, 1))
    pictures = check_plays_alike(output)
    assert len(pictures) == len(frames) >= 29
    for number, (picture, frame) in enumerate(zip(pictures, frames, strict=True)):
        wanted = planes_of(to_i420(frame, geometry))
        # Dithered to few colours, a picture is mostly noise.
        limit = 12 if KINDS[name].pix_fmt in ("monob", "rgb8", "rgb555le") else 4
        assert mean_error(picture, wanted) < limit, f"frame {number}"
