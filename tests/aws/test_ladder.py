"""A ladder on the stack: its files are those of one machine, and all of them can be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.runs import PATIENCE_S
from excamera.cloud.account import Account
from excamera.cloud.api import Api, http
from excamera.console.of_stack import stack_console
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.job.tally import Tally
from excamera.local import encode_file
from excamera.price.costs import Ladder, actual
from excamera.report.job import job_facts
from excamera.report.making import report_of
from mu.timeline import attempts
from tests.pipeline.clips import Clip

pytestmark = [pytest.mark.aws, pytest.mark.slow]

LADDER = "48p,32p"


def told(emulator: Emulator, *arguments: object) -> dict[str, Any]:
    """Returns what a command prints as JSON."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("excamera")), *map(str, arguments), "--json"],
        env={**{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
             **emulator.environment},
        capture_output=True, text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check_cost(emulator: Emulator, stack: Deployed, job: str) -> None:
    """Checks that what is told of a job's cost is that of all its sizes and playlists."""
    prefix = Keys(job).timeline
    tally = Tally.of(attempts(prefix, stack.keys("WorkBucket", f"{prefix}/")))
    files = Ladder(sizes=2, segments=2, manifests=4)
    used = actual(tally, DEFAULT_MEMORY_MB, anchored=False, ladder=files)
    cost = told(emulator, "status", job)["cost"]["so_far_usd"]
    assert cost == pytest.approx(used.dollars("x86_64"), rel=1e-6)


def check_reports(emulator: Emulator, job: str, film: Path, folder: Path) -> None:
    """Checks what the stack and this machine say of a job against the same one of a machine."""
    expected = report_of(job_facts(folder), workers=1).report.to_json()["runs"]
    by_stack = told(emulator, "report", job)["runs"]
    here = told(emulator, "report", job, "--reference", film, "-j", 1)["runs"]
    for runs in (by_stack, here):
        assert [run["name"] for run in runs] == [f"{job} 48p", f"{job} 32p", job]
        for one, own in zip(runs[:-1], expected, strict=False):
            for name in ("frames", "quality", "bytes", "width", "height"):
                assert one[name] == own[name], name
            assert [batch["bytes"] for batch in one["batches"]] == [
                batch["bytes"] for batch in own["batches"]
            ]
        assert runs[-1]["bytes"] == expected[-1]["bytes"]
        assert runs[-1]["facts"]["Sound"] == expected[-1]["facts"]["Sound"]


def check_console(stack: Deployed, job: str, expected: dict[str, str]) -> None:
    """Checks that the console's page gets all files of a job from nobody but its server."""
    account = Account()
    with stack_console(Api.of_stack(account, account.stack(stack.name)), 0) as opened_at:
        split = urlsplit(opened_at)
        address, proof = f"http://{split.netloc}", {"Authorization": f"Bearer {split.fragment}"}
        files = (
            http().request("GET", f"{address}/jobs/{job}", headers=proof).json()["result"]["files"]
        )
        assert all(one["url"].startswith(f"{address}/") for one in files)
        found = {one["name"]: digest(http().request("GET", one["url"]).data) for one in files}
    assert found == expected


def test_the_stack_makes_the_ladder_that_a_machine_makes(
    emulator: Emulator, stack: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, ladders differ on AWS, some files are not there, or `submit` misses some."""
    film = Clip(frames=60, sound="flac").write(tmp_path / "film.mkv")
    local, fetched = tmp_path / "local", tmp_path / "fetched"
    local.mkdir()
    fetched.mkdir()
    options = {"codec": "vp9", "ladder": LADDER, "chunk_frames": 25, "vp9_cpu_used": 5}
    chosen = EncodeOptions().with_values(options)
    made = encode_file(str(film), local / "film.m3u8", chosen, workers=2, keep_job=tmp_path / "job")
    job = told(
        emulator, "submit", film, "-o", fetched / "film.m3u8", "--codec", "vp9", "--ladder", LADDER,
        "-n", 25, "--vp9-cpu-used", 5,
    )  # fmt: skip
    names = [one.name for one in made.files]
    expected = {name: digest((local / name).read_bytes()) for name in names}
    assert {one.name: digest(one.read_bytes()) for one in fetched.iterdir()} == expected
    result = job["result"]
    assert [one["name"] for one in result["files"]] == names
    assert {one["name"]: one["rung"] for one in result["files"] if one["rung"]} == {
        f"film-{rung}.mp4": rung for rung in LADDER.split(",")
    }
    assert result["size"] == made.size
    folder = result["key"].rpartition("/")[0]
    for name, media_type in {
        "film.m3u8": "application/vnd.apple.mpegurl",
        "film-48p.mp4": "video/mp4",
        "film-audio.mp4": "audio/mp4",
    }.items():
        place = {"Bucket": stack.outputs["OutputBucket"], "Key": f"{folder}/{name}"}
        assert stack.s3.head_object(**place)["ContentType"] == media_type
    check_cost(emulator, stack, job["id"])
    check_reports(emulator, job["id"], film, tmp_path / "job")
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    check_console(stack, job["id"], expected)
