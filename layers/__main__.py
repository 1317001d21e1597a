"""`python -m layers` builds the layers and prints their paths and sizes."""

from __future__ import annotations

import argparse
import sys
import time

import layers


def main() -> int:
    """Build all layers; returns 1 if that was not possible."""
    parser = argparse.ArgumentParser(prog="python -m layers", description=__doc__)
    parser.add_argument("--architecture", default="arm64", help="arm64 (the default) or x86_64")
    parser.add_argument("--python", default="3.14", help="Lambda's Python (default: 3.14)")
    options = parser.parse_args()
    total = 0
    for kind in layers.ALL:
        start = time.monotonic()
        try:
            path = layers.build(kind, architecture=options.architecture, python=options.python)
        except layers.LayerBuildError as error:
            print(f"{kind}: {error}", file=sys.stderr)
            return 1
        took_s = time.monotonic() - start
        size = layers.size_bytes(path)
        total += size
        print(f"{kind.name:<11}{size / 1e6:8.1f} MB  {took_s:7.2f} s  {path}")
    print(f"{'together':<11}{total / 1e6:8.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
