"""A real browser without a window that tests drive: pages, keys, the mouse, pictures of the screen.

It speaks Chromium's DevTools protocol through two pipes, so there is no port and no library.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import browser

UNTIL_S = 120
"""What a page shows has come after so long, on a busy machine, too."""
PATIENCE_S = UNTIL_S + 30.0
_WATCH_CLICK = """(() => {
  const selector = %s;
  const names = ["pointerdown", "mousedown", "pointerup", "mouseup", "click"];
  let hit = false;
  const look = (event) => {
    const on = event.target instanceof Element && event.target.closest(selector) !== null;
    if (!on) { event.preventDefault(); event.stopImmediatePropagation(); }
    if (event.type === "click") hit = on;
  };
  for (const name of names) window.addEventListener(name, look, true);
  window.endOfClick = () => {
    for (const name of names) window.removeEventListener(name, look, true);
    delete window.endOfClick;
    return hit;
  };
})()"""
"""Lets only events on an element through; `endOfClick` ends that and says whether it was hit."""

_KEYS = {
    "Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, ""), " ": (32, " "),
    "ArrowLeft": (37, ""), "ArrowUp": (38, ""), "ArrowRight": (39, ""), "ArrowDown": (40, ""),
    "Home": (36, ""), "End": (35, ""), "PageUp": (33, ""), "PageDown": (34, ""),
}  # fmt: skip


class Chromium:
    """A browser; see `chromium`."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._numbers = itertools.count(1)
        self._buffer = bytearray()
        self._events: deque[dict[str, Any]] = deque()

    def page(self, url: str, *, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        """Open a page and wait until it is loaded.

        Args:
            url: of the page, such as `Path.as_uri()`.
            width: of the window in px.
            height: of the window in px.
            dark: whether the user prefers dark pages.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call("Page.setLifecycleEventsEnabled", enabled=True)
        page.resize(width, height)
        page.prefer(dark=dark)
        page.go(url)
        return page

    def call(self, method: str, session: str | None = None, **given: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": given}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = self._next(end)
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def events(self, session: str) -> Iterator[dict[str, Any]]:
        """The events of a page that have come, and are not taken yet."""
        while select.select([self._back], [], [], 0)[0]:
            self._events.append(self._next(time.monotonic() + PATIENCE_S))
        others = [one for one in self._events if one.get("sessionId") != session]
        mine = [one for one in self._events if one.get("sessionId") == session]
        self._events = deque(others)
        yield from mine

    def wait(self, session: str, method: str, **given: Any) -> None:
        """Wait for an event of a page with these parameters, among others."""

        def is_it(one: dict[str, Any]) -> bool:
            return (one.get("sessionId"), one.get("method")) == (session, method) and (
                given.items() <= one["params"].items()
            )

        end = time.monotonic() + PATIENCE_S
        if any(is_it(one) for one in self._events):
            return
        while not is_it(one := self._next(end)):
            self._events.append(one)

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready = select.select([self._back], [], [], max(0.0, end - time.monotonic()))[0]
            if not ready:
                raise TimeoutError(f"the browser has not answered in {PATIENCE_S:g} s")
            data = os.read(self._back, 1 << 20)
            if not data:
                raise EOFError("the browser has ended")
            self._buffer += data
        message, _, rest = self._buffer.partition(b"\0")
        self._buffer = bytearray(rest)
        found: dict[str, Any] = json.loads(message)
        return found


class Page:
    """A page in the browser.

    Attributes:
        console: what its scripts and the browser printed so far, and what they raised.
        requested: the addresses that it asked for.
    """

    def __init__(self, owner: Chromium, session: str, target: str) -> None:
        self._owner, self._session, self._target = owner, session, target
        self.console: list[str] = []
        self.requested: list[str] = []

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self._owner.call(method, self._session, **given)

    def go(self, url: str) -> None:
        """Go to another page and wait until it is loaded."""
        self._listen()
        began = self.call("Page.navigate", url=url)
        # The page before may still have to say that it is loaded.
        self._owner.wait(
            self._session, "Page.lifecycleEvent", name="load", loaderId=began["loaderId"]
        )
        self._listen()

    def resize(self, width: int, height: int) -> None:
        """Make the window as large as that, in px."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def prefer(self, *, dark: bool) -> None:
        """Let the user prefer dark or light pages."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def ask(self, expression: str) -> Any:
        """The value of an expression in JavaScript, which may be a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True,
            userGesture=True,
        )  # fmt: skip
        self._listen()
        if "exceptionDetails" in answer:
            raised = answer["exceptionDetails"]
            raise AssertionError(raised.get("exception", {}).get("description", raised["text"]))
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until an expression is true; returns its value.

        What cannot be evaluated yet, since an element is missing, is not true yet.
        """
        return self.ask(
            f"new Promise((done, fail) => {{ const end = Date.now() + {UNTIL_S * 1000};"
            "const look = () => { let found, why = new Error('waited too long');"
            f"try {{ found = ({expression}); }} catch (error) {{ why = error; }}"
            "if (found) done(found); else if (Date.now() > end) fail(why);"
            "else setTimeout(look, 20); }; look(); })"
        )

    def painted(self) -> None:
        """Wait until the browser has painted what the scripts have done so far."""
        self.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def text(self, selector: str) -> str:
        """The text of the first element that a selector finds."""
        return str(self.ask(f"document.querySelector({json.dumps(selector)}).textContent"))

    def press(self, *keys: str) -> None:
        """Press and release keys, such as "Tab", "ArrowLeft" or "a", one after another."""
        for key in keys:
            code, text = _KEYS.get(key, (ord(key[0].upper()), key))
            about = {"key": key, "windowsVirtualKeyCode": code, "text": text, "code": key}
            self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **about)
            self.call("Input.dispatchKeyEvent", type="keyUp", **about)
        self._listen()

    def click(self, selector: str, x: float = 0.5, y: float = 0.5) -> None:
        """Click an element, at these shares of its width and height.

        A page that changes may move it away meanwhile: what hits another element does nothing, and
        is tried again.
        """
        end = time.monotonic() + PATIENCE_S
        while True:
            self.ask(_WATCH_CLICK % json.dumps(selector))
            at = self._place(selector, x, y)
            for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)
            # Nobody knows of it any more if the click has led to another page.
            if self.ask("window.endOfClick?.() ?? true"):
                return
            assert time.monotonic() < end, f"{selector} cannot be clicked"

    def point(self, selector: str, x: float = 0.5, y: float = 0.5) -> None:
        """Move the mouse over an element, to these shares of its width and height."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **self._place(selector, x, y))
        self._listen()

    def drag(self, selector: str, begin: float, end: float) -> None:
        """Drag the mouse over an element, between these shares of its width."""
        first, last = self._place(selector, begin, 0.5), self._place(selector, end, 0.5)
        for kind, at in (("mouseMoved", first), ("mousePressed", first), ("mouseMoved", last),
                         ("mouseReleased", last)):  # fmt: skip
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)
        self._listen()

    def pick(self, selector: str, value: str) -> None:
        """Pick an option of a list by its value.

        Who types its name instead has to type fast: a second later, a letter begins another name.
        """
        self.ask(
            f"(() => {{ const list = document.querySelector({json.dumps(selector)});"
            f"list.value = {json.dumps(value)};"
            "list.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input for them."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        found = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=found, files=[str(file) for file in files])

    def drop(self, selector: str, *files: Path) -> None:
        """Drag files into the page and let them fall on an element."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        at = self._place(selector, 0.5, 0.5)
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, data=data, **at)
        self._listen()

    def picture(self, path: Path, *, whole: bool = True) -> Path:
        """Write what is shown, or the whole page, to a PNG file."""
        self.painted()
        taken = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                          **({"clip": self._all()} if whole else {}))  # fmt: skip
        path.write_bytes(base64.b64decode(taken["data"]))
        return path

    def close(self) -> None:
        """Close the page."""
        self._owner.call("Target.closeTarget", targetId=self._target)

    def _all(self) -> dict[str, float]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}

    def _place(self, selector: str, x: float, y: float) -> dict[str, float]:
        found = self.ask(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const box = one.getBoundingClientRect();"
            "return [box.left, box.top, box.width, box.height]; })()"
        )
        left, top, width, height = found
        return {"x": left + x * width, "y": top + y * height}

    def _listen(self) -> None:
        for one in self._owner.events(self._session):
            given = one.get("params", {})
            if one["method"] == "Runtime.consoleAPICalled":
                parts = (str(part.get("value", part.get("description"))) for part in given["args"])
                self.console.append(" ".join(parts))
            elif one["method"] == "Runtime.exceptionThrown":
                raised = given["exceptionDetails"]
                told = raised.get("exception", {}).get("description", raised["text"])
                self.console.append(str(told))
            elif one["method"] == "Log.entryAdded":
                self.console.append(given["entry"]["text"])
            elif one["method"] == "Network.requestWillBeSent":
                self.requested.append(given["request"]["url"])


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """A browser that is ended behind the block; see `tests.support.browser.needs_browser`.

    Args:
        folder: for its profile.
    """
    # The browser reads from its descriptor 3 and writes to its descriptor 4.
    theirs, to = os.pipe()
    back, their_end = os.pipe()
    arguments = (
        "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
        "--remote-debugging-pipe", f"--user-data-dir={folder / 'chromium'}", "about:blank",
    )  # fmt: skip
    try:
        with browser.running(*arguments, pipes=(theirs, their_end)):
            os.close(theirs)
            os.close(their_end)
            yield Chromium(to, back)
    finally:
        os.close(to)
        os.close(back)
