"""The console of one machine in a real browser: films dragged in, followed, played, cancelled."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from excamera.console.local import local_console
from tests.console.pages import again, facts, hold, opened, until_state, watch
from tests.pipeline.clips import Clip
from tests.support.accessibility import findings
from tests.support.browser import needs_browser
from tests.support.chromium import Chromium, Page
from tests.support.commands import EXCAMERA, run
from tests.support.processes import wait_until

pytestmark = [needs_browser, pytest.mark.slow]

PART = 64 << 10
HOSTILE = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>\u202egpj.txt'
PICTURES = "EXCAMERA_PICTURES"
"""A variable that names a folder in which the pictures of the screen stay."""


def pictured(page: Page, folder: Path, name: str) -> None:
    """Take a picture of the screen; check that nothing is wider than it."""
    page.painted()  # what follows the size of the window has done so
    width = page.ask("document.documentElement.clientWidth")
    assert page.ask("document.documentElement.scrollWidth") <= width, name
    taken = page.picture(folder / f"{name}.png")
    if kept := os.environ.get(PICTURES):
        Path(kept).mkdir(parents=True, exist_ok=True)
        shutil.copy(taken, Path(kept) / taken.name)


def test_a_film_is_dragged_in_followed_and_played_to_its_end(
    driven: Chromium, console: str, film: Path, tmp_path: Path
) -> None:
    """If this fails, the console does not do what it is for, or is not for everybody."""
    page = opened(driven, console)
    page.drop("#drop", film)
    page.until("document.getElementById('estimate').textContent.startsWith('Estimate')")
    assert "96x64, 26 frames." in page.text("#estimate")
    assert page.ask("document.getElementById('mu').hidden")
    page.ask("document.querySelector('#section-Quality').open = true")
    page.ask("document.querySelector('#option-crf').focus()")
    page.press("3", "0")
    assert findings(page) == []
    pictured(page, tmp_path, "console-new-laptop")
    page.click("#send")
    until_state(page, "done")
    assert "done" in page.text("#said")

    args = ["encode", "--json", "--crf", "30", str(film), str(tmp_path / "out.webm")]
    there = json.loads(run(*EXCAMERA, *args).stdout)
    shown = facts(page, "#result-facts")
    assert shown["Size"] == f"{there['size']:,} bytes"
    assert shown["Frames"] == f"{there['frames']:,}"
    assert shown["Key frames"] == f"{there['key_frames']:,}"
    assert shown["Duration"] == f"{there['duration_s']} s"

    page.until("document.querySelector('#result-video').readyState >= 1")
    page.ask(
        "new Promise((done, fail) => { const film = document.querySelector('#result-video');"
        "film.addEventListener('ended', done); film.addEventListener('error', fail);"
        "film.muted = true; film.play(); }).then(() => true)"
    )
    assert page.ask("document.querySelector('#result-video').currentTime") >= 1.0
    # The film can be gone to any place: the server answers with parts of it.
    page.ask("document.querySelector('#result-video').currentTime = 0.5")
    page.until("!document.querySelector('#result-video').seeking")

    page.until("document.querySelectorAll('#names-job tbody tr').length === 5")
    page.click("#show-log")
    page.until("document.querySelector('#log')?.textContent.includes('26 frames')")
    page.click("#make-report")
    page.until("document.querySelector('#report')")
    report = driven.page(page.ask("document.querySelector('#report').href"))
    assert report.text("h1") == film.name
    assert "26" in report.text("main")
    report.until("document.querySelectorAll('canvas').length > 2")
    # It belongs to no site, so that nothing in it can call the console.
    assert report.ask("self.origin") == "null"
    assert report.console == []
    report.close()
    for name, width, height in (("wide", 2200, 1200), ("laptop", 1280, 800), ("phone", 390, 844)):
        page.resize(width, height)
        pictured(page, tmp_path, f"console-{name}")
    assert findings(page) == []
    page.prefer(dark=True)
    pictured(page, tmp_path, "console-dark")
    assert findings(page) == []
    assert page.console == []
    parts = urlsplit(console)
    # A blob is the film before it is sent; the browser's own player has pictures as data.
    hosts = {
        urlsplit(one).netloc for one in page.requested if not one.startswith(("blob:", "data:"))
    }
    assert hosts == {parts.netloc}
    assert parts.fragment not in page.ask("location.href")
    page.close()


def test_the_sizes_of_a_ladder_play(driven: Chromium, console: str, film: Path) -> None:
    """If this fails, the result of a ladder cannot be looked at, or not all of it saved."""
    page = opened(driven, console)
    page.drop("#drop", film)
    page.pick("#option-codec", "vp9")
    page.ask("document.querySelector('#option-ladder').closest('details').open = true")
    page.ask("document.querySelector('#option-ladder').focus()")
    page.press(*"48p,32p")
    page.click("#send")
    until_state(page, "done")
    for size, height in (("48p", 48), ("32p", 32)):
        page.ask(
            "(() => { const choice = document.querySelector('#result-size');"
            f"choice.value = [...choice.options].find((one) => one.text === '{size}').value;"
            "choice.dispatchEvent(new Event('change')); })()"
        )
        page.until("document.querySelector('#result-video').readyState >= 1")
        assert page.ask("document.querySelector('#result-video').videoHeight") == height
    saved = page.ask("[...document.querySelectorAll('#result-files a')].map((one) => one.download)")
    assert saved == [f"{film.stem}-{one}.webm" for one in ("48p", "32p", "audio")] + [
        f"{film.stem}.mpd"
    ]
    assert findings(page) == []
    assert page.console == []
    page.close()


def test_an_upload_goes_on_after_a_reload_and_a_restart(driven: Chromium, tmp_path: Path) -> None:
    """If this fails, a closed page or an ended console costs all that was sent."""
    film = Clip(frames=26, options={"crf": "0"}, width=320, height=240).write(tmp_path / "b.mp4")
    parts = -(-film.stat().st_size // PART)
    assert parts > 6
    folder = tmp_path / "folder"
    with local_console(folder, 0, part_bytes=PART) as address:
        page = opened(driven, address)
        # Four parts come through, the others do not: no part is on its way at the end.
        page.call(
            "Network.setBlockedURLs", urls=[f"*/uploads/*/{n}?*" for n in range(5, parts + 1)]
        )
        page.choose("#files", film)
        page.until("!document.querySelector('#send').disabled")
        page.click("#send")
        page.until(
            f"document.querySelector('#jobs progress')?.value >= {4 * PART / film.stat().st_size}"
        )
        [made] = folder.glob("jobs/*/parts")
        wait_until(
            lambda: {path.name for path in made.iterdir()} == {f"{n}.json" for n in (1, 2, 3, 4)}
        )
        until_state(page, "uploading")
        port = urlsplit(address).port
        # A page that stays open goes on by itself as soon as a console answers again.
        here = page.ask("location.href")
        page.go("about:blank")
    assert {path.stem for path in made.glob("*.json")} == {"1", "2", "3", "4"}
    with local_console(folder, port or 0, part_bytes=PART):
        page.call("Network.setBlockedURLs", urls=[])
        page.go(here)
        page.until(
            "document.querySelector('#jobs td span').textContent.includes('choose the file')"
        )
        page.requested.clear()
        page.drop("#drop", film)
        until_state(page, "done")
        sent = [urlsplit(one).path.rpartition("/")[2] for one in page.requested
                if urlsplit(one).path.count("/") == 3 and "/uploads/" in one]  # fmt: skip
        assert sorted(map(int, sent)) == list(range(5, parts + 1))
        assert page.ask("localStorage.length") == 0
    page.close()


def test_an_estimate_of_other_options_is_not_told(
    driven: Chromium, console: str, film: Path
) -> None:
    """If this fails, an answer that came late stands beside options that it is not about."""
    page = opened(driven, console)
    page.choose("#files", film)
    page.until("document.getElementById('estimate').textContent.includes('96x64')")
    hold(page, "/estimate")
    page.pick("#option-scale", "48:32")
    page.until("window.release")
    page.pick("#option-scale", "64:48")
    page.until("document.getElementById('estimate').textContent.includes('64x48')")
    watch(page, "#estimate", "#estimate")
    page.ask("release()")
    page.pick("#option-scale", "32:32")
    page.until("document.getElementById('estimate').textContent.includes('32x32')")
    assert [text for text in page.ask("seen") if "32x32" not in text] == []
    page.close()


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that takes long, with many times its pictures."""
    clip = Clip(frames=75, width=640, height=360)
    return clip.write(tmp_path_factory.mktemp("long") / "long.mp4")


