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
