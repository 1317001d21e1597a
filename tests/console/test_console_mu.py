"""Jobs of mu that are not films, in the console of one machine and in a report."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from excamera.cli.main import main
from excamera.cloud.api import Api
from excamera.console.local import local_console
from excamera.errors import ApiRefused, NoSuchJob
from mu import DirectoryStore, Executor, TaskFailed, TaskRecord, each, sequence
from mu.timelines import TimelineWriter
from tests.console.pages import again, facts, hold, opened, watch
from tests.support.accessibility import findings
from tests.support.browser import needs_browser
from tests.support.chromium import Chromium, Page

Capture = pytest.CaptureFixture[str]

NAME = '<img src=x onerror="window.ran=1">\u202egpj'
HOSTILE = "</script><script>window.ran=1</script>" + NAME


def planned(event: dict[str, Any]) -> dict[str, Any]:
    """Numbers to halve."""
    return {"numbers": [{"n": n} for n in range(0, 2 * event["count"], 2)]}


def halved(event: dict[str, Any]) -> float:
    """Half of a number."""
    return float(event["n"] / 2)


def divided(a: float, b: float) -> float:
    """A quotient, if there is one."""
    return a / b


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where executors keep the records of their jobs."""
    made = tmp_path / "jobs of mu"
    made.mkdir()
    return made


@pytest.fixture
def address(tmp_path: Path, folder: Path) -> Iterator[str]:
    """The address of a console that shows them."""
    with local_console(tmp_path / "console", 0, mu=folder) as found:
        yield found


def api_of(address: str) -> Api:
    """The API of a console, for whoever has its key."""
    split = urlsplit(address)

    def proof(_method: str, _url: str, headers: Any, _body: bytes) -> dict[str, str]:
        return {**headers, "Authorization": f"Bearer {split.fragment}"}

    return Api(f"http://{split.netloc}", proof)


def texts(page: Page, selector: str) -> list[str]:
    """The texts of elements."""
    found: list[str] = page.ask(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.textContent)"
    )
    return found


def until_text(page: Page, selector: str, test: str) -> None:
    """Wait until the text of an element, `text`, passes a test."""
    page.until(
        f"((text) => {test})(document.querySelector({json.dumps(selector)})?.textContent ?? '')"
    )


