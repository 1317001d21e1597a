"""`excamera report`: its facts against those of other commands and of the job's objects."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from excamera.cli.main import main
from excamera.job.objects import Job
from excamera.job.records import BatchRecord
from excamera.report.job import job_facts
from excamera.report.making import report_of
from excamera.report.of_stack import with_source
from excamera.work import JOB
from mu import DirectoryStore
from tests.pipeline.clips import Clip
from tests.pipeline.reported import FRAMES, Capture, Encoded, asked, embedded, encoded_in, inflated
from tests.support.scenes import film, pan, still


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    """See `encoded_in`."""
    return encoded_in(tmp_path_factory.mktemp("report"))


def test_the_facts_of_a_job_are_those_of_its_objects(encoded: Encoded, capfd: Capture) -> None:
    """If this fails, the report of an encode tells of seams, batches or tasks that were not."""
    told = asked(capfd, "report", encoded.folder)
    [run] = told["runs"]
    records = [
        BatchRecord.from_json((encoded.folder / f"jobs/local/batches/{n:06d}.json").read_bytes())
        for n in range(2)
    ]
    assert [batch["states"] for batch in run["batches"]] == [one.states for one in records]
    assert [batch["bytes"] for batch in run["batches"]] == [one.bytes for one in records]
    assert [batch["chunk_frames"] for batch in run["batches"]] == [[7] * 4] * 2
    assert [batch["first_frame"] for batch in run["batches"]] == [0, 28]
    assert run["video_bytes"] == sum(one.bytes for one in records) == sum(run["frames"]["bytes"])
    assert run["bytes"] == encoded.result.stat().st_size == run["actual"]["bytes"]
    assert run["plan"] == records[0].plan
    assert sorted(one["name"] for one in run["tasks"]) == [
        "audio", "encode", "encode", "index", "plan", "stitch",
    ]  # fmt: skip
    assert run["predicted"]["seconds"] > 0


def test_every_frame_has_its_role_and_the_bits_of_it(encoded: Encoded, capfd: Capture) -> None:
    """If this fails, anchors seem to cost nothing, or are said to be where they are not."""
    [run] = asked(capfd, "report", encoded.folder, "--no-quality")["runs"]
    frames = run["frames"]
    roles = frames["role"]
    assert {at for at, role in enumerate(roles) if role == "key"} == {0, 28}
    assert {at for at, role in enumerate(roles) if role == "anchor"} == {
        6, 13, 20, 34, 41, 48,
    }  # fmt: skip
    coded = asked(capfd, "info", encoded.result, "--frames")["frames"]
    hidden = [one for one in coded if one["type"] == "hidden"]
    at_anchors = [
        (frames["hidden_bytes"][at], frames["y_ac_qi"][at])
        for at, role in enumerate(roles)
        if role == "anchor"
    ]
    assert at_anchors == [(one["size"], one["y_ac_qi"]) for one in hidden]
    assert len(hidden) == 6
    assert run["roles"]["anchor"]["bytes"] > sum(one["size"] for one in hidden)


def test_scenes_and_first_frames_of_chunks(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, scenes are shown where none begin, or mode rebase has no roles."""
    source = film(tmp_path / "a.mp4", [*pan(1, 17), *still(2, 13)])
    folder = tmp_path / "job"
    assert main([
        "encode", "-q", str(source), str(tmp_path / "a.webm"), "--mode", "rebase", "--keep-job",
        str(folder), "--cpu-used", "8",
    ]) == 0  # fmt: skip
    [run] = asked(capfd, "report", folder, "--no-quality")["runs"]
    assert run["scenes"] == [17]
    assert run["batches"][1]["first_frame"] == 17
    begins = {
        batch["first_frame"] + sum(batch["chunk_frames"][:nth])
        for batch in run["batches"]
        for nth in range(1, len(batch["chunk_frames"]))
    }
    roles = run["frames"]["role"]
    assert len(begins) >= 3
    assert {at for at, role in enumerate(roles) if role == "first"} == begins
    assert [at for at, role in enumerate(roles) if role == "key"] == [0, 17]


