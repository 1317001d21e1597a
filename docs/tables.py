"""Writes the tables of these pages that come from the code: ``make docs``.

A table stands between ``<!-- NAME: from the code, `make docs` writes it -->`` and
``<!-- end of NAME -->``. A test fails if a page is not what this would write.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from docs.cli import commands, exit_codes, presets, table
from excamera.cli.frontier import HEAD, row
from excamera.job.objects import Keys
from excamera.job.options import OPTIONS, EncodeOptions
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.price.film import Film
from excamera.price.planner import planned
from excamera.price.workers import Workers
from mu import Attempt

FOLDER = Path(__file__).resolve().parent
_BEGIN = "<!-- {name}: from the code, `make docs` writes it -->"
_END = "<!-- end of {name} -->"


def options() -> str:
    """The options of an encode that commands do not take; cli.md has the others."""
    rows = []
    for option in OPTIONS:
        rule = option.rule
        if not rule.offered:
            name = ".".join(filter(None, (option.group, option.field)))
            rows.append([f"`{name}`", rule.allowed, f"`{option.default_text}`", rule.help])
    return table(("option", "values", "default", "what it decides"), rows)


def keys() -> str:
    """Where the store keeps a job's objects."""
    made = Keys("<job>")
    rows = []
    for name, member in inspect.getmembers(Keys):
        text = inspect.getdoc(member) or ""
        beginning = text.startswith("Common beginning")
        if name.startswith("_") or name in ("job", "rung", "record") or beginning:
            continue
        if isinstance(member, property):
            key = getattr(made, name)
            if name == "timeline":
                text = text.partition(". ")[0] + "."
                key = str(Attempt("<task>", 0, 0, "<outcome>").key(key))
                key = key.replace("0-0ms", "<attempt>-<milliseconds>ms")
        else:
            parameters = list(inspect.signature(member).parameters.values())[1:]
            key = _pattern(getattr(made, name), [parameter.name for parameter in parameters])
        if text.startswith("Prefix"):
            key += "/..."
        rows.append([f"`{key}`", text.replace("``", "`")])
    return table(("key", "object"), sorted(rows))


def ways() -> str:
    """The ways to encode the film of the published system."""
    film = Film(888 * 24, 3840, 2160, 888.0)
    workers = Workers(DEFAULT_MEMORY_MB)
    lines = (row(one, chosen=False) for one in planned(film, EncodeOptions(), workers).frontier)
    return table(HEAD[1:], (line[1:] for line in lines))


def _pattern(key: Callable[..., str], names: Sequence[str]) -> str:
    """The pattern of a key that depends on numbers or a name."""
    found = key(*(f"<{one}>" if one in ("container", "plan") else 0 for one in names))
    for name in names:
        found = re.sub(r"\b0{4,}\b", f"<{name}>", found, count=1)
    return found


TABLES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "presets": presets,
    "exit-codes": exit_codes,
    "options": options,
    "keys": keys,
    "ways": ways,
}
"""The tables by name."""


def written(page: str) -> str:
    """A page with its tables as the code has them."""
    for name, made in TABLES.items():
        begin, end = _BEGIN.format(name=name), _END.format(name=name)
        if begin in page:
            before, _, rest = page.partition(begin)
            page = f"{before}{begin}\n\n{made()}\n\n{end}{rest.partition(end)[2]}"
    return page


def main() -> None:
    """Write all pages."""
    for path in sorted(FOLDER.glob("*.md")):
        page = path.read_text()
        if written(page) != page:
            path.write_text(written(page))
            print(path.name)


if __name__ == "__main__":
    main()
