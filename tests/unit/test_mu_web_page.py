"""What all pages have: their policy, light and dark, a checker that finds what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mu.web_page import asset, web_page
from tests.support.accessibility import findings
from tests.support.browser import needs_browser
from tests.support.chromium import Chromium, chromium
from tests.unit.test_mu_timeline_page import film, write_page

pytestmark = needs_browser


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser for all tests of this file."""
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def test_the_checker_finds_what_is_wrong(driven: Chromium, tmp_path: Path) -> None:
    """If this fails, no test that asks the checker can fail."""
    page = tmp_path / "page.html"
    page.write_text(web_page(title="t", body='<button></button><p style="color:#eee">x', data={}))
    found = findings(driven.page(page.as_uri()))
    assert any(line.startswith("button-name") for line in found)


@pytest.mark.parametrize("dark", [False, True])
def test_a_timeline_is_for_everybody(driven: Chromium, tmp_path: Path, dark: bool) -> None:
    """If this fails, who uses a keyboard or a screen reader, or sees colours less well, is lost."""
    page = tmp_path / "t.html"
    write_page(page, film(60, 7), title="film.mp4")
    opened = driven.page(page.as_uri(), dark=dark)
    assert findings(opened) == []
    assert opened.console == []
    assert opened.requested == [page.as_uri()]


def test_light_and_dark_can_be_chosen(driven: Chromium, tmp_path: Path) -> None:
    """If this fails, the switch does nothing, or forgets."""
    page = tmp_path / "t.html"
    write_page(page, film(10, 2), title="t")
    opened = driven.page(page.as_uri(), dark=False)
    paper = "getComputedStyle(document.body).backgroundColor"
    assert opened.ask(paper) == "rgb(255, 255, 255)"
    opened.ask("document.querySelector('#theme select').focus()")
    opened.press("ArrowDown", "ArrowDown")
    assert opened.until(f"{paper} !== 'rgb(255, 255, 255)'")
    opened.go(page.as_uri())
    assert opened.ask("document.querySelector('#theme select').value") == "dark"
    assert opened.ask(paper) == "rgb(21, 24, 28)"


def test_sums_over_any_part_of_a_sequence_are_exact(driven: Chromium, tmp_path: Path) -> None:
    """If this fails, charts and tables of long films show another least, mean or most."""
    page = tmp_path / "page.html"
    page.write_text(web_page(title="t", body="", scripts=[asset("chart.js")], data={}))
    wrong = driven.page(page.as_uri()).ask(
        "(() => { let seed = 7; const next = (n) => (seed = (seed * 48271) % 2147483647) % n;"
        "const values = Float64Array.from({length: 5000}, () => next(9) ? next(1e6) : NaN);"
        "const levels = new Levels(values), wrong = [];"
        "for (let n = 0; n < 400; n += 1) {"
        "  const from = next(5000), to = from + 1 + next(n % 2 ? 20 : 5000);"
        "  const some = values.slice(from, to).filter((one) => !Number.isNaN(one));"
        "  const found = levels.range(from, to);"
        "  const expected = some.length ? [Math.min(...some), Math.max(...some),"
        "    some.reduce((a, b) => a + b) / some.length, some.length] : null;"
        "  const same = expected === null ? found === null : found && found.min === expected[0]"
        "    && found.max === expected[1] && found.mean === expected[2] && found.n === expected[3];"
        "  if (!same) wrong.push([from, to, JSON.stringify(found), JSON.stringify(expected)]); }"
        "return wrong; })()"
    )
    assert wrong == []


def test_a_view_stays_inside_its_sequence(driven: Chromium, tmp_path: Path) -> None:
    """If this fails, a chart can be moved to where there is nothing, and not back."""
    page = tmp_path / "page.html"
    page.write_text(web_page(title="t", body="", scripts=[asset("chart.js")], data={}))
    seen = driven.page(page.as_uri()).ask(
        "(() => { const view = new View(1000), told = []; const tell = () => told.push("
        "[view.from, view.to]); view.addEventListener('change', tell);"
        "view.show(-50, 100); view.pan(-1); view.show(990, 995); view.pan(1); view.zoom(2);"
        "view.zoom(0); view.point(2000); told.push(view.at); view.zoom(0.1); view.reach(3);"
        "view.point(null); told.push(view.at);"
        "return told; })()"
    )
    assert seen == [
        [0, 150], [0, 150], [990, 998], [992, 1000], [984, 1000], [0, 1000], 999, [900, 1000],
        [0, 100], None,
    ]  # fmt: skip
