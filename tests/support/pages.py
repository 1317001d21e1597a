"""Parts of the pages in `docs/`, for tests that hold them to what they describe."""

from __future__ import annotations

from tests.support.assembly import ROOT


def section(page: str, title: str) -> str:
    """Returns the text under a heading of the second level, up to the next one."""
    return (ROOT / page).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def code_block(text: str, language: str) -> str:
    """Returns the first code block in a language."""
    return text.partition(f"```{language}\n")[2].partition("```")[0]
