"""A web page in one file, which needs nothing but a browser, and lets it run nothing but its own.

Pages are made of components, files in `page/`: styles, scripts and markup that stand in the page
itself. `base.css` has the colours and shapes of all pages, `base.js` what their scripts share.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources

BASE_STYLE, BASE_SCRIPT = "base.css", "base.js"

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def web_page(
    *,
    title: str,
    body: str,
    lines: Sequence[str] = (),
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    data: Mapping[str, object],
) -> str:
    """A page as text.

    Args:
        title: of the page, and its heading.
        body: markup below the heading; nothing that others wrote may be in it.
        lines: about what the page shows, below its title.
        styles: texts that follow `base.css`, such as `asset("chart.css")`.
        scripts: texts that follow `base.js`; all of them are one script, in strict mode.
        data: what the scripts read with `dataOf(id)`, by the id of its element.
    """
    style = "".join((asset(BASE_STYLE), *styles))
    script = "".join((asset(BASE_SCRIPT), *scripts))
    policy = (
        f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    shown = html.escape(seen(title))
    about = "".join(f'<p class="about">{html.escape(seen(line))}</p>\n' for line in lines)
    elements = "".join(
        f'<script type="application/json" id="{name}">{_embedded(value)}</script>\n'
        for name, value in data.items()
    )
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{shown}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<header>\n<h1>{shown}</h1>\n<div id="theme"></div>\n</header>\n'
        f"<main>\n{about}<noscript><p>This page needs JavaScript, which the browser does not run."
        f"</p></noscript>\n{body}</main>\n"
        f"{elements}<script>{script}</script>\n</body>\n</html>\n"
    )


def asset(name: str, package: str = "mu") -> str:
    """The text of a component's file in the folder `page` of a package."""
    return (resources.files(package) / "page" / name).read_text(encoding="utf-8")


def seen(text: str) -> str:
    r"""The text with `\u202e` and the like for what would not be seen, or would reorder others."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def digest(text: str) -> str:
    """The source expression of a policy that lets a browser use exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _embedded(value: object) -> str:
    # A closing tag inside the data would end it.
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
