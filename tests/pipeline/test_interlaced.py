"""Interlaced sources become whole pictures, the same as if the whole film were filtered first."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from excamera.cli import main
from excamera.media.source.deinterlacer import deinterlaced
from excamera.media.source.picture import frame_of, planes_of
from tests.pipeline.awkward import FRAMES, write_interlaced
from tests.pipeline.clips import check_plays_alike, mean_error, moving_picture, packet_times

Capture = pytest.CaptureFixture[str]


def combing(picture: bytes) -> float:
    """How much neighbouring lines differ beyond what lines two apart do."""
    luma = np.frombuffer(picture, np.uint8, 96 * 64).reshape(64, 96).astype(int)
    near = np.abs(np.diff(luma, axis=0)).mean()
    far = np.abs(luma[2:] - luma[:-2]).mean() / 2
    return float(near - far)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "a.mp4"])
def test_interlaced_pictures_become_whole_ones(name: str, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, old films show combs, or chunks show them where they begin."""
    source = write_interlaced(tmp_path / name)
    output = tmp_path / "result.webm"
    small = ["--crf", "4", "-n", "4", "-x", "2"]
    assert main(["encode", str(source), str(output), *small]) == 0
    assert "note: interlaced" in capfd.readouterr().err
    pictures = check_plays_alike(output)
    assert len(pictures) == len(packet_times(output)) == FRAMES
    with av.open(str(source)) as container:
        whole = list(deinterlaced(container.decode(video=0)))
    for number, (picture, frame) in enumerate(zip(pictures, whole, strict=True)):
        assert mean_error(picture, planes_of(frame)) < 2.5, f"frame {number}"
        assert combing(picture) < 2, f"frame {number}"
    assert (
        main(["encode", str(source), str(output), "--overwrite", "--no-deinterlace", *small]) == 0
    )
    assert "interlaced" not in capfd.readouterr().err
    assert min(combing(picture) for picture in check_plays_alike(output)) > 4


def test_whole_pictures_are_left_alone(tmp_path: Path) -> None:
    """If this fails, progressive parts of a film lose sharpness."""
    frames = []
    for number in range(4):
        frames.append(frame_of(moving_picture(number)))
        frames[-1].pts = 7 * number
    before = [[plane.copy() for plane in planes_of(frame)] for frame in frames]
    after = list(deinterlaced(frames))
    assert [frame.pts for frame in after] == [0, 7, 14, 21]
    for old, new in zip(before, after, strict=True):
        for one, other in zip(old, planes_of(new), strict=True):
            assert np.array_equal(one, other)


def test_a_change_of_size_is_survived() -> None:
    """If this fails, a broadcast that changes its size ends the encode, or loses pictures."""
    sizes = [(96, 64), (96, 64), (64, 48), (64, 48), (96, 64)]
    frames = [frame_of(moving_picture(number, *size)) for number, size in enumerate(sizes)]
    for number, frame in enumerate(frames):
        frame.pts = number
    after = list(deinterlaced(frames))
    assert [(frame.pts, frame.width, frame.height) for frame in after] == [
        (number, *size) for number, size in enumerate(sizes)
    ]
