"""`python -m layers.prebuilt FOLDER` writes the codec's libraries that a released package has."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from layers.builder import build
from layers.catalogue import CODEC
from layers.errors import LayerBuildError
from layers.native import LIBRARY, library_name
from layers.target import Target
from mu.packages.platforms import MACHINES


def write(folder: Path, targets: Iterable[Target]) -> None:
    """Write the libraries for some targets, taken out of their layers, which are built if need be.

    Args:
        folder: where; it is made, and emptied of other libraries.
        targets: one for each architecture. A library does not depend on the version of Python.

    Raises:
        LayerBuildError: a layer cannot be built; the message says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.so"):
        old.unlink()
    for target in targets:
        layer = build(CODEC, architecture=target.architecture, python=target.python)
        library = layer / "python" / "codec" / "_native" / LIBRARY
        shutil.copyfile(library, folder / library_name(target))


def main() -> int:
    """Write them; returns 1 if that was not possible."""
    parser = argparse.ArgumentParser(prog="python -m layers.prebuilt", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    try:
        write(folder, [Target(architecture, "3.14") for architecture in MACHINES])
    except LayerBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
