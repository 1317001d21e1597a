"""The files that layers are made from."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from layers.errors import LayerInputError

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"

_NATIVE_SUFFIXES = {".cc", ".h", ".txt", ".cmake"}


def codec_modules() -> list[Path]:
    """The Python files of the codec."""
    return sorted((ROOT / "codec").glob("*.py"))


def native_files() -> list[Path]:
    """Sources, build description and toolchain of the native codec."""
    native = ROOT / "codec" / "native"
    return sorted(
        path for path in native.rglob("*") if path.is_file() and path.suffix in _NATIVE_SUFFIXES
    )


def own_files() -> list[Path]:
    """The code that builds layers: a change to it may change every layer."""
    own = [path for path in (ROOT / "layers").iterdir() if path.suffix in (".py", ".mjs")]
    return [*sorted(own), ROOT / "mu" / "packages" / "platforms.py"]


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
