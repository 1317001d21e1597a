"""Tables and paragraphs of the generated pages."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table whose first column is text and whose others are figures."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def paragraph(text: str) -> str:
    """Returns a paragraph with its lines refilled."""
    words = " ".join(text.split())
    return textwrap.fill(words, 100, break_long_words=False, break_on_hyphens=False)


def with_spread(found: Mapping[str, float], digits: int = 2) -> str:
    """Returns a median, and in brackets the least and the greatest."""
    low, middle, high = (f"{found[key]:,.{digits}f}" for key in ("min", "median", "max"))
    return f"{middle} ({low} to {high})"
