"""The page with the timeline of a run: written through the door, read by a real browser."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mu
from mu import TaskRecord
from mu.timeline_page import page, write_page
from tests.support.browser import look, needs_browser

T0 = 1_790_000_000.0
HOSTILE = (
    "</script><script>document.title='run'</script><!-- <img src=x onerror=alert(1)> ' \" &amp;"
)
BACKWARDS = "encode\u202egnp.exe\u2066\x07"


def record(number: int = 0, **facts: Any) -> TaskRecord:
    """A task of two seconds that began after 1 + number seconds."""
    start = T0 + 1 + number
    usual: dict[str, Any] = {
        "name": "encode", "number": number, "event": {}, "started": start, "finished": start + 2,
        "worker": f"worker-{number % 3}", "queued": T0,
    }  # fmt: skip
    return TaskRecord(**{**usual, **facts})


def film(chunks: int, workers: int) -> list[TaskRecord]:
    """The records of a film, as workers of a stack leave them."""
    found = []
    for number in range(chunks):
        start = T0 + 5.1234 * (number // workers) + 0.01 * (number % workers)
        found.append(
            TaskRecord(
                ("encode", "anchors", "join")[number % 3], number, {}, start, start + 5.0123,
                worker=f"2026/11/29/[$LATEST]{number % workers:032x}", queued=start - 0.3456,
                peak_memory_mib=800 + number % 100, memory_mb=1769, dollars=0.000123456789,
                error="SourceUnavailable" if number % 100 == 7 else None,
                marks={"fetched": start + 0.5, "computed": start + 4.5, "stored": start + 4.9},
            )
        )  # fmt: skip
    return found


def rows(text: str) -> dict[str, Any]:
    """The data in a page."""
    part = text.partition('id="records">')[2].partition("</script>")[0]
    data: dict[str, Any] = json.loads(part)
    return data


def fails(number: int) -> int:
    """Fails for 1."""
    if number == 1:
        raise ValueError(number)
    return number


# ---- the door ----


def test_a_run_writes_its_page(tmp_path: Path) -> None:
    """If this fails, nobody sees what the tasks of a flow did."""
    flow = mu.each("$.numbers", mu.Task("square", abs))
    with mu.Executor(workers=2) as executor:
        run = executor.start(flow, {"numbers": [1, -2, 3]})
        assert run.result(60) == [1, 2, 3]
    run.timeline(tmp_path / "t.html")
    data = rows((tmp_path / "t.html").read_text())
    assert data["names"] == ["square"]
    shown = [(one[3], one[4], one[5]) for one in data["rows"]]
    known = [(one.queued, one.started, one.finished) for one in run.records()]
    for moments, times in zip(shown, known, strict=True):
        for moment, at in zip(moments, times, strict=True):
            assert at is not None
            assert data["start"] + moment == pytest.approx(at, abs=1e-4)


def test_an_executor_writes_its_page(tmp_path: Path) -> None:
    """If this fails, nobody sees which calls failed and were tried again."""
    with mu.Executor(workers=2, retries=1) as executor:
        found = list(executor.map(fails, range(3), return_exceptions=True))
        executor.timeline(str(tmp_path / "t.html"))
    assert isinstance(found[1], mu.TaskFailed)
    data = rows((tmp_path / "t.html").read_text())
    failed = [(one[1], one[6]) for one in data["rows"] if one[7] == "ValueError"]
    assert failed == [(1, 1), (1, 2)]
    assert len(data["rows"]) == 4


def test_a_page_of_nothing(tmp_path: Path) -> None:
    """If this fails, a run of which nothing has ended has no page."""
    write_page(tmp_path / "t.html", [record(finished=None)], title="t")
    assert rows((tmp_path / "t.html").read_text())["rows"] == []


def test_a_worker_does_one_thing_at_a_time() -> None:
    """If this fails, timelines show tasks that overlap, or end before they begin."""
    flow = mu.each("$.numbers", mu.Task("square", abs))
    with mu.Executor(workers=2) as executor:
        run = executor.start(flow, {"numbers": list(range(200))})
        run.result(60)
    for worker in {one.worker for one in run.records()}:
        mine = sorted((o.started, o.finished or 0) for o in run.records() if o.worker == worker)
        moments = [moment for both in mine for moment in both]
        assert moments == sorted(moments)


# ---- the file ----


def test_lines_about_the_run_are_below_its_title() -> None:
    """If this fails, what was predicted is not on the page, or a line of it can run a script."""
    text = page([record()], title="t", lines=["predicted: 5 s", "<script>1</script>\u202e"])
    first, second = text.index('<p class="about">predicted: 5 s</p>'), text.index("&lt;script&gt;1")
    assert text.index("<h1>t</h1>") < first < second < text.index('<p id="summary">')
    assert "&lt;/script&gt;\\u202e</p>" in text
    assert 'class="about"' not in page([record()], title="t")


def test_the_page_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a page that could not be written destroys the one of before."""
    target = tmp_path / "t.html"
    target.write_text("before")

    def full(_path: Path, text: str, **_: Any) -> None:
        os.close(os.open(_path, os.O_CREAT | os.O_WRONLY))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_page(target, [record()], title="t")
    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


