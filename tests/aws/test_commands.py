"""The commands that use a deployed stack, run against the emulator as users run them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed, digest
from emulator.runs import PATIENCE_S, quiet, until
from tests.aws.conftest import Locally
from tests.aws.test_cancel import stopped_at
from tests.pipeline.clips import Clip

pytestmark = pytest.mark.aws

EXCAMERA = str(Path(sys.executable).with_name("excamera"))
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(emulator: Emulator, stack: Deployed) -> dict[str, str]:
    """The variables through which commands find the emulated account, with the stack deployed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**inherited, **emulator.environment}


@pytest.fixture
def excamera(environment: dict[str, str], tmp_path: Path) -> Command:
    """Runs the command line."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [EXCAMERA, *map(str, arguments)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    return run


def in_a_terminal(
    arguments: list[str], environment: dict[str, str], seen: Callable[[str], bool]
) -> tuple[str, int]:
    """Runs a command in a pseudo-terminal; kills it as soon as `seen` accepts its output."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(arguments[0], arguments, environment)
    output = ""
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # how Linux reports that the other end is closed
            read = b""
        if not read:
            break
        output += read.decode(errors="replace")
        if seen(output):
            os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    return output, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def padded(clip: Path, size: int, path: Path) -> Path:
    """Returns the clip as a larger file: MP4's `free` boxes mean nothing."""
    data = clip.read_bytes()
    free = size - len(data)
    path.write_bytes(data + free.to_bytes(4, "big") + b"free" + bytes(free - 8))
    return path


def test_submit_and_download(
    excamera: Command, locally: Locally, clip: Path, tmp_path: Path
) -> None:
    """If this fails, a film cannot be encoded in the cloud with one command."""
    done = excamera("submit", clip, "-o", "out.webm", "--tag", '{"order": 9}')
    assert done.returncode == 0, done.stderr
    assert digest((tmp_path / "out.webm").read_bytes()) == locally(clip)
    job = re.findall(r"job (\S+)", done.stdout)[0]
    assert "26 frames in 3 chunks, 1 batch" in done.stderr
    shown = json.loads(excamera("status", job, "--json").stdout)
    assert (shown["state"], shown["tag"]) == ("succeeded", {"order": 9})
    table = excamera("status", job).stdout
    assert re.search(r'tag +{"order": 9}', table)
    assert re.search(r"ended +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", table)
    assert "succeeded" in table
    assert re.search(r"^shares +1 of 1$", table, re.M), table
    listed = excamera("jobs", "--state", "succeeded").stdout
    size = f"{clip.stat().st_size:,}"
    assert re.search(rf"^{job} +succeeded .* {size}  {clip.name}$", listed, re.M), listed
    fetched = excamera("fetch", job, "-o", "again.webm")
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "again.webm").read_bytes() == (tmp_path / "out.webm").read_bytes()
    refused = excamera("fetch", job, "-o", "again.webm")
    assert (refused.returncode, "exists already" in refused.stderr) == (2, True)
    # The same command finds the job that it started before; --again starts another.
    repeated = excamera("submit", clip, "--tag", '{"order": 9}', "--json")
    assert json.loads(repeated.stdout)["id"] == job
    another = excamera("submit", clip, "--tag", '{"order": 9}', "--json", "--again", "--wait")
    assert json.loads(another.stdout)["id"] != job


def test_a_failed_job_and_its_log(excamera: Command, tmp_path: Path) -> None:
    """If this fails, a user learns that a job failed, but not why."""
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    done = excamera("submit", "broken.mp4", "--wait")
    assert done.returncode == 2
    assert "NotAVideo" in done.stderr
    job = re.findall(r"job (\S+)", done.stdout)[0]
    logged = until(lambda: excamera("logs", job).stdout)
    assert "NotAVideo" in logged
    assert "Traceback" in logged
    assert '"index"' in excamera("logs", job, "--json").stdout
    fetched = excamera("fetch", job)
    assert fetched.returncode == 2
    assert f"{job}: NotAVideo: " in fetched.stderr
    assert f"`excamera logs {job}`" in fetched.stderr
    done = excamera("report", job, "--json")
    assert done.returncode == 0, done.stderr
    [run] = json.loads(done.stdout)["runs"]
    # As the lines of a failure are, and of the task that failed alone.
    assert run["log"][0].startswith("NotAVideo: ")
    assert any(line.startswith("Traceback") for line in run["log"])
    assert {line.split("  ")[2] for line in run["log"] if "  ERROR  " in line} == {"index"}
    assert (run["facts"]["State"], run["frame_count"], run["quality"]) == ("failed", 0, None)
    assert [one["error"] for one in run["tasks"]] == ["NotAVideo"]


