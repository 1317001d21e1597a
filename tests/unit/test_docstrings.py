"""Every test says what would be broken if it failed."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
FILES = sorted(TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_says_what_it_is_for(path):
    """A failing test would leave its reader to guess what is broken."""
    module = ast.parse(path.read_text())
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    silent = [
        function.name
        for function in functions
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert ast.get_docstring(module)
    assert not silent
