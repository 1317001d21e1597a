"""`excamera report`: its facts against those of other commands, its page in a real browser."""

from __future__ import annotations

import base64
import json
import random
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import pytest

from excamera.cli.main import main
from excamera.job.records import BatchRecord
from excamera.report.facts import Frames, Quality, Run
from excamera.report.job import JobFacts
from excamera.report.making import Made, report_of
from excamera.report.measure import Taken
from excamera.report.page import write_report
from mu import TaskRecord
from tests.pipeline.clips import Clip
from tests.support.accessibility import findings
from tests.support.browser import needs_browser
from tests.support.chromium import Chromium, Page, chromium
from tests.support.scenes import film, pan, still

Capture = pytest.CaptureFixture[str]

FRAMES = 56
HOSTILE = "</script><img src=x onerror=alert(1)>"
BACKWARDS = "film\u202egnp.exe\u2066"


@dataclass(frozen=True)
class Encoded:
    """A clip, encoded in two ways, with the report that the first encode wrote."""

    source: Path
    result: Path
    folder: Path
    page: Path
    other: Path


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    """The clip, ours in two batches of chunks of 7 frames, and x264's with B-frames."""
    folder = tmp_path_factory.mktemp("report")
    source = Clip(frames=FRAMES, width=160, height=96, sound="aac").write(folder / "film.mp4")
    other = Clip(
        frames=FRAMES, width=160, height=96, options={"crf": "34", "bf": "2", "g": "20"}
    ).write(folder / "other.mp4")
    found = Encoded(source, folder / "film.webm", folder / "job", folder / "encode.html", other)
    assert main([
        "encode", "-q", str(source), str(found.result), "-n", "7", "-x", "4", "--workers", "2",
        "--keep-job", str(found.folder), "--report", str(found.page),
    ]) == 0  # fmt: skip
    return found


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser for all tests of this file."""
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def asked(capfd: Capture, *arguments: object) -> dict[str, Any]:
    """What a command prints as JSON."""
    capfd.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    found: dict[str, Any] = json.loads(capfd.readouterr().out)
    return found


# ---- the facts ----


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


# ---- the page ----


def embedded(text: str, name: str) -> Any:
    """The data in a page."""
    return json.loads(text.partition(f'id="{name}">')[2].partition("</script>")[0])


def opened(driven: Chromium, path: Path, **window: Any) -> Page:
    """A report in the browser, with all its parts."""
    page = driven.page(path.as_uri(), **window)
    page.until("document.documentElement.dataset.ready")
    return page


def inflated(text: str) -> Any:
    """What a page unpacks."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def cells(page: Page, selector: str) -> dict[str, list[str]]:
    """The rows of a table by their headings."""
    rows = page.ask(
        f"[...document.querySelectorAll('{selector} tbody tr')].map((row) => "
        "[...row.cells].map((cell) => cell.textContent))"
    )
    return {row[0]: row[1:] for row in rows}