@pytest.mark.parametrize("ending", ["webm", "mp4"])
def test_every_other_batch_is_measured_as_in_the_whole_film(ending: str, tmp_path: Path) -> None:
    """If this fails, a function that has time for a part of a film measures other pictures."""
    source = Clip(frames=40, width=96, height=64).write(tmp_path / "film.mkv")
    folder = tmp_path / "job"
    codec = ["--codec", "h264"] if ending == "mp4" else ["-x", "2"]
    assert main([
        "encode", "-q", str(source), str(tmp_path / f"film.{ending}"), *codec, "-n", "5",
        "--workers", "1", "--keep-job", str(folder),
    ]) == 0  # fmt: skip
    [whole] = job_facts(folder)
    job = Job.load(DirectoryStore(folder), JOB)
    [some] = with_source([whole], job, 2)
    all_of_it, sampled = (
        report_of([one], workers=2, threads=threads)
        for one, threads in ((whole, False), (some, True))
    )
    [run], [part] = all_of_it.report.runs, sampled.report.runs
    read = {
        at
        for batch in run.batches[::2]
        for at in range(batch.first_frame, batch.first_frame + sum(batch.chunk_frames))
    }
    assert 0 < len(read) < 40
    assert max(read) > 15
    for name in ("psnr_db", "ssim_db"):
        ours, theirs = getattr(part.frames, name), getattr(run.frames, name)
        assert ours == [db if at in read else None for at, db in enumerate(theirs)]
    assert part.quality is not None
    assert part.quality.frames == len(read)
    assert part.notes[-1].startswith(f"quality of every 2nd batch, {len(read)} of 40 frames: ")
    assert set(sampled.source.thumbs) == read
    assert set(sampled.report.pictured) <= read
    # What both have taken is the same, pictures and differences.
    both = set(sampled.report.pictured) & set(all_of_it.report.pictured)
    assert both
    for at in both:
        assert sampled.source.views[at] == all_of_it.source.views[at]
        assert sampled.results[0].differences[at] == all_of_it.results[0].differences[at]
    [none] = with_source([replace(whole, source=None)], job, 0)
    assert none.source is None
    assert none.run.notes[-1].startswith("no quality: ")


