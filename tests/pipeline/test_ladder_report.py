"""The report of a ladder: its sizes side by side, each against the source as it was scaled."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from excamera.cli.main import main
from excamera.job.objects import Keys
from excamera.job.records import BatchRecord
from excamera.report import in_the_cloud
from excamera.work import JOB
from mu import DirectoryStore
from tests.pipeline.clips import Clip
from tests.pipeline.reported import Capture, asked, embedded

FRAMES, SIZES = 32, ["64p", "32p"]
EDITED = ["--crop", "80:64:8:0", "--vf", "unsharp", "--fps", "20"]
CODED = ["--codec", "h264", "--h264-preset", "veryfast", "-n", "8", "--workers", "1"]
PLACE = in_the_cloud.Place("eu-north-1", "arm64", 5307, "1.2.3", "s3://out", 890.0)


@dataclass(frozen=True)
class Ladder:
    """A film of four batches, in two sizes with sound beside them, and what its report says."""

    source: Path
    folder: Path
    output: Path
    page: str
    told: dict[str, Any]


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """It is made with a report, and asked for the same facts again."""
    folder = tmp_path_factory.mktemp("ladder")
    source = Clip(frames=40, width=96, height=64, sound="aac").write(folder / "film.mkv")
    output, kept, page = folder / "film.m3u8", folder / "job", folder / "r.html"
    assert main([
        "encode", "-q", str(source), str(output), *EDITED, *CODED, "--ladder", ",".join(SIZES),
        "--keep-job", str(kept), "--report", str(page),
    ]) == 0  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(["report", str(kept), "--json", "-j", "1"]) == 0
    return Ladder(source, kept, output, page.read_text(), json.loads(printed.getvalue()))


def test_sizes_stand_before_the_whole(ladder: Ladder) -> None:
    """If this fails, a size lacks its bits or batches, or has those of another."""
    *sizes, whole = ladder.told["runs"]
    assert [(one["width"], one["height"]) for one in sizes] == [(80, 64), (40, 32)]
    for one, name in zip(sizes, SIZES, strict=True):
        assert (one["name"], one["ladder"]) == (f"film.mkv {name}", "film.mkv")
        file = ladder.output.with_name(f"film-{name}.mp4")
        assert one["bytes"] == file.stat().st_size
        store = ladder.folder / Keys(JOB, name).clusters
        records = [BatchRecord.from_json((store / f"{n:06d}.json").read_bytes()) for n in range(4)]
        assert [batch["bytes"] for batch in one["batches"]] == [each.bytes for each in records]
        assert one["plan"] == records[0].plan
        assert one["video_bytes"] == sum(each.bytes for each in records)
        assert (one["frame_count"], one["quality"]["frames"]) == (FRAMES, FRAMES)
        assert (one["tasks"], one["options"], one["actual"]) == ([], {}, None)
    files = ladder.output.parent.glob("film*.m*")
    assert whole["bytes"] == sum(one.stat().st_size for one in files if one != ladder.source)
    assert (whole["name"], whole["codec"], whole["container"]) == ("film.mkv", "h264", "hls")
    assert (whole["frame_count"], whole["batches"], whole["ladder"]) == (0, [], "")
    assert whole["options"]["ladder"] == "64p,32p"
    assert whole["facts"]["Sound"].startswith("aac, ")
    assert len(whole["tasks"]) == 8
    assert ladder.told["title"] == "film.mkv"
    assert ladder.told["pictured"]


def test_the_page_of_the_encode_has_the_same(ladder: Ladder) -> None:
    """If this fails, `encode --report` and `report FOLDER` say different things of a ladder."""
    page = embedded(ladder.page, "report")
    for shown, told in zip(page["runs"], ladder.told["runs"], strict=True):
        for name in ("bytes", "width", "quality", "types", "batches", "plan", "options", "notes"):
            assert shown[name] == told[name]
    names = [run["name"] for run in page["runs"]]
    assert names == ["film.m3u8 64p", "film.m3u8 32p", "film.m3u8"]
    [first, *_] = embedded(ladder.page, "pictures")["views"].values()
    assert first["source"]
    *sizes, whole = first["runs"]
    assert all(one["view"] and one["difference"] for one in sizes)
    assert not any(whole.values())
    assert [one is None for one in embedded(ladder.page, "tasks")] == [True, True, False]


def test_each_size_is_measured_as_an_encode_of_it_alone(
    ladder: Ladder, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a size is compared with other pictures than it was made of."""
    folder = tmp_path / "job"
    assert main([
        "encode", "-q", str(ladder.source), str(tmp_path / "a.mp4"), *EDITED, *CODED, "--scale",
        "32p", "--audio", "none", "--keep-job", str(folder),
    ]) == 0  # fmt: skip
    [alone] = asked(capfd, "report", folder, "-j", 1)["runs"]
    size = ladder.told["runs"][1]
    for name in ("bytes", "type", "psnr_db", "ssim_db"):
        assert size["frames"][name] == alone["frames"][name]
    assert size["quality"] == alone["quality"]
    assert size["quality"]["ssim_db"] > 10