@needs_browser
def test_the_page_says_what_json_says(
    driven: Chromium, encoded: Encoded, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, people and programs are told different numbers."""
    target = tmp_path / "r.html"
    told = asked(
        capfd, "report", encoded.folder, encoded.other, "--reference", encoded.source, "-o", target
    )
    page = opened(driven, target)
    assert page.console == []
    short = cells(page, "#summary-table")
    for at, run in enumerate(told["runs"]):
        assert short["Frames"][at] == f"{run['frame_count']:,}"
        assert short["Size"][at].startswith(f"{run['bytes']:,} bytes")
        assert short["SSIM of the luma"][at] == f"{run['quality']['ssim_db']:.2f} dB"
        assert short["PSNR of the luma"][at] == f"{run['quality']['psnr_db']:.2f} dB"
    page.click("#as-table summary")
    page.until("document.querySelectorAll('#frame-table tbody tr').length === 56")
    shown = cells(page, "#frame-table")
    ours, other = (run["frames"] for run in told["runs"])
    for at in range(FRAMES):
        row = shown[str(at)]
        kinds = dict.fromkeys((ours["type"][at], ours["role"][at]))
        assert row == [
            f"{ours['bytes'][at]:,}", ", ".join(kinds), str(ours["y_ac_qi"][at]),
            f"{ours['ssim_db'][at]:.2f}", f"{ours['psnr_db'][at]:.2f}",
            f"{other['bytes'][at]:,}", other["type"][at],
            f"{other['ssim_db'][at]:.2f}", f"{other['psnr_db'][at]:.2f}",
        ]  # fmt: skip
    seams = page.ask("[...document.querySelectorAll('.digest')].map((one) => one.textContent)")
    digests = [state for batch in told["runs"][0]["batches"] for state in batch["states"]]
    assert seams == [f"{n % 4}: {state[:24]}" for n, state in enumerate(digests)]
    borders = page.ask("document.querySelector('#borders canvas').ariaLabel")
    assert "2 batches, 8 chunks, 6 anchors, 0 scenes" in borders


@needs_browser
@pytest.mark.parametrize(
    ("name", "width", "height", "dark"),
    [("phone", 390, 844, True), ("laptop", 1280, 800, False), ("wide", 2400, 1200, True)],
)
def test_it_is_for_everybody_on_every_screen(
    driven: Chromium, encoded: Encoded, tmp_path: Path, name: str, width: int, height: int,
    dark: bool,
) -> None:  # fmt: skip
    """If this fails, the page cannot be read on a phone, in the dark, or by a screen reader."""
    page = opened(driven, encoded.page, width=width, height=height, dark=dark)
    page.point("#bytes-chart canvas", 0.6)
    assert page.ask("document.documentElement.scrollWidth") <= width
    taken = page.picture(tmp_path / f"{name}.png")
    with av.open(str(taken)) as file:
        [picture] = file.decode(video=0)
    pixels = picture.to_ndarray(format="rgb24")
    assert pixels.shape[1] == width
    # Charts are drawn in several colours, and the paper is dark or light.
    assert len({tuple(pixel) for pixel in pixels[::7, ::7].reshape(-1, 3)}) > 50
    assert (pixels[2, 2].mean() < 64) == dark
    assert page.console == []
    assert [one for one in page.requested if not one.startswith("data:")] == [encoded.page.as_uri()]


@needs_browser
def test_keys_and_mouse_reach_every_frame(driven: Chromium, encoded: Encoded) -> None:
    """If this fails, frames can be seen only with a mouse, or zooming does not work."""
    page = opened(driven, encoded.page)
    part = "document.getElementById('shown-part').textContent"
    assert page.ask(part).startswith("Frames 0 (00:00.000) to 55 ")
    page.drag("#bytes-chart canvas", 0.4, 0.7)
    zoomed = page.ask(part)
    assert zoomed != ""
    assert not zoomed.startswith("Frames 0 ")
    page.ask("document.querySelector('#bytes-chart [tabindex]').focus()")
    page.press("0", "Home", "ArrowRight", "ArrowRight")
    assert page.text("#frame-facts strong") == "Frame 2 (00:00.080)"
    facts = page.text("#frame-facts")
    assert "ordinary" in facts
    assert "batch 0, chunk 0" in facts
    # Around the frame that is pointed at, which stays where it is.
    page.press("+", "+")
    assert page.ask(part).startswith("Frames 2 (00:00.080) to 15 ")
    page.press("End", "Enter")
    assert page.text("dialog h2").startswith("Frame 55")
    page.press("Escape")
    page.until("!document.querySelector('dialog')")
    assert page.ask("document.activeElement.closest('figure')?.id") == "bytes-chart"
    page.ask("location.hash = '#frame=12'")
    page.until("document.querySelector('dialog h2')?.textContent.startsWith('Frame 12')")
    assert page.console == []


@needs_browser
def test_a_frame_shows_source_result_and_difference(driven: Chromium, encoded: Encoded) -> None:
    """If this fails, nobody sees what a bad number looks like."""
    page = opened(driven, encoded.page)
    worst = page.ask("Object.keys(dataOf('report').pictured).map(Number)")
    page.ask(f"byId('go-to').value = {worst[0]}; byId('go-to').dispatchEvent(new Event('change'))")
    page.click("#open-frame")
    sizes = page.until(
        "(() => { const all = [...document.querySelectorAll('dialog .views img')];"
        "return all.length && all.every((one) => one.complete) && "
        "all.map((one) => [one.alt, one.naturalWidth, one.naturalHeight]); })()"
    )
    at = worst[0]
    assert sizes == [
        [f"Frame {at} of the source", 160, 96],
        [f"Frame {at} of film.webm", 160, 96],
        [f"Where frame {at} of film.webm differs from the source", 160, 96],
    ]
    found = findings(page)
    other = next(n for n in range(FRAMES) if n not in worst)
    page.press("Escape")
    page.ask(f"byId('go-to').value = {other}; byId('go-to').dispatchEvent(new Event('change'))")
    page.click("#open-frame")
    assert "This is none of them" in page.text("dialog")
    assert page.ask("[...document.querySelectorAll('#strip [aria-current=true]')].length") == 1
    assert found == []


@needs_browser
def test_what_others_wrote_is_shown_and_never_run(driven: Chromium, tmp_path: Path) -> None:
    """If this fails, a film's name or a log line runs a script in the browser of who reads it."""
    plain = Clip(frames=8).write(tmp_path / "plain.mp4")
    record = TaskRecord(HOSTILE, 0, {}, 1.0, finished=2.0, worker=BACKWARDS, error=HOSTILE)
    run = Run(name=HOSTILE + BACKWARDS, options={HOSTILE: BACKWARDS}, facts={HOSTILE: HOSTILE},
              notes=[HOSTILE], log=[HOSTILE, BACKWARDS], records=[record])  # fmt: skip
    hostile = tmp_path / f"a <img src=x onerror=alert(1)>{BACKWARDS}.mp4"
    plain.rename(hostile)
    assert main(["report", str(hostile), "-o", str(tmp_path / "file.html")]) == 0
    write_report(tmp_path / "run.html", report_of([JobFacts(run, None, None)], title=HOSTILE))
    for name in ("file.html", "run.html"):
        page = opened(driven, tmp_path / name)
        assert page.console == []
        assert page.ask("document.querySelectorAll('img[src=x]').length") == 0
        assert "<img src=x onerror=alert(1)>" in page.text("#summary-table")
        assert not page.ask("/[\\u202e\\u2066]/.test(document.body.textContent)")
        assert "\\u202egnp.exe" in page.ask("document.body.innerText")
    assert HOSTILE in page.text("#log pre")
    assert HOSTILE in page.text("#timelines")


@needs_browser
def test_three_hours_are_a_small_page_that_scrolls(driven: Chromium, tmp_path: Path) -> None:
    """If this fails, the report of a long film cannot be sent, or hangs the browser."""
    count, tasks = 260_000, 20_000
    target = tmp_path / "long.html"
    write_report(target, long_film(count, tasks))
    assert target.stat().st_size < 10_000_000
    page = opened(driven, target)
    drawn = "Number(document.querySelector('#bytes-chart canvas').dataset.drawn)"
    before = page.ask(drawn)
    # One step of zooming at each painted frame, all of which the browser has to draw.
    painted = page.ask(
        "new Promise((done) => { let left = 12; const step = () => { if (!left--) {"
        "requestAnimationFrame(() => requestAnimationFrame(() => done(" + drawn + "))); return; }"
        "document.querySelector('[data-zoom=\"0.5\"]').click(); requestAnimationFrame(step); };"
        "step(); })"
    )
    assert painted - before >= 12
    assert page.text("#shown-part").endswith("of 260,000")
    shown = page.ask("document.querySelector('#bytes-chart canvas').ariaLabel")
    part = shown.partition("frames ")[2].split(". ")[0]
    first, last = (int(one.replace(",", "")) for one in part.split(" to "))
    exact = [size_of(at) for at in range(first, last + 1)]
    assert len(exact) == 64
    assert f"{min(exact):,} to {max(exact):,}, mean {round(sum(exact) / len(exact)):,}" in shown
    assert page.text("#timelines p").startswith("20,000 tasks on 1,000 workers")
    assert page.console == []


def size_of(number: int) -> int:
    """The bytes of a frame of the long film, which no program guesses from the one before."""
    return 400 + hash((number, 1)) % 9000 + (40_000 if number % 96 == 0 else 0)


def long_film(count: int, tasks: int) -> Made:
    """A report of three hours, as a stack with a thousand workers would leave it."""
    chance = random.Random(7)
    frames = Frames(
        time_s=[round(at / 24, 6) for at in range(count)],
        bytes=[size_of(at) for at in range(count)],
        hidden_bytes=[size_of(at) // 2 if at % 6 == 5 else 0 for at in range(count)],
        type=["key" if at % 96 == 0 else "inter" for at in range(count)],
        role=[("key", "anchor", "ordinary")[min(2, at % 96)] for at in range(count)],
        y_ac_qi=[20 + chance.randrange(30) for _ in range(count)],
        psnr_db=[36 + chance.gauss(0, 2) for _ in range(count)],
        ssim_db=[14 + chance.gauss(0, 1) for _ in range(count)],
    )
    records = [
        TaskRecord(
            "encode", at, {"batch": at, "share": 0}, 5.0 * (at // 1000), queued=0.0,
            finished=5.0 * (at // 1000) + 4.9876, worker=f"2026/11/29/[7]{at % 1000:032x}",
            peak_memory_mib=800, memory_mb=1769, dollars=0.000123456789,
            marks={"fetched": 5.0 * (at // 1000) + 0.4321, "computed": 5.0 * (at // 1000) + 4.5},
        )
        for at in range(tasks)
    ]  # fmt: skip
    run = Run(name="film.mp4", codec="vp8", bytes=10**9, duration_s=count / 24, frame_rate=24.0,
              width=3840, height=2160, frames=frames, records=records)  # fmt: skip
    run = replace(run, quality=Quality(36.5, 14.5, count))
    made = report_of([JobFacts(run, None, None)])
    thumbs = {at * count // 160: bytes([at]) * 3000 for at in range(160)}
    return Made(made.report, Taken(thumbs, {}, {}), made.results)
