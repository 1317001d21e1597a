"""`python -m layers.release WHEEL FOLDER` writes the wheels of a release, one for each platform.

They differ in one file: the codec's library for the machine itself. It is cross-compiled, so all
are made on one machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from layers import tools
from layers.errors import LayerBuildError, LayerInputError
from layers.native import LIBRARY, library
from layers.target import linux

PLATFORMS: Mapping[str, str] = {
    "manylinux_2_28_x86_64": linux("x86_64"),
    "manylinux_2_28_aarch64": linux("aarch64"),
    "musllinux_1_2_x86_64": "x86_64-linux-musl",
    "musllinux_1_2_aarch64": "aarch64-linux-musl",
    "macosx_11_0_x86_64": "x86_64-macos.11.0",
    "macosx_14_0_arm64": "aarch64-macos.14.0",
}
"""Targets of the codec's library by the platform tag of their wheel: the platforms for which PyAV
has wheels, but Windows."""


def write(wheel: Path, folder: Path, platforms: Mapping[str, str] = PLATFORMS) -> list[Path]:
    """Write a wheel for each platform.

    Args:
        wheel: for any platform; all but its library is taken over.
        folder: for the wheels.
        platforms: see `PLATFORMS`.

    Raises:
        LayerBuildError: there is no such wheel, or the library cannot be compiled.
    """
    if not wheel.is_file():
        raise LayerInputError(f"{wheel}: no such file; `make wheel` writes it")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        unpacked = Path(scratch, "unpacked")
        _wheel("unpack", wheel, "--dest", unpacked)
        [root] = unpacked.iterdir()
        return [
            _write_one(root, platform, target, folder, Path(scratch, platform))
            for platform, target in platforms.items()
        ]


def _write_one(root: Path, platform: str, target: str, folder: Path, scratch: Path) -> Path:
    shutil.copyfile(library(target), root / "codec" / "_native" / LIBRARY)
    scratch.mkdir()
    _wheel("pack", root, "--dest-dir", scratch)
    [packed] = scratch.iterdir()
    _wheel("tags", "--remove", f"--platform-tag={platform}", packed)
    [tagged] = scratch.iterdir()
    return tagged.replace(folder / tagged.name)


def _wheel(*arguments: str | Path) -> None:
    """Run the command of the package `wheel`, which keeps a wheel's list of files right."""
    tools.require("wheel")
    tools.run(
        [sys.executable, "-m", "wheel", *map(str, arguments)],
        f"wheel {arguments[0]} failed; its last lines:",
    )


def main() -> int:
    """Write them; returns 1 if that was not possible."""
    parser = argparse.ArgumentParser(prog="python -m layers.release", description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    try:
        for made in write(arguments.wheel, arguments.folder):
            print(made)
    except LayerBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
