"""The files of the console's page: its own, and those that it shares with all pages."""

from __future__ import annotations

from functools import cache

from mu.web_page import BASE_SCRIPT, BASE_STYLE, asset

_PACKAGE = "excamera.console"
_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SHARED = (BASE_STYLE, BASE_SCRIPT, "timeline.css", "timeline.js")
_OWN = ("console.css", "icon.svg", "api.js", "text.js", "form.js", "upload.js", "film.js",
        "rows.js", "details.js", "mu.js", "console.js")  # fmt: skip

INDEX = "index.html"
"""The page itself."""

FILES = (INDEX, *_SHARED, *_OWN)
"""The names of all files."""


@cache
def page_file(name: str) -> tuple[str, bytes]:
    """A file of the page: its media type, and its bytes.

    Raises:
        KeyError: there is no such file.
    """
    if name not in FILES:
        raise KeyError(name)
    text = asset(name) if name in _SHARED else asset(name, _PACKAGE)
    if name == INDEX:
        text = text.replace("<!-- timeline.html -->", asset("timeline.html"))
    return _KINDS[name.rpartition(".")[2]], text.encode()
