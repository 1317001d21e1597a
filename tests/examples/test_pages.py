"""Each example has a page, whose commands are understood and whose output is the program's."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from tests.support.examples import lines_of, run_example
from tests.support.shared import ROOT

PAGES = ROOT / "docs/examples"
PROGRAMS = sorted(
    path.stem
    for path in (ROOT / "examples").glob("*.py")
    if "__main__" in path.read_text() and path.stem != "__init__"
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_example_has_a_page(name: str) -> None:
    """If this fails, an example is hard to find, or its page is."""
    page = f"{name.replace('_', '-')}.md"
    assert f"[{name}]({page})" in (PAGES / "README.md").read_text()
    text = (PAGES / page).read_text()
    assert f"../../examples/{name}.py" in text
    assert f"$ python -m examples.{name} " in text


def _commands() -> list[str]:
    texts = [path.read_text() for path in (*PAGES.glob("*.md"), ROOT / "README.md")]
    texts += [(ROOT / f"examples/{name}.py").read_text() for name in PROGRAMS]
    found = re.findall(r"python -m examples\.([^`\n]+)", "\n".join(texts))
    return sorted(set(found))


@pytest.mark.parametrize("command", _commands())
def test_commands_of_pages_are_understood(command: str) -> None:
    """If this fails, a page names an option or a program that is not there."""
    name, *arguments = shlex.split(command)
    module = importlib.import_module(f"examples.{name}")
    module.main.make_context(name, arguments)


def test_a_page_shows_what_its_program_prints(tmp_path: Path) -> None:
    """If this fails, the page on heat shows other figures than the program does."""
    done = run_example("heat", "--workers", "4", "--check", inside=tmp_path)
    shown = (PAGES / "heat.md").read_text()
    assert "\n".join(["$ python -m examples.heat --workers 4 --check", *lines_of(done)]) in shown
