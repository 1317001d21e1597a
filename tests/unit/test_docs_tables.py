"""The tables of pages that come from the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.tables import FOLDER, TABLES, keys, written
from excamera.job.objects import Keys

PAGES = sorted(FOLDER.glob("*.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_hold_the_tables_of_the_code(path: Path) -> None:
    """If this fails, a page describes other options or keys than the code has: `make docs`."""
    page = path.read_text()
    assert written(page) == page


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_on_a_page(name: str) -> None:
    """If this fails, a table of the code is documented nowhere."""
    assert any(f"<!-- {name}: from the code" in path.read_text() for path in PAGES)


def test_the_table_of_keys_has_what_the_code_makes() -> None:
    """If this fails, the documented keys of the store are not the real ones."""
    made = Keys("<job>")
    table = keys()
    for key in (made.plan, made.items, made.audio, made.failure, made.end, made.cancelled):
        assert f"`{key}`" in table
    for pattern in (
        "`jobs/<job>/shares/<batch>/<of>/<share>.ivf`",
        "`jobs/<job>/result.<container>`",
        "`jobs/<job>/timeline/<task>/<attempt>-<milliseconds>ms-<outcome>.json`",
    ):
        assert pattern in table