def test_the_page_may_be_read_by_whom_the_user_lets(tmp_path: Path) -> None:
    """If this fails, a web server cannot serve the page, or it ignores the user's umask."""
    before = os.umask(0o027)
    try:
        write_page(tmp_path / "t.html", [record()], title="t")
    finally:
        os.umask(before)
    assert (tmp_path / "t.html").stat().st_mode & 0o777 == 0o640


def test_the_page_goes_into_a_pipe(tmp_path: Path) -> None:
    """If this fails, a pipe or a device that is named as the page is replaced by a file."""
    pipe = tmp_path / "pipe.html"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_page(pipe, [record()], title="t")
    reader.join(30)
    assert pipe.is_fifo()
    assert read[0].endswith("</html>\n")


def test_a_large_film_is_a_small_file() -> None:
    """If this fails, the page of a long film is too large to be sent or opened."""
    assert len(page(film(20_000, 1000), title="film.mp4")) < 3_000_000


# ---- what a browser makes of it ----


@needs_browser
def test_the_numbers_are_those_of_the_records(tmp_path: Path) -> None:
    """If this fails, the page says something else than what happened."""
    target = tmp_path / "t.html"
    records = [
        record(0, dollars=0.25, memory_mb=1769),
        record(1, dollars=0.5, memory_mb=3008, marks={"fetched": T0 + 2.5}),
        record(2, error="TaskTimeout", peak_memory_mib=77),
        record(2, attempts=2, started=T0 + 10, finished=T0 + 10.25, queued=T0 + 9),
        record(0, name="stitch", attempts=3, error="WorkerDied", finished=T0 + 2.5),
    ]
    write_page(target, records, title="my film")
    seen = look(
        target,
        "JSON.stringify([text('summary'), [...page.document.querySelectorAll('tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent)),"
        "[...page.document.querySelectorAll('#failures li')].map((item) =>"
        " item.textContent.replace(/[\\u2068\\u2069]/g, ''))])",
    )
    summary, table, failures = json.loads(seen.answer)
    assert summary == (
        "4 tasks on 3 workers in 10.25 s; 7.75 s of work; 1 failed; $0.7500; "
        "began 2026-09-21 14:13:20 UTC."
    )
    assert table == [
        ["encode", "3", "", "4", "6.25 s", "2.00 s", "2.00 s", "2.00 s", "3008 MB", "$0.7500"],
        ["stitch", "1", "1", "3", "1.50 s", "1.50 s", "1.50 s", "1.00 s", "", ""],
    ]
    assert failures == [
        "encode 2 · failed: TaskTimeout · ran 2.00 s · from 3.00 s · waited 3.00 s · "
        "held 77 MiB · worker-2",
        "stitch 0 · failed: WorkerDied · ran 1.50 s · from 1.00 s · waited 1.00 s · "
        "attempt 3 · worker-0",
    ]
    assert seen.console == []


@needs_browser
def test_hostile_names_are_shown_and_never_run(tmp_path: Path) -> None:
    """If this fails, a task's name can run a script in the browser of who reads the page."""
    target = tmp_path / "t.html"
    records = [
        record(0, name=HOSTILE, worker=HOSTILE, error=HOSTILE, marks={HOSTILE: T0 + 2}),
        record(1, name=BACKWARDS, worker=BACKWARDS, error="\ud800"),
        record(2, name="__proto__", worker="constructor", marks={"__proto__": T0 + 3.5}),
        record(3, name="ערב" * 50, worker="x" * 10_000),
    ]
    write_page(target, records, title=HOSTILE + BACKWARDS + "\udcff")
    seen = look(
        target,
        "JSON.stringify([page.document.title, text('legend'), text('failures'),"
        " page.document.scripts.length, page.document.images.length,"
        " page.document.documentElement.scrollWidth - page.innerWidth])",
    )
    title, legend, failures, scripts, images, over = json.loads(seen.answer)
    assert title.startswith("</script><script>document.title='run'")
    assert title.endswith("encode\\u202egnp.exe\\u2066\\u0007\\udcff")
    assert HOSTILE in legend
    assert "encode\\u202egnp.exe\\u2066\\u0007" in legend
    assert failures.count(HOSTILE) == 4
    assert (scripts, images) == (2, 0)
    assert over <= 0
    assert seen.console == []


@needs_browser
def test_nothing_else_may_run(tmp_path: Path) -> None:
    """If this fails, the browser would run what gets into the page in spite of all care."""
    target = tmp_path / "t.html"
    write_page(target, [record()], title="t")
    text = target.read_text().replace("<h1>", "<script>document.title='run'</script><h1>")
    target.write_text(text.replace("<h1>", '<img src="http://127.0.0.1:9/x"><h1>'))
    seen = look(target, "page.document.title")
    assert seen.answer == "t"
    assert sum("Content Security Policy" in line for line in seen.console) == 2


