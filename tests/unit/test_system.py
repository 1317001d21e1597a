"""On Windows itself every way in ends with one sentence that says where to go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.assembly import ROOT

WAYS_IN = {
    "excamera": "from excamera.__main__ import main; main()",
    "mu": "from mu.__main__ import main; main()",
    "the CDK app": "exec(compile(open('app.py').read(), 'app.py', 'exec'))",
    "ExCamera": "exec(compile(open(PATH).read(), PATH, 'exec'), {'__file__': PATH})",
}
BACKEND = ROOT / "codec" / "native" / "cmake" / "build_backend.py"


def pretend(platform: str, code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that takes itself for one of another system."""
    script = f"import runpy, sys; sys.platform = {platform!r}; PATH = {str(BACKEND)!r}; {code}"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("what", WAYS_IN)
@pytest.mark.parametrize("platform", ["win32", "cygwin"])
def test_windows_gets_one_sentence(what: str, platform: str) -> None:
    """If this fails, a Windows user sees a traceback about a module that only POSIX has."""
    done = pretend(platform, WAYS_IN[what])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{what} runs on Linux, macOS and WSL, not on Windows itself: "
        "install WSL (`wsl --install`) and run it in there.\n"
    )


@pytest.mark.parametrize("what", ["excamera", "mu"])
def test_macos_is_let_in(what: str) -> None:
    """If this fails, a Mac's user is sent away."""
    done = pretend("darwin", f"sys.argv = ['{what}', '--help']; {WAYS_IN[what]}")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: {what}" in done.stdout


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_the_emulator_says_that_it_needs_linux(platform: str) -> None:
    """If this fails, `make cloud` on a Mac ends with an error about a library's format."""
    done = pretend(
        "linux",
        f"import emulator.excamera.__main__ as cloud; sys.platform = {platform!r}; "
        "sys.exit(cloud.main())",
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "on Linux or in WSL" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_pages_name_the_systems() -> None:
    """If this fails, a user learns only from an error where this runs."""
    for page in ("README.md", "docs/deploy.md"):
        assert "Linux, macOS or WSL" in Path(ROOT, page).read_text(), page