@needs_browser
@pytest.mark.slow
def test_a_job_is_followed_and_reported(
    driven: Chromium, address: str, folder: Path, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, what executors do is in no page, or is not for everybody."""
    with Executor(workers=2, store=DirectoryStore(folder), timeline="tonight") as ex:
        assert ex.submit(divided, 8, 2).result() == 4
        page = opened(driven, address)
        page.until("!document.getElementById('mu').hidden")
        assert texts(page, "#mu-jobs tbody .state-running") == ["running"]
        page.click("#mu-jobs tbody button")
        until_text(page, "#summary-mu", "text.startsWith('1 task on 1 worker')")
        assert facts(page, "#mu-facts")["State"] == "running"
        page.ask("document.activeElement.blur()")
        with pytest.raises(TaskFailed):
            ex.submit(divided, 8, 0).result()
        # It is seen while the job goes on.
        until_text(page, "#summary-mu", "text.startsWith('2 tasks')")
        assert texts(page, "#failures-mu li") != []
        assert facts(page, "#mu-facts")["State"] == "running"
    until_text(page, "#mu-facts [data-name=State]", "text === 'done'")
    shown = facts(page, "#mu-facts")
    assert (shown["Tasks"], shown["Attempts that failed"]) == ("2", "1")
    assert "ZeroDivisionError" in page.text("#mu-log pre")
    again(page)  # the address leads to the job
    until_text(page, "#mu-job-title", "text === 'tonight'")
    for width, height in ((1280, 900), (390, 844)):
        page.resize(width, height)
        page.painted()
        assert page.ask("document.documentElement.scrollWidth") <= width
        assert findings(page) == []
    page.prefer(dark=True)
    assert findings(page) == []
    assert page.console == []
    page.close()

    out = tmp_path / "tonight.html"
    assert main(["report", str(folder / "tonight"), "--json", "-o", str(out)]) == 0
    [run] = json.loads(capfd.readouterr().out)["runs"]
    assert run["facts"]["Tasks"] == run["facts"]["Attempts"] == "2"
    assert run["facts"]["State"] == "succeeded"
    assert [task["error"] for task in run["tasks"]] == [None, "ZeroDivisionError"]
    report = driven.page(out.as_uri())
    report.until("document.documentElement.dataset.ready")
    assert report.text("#summary-0").startswith("2 tasks on ")
    assert texts(report, "#names-0 tbody td")[:2] == ["divided", "2"]
    assert report.ask("['frames-section', 'groups-section', 'batches-section']"
                      ".every((id) => document.getElementById(id).hidden)")  # fmt: skip
    assert "ZeroDivisionError" in report.text("#log")
    assert "Codec" not in report.text("#summary-table")
    assert findings(report) == []
    assert report.console == []
    report.close()


@needs_browser
@pytest.mark.slow
def test_an_answer_that_comes_late_is_not_shown(
    driven: Chromium, address: str, folder: Path
) -> None:
    """If this fails, a job that goes on loses tasks, for a moment or until its end."""
    with Executor(workers=1, store=DirectoryStore(folder), timeline="tonight") as ex:
        assert ex.submit(divided, 8, 2).result() == 4
        page = opened(driven, address)
        page.until("!document.getElementById('mu').hidden")
        hold(page, "/mu/tonight")
        page.click("#mu-jobs tbody button")
        page.until("window.release")
        assert ex.submit(divided, 9, 3).result() == 3
        page.click("#mu-jobs tbody button")
        until_text(page, "#summary-mu", "text.startsWith('2 tasks')")
        watch(page, "#summary-mu", "#mu-timeline")
        page.ask("release()")
    until_text(page, "#mu-facts [data-name=State]", "text === 'done'")
    assert [text for text in page.ask("seen") if not text.startswith("2 tasks")] == []
    page.close()


@needs_browser
@pytest.mark.slow
def test_names_and_logs_are_shown_and_never_run(
    driven: Chromium, address: str, folder: Path, tmp_path: Path
) -> None:
    """If this fails, whoever names a function or prints a line can take over the page."""
    writer = TimelineWriter(DirectoryStore(folder), NAME)
    for number, error in enumerate((None, HOSTILE)):
        writer.add(
            TaskRecord(
                HOSTILE, number, {}, 1.0, 2.0, worker=HOSTILE, error=error, log=f"{HOSTILE}\nend",
                marks={HOSTILE: 1.5},
            )
        )  # fmt: skip
    writer.end("failed", HOSTILE)
    page = opened(driven, address)
    page.until("!document.getElementById('mu').hidden")
    page.click("#mu-jobs tbody button")
    until_text(page, "#summary-mu", "text.startsWith('2 tasks')")
    out = tmp_path / "hostile.html"
    assert main(["report", str(folder / NAME), "-o", str(out)]) == 0
    report = driven.page(out.as_uri())
    report.until("document.documentElement.dataset.ready")
    escaped = HOSTILE.replace("\u202e", "\\u202e")
    for one, log in ((page, "#mu-log"), (report, "#log")):
        assert one.ask("window.ran === undefined")
        assert one.ask("document.querySelectorAll('main img').length") == 0
        text = one.text("body")
        assert "\u202e" not in text
        assert escaped in one.text(log)
        assert one.console == []
    assert escaped in page.text("#mu-failure")
    assert escaped in page.text("#names-mu")
    page.close()
    report.close()


def test_the_api_lists_jobs_and_their_records(address: str, folder: Path) -> None:
    """If this fails, the page shows what no program can ask for, or leaves out jobs."""
    api = api_of(address)
    assert api.get("/mu") == {"jobs": [], "next": None}
    store = DirectoryStore(folder)
    flow = sequence(planned, each("$.numbers", halved))
    with Executor(workers=2, store=store) as ex:
        run = ex.start(flow, {"count": 5}, timeline="flow")
        assert run.result() == [0, 1, 2, 3, 4]
    TimelineWriter(store, NAME).end("failed", "why")
    with pytest.raises(ApiRefused, match="next"):
        api.get("/mu", next="x")
    [first] = (page := api.get("/mu", limit=1))["jobs"]
    [second] = api.get("/mu", limit=1, next=page["next"])["jobs"]
    assert {first["name"], second["name"]} == {"flow", NAME}
    [other] = [one for one in (first, second) if one["name"] == NAME]
    assert (other["state"], other["error"]) == ("failed", "why")
    assert api.get(f"/mu/{NAME}")["records"] == []
    page = api.get("/mu/flow", limit=4)
    rest = api.get("/mu/flow", limit=4, next=page["next"])
    assert page["job"]["state"] == "succeeded"
    assert rest["next"] is None
    found = page["records"] + rest["records"]
    assert sorted((one["name"], one["number"]) for one in found) == [
        *(("halved", number) for number in range(5)), ("planned", 0),
    ]  # fmt: skip
    known = {(one.name, one.number): one for one in run.records()}
    for one in found:
        mine = known[one["name"], one["number"]]
        assert (one["started"], one["finished"]) == (mine.started, mine.finished)
        assert (one["worker"], one["attempt"], one["error"]) == (mine.worker, 1, None)
    for wrong in ("nobody", ".jobs", "flow/halved-0"):
        with pytest.raises(NoSuchJob):
            api.get(f"/mu/{wrong}")


@pytest.mark.parametrize(
    "made",
    [
        lambda folder: (folder / "empty").mkdir(),
        lambda folder: (folder / "empty").write_text("a file"),
        lambda _folder: None,
    ],
)
def test_a_place_without_a_job_is_refused(
    made: Callable[[Path], Any], folder: Path, tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, a wrong name gives an empty report."""
    made(folder)
    out = tmp_path / "out.html"
    assert main(["report", str(folder / "empty"), "-o", str(out)]) != 0
    assert "empty" in capfd.readouterr().err
    assert not out.exists()
