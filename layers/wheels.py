"""Layers of packages: wheels for the target, unpacked without files that no function reads."""

from __future__ import annotations

import re
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from layers import tools
from layers.elf import strip
from layers.errors import LayerInputError
from layers.repository import pinned
from layers.target import Target

_DROPPED_FOLDERS = {
    "tests", "f2py", "include", "pkgconfig", "npy-pkg-config", "sboms",
    "_examples", "_pyinstaller", "__pycache__",
}  # fmt: skip
_DROPPED_SUFFIXES = {
    ".a", ".c", ".h", ".hpp", ".pxd", ".pxi", ".pyc", ".pyi", ".pyx", ".rst",
}  # fmt: skip
_DROPPED_NAMES = {"RECORD", "entry_points.txt", "top_level.txt", "conftest.py", "py.typed"}
# Extension modules that only numpy's tests import.
_TEST_EXTENSION = re.compile(r"numpy/_core/_(simd|\w+_tests)\.")

# Parts of Powertools that no function imports, and the web page that the API does not serve.
_UNUSED = re.compile(
    r"aws_lambda_powertools/"
    r"(utilities/(?!(data_classes|jmespath_utils|metadata|typing)/)\w+/"
    r"|event_handler/openapi/swagger_ui/.*\.(js|css)$)"
)


def make_from_wheels(packages: Sequence[str], target: Target, out: Path) -> None:
    """Write packages for a target into `out`, the root of a layer.

    Args:
        packages: all packages; dependencies that are not named are left out.
        target: target of the wheels.
        out: folder for `python/`.

    Raises:
        ToolMissing: this Python has no pip.
        CommandFailed: pip cannot get a wheel.
    """
    tools.require_pip()
    with tempfile.TemporaryDirectory(prefix=f"{out.name}-", dir=out.parent) as folder:
        _download(packages, target, Path(folder))
        for wheel in sorted(Path(folder).glob("*.whl")):
            _unpack(wheel, out / "python")


def _download(packages: Sequence[str], target: Target, folder: Path) -> None:
    requirements = [f"{name}=={pinned(name)}" for name in packages]
    platforms = [option for tag in target.platforms for option in ("--platform", tag)]
    tools.run(
        [
            # Quiet twice: only errors, and no warning about the machine's own settings.
            sys.executable, "-m", "pip", "download", "-qq", "--no-input",
            "--disable-pip-version-check", "--progress-bar", "off",
            "--no-deps", "--only-binary=:all:", "--implementation", "cp",
            "--python-version", target.python, *platforms,
            "--dest", str(folder), *requirements,
        ],
        f"pip cannot get {', '.join(requirements)} for {target.machine} and Python "
        f"{target.python}: check that an index is reachable and has such wheels; its last lines:",
    )  # fmt: skip


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.is_dir() or not is_needed(member.filename):
                continue
            path = folder / member.filename
            if not path.resolve().is_relative_to(folder.resolve()):
                raise LayerInputError(f"{wheel.name} has a file outside itself: {member.filename}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(strip(archive.read(member)))


def is_needed(name: str) -> bool:
    """Return whether a layer keeps a file of a wheel.

    Args:
        name: the file's path in the wheel.
    """
    path = PurePosixPath(name)
    top = path.parts[0]
    if top.endswith(".dist-info") and "licenses" in path.parts:
        return True
    return not (
        top.endswith((".data", "-stubs"))
        or _DROPPED_FOLDERS.intersection(path.parts[:-1])
        or path.suffix in _DROPPED_SUFFIXES
        or path.name in _DROPPED_NAMES
        or _TEST_EXTENSION.match(name)
        or _UNUSED.match(name)
    )