@needs_browser
@pytest.mark.parametrize("width", [320, 390, 1280, 2400])
def test_it_fits_phones_and_screens(tmp_path: Path, width: int) -> None:
    """If this fails, the page has to be pushed to and fro to be read."""
    target = tmp_path / "t.html"
    write_page(target, film(500, 40), title="a-very-long-name-of-a-film-" * 10 + ".mp4")
    seen = look(
        target,
        "JSON.stringify([page.innerWidth, page.document.documentElement.scrollWidth,"
        " page.document.getElementById('lanes').width > 0.8 * Math.min(1750, page.innerWidth - 40),"
        " page.document.getElementById('lanes').getContext('2d')"
        ".getImageData(0, 0, page.document.getElementById('lanes').width, 100).data"
        ".some((value) => value)])",
        width=width,
    )
    inner, wide, fills, drawn = json.loads(seen.answer)
    assert inner == width
    assert wide <= width
    assert (fills, drawn) == (True, True)
    assert seen.console == []


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
def test_it_is_dark_where_the_user_likes_it_dark(tmp_path: Path, dark: bool) -> None:
    """If this fails, the page is black on black, or blinds at night."""
    target = tmp_path / "t.html"
    write_page(target, film(10, 2), title="t")
    seen = look(
        target,
        "JSON.stringify(['backgroundColor', 'color'].map("
        "(name) => page.getComputedStyle(page.document.body)[name]))",
        dark=dark,
    )
    paper, ink = (int(colour[4:].partition(",")[0]) for colour in json.loads(seen.answer))
    assert (paper < 64 and ink > 192) if dark else (paper > 192 and ink < 64)


@needs_browser
def test_keys_go_from_task_to_task(tmp_path: Path) -> None:
    """If this fails, the facts of a task need a mouse."""
    target = tmp_path / "t.html"
    records = [record(n, worker=f"worker-{n % 40}", started=T0 + n) for n in range(80)]
    write_page(target, [replace(one, finished=one.started + 1) for one in records], title="t")
    press = (
        "(() => { const box = page.document.getElementById('lanes-box'); const told = [];"
        "for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'End', '+', '0', 'Escape']) {"
        "box.dispatchEvent(new page.KeyboardEvent('keydown', {key, cancelable: true}));"
        "told.push(text('facts').replace(/[\\u2068\\u2069]/g, '').split(' · ')[0]); }"
        "page.document.querySelector('[data-zoom=\"0.5\"]').click();"
        "return JSON.stringify([told, box.tabIndex, box.scrollHeight > box.clientHeight]); })()"
    )
    told, reached, scrolls = json.loads(look(target, press).answer)
    assert told == [
        "encode 0", "encode 40", "encode 41", "encode 41", "encode 41", "encode 41", "",
    ]  # fmt: skip
    assert (reached, scrolls) == (0, True)


@needs_browser
def test_a_worker_has_a_lane_for_each_of_its_tasks_at_the_same_time(tmp_path: Path) -> None:
    """If this fails, tasks hide each other, or a worker seems to do two things at once."""
    target = tmp_path / "t.html"
    one_by_one = [record(n, worker="a", started=T0 + 2 * n - 0.001 * n) for n in range(4)]
    records = [replace(one, finished=one.started + 2) for one in one_by_one]
    question = (
        "page.document.getElementById('running').ariaLabel.split(': ')[1]"
        " + ', ' + page.document.getElementById('lanes').clientHeight"
    )
    write_page(target, records, title="t")
    assert look(target, question).answer == "at most 1, 26"
    shared = [record(n, worker="a", started=T0 + n % 2) for n in range(3)]
    write_page(target, shared, title="t")
    assert look(target, question).answer == "at most 3, 70"


@needs_browser
def test_a_large_film_opens(tmp_path: Path) -> None:
    """If this fails, the page of a long film hangs the browser, or shows a part of it."""
    target = tmp_path / "t.html"
    write_page(target, film(20_000, 3000), title="film.mp4")
    seen = look(
        target,
        "(() => { const box = page.document.getElementById('lanes-box');"
        "box.dispatchEvent(new page.KeyboardEvent('keydown', {key: 'End'}));"
        "for (let n = 0; n < 2999; n += 1) if (n < 20 || n > 2978)"
        " box.dispatchEvent(new page.KeyboardEvent('keydown', {key: 'ArrowDown'})); "
        "return JSON.stringify([text('summary').split(';')[0], box.scrollHeight]); })()",
    )
    summary, height = json.loads(seen.answer)
    assert summary == "20,000 tasks on 3,000 workers in 60.96 s"
    assert height > 3000 * 14
    assert seen.console == []
