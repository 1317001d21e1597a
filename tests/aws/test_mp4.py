"""MP4 on the stack: workers leave samples, and stitch writes the index in front of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.excamera.deployed import Deployed
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from tests.pipeline.test_tracks import Source, Track, told

pytestmark = [pytest.mark.aws, pytest.mark.slow]


def test_the_stack_writes_the_mp4_that_a_machine_writes(stack: Deployed, tmp_path: Path) -> None:
    """If this fails, results in MP4 differ on AWS, or stitch there cannot write their index."""
    english = Track(880, language="eng", title="English", default=True)
    tracks = [Track(440, "flac", language="ger"), english]
    film = Source(tracks, seconds=1.2).write(tmp_path / "film.mkv")
    options = {"codec": "vp9", "chunk-frames": "11", "container": "mp4", "audio": "all"}
    metadata = {f"excamera-{name}": text for name, text in options.items()}
    job = stack.job(stack.upload("boxes/film.mkv", film, metadata))
    assert job.status == "SUCCEEDED"
    local = tmp_path / "local.mp4"
    chosen = EncodeOptions(codec="vp9", chunk_frames=11, audio="all")
    encode_file(str(film), local, chosen, workers=2)
    assert [language for language, *_ in told(local)] == ["eng", "ger"]
    output = {"Bucket": stack.outputs["OutputBucket"], "Key": "boxes/film.mp4"}
    assert stack.s3.head_object(**output)["ContentType"] == "video/mp4"
    assert stack.output("boxes/film.mp4") == local.read_bytes()
