"""What all pages have: their policy, light and dark, a checker that finds what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mu.web_page import web_page
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
