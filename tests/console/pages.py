"""What tests do with the console's page."""

from __future__ import annotations

import json

from tests.support.chromium import Chromium, Page


def opened(driven: Chromium, address: str, **given: int) -> Page:
    """The console's page, when it has what it shows."""
    page = driven.page(address, **given)
    page.until("document.body.dataset.ready")
    return page


def again(page: Page) -> None:
    """Leave the page, and come back to it."""
    address = page.ask("location.href")
    page.go("about:blank")
    page.go(address)
    page.until("document.body.dataset.ready")


def until_state(page: Page, words: str) -> None:
    """Wait until the job that is shown is in a state."""
    page.until(f"document.getElementById('job-state')?.textContent === {json.dumps(words)}")


def facts(page: Page, where: str) -> dict[str, str]:
    """The names and values of a list of facts."""
    found: dict[str, str] = page.ask(
        f"Object.fromEntries([...document.querySelectorAll({where + ' dd'!r})]"
        ".map((one) => [one.dataset.name, one.textContent]))"
    )
    return found


def hold(page: Page, path: str) -> None:
    """Let the page's next question to a path be answered late: once `release` is called in it."""
    page.ask(
        "(() => { const real = window.fetch; window.release = null; let held = false;"
        "window.fetch = async (...given) => { const answer = await real(...given);"
        f"if (!held && new URL(given[0]).pathname === {json.dumps(path)}) {{ held = true;"
        "await new Promise((done) => { window.release = done; }); } return answer; }; })()"
    )


def watch(page: Page, selector: str, inside: str) -> None:
    """Keep in `seen` each text that an element has from now on; it is inside one that stays."""
    page.ask(
        "window.seen = [], new MutationObserver(() => seen.push("
        f"document.querySelector({json.dumps(selector)})?.textContent ?? ''))"
        f".observe(document.querySelector({json.dumps(inside)}), "
        "{childList: true, subtree: true})"
    )