def test_a_job_that_is_not_finished(encoded: Encoded, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, what an interrupted encode has done cannot be seen."""
    folder = tmp_path / "job"
    shutil.copytree(encoded.folder, folder)
    job = folder / "jobs/local"
    for gone in (job / "result.webm", job / "batches/000001.json"):
        gone.unlink()
    [run] = asked(capfd, "report", folder, "-o", tmp_path / "r.html")["runs"]
    assert [batch["bytes"] is None for batch in run["batches"]] == [False, True]
    assert (run["frame_count"], run["quality"], run["bytes"]) == (0, None, 0)
    assert len(run["tasks"]) == 6
    (job / "plan.json").unlink()
    [run] = asked(capfd, "report", folder)["runs"]
    assert (run["batches"], len(run["tasks"])) == ([], 6)


def test_qualities_are_those_that_compare_finds(encoded: Encoded, capfd: Capture) -> None:
    """If this fails, two commands say different things about the same film."""
    told = asked(
        capfd, "report", encoded.result, encoded.other, "--reference", encoded.source, "-j", 2
    )
    for run, path in zip(told["runs"], (encoded.result, encoded.other), strict=True):
        expected = asked(capfd, "compare", encoded.source, path)
        luma = [frame["y"] for frame in expected["frames"]]
        for name in ("psnr_db", "ssim_db"):
            assert run["frames"][name] == [
                100.0 if one[name] is None else pytest.approx(one[name], abs=0.00501)
                for one in luma
            ]
            assert run["quality"][name] == pytest.approx(expected["mean"]["y"][name], abs=0.00501)
        assert run["quality"]["frames"] == FRAMES


def test_ten_bits_are_measured_as_ten(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a job with 10 bits is compared with pictures of 8, or has no differences."""
    source = Clip(frames=6, width=96, height=64).write(tmp_path / "film.mkv")
    folder, result = tmp_path / "job", tmp_path / "a.mkv"
    assert main([
        "encode", "-q", str(source), str(result), "--codec", "av1", "--av1-preset", "12", "--depth",
        "10", "--keep-job", str(folder), "--workers", "1",
    ]) == 0  # fmt: skip
    page = tmp_path / "r.html"
    [run] = asked(capfd, "report", folder, "-j", 1, "-o", page)["runs"]
    luma = [one["y"] for one in asked(capfd, "compare", source, result)["frames"]]
    assert run["frames"]["psnr_db"] == [pytest.approx(one["psnr_db"], abs=0.00501) for one in luma]
    assert run["quality"]["psnr_db"] > 30
    for view in embedded(page.read_text(), "pictures")["views"].values():
        assert view["runs"][0]["difference"]


def test_frames_of_other_codecs_are_in_order_of_display(encoded: Encoded, capfd: Capture) -> None:
    """If this fails, a frame's bits stand beside the quality of another one."""
    [run] = asked(capfd, "report", encoded.other)["runs"]
    coded = asked(capfd, "info", encoded.other, "--frames")["frames"]
    assert "B" in run["frames"]["type"]
    shown = sorted(coded, key=lambda one: one["time_s"])
    assert run["frames"]["bytes"] == [one["size"] for one in shown]
    assert run["frames"]["type"] == [one["type"] for one in shown]
    assert [one["size"] for one in coded] != run["frames"]["bytes"]
    assert run["frames"]["y_ac_qi"] == [None] * FRAMES
    assert run["roles"] == {}


def test_a_job_is_measured_against_what_its_plan_reads(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a film that was cropped or cut has no quality, or that of other pictures."""
    source = Clip(frames=40, width=160, height=96).write(tmp_path / "a.mp4")
    folder = tmp_path / "job"
    assert main([
        "encode", "-q", str(source), str(tmp_path / "a.webm"), "--crop", "96:64:16:8", "--start",
        "0.4", "--crf", "4", "--keep-job", str(folder),
    ]) == 0  # fmt: skip
    [run] = asked(capfd, "report", folder, "-j", 1)["runs"]
    assert (run["width"], run["height"], run["quality"]["frames"]) == (96, 64, 30)
    assert run["quality"]["ssim_db"] > 18


def test_jobs_side_by_side_have_each_their_own_pictures(
    encoded: Encoded, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, two jobs that crop in different ways cannot be compared at all."""
    folder = tmp_path / "cropped"
    assert main([
        "encode", "-q", str(encoded.source), str(tmp_path / "a.webm"), "--crop", "96:64:16:8",
        "--keep-job", str(folder),
    ]) == 0  # fmt: skip
    told = asked(capfd, "report", encoded.folder, folder, "-o", tmp_path / "r.html")
    assert [run["quality"]["frames"] for run in told["runs"]] == [FRAMES, FRAMES]
    assert all(run["quality"]["ssim_db"] > 15 for run in told["runs"])


def test_films_of_different_lengths(encoded: Encoded, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a result that lacks frames looks whole, or has no report."""
    short = Clip(frames=20, width=160, height=96).write(tmp_path / "short.mp4")
    [run] = asked(capfd, "report", short, "--reference", encoded.source)["runs"]
    assert run["quality"]["frames"] == 20
    assert run["notes"] == [
        "the reference has 36 more frames: only the first 20 are compared, each with that of its "
        "number"
    ]
    small = Clip(frames=20, width=96, height=64).write(tmp_path / "small.mp4")
    assert main(["report", str(small), "--reference", str(encoded.source), "--json"]) == 2
    assert "only pictures of the same size can be compared" in capfd.readouterr().err


def test_a_failed_encode_tells_why(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, the report is missing when it is needed most."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    page = tmp_path / "r.html"
    arguments = ["encode", str(broken), str(tmp_path / "b.webm"), "--report", str(page)]
    assert main(arguments) == 2
    data = embedded(page.read_text(), "report")
    assert "not a video" in data["runs"][0]["log"][0]
    assert inflated(embedded(page.read_text(), "tasks")[0])["names"] == ["index"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["a.webm"], "no such file"),
        (["."], "holds no job of this machine"),
        (["{film}", "-o", "a.webm"], "the report must end in .html"),
        (["{film}", "-o", "no/a.html"], "there is no folder"),
        (["{film}", "--reference", "no.mp4"], "no such file"),
    ],
)
def test_what_cannot_be_reported_is_refused(
    arguments: list[str], reason: str, encoded: Encoded, tmp_path: Path, capfd: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """If this fails, a film is overwritten by a page, or the reason is a traceback."""
    monkeypatch.chdir(tmp_path)
    assert main(["report", *(one.format(film=encoded.result) for one in arguments)]) == 2
    assert reason in capfd.readouterr().err
