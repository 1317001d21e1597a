"""The page of `excamera report` in a real browser: numbers, screens, keys, long films."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from excamera.cli.main import main
from excamera.report.facts import Frames, Quality, Run
from excamera.report.job import JobFacts, job_facts
from excamera.report.making import FRAME_BYTES, PAGE_BYTES, Made, pictures_room, report_of
from excamera.report.measure import Taken
from excamera.report.page import _packed, write_report
from mu import TaskRecord
from tests.pipeline.clips import Clip
from tests.pipeline.reported import FRAMES, Capture, Encoded, asked, encoded_in
from tests.support.accessibility import findings
from tests.support.browser import needs_browser
from tests.support.chromium import Chromium, Page, chromium

pytestmark = needs_browser

HOSTILE = "</script><img src=x onerror=alert(1)>"
BACKWARDS = "film\u202egnp.exe\u2066"


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Encoded:
    """See `encoded_in`."""
    return encoded_in(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser for all tests of this file."""
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def opened(driven: Chromium, path: Path, **window: Any) -> Page:
    """A report in the browser, with all its parts."""
    page = driven.page(path.as_uri(), **window)
    page.until("document.documentElement.dataset.ready")
    return page


def cells(page: Page, selector: str) -> dict[str, list[str]]:
    """The rows of a table by their headings."""
    rows = page.ask(
        f"[...document.querySelectorAll('{selector} tbody tr')].map((row) => "
        "[...row.cells].map((cell) => cell.textContent))"
    )
    return {row[0]: row[1:] for row in rows}


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


def test_a_ladder_has_a_row_for_each_size(
    driven: Chromium, encoded: Encoded, tmp_path: Path
) -> None:
    """If this fails, sizes of a ladder cannot be told apart, or the whole is taken for one."""
    [job] = job_facts(encoded.folder)
    size = replace(job.run, ladder=job.run.name, records=(), options={}, facts={})
    sizes = [
        replace(size, name=f"film {nth}", bytes=1000 * nth, height=96 * nth,
                quality=Quality(40.0 + nth, 15.0 + nth, FRAMES))
        for nth in range(1, 11)
    ]  # fmt: skip
    none = Frames([], [], [], [], [], [], [], [])
    whole = replace(job.run, frames=none, batches=(), notes=["one note"])
    made = report_of([JobFacts(run, None, None) for run in (*sizes, whole, sizes[1])])
    target = tmp_path / "r.html"
    # What follows behind it is a file of its own.
    alone = replace(made.report.runs[-1], ladder="", name="other.webm")
    write_report(target, replace(made, report=replace(
        made.report, runs=[*made.report.runs[:-1], alone],
    )))  # fmt: skip
    page = opened(driven, target)
    assert page.console == []
    table = "#summary-table > :nth-child(2)"
    rows = cells(page, table)
    assert list(rows) == [run.name for run in sizes]
    for nth, row in enumerate(rows.values(), 1):
        assert row[:2] == [f"160\u00d7{96 * nth}", f"{1000 * nth:,}"]
        assert row[3:6] == [f"{15 + nth}.00 dB", f"{40 + nth}.00 dB", str(FRAMES)]
    assert "as it was scaled" in page.text(f"{table} caption")
    short = cells(page, "#summary-table > :nth-child(1)")
    assert short["Size"][0].startswith(f"{whole.bytes:,} bytes")
    assert short["Batches"] == ["2", "2"]
    legend = page.ask(
        "[...document.querySelectorAll('#run-legend span')].map((one) => "
        "[one.textContent, getComputedStyle(one).getPropertyValue('--mark')])"
    )
    assert [name for name, _ in legend] == [*rows, "other.webm"]
    assert len({ink for _, ink in legend[:10]}) == 10
    page.ask("location.hash = '#frame=12'")
    page.until("document.querySelector('dialog h2')?.textContent.startsWith('Frame 12')")
    assert page.ask("document.querySelectorAll('dialog p').length") >= 11
    assert "has no frame" not in page.text("dialog")
    page.press("Escape")
    assert page.ask("document.querySelectorAll('#timelines canvas').length") > 0
    assert findings(page) == []


def test_three_hours_are_a_small_page_that_scrolls(driven: Chromium, tmp_path: Path) -> None:
    """If this fails, the report of a long film cannot be sent, or hangs the browser."""
    count, tasks = 260_000, 20_000
    target = tmp_path / "long.html"
    long = long_film(count, tasks)
    write_report(target, long)
    assert target.stat().st_size < PAGE_BYTES
    # A ladder has as many numbers in each size, and pictures have the rest: five sizes fit.
    packed = len(json.dumps(_packed(long.report.runs[0].frames)))
    assert packed < FRAME_BYTES * count
    assert pictures_room(5 * count) > 500_000
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