def test_the_timeline_of_a_job(excamera: Command, clip: Path, tmp_path: Path) -> None:
    """If this fails, a film in the cloud has no page, or one with other numbers than its status."""
    job = json.loads(excamera("submit", clip, "--wait", "--json", "--again").stdout)["id"]
    done = excamera("timeline", job)
    assert (done.returncode, done.stdout) == (0, f"{job}.html: 6 attempts\n"), done.stderr
    text = (tmp_path / f"{job}.html").read_text()
    data = json.loads(text.partition('id="records">')[2].partition("</script>")[0])
    tasks = sorted(f"{data['names'][row[0]]} {row[1]}".strip() for row in data["rows"])
    assert tasks == ["audio", "encode 0/0", "index", "plan", "spread", "stitch"]
    assert data["marks"] == ["fetched", "computed", "stored"]
    shown = json.loads(excamera("status", job, "--json").stdout)
    cost = sum(row[8] for row in data["rows"])
    assert cost == pytest.approx(shown["cost"]["so_far_usd"], rel=1e-4)
    refused = excamera("timeline", job, "-o", "film.mp4")
    assert (refused.returncode, "must end in .html" in refused.stderr) == (2, True)
    assert excamera("timeline", "no-such-job").returncode == 2


def test_the_report_of_a_job(excamera: Command, clip: Path, tmp_path: Path) -> None:
    """If this fails, a job in the cloud has no report, or one without its plan, seams and costs."""
    job = json.loads(excamera("submit", clip, "--wait", "--json", "--again").stdout)["id"]
    done = excamera("report", job, "--reference", clip, "-o", "job.html", "--json")
    assert done.returncode == 0, done.stderr
    [run] = json.loads(done.stdout)["runs"]
    shown = json.loads(excamera("status", job, "--json").stdout)
    assert (run["bytes"], run["frame_count"]) == (
        shown["result"]["size"], shown["result"]["frames"],
    )  # fmt: skip
    assert run["actual"]["usd"] == shown["actual"]["usd"]
    assert run["predicted"]["seconds"] == shown["predicted"]["seconds"]
    assert sum(one["dollars"] for one in run["tasks"]) == pytest.approx(
        shown["cost"]["so_far_usd"], rel=1e-4
    )
    assert run["quality"]["frames"] == run["frame_count"]
    assert run["notes"] == shown["result"]["notes"]
    for batch in run["batches"]:
        assert len(batch["states"]) == len(batch["chunk_frames"])
    assert run["roles"]["key"]["frames"] == shown["result"]["key_frames"]
    assert "data-pan" in (tmp_path / "job.html").read_text()

    # The stack makes it of its own copy of the source, with the same numbers.
    done = excamera("report", job, "-o", "stack.html", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    [own] = told["runs"]
    same = set(run) - {"log", "tasks", "facts", "notes"}
    assert {name: own[name] for name in same} == {name: run[name] for name in same}
    assert own["notes"] == run["notes"]
    assert {**own["facts"], **run["facts"]} == own["facts"]
    for one, other in zip(own["tasks"], run["tasks"], strict=True):
        for name in ("name", "started", "finished", "worker", "dollars"):
            assert one[name] == other[name]
    assert told["made_with"]["Machine"].startswith("AWS Lambda, ")
    assert told["made_with"]["ExCamera"]
    assert "; audio 5,307 MB; encode 5,307 MB; index 1,769 MB; " in own["facts"]["Functions"]
    assert {line.split("  ")[2].partition("/")[0] for line in own["log"]} >= {"index", "encode"}
    text = (tmp_path / "stack.html").read_text()
    assert "data-pan" in text
    assert told["pictured"]
    # It is made once.
    done = excamera("report", job, "--json")
    assert json.loads(done.stdout)["made"] == told["made"]

    missing = excamera("report", "no-such-job")
    assert (missing.returncode, "Traceback" in missing.stderr) == (2, False)


def test_the_log_of_a_job(excamera: Command, clip: Path) -> None:
    """If this fails, the lines of a job's log come out of order."""
    job = json.loads(excamera("submit", clip, "--wait", "--json", "--again").stdout)["id"]
    steps = {"index", "plan", "encode", "audio", "stitch"}

    def found() -> list[dict[str, Any]]:
        logged: list[dict[str, Any]] = json.loads(excamera("logs", job, "--json").stdout)
        return logged if {line["service"] for line in logged} == steps else []

    logged = until(found)
    times = [line["timestamp"] for line in logged]
    assert times == sorted(times)
    assert (logged[0]["service"], logged[-1]["service"]) == ("index", "stitch")


def test_an_upload_goes_on(
    environment: dict[str, str], excamera: Command, emulator: Emulator, clip: Path,
    locally: Locally, tmp_path: Path,
) -> None:  # fmt: skip
    """If this fails, a lost connection costs the whole upload."""
    film = padded(clip, 90 << 20, tmp_path / "large.mp4")
    arrived = re.compile(r"uploading: ([\d.]+)/94\.4 MB")
    shown, code = in_a_terminal(
        [EXCAMERA, "submit", str(film)],
        environment,
        lambda output: any(float(part) > 0 for part in arrived.findall(output)),
    )
    assert code == -signal.SIGKILL, shown
    # What it had sent before it was killed may still arrive.
    sent = quiet(emulator)["s3:UploadPart"]
    done = excamera("submit", film, "-o", "large.webm")
    assert done.returncode == 0, done.stderr
    assert "submitted before" in done.stderr
    # Of the file's twelve parts one had arrived; the result is sent as one.
    assert emulator.requests()["s3:UploadPart"] - sent <= 11 + 1
    assert digest((tmp_path / "large.webm").read_bytes()) == locally(clip)


def test_progress_in_a_terminal(environment: dict[str, str], tmp_path: Path) -> None:
    """If this fails, a cloud job shows less progress than a local one."""
    film = Clip(frames=60).write(tmp_path / "sixty.mp4")
    output = str(tmp_path / "sixty.webm")
    shown, code = in_a_terminal(
        [EXCAMERA, "submit", str(film), "-n", "6", "-x", "2", "-o", output],
        environment,
        lambda _: False,
    )
    assert code == 0, shown
    for part in ("uploading: ", "reading the source", "] encoding: ", "10 chunks", "60 frames"):
        assert part in shown


def test_cancel(excamera: Command, stack: Deployed, emulator: Emulator, tmp_path: Path) -> None:
    """If this fails, a job started by mistake cannot be stopped."""
    film = Clip(frames=240).write(tmp_path / "long.mp4")
    with stopped_at(stack, "stitch"):  # so that it cannot end by itself before
        job: dict[str, Any] = json.loads(excamera("submit", film, "--json").stdout)
        until(lambda: json.loads(excamera("status", job["id"], "--json").stdout)["chunks"])
        cancelled = excamera("cancel", job["id"])
    assert cancelled.returncode == 0, cancelled.stderr
    assert "stopped" in cancelled.stdout
    steps = ("index", "plan", "anchors", "encode", "audio", "stitch")
    until(lambda: not any(emulator.workers(stack.function(step)) for step in steps))
    until(
        lambda: all(
            key.endswith(("failure.json", "end.json"))
            for key in stack.keys("WorkBucket", f"jobs/{job['id']}/")
        )
    )
    waited = excamera("submit", film, "--json")
    assert json.loads(waited.stdout)["id"] != job["id"]
    excamera("cancel", json.loads(waited.stdout)["id"])


def test_estimate(excamera: Command, clip: Path, tmp_path: Path) -> None:
    """If this fails, a user cannot learn what a film costs before sending it."""
    told = excamera("estimate", clip, "--json", "--stack", "Nothing")
    alone = json.loads(told.stdout)
    assert "there is no stack Nothing" in told.stderr
    assert alone["pace_by"] == "the constants of another machine"
    shape = alone["shape"]
    assert (shape["frames"], shape["chunks"], shape["batches"]) == (26, 3, 1)
    assert 0 < alone["dollars"] == pytest.approx(sum(alone["bill"].values()))
    film = Clip(frames=24, width=640, height=360).write(tmp_path / "like.mp4")
    job = json.loads(excamera("submit", film, "--wait", "--json").stdout)
    like = excamera("estimate", film, "--like", job["id"], "--json")
    assert like.returncode == 0, like.stderr
    found = json.loads(like.stdout)
    assert found["size"] == pytest.approx(job["result"]["size"], rel=0.05)
    assert "about" in excamera("estimate", film, "--crf", "40", "-n", "12").stdout
    unknown = excamera("estimate", film, "--like", "no-such-job")
    assert (unknown.returncode, "no-such-job" in unknown.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status", "no-such-job"), "there is no job no-such-job"),
        (("jobs", "--stack", "Nothing"), "there is no stack Nothing"),
        (("jobs", "--profile", "nobody"), "nobody"),
        (("submit", "absent.mp4"), "no such file"),
        (("submit", "s3://another-bucket/film.mp4"), "may not read another-bucket"),
    ],
)
def test_mistakes(excamera: Command, arguments: tuple[str, ...], said: str) -> None:
    """If this fails, a mistake ends in a traceback or an unhelpful message."""
    done = excamera(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_warm_functions_wait_for_the_next_job(excamera: Command, stack: Deployed) -> None:
    """If this fails, the first chunks of a job wait for environments that were asked for before."""
    done = excamera("warm", "--workers", 3, "--json")
    assert done.returncode == 0, done.stderr
    found = {one["function"]: one for one in json.loads(done.stdout)}
    assert {name: one["wanted"] for name, one in found.items()} == {
        "index": 1, "survey": 3, "plan": 1, "anchors": 1, "encode": 3, "audio": 1,
        "stitch": 1,
    }  # fmt: skip
    assert all(one["ready"] == one["wanted"] for one in found.values()), found
    assert all(one["usd"] > 0 and one["refused"] == 0 for one in found.values()), found
    again = excamera("warm", "--workers", 3)
    assert again.returncode == 0, again.stderr
    table = {line.split()[0]: line.split()[1:] for line in again.stdout.splitlines()}
    assert table["encode"][:3] == ["3", "3", "0"]  # they were still there
    assert "11 environments are warm; that cost $" in again.stdout
