"""`python -m layers.prebuilt FOLDER` writes the codec's libraries that a released package has."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from layers.errors import LayerBuildError
from layers.native import library
from layers.target import linux
from mu.packages.platforms import MACHINES


def write(folder: Path, machines: Iterable[str]) -> None:
    """Write the libraries for some of Lambda's machines, which are compiled if need be.

    Args:
        folder: where; it is made, and emptied of other libraries.
        machines: processors, as Linux names them.

    Raises:
        LayerBuildError: a library cannot be compiled; the message says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.so"):
        old.unlink()
    for machine in machines:
        made = library(linux(machine))
        shutil.copyfile(made, folder / made.name)


def main() -> int:
    """Write them; returns 1 if that was not possible."""
    parser = argparse.ArgumentParser(prog="python -m layers.prebuilt", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    try:
        write(folder, MACHINES.values())
    except LayerBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