def test_a_reference_is_scaled_to_each_size(ladder: Ladder, capfd: Capture) -> None:
    """If this fails, a ladder of a stack has no quality against a reference of this machine."""
    largest = ladder.output.with_name("film-64p.mp4")
    *sizes, whole = asked(
        capfd, "report", ladder.folder, "--reference", largest, "-j", 2
    )["runs"]  # fmt: skip
    assert sizes[0]["frames"]["psnr_db"] == [100.0] * FRAMES
    assert all(10 < db < 100 for db in sizes[1]["frames"]["psnr_db"])
    assert whole["quality"] is None
    # A file is one size of nothing.
    small = ladder.output.with_name("film-32p.mp4")
    assert main(["report", str(small), "--reference", str(largest), "--json"]) == 2
    assert "only pictures of the same size" in capfd.readouterr().err


def described(**changes: Any) -> dict[str, Any]:
    """A job as the API describes it."""
    return {
        "id": "film-1", "state": "succeeded", "source": "s3://in/film.mkv",
        "output": "s3://out/film.m3u8", "options": {"ladder": "64p,32p"}, "cost": None,
        "result": {"notes": ["interlaced"], "size": 12345}, "seconds": {}, "predicted": None,
        "actual": {"seconds": 15.0, "usd": 0.25, "bytes": 12345}, "failure": None, **changes,
    }  # fmt: skip


@pytest.fixture
def bucket(ladder: Ladder, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the API tells the function, which finds the results where the encode has left them."""
    monkeypatch.setattr(in_the_cloud, "ObjectUrl", lambda _, key: ladder.output.with_name(key))
    keys = [f"film-{name}.mp4" for name in (*SIZES, "audio")]
    return {"job": described(), "results": keys, "memory_mb": {}, "log": [], "died": 0}


def test_a_function_measures_all_sizes(ladder: Ladder, bucket: dict[str, Any]) -> None:
    """If this fails, the report that a stack makes of a ladder has no quality, or another."""
    store = DirectoryStore(ladder.folder)
    _, told = in_the_cloud.made(store, Keys(JOB), bucket, PLACE)
    *sizes, whole = told["runs"]
    for one, own in zip(sizes, ladder.told["runs"], strict=False):
        assert one["name"] == own["name"].replace("film.mkv", "film-1")
        for name in ("frames", "quality", "batches", "scenes", "bytes", "types"):
            assert one[name] == own[name]
        assert one["notes"] == []
    assert (whole["bytes"], whole["notes"]) == (12345, ["interlaced"])
    assert whole["actual"]["usd"] == 0.25
    assert whole["facts"]["Sound"] == ladder.told["runs"][2]["facts"]["Sound"]


def test_a_function_without_time_measures_some_batches_of_all_sizes(
    ladder: Ladder, bucket: dict[str, Any]
) -> None:
    """If this fails, a long ladder is measured at other places in each size, or not at all."""
    store = DirectoryStore(ladder.folder)
    in_a_hurry = replace(PLACE, seconds=0.003)
    page, told = in_the_cloud.made(store, Keys(JOB), bucket, in_a_hurry)
    *sizes, whole = told["runs"]
    read = {*range(8), *range(16, 24)}
    for one, own in zip(sizes, ladder.told["runs"], strict=False):
        for name in ("psnr_db", "ssim_db"):
            expected = [db if at in read else None for at, db in enumerate(own["frames"][name])]
            assert one["frames"][name] == expected
        assert one["notes"] == []
    assert whole["notes"][1:] == [
        "quality of every 2nd batch, 16 of 32 frames: one function has no time for more"
    ]
    assert set(map(int, embedded(page, "pictures")["thumbs"])) == read
    assert {int(at) for at in told["pictured"]} <= read
    assert told["pictured"]


def test_a_file_that_is_gone_and_a_plan_that_has_expired(
    ladder: Ladder, bucket: dict[str, Any]
) -> None:
    """If this fails, a ladder of which something is left has no report, or a size of another."""
    store = DirectoryStore(ladder.folder)
    bucket["results"][0] = None
    _, told = in_the_cloud.made(store, Keys(JOB), bucket, PLACE)
    large, small, _ = told["runs"]
    assert (large["frame_count"], large["width"], len(large["batches"])) == (0, 80, 4)
    assert small["quality"] == ladder.told["runs"][1]["quality"]
    _, told = in_the_cloud.made(store, Keys("gone"), bucket, PLACE)
    small, whole = told["runs"]
    assert (small["name"], small["frame_count"], small["quality"]) == ("film-1 32p", FRAMES, None)
    assert "there is no plan, or it has expired" in whole["notes"][-1]
    assert whole["facts"]["Sound"].startswith("aac, ")


def test_a_ladder_that_is_not_finished(ladder: Ladder, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, what an interrupted ladder has done of each size cannot be seen."""
    folder = tmp_path / "job"
    shutil.copytree(ladder.folder, folder)
    shutil.rmtree(folder / "jobs" / JOB / "files")
    Path(folder / Keys.record(Keys(JOB, "32p").cluster(1))).unlink()
    large, small, whole = asked(capfd, "report", folder, "-o", tmp_path / "r.html")["runs"]
    assert all(batch["bytes"] for batch in large["batches"])
    assert [batch["bytes"] is None for batch in small["batches"]] == [False, True, False, False]
    assert (large["quality"], small["frame_count"], small["height"]) == (None, 0, 32)
    assert len(whole["tasks"]) == 8
