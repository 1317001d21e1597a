"""A ladder on the stack: its files are those of one machine, and all of them can be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.runs import PATIENCE_S
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from tests.pipeline.clips import Clip

pytestmark = [pytest.mark.aws, pytest.mark.slow]

LADDER = "48p,32p"


def test_the_stack_makes_the_ladder_that_a_machine_makes(
    emulator: Emulator, stack: Deployed, tmp_path: Path
) -> None:
    """If this fails, ladders differ on AWS, some files are not there, or `submit` misses some."""
    film = Clip(frames=60, sound="flac").write(tmp_path / "film.mkv")
    local, fetched = tmp_path / "local", tmp_path / "fetched"
    local.mkdir()
    fetched.mkdir()
    options = {"codec": "vp9", "ladder": LADDER, "chunk_frames": 25, "vp9_cpu_used": 5}
    chosen = EncodeOptions().with_values(options)
    made = encode_file(str(film), local / "film.m3u8", chosen, workers=2)
    submitted = subprocess.run(
        [str(Path(sys.executable).with_name("excamera")), "submit", str(film), "-o",
         str(fetched / "film.m3u8"), "--codec", "vp9", "--ladder", LADDER, "-n", "25",
         "--vp9-cpu-used", "5", "--json"],
        env={**{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
             **emulator.environment},
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stderr
    names = [one.name for one in made.files]
    expected = {name: digest((local / name).read_bytes()) for name in names}
    assert {one.name: digest(one.read_bytes()) for one in fetched.iterdir()} == expected
    result = json.loads(submitted.stdout)["result"]
    assert [one["name"] for one in result["files"]] == names
    assert result["size"] == made.size
    folder = result["key"].rpartition("/")[0]
    for name, media_type in {
        "film.m3u8": "application/vnd.apple.mpegurl",
        "film-48p.mp4": "video/mp4",
        "film-audio.mp4": "audio/mp4",
    }.items():
        place = {"Bucket": stack.outputs["OutputBucket"], "Key": f"{folder}/{name}"}
        assert stack.s3.head_object(**place)["ContentType"] == media_type
