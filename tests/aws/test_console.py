"""The console of a stack in a real browser, through the server that signs for it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from excamera.cloud.account import Account
from excamera.cloud.api import Api, http
from excamera.console.of_stack import stack_console
from tests.console.pages import again, facts, opened, until_state
from tests.support.accessibility import findings
from tests.support.browser import needs_browser
from tests.support.chromium import chromium

pytestmark = [pytest.mark.aws, pytest.mark.slow, needs_browser]


@pytest.fixture
def api(emulator: Emulator, stack: Deployed, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The stack's API, as its users call it."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    account = Account()
    return Api.of_stack(account, account.stack(stack.name))


def test_a_film_goes_through_the_stack(api: Api, clip: Path, tmp_path: Path) -> None:
    """If this fails, a browser cannot use a stack: it cannot sign, and no bucket trusts a page."""
    with stack_console(api, 0) as address, chromium(tmp_path) as browser:
        page = opened(browser, address)
        page.drop("#drop", clip)
        page.until("document.getElementById('estimate').textContent.includes('$')")
        page.click("#send")
        # Left in the middle of it all: the job is the stack's, and goes on.
        page.until("document.getElementById('job-state')")
        page.until("!localStorage.length")
        again(page)
        until_state(page, "done")
        [listed] = api.get("/jobs", limit=1)["jobs"]
        job = api.get(f"/jobs/{listed['id']}")
        shown = facts(page, "#result-facts")
        assert shown["Size"] == f"{job['result']['size']:,} bytes"
        assert shown["Frames"] == str(job["result"]["frames"])
        assert facts(page, "#job-body")["Shares"] == "1 of 1"
        assert page.ask(
            "new Promise((done, fail) => { const film = document.querySelector('#result-video');"
            "film.addEventListener('ended', () => done(true));"
            "film.addEventListener('error', fail);"
            "film.muted = true; film.play(); })"
        )
        page.until("document.querySelector('#names-job tbody tr')")
        page.click("#show-log")
        page.until("document.querySelector('#log')?.textContent.includes('encode')")
        page.click("#make-report")
        page.until("document.querySelector('#report')")
        report = browser.page(page.ask("document.querySelector('#report').href"))
        report.until("document.querySelectorAll('canvas').length > 2")
        assert job["id"] in report.text("h1")
        # It belongs to no site, so that nothing in it can call the console, or S3.
        assert report.ask("self.origin") == "null"
        assert report.console == []
        report.close()
        assert findings(page) == []
        assert page.console == []
        hosts = {urlsplit(one).netloc for one in page.requested
                 if not one.startswith(("blob:", "data:"))}  # fmt: skip
        assert hosts == {urlsplit(address).netloc}
        # Nothing that the page knows proves who its user is.
        kept = page.ask("JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])")
        assert json.loads(kept) == [{"token": urlsplit(address).fragment}, {}, ""]


def test_only_the_page_of_this_server_is_signed_for(api: Api) -> None:
    """If this fails, whoever reaches the port has the rights of whoever runs the console."""
    with stack_console(api, 0) as opened_at:
        split = urlsplit(opened_at)
        address, proof = f"http://{split.netloc}", {"Authorization": f"Bearer {split.fragment}"}
        pool = http()

        def status(path: str, method: str = "GET", **headers: str) -> int:
            return pool.request(method, address + path, headers=headers).status

        assert status("/jobs") == 403
        assert status("/jobs", **proof) == 200
        assert status("/jobs", **proof, Host="evil.example") == 421
        assert status("/jobs", "DELETE", **proof) == 403
        assert status("/forward/aHR0cDovL2EvYg==?until=9999999999&signature=x", **proof) == 403
        assert status("/console/") == 200
        assert status("/console/none.js") == 404
        assert status("/console/../jobs") == 403
        assert status("/jobs/nobody", **proof) == 404
        assert status("/reports/aHR0cDovL2EvYg==?until=9999999999&signature=x", **proof) == 403
        for method in ("GET", "POST"):
            assert status("/jobs/nobody/report", method, **proof) == 404
        request = {"upload": True, "name": "film.mp4", "size": 10}
        waits = api.post("/jobs", request, idempotency_key="waits")[0]["id"]
        assert status(f"/jobs/{waits}/report", "POST", **proof) == 409
        assert status(f"/jobs/{waits}/report", **proof) == 404
        api.delete(f"/jobs/{waits}")
