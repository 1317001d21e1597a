"""Where the files are that layers and functions are made from, and where what is made is kept.

`stacks`, `layers`, `functions`, constraints.txt and the codec's sources lie in one folder: that of
a clone, or the one inside the installed package. `codec`, `mu` and `excamera` are where Python
imports them from, which in a clone is the same folder.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from functools import cache
from pathlib import Path

from layers.errors import LayerInputError

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"

Files = dict[str, Path]
"""Files by the names that digests know them by: paths from the folder that has all packages."""

_NATIVE_SUFFIXES = {".cc", ".h", ".txt", ".cmake"}


def _user_cache() -> Path:
    """The folder for what this user can make again, by the conventions of the platform."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if given.is_absolute():  # XDG's specification says to ignore other paths
        return given / "excamera"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "excamera"


def _work() -> Path:
    """The clone's own folder for builds; an installed package may be read-only."""
    return ROOT / "build" if (ROOT / "pyproject.toml").is_file() else _user_cache()


WORK = _work()
"""Where layers, the functions' code and what makes them are kept."""


def package_files(name: str, pattern: str = "**/*.py") -> Files:
    """Files of `codec`, `mu` or `excamera`, which need not be imported for that.

    Args:
        name: the package.
        pattern: of the files, from the package's folder.
    """
    found = importlib.util.find_spec(name)
    assert found is not None, f"{name} is not installed"
    assert found.origin is not None, f"{name} has no __init__.py"
    return _below(Path(found.origin).parent, name, pattern)


def project_files(name: str, pattern: str = "**/*.py") -> Files:
    """Files in a folder of the project, such as `functions`."""
    return _below(ROOT / name, name, pattern)


def _below(folder: Path, name: str, pattern: str) -> Files:
    paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    return {f"{name}/{path.relative_to(folder).as_posix()}": path for path in paths}


def codec_modules() -> Files:
    """The Python files of the codec."""
    return package_files("codec", "*.py")


def native_files() -> Files:
    """Sources, build description and toolchain of the native codec."""
    found = project_files("codec/native", "**/*")
    return {name: path for name, path in found.items() if path.suffix in _NATIVE_SUFFIXES}


def own_files() -> Files:
    """The code that builds layers: a change to it may change every layer."""
    found = project_files("layers", "*")
    own = {name: path for name, path in found.items() if path.suffix in (".py", ".mjs")}
    return own | package_files("mu", "packages/platforms.py")


def content(files: Files) -> bytes:
    """Names, lengths and contents of files, for a digest."""
    parts = []
    for name, path in files.items():
        data = path.read_bytes()
        parts.append(f"{name} {len(data)}\n".encode() + data)
    return b"".join(parts)


def pinned(name: str) -> str:
    """The version of a package in constraints.txt.

    Raises:
        LayerInputError: the package has no line there.
    """
    try:
        return _pins()[_normal(name)]
    except KeyError:
        raise LayerInputError(f"constraints.txt has no line {name}==<version>: add one") from None


@cache
def _pins() -> dict[str, str]:
    pins = re.findall(r"^([\w.-]+)==([^\s;#]+)", CONSTRAINTS.read_text(), re.MULTILINE)
    return {_normal(name): version for name, version in pins}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
