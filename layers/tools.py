"""Runs the tools that are installed beside the Python of the build."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib import metadata

from layers.errors import CommandFailed, ToolMissing
from layers.repository import CONSTRAINTS, WORK, pinned

_SHOWN_LINES = 12

# Settings for other builds, which CMake and compilers would take from the environment.
_FOREIGN = (
    "CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CMAKE_GENERATOR",
    "CMAKE_TOOLCHAIN_FILE", "CMAKE_BUILD_TYPE", "DESTDIR",
)  # fmt: skip


def require(*packages: str) -> None:
    """Check that packages are installed here in the pinned versions.

    Raises:
        ToolMissing: one is not; another version could produce other bytes.
    """
    wanted = {package: pinned(package) for package in packages}
    wrong = [package for package in packages if _installed(package) != wanted[package]]
    if wrong:
        raise ToolMissing(
            f"building layers needs {', '.join(f'{name} {wanted[name]}' for name in wrong)} beside "
            f"{sys.executable}: {sys.executable} -m pip install -c {CONSTRAINTS} "
            f"{' '.join(wrong)}"
        )


def require_pip() -> None:
    """Check that there is pip, in any version: some tools make environments without it.

    Raises:
        ToolMissing: there is none.
    """
    if importlib.util.find_spec("pip") is None:
        raise ToolMissing(
            f"building layers needs pip beside {sys.executable}, which gets the functions' "
            f"packages: {sys.executable} -m ensurepip, or `uv pip install pip`"
        )


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def script(name: str) -> str:
    """The path of a program that a package installed beside this Python.

    Raises:
        ToolMissing: there is no such program.
    """
    found = shutil.which(name, path=sysconfig.get_path("scripts"))
    if not found:
        raise ToolMissing(
            f"building layers needs {name} beside {sys.executable}: "
            f"{sys.executable} -m pip install -c {CONSTRAINTS} {name}"
        )
    return found


def run(
    command: Sequence[str], what_to_do: str, *, timeout_s: float | None = None, **environment: str
) -> None:
    """Run a tool; its output is shown only if it fails.

    Args:
        command: program and arguments.
        what_to_do: advice for the reader of the error.
        timeout_s: after how many seconds it is ended; None if never.
        environment: variables besides those of this process.

    Raises:
        CommandFailed: the tool failed.
    """
    try:
        done = subprocess.run(
            command,
            env=_environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{what_to_do} it took more than {timeout_s:.0f} s") from error
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()][-_SHOWN_LINES:]
        raise CommandFailed("\n  ".join([what_to_do, *lines]))


def _environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    if not environment.get("HOME"):  # zig keeps its built C library there
        environment.setdefault("ZIG_GLOBAL_CACHE_DIR", str(WORK / "zig-cache"))
    return environment
