"""`--dry-run`: the plan of an encode, and what it should take, without the encode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from excamera.cli.main import main
from excamera.job.flow import FUNCTIONS, planning_flow
from excamera.job.objects import Job
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.local import encode_file
from excamera.price.pace import Pace
from excamera.price.predicted import predict_plan
from excamera.price.workers import Workers
from excamera.work import JOB
from mu import DirectoryStore, Executor
from tests.pipeline.clips import Clip
from tests.support.scenes import film, pan, still

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of three scenes."""
    return film(
        tmp_path_factory.mktemp("source") / "a.mp4", [*still(1, 30), *pan(2, 30), *still(3, 30)]
    )


def told(capfd: Capture, *arguments: object) -> dict[str, Any]:
    """What a dry run tells programs."""
    assert main([*map(str, arguments), "--dry-run", "--json", "-q"]) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    found: dict[str, Any] = json.loads(shown.out)
    return found


def batches(plan: Plan) -> list[dict[str, Any]]:
    """The batches of a plan as a dry run tells them."""
    return [
        {"mode": one.mode, "first_frame": one.chunks[0].first_frame,
         "chunk_frames": [len(chunk.pts) for chunk in one.chunks],
         "crf": plan.part(one).batch_options.exact_crf}
        for one in plan.batches
    ]  # fmt: skip


def test_it_tells_the_plan_of_the_encode_and_leaves_nothing(
    source: Path, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a dry run shows another cut than the encode makes, or leaves files."""
    folders = {name: tmp_path / name for name in ("tmp", "cache", "out")}
    for folder in folders.values():
        folder.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folders["cache"]))
    monkeypatch.delenv("EXCAMERA_WORK_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(folders["tmp"]))
    output = folders["out"] / "a.webm"
    found = told(capfd, "encode", "--crf", "50", "-j", 1, source, output)
    assert {*tmp_path.rglob("*")} == {*folders.values()}
    kept = tmp_path / "job"
    given = ["--crf", "50", "-j", "1", "--keep-job", str(kept), str(source), str(output)]
    assert main(["encode", "--json", "-q", *given]) == 0
    result = json.loads(capfd.readouterr().out)
    assert (result["path"], result["size"]) == (str(output), output.stat().st_size)
    assert (result["frames"], result["key_frames"]) == (90, 3)
    plan = Job.load(DirectoryStore(kept), JOB).plan
    assert found["plan"] == plan.digest
    assert found["batches"] == batches(plan)
    assert found["options"] == plan.options.to_json()
    assert (found["scenes"], len(found["batches"]), found["frames"]) == (3, 3, 90)
    assert found["chunks"] == sum(len(one["chunk_frames"]) for one in found["batches"])
    assert found["estimate"]["cpus"] == 1
    assert found["estimate"]["by"] == "the constants of another machine"
    assert min(found["estimate"]["seconds"], found["estimate"]["bytes"]) > 0


def test_people_read_what_programs_do(source: Path, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a person does not learn how a film would be cut, or takes a guess for sure."""
    given = ("encode", "--preset", "fast", "-n", 40, source, tmp_path / "a.mp4")
    found = told(capfd, *given)
    assert main([*map(str, given), "--dry-run", "--progress", "none"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capfd.readouterr().out.splitlines())
    assert found["scenes"] is None
    assert shown["scenes"] == "not looked for"
    assert shown["cut"] == "3 batches, 3 chunks"
    assert shown["N"] == "10 in 1 batch, 40 in 2 batches"
    assert shown["estimate"] == "by the constants of another machine:"
    assert shown["time"].startswith(f"about {found['estimate']['seconds']:.1f} s on ")
    assert "cost" not in shown


def test_what_the_encode_would_refuse_is_refused(
    source: Path, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a dry run promises what the encode does not do, or leaves what it was told."""
    output = tmp_path / "a.webm"
    for given, message in (
        (["--keep-job", tmp_path / "job", source, output], "leave out it or --keep-job"),
        (["--timeline", tmp_path / "a.html", source, output], "leave out it or --timeline"),
        (["--codec", "h264", source, output], "does not hold h264"),
        ([tmp_path / "no.mp4", output], "no such file"),
        ([source, source.with_name("no") / "a.webm"], "there is no folder"),
    ):
        assert main(["encode", "--dry-run", *map(str, given)]) == 2
        assert message in capfd.readouterr().err
    output.write_bytes(b"")
    assert main(["encode", "--dry-run", str(source), str(output)]) == 2
    assert "exists already" in capfd.readouterr().err
    assert [*tmp_path.iterdir()] == [output]
    assert told(capfd, "encode", "--overwrite", source, output)["frames"] == 90
    assert output.read_bytes() == b""


def test_a_submit_tells_what_the_stack_would_predict(
    source: Path, tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, somebody pays for a job to learn its price, or is told another one."""
    for name in ("EXCAMERA_STACK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    found = told(capfd, "submit", "--crf", 50, "-o", tmp_path / "b.mkv", source)
    assert not (tmp_path / "b.mkv").exists()
    kept = tmp_path / "job"
    encode_file(str(source), tmp_path / "b.mkv", EncodeOptions(crf=50), keep_job=kept)
    plan = Job.load(DirectoryStore(kept), JOB).plan
    workers = Workers(DEFAULT_MEMORY_MB)
    wanted = predict_plan(plan, workers.limits, workers, Pace(), warm=False)
    estimate = found["estimate"]
    assert found["container"] == plan.container == "mkv"
    assert found["batches"] == batches(plan)
    assert (estimate["seconds"], estimate["usd"]) == (wanted.seconds, wanted.usd)
    assert estimate["bytes"] == wanted.bytes
    goal = told(capfd, "submit", "--within", "60s", source)
    assert goal["estimate"]["usd"] > 0
    assert main(["submit", "--dry-run", "--budget", "0.000001", str(source)]) == 2
    assert main(["submit", "--dry-run", "s3://bucket/a.mp4"]) == 2
    assert "it needs a file, not s3://bucket/a.mp4" in capfd.readouterr().err


def test_a_long_film_is_surveyed_in_spans(tmp_path: Path) -> None:
    """If this fails, a dry run of a long film cuts it without its scenes."""
    source = Clip(frames=200, width=32, height=32).write(tmp_path / "a.mp4")
    store = DirectoryStore(tmp_path / "store")
    event = {
        "job": JOB, "input": {"name": "a.mp4", "path": str(source)}, "container": "webm",
        "options": EncodeOptions().to_json(), "index": "auto", "limits": {"processes": 1},
        "span_pixels": 1,
    }  # fmt: skip
    with Executor(workers=1, store=store) as executor:
        done = executor.start(planning_flow(), event, functions=FUNCTIONS).result()
    assert (done["spans"], done["frames"]) == (2, 200)