def test_a_job_is_cancelled_and_tried_again(
    driven: Chromium, console: str, long_film: Path, film: Path
) -> None:
    """If this fails, a job cannot be stopped, or what comes next does not begin."""
    page = opened(driven, console)
    page.ask("document.querySelector('#section-Quality').open = true")
    page.ask("document.querySelector('#option-effort').focus()")
    page.press("4")
    # So many pictures that the job cannot end before it is cancelled.
    page.ask("document.querySelector('#option-fps').value = '240'")
    for chosen, state in ((long_film, "running"), (film, "waiting")):
        page.choose("#files", chosen)
        page.click("#send")
        until_state(page, state)
    page.until(
        "document.querySelector('#jobs td.state-queued')?.textContent === 'waiting, place 1'"
    )
    page.click("#jobs tr:has(.state-running) th button")
    until_state(page, "running")
    page.click("#cancel")
    until_state(page, "cancelled")
    assert page.ask("document.activeElement.id") in ("job-title", "again")
    # The other one has its turn.
    page.until("document.querySelector('#jobs td.state-succeeded')")
    page.click("#again")
    page.until("document.querySelectorAll('#jobs tbody tr').length === 3")
    until_state(page, "running")
    page.click("#cancel")
    until_state(page, "cancelled")
    assert page.console == []
    page.close()


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A console whose job has a name, a tag and a log that somebody has made up, and its folder."""
    folder = tmp_path / "folder"
    with local_console(folder, 0) as address:
        yield address, folder


def test_a_failure_is_told_and_what_others_wrote_is_only_shown(
    driven: Chromium, hostile: tuple[str, Path], tmp_path: Path
) -> None:
    """If this fails, a failure is a riddle, or a name of a film runs as a program."""
    address, folder = hostile
    bad = tmp_path / HOSTILE.replace("/", "\u2215")
    bad.write_text("no film at all")
    page = opened(driven, address)
    page.choose("#files", bad)
    page.until("!document.querySelector('#send').disabled")
    assert "\\u202egpj.txt" in page.text("#chosen")
    page.until("document.getElementById('estimate').textContent.includes('no estimate')")
    page.click("#send")
    until_state(page, "failed")
    page.until("document.querySelector('#log')")
    assert "NotAVideo" in page.text("#job-result h3")
    assert page.text("#failure") in page.text("#log")
    # What a library prints is in the log, too.
    [log] = folder.glob("jobs/*/log.jsonl")
    with log.open("a") as out:
        out.write(json.dumps({"event": "error", "time": 0, "text": HOSTILE}) + "\n")
    again(page)
    page.until("document.querySelector('#log')?.textContent.includes('onerror')")
    shown = page.text("#job-title")
    assert "<img src=x onerror" in shown
    assert "\\u202egpj.txt" in shown
    for where in ("#jobs", "#job"):
        assert "\u202e" not in page.text(where)
    assert page.ask("window.ran") is None
    assert page.ask("document.querySelector('#job img, #job script, #jobs img')") is None
    assert findings(page) == []
    assert page.console == []
    page.close()


def test_the_keyboard_is_enough(driven: Chromium, console: str, film: Path) -> None:
    """If this fails, who uses no mouse cannot send a film or open a job."""
    page = opened(driven, console)
    page.choose("#files", film)
    page.until("!document.querySelector('#send').disabled")
    page.ask("document.querySelector('#section-Quality').open = true")
    page.ask("document.querySelector('#option-crf').focus()")
    page.press("9", "9", "Enter")
    page.until("document.querySelector('#trouble').textContent.includes('crf')")
    assert page.ask("document.activeElement.id") == "option-crf"
    assert page.ask("document.activeElement.getAttribute('aria-invalid')") == "true"
    page.ask("document.activeElement.select()")
    page.press("3", "0", "Enter")
    page.until("document.querySelector('#jobs tbody button')")
    page.ask("document.querySelector('#more').focus(), document.querySelector('#send').focus()")
    for _ in range(40):
        page.press("Tab")
        if page.ask("document.activeElement.closest('#jobs tbody') !== null"):
            break
    page.press("Enter")
    page.until("document.activeElement.id === 'job-title'")
    assert page.text("#job-title") == "a film.mp4"
    until_state(page, "done")
    page.close()


def test_without_the_key_the_page_says_where_it_is(driven: Chromium, console: str) -> None:
    """If this fails, an address without its key shows jobs, or an empty page."""
    page = driven.page(console.partition("#")[0])
    page.until("document.querySelector('#trouble').textContent.includes('excamera console')")
    assert page.ask("document.querySelectorAll('#jobs tbody tr').length") == 0
    page.close()
