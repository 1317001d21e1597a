"""Draws bits against finishing time, from what the other benchmarks found.

    python -m benchmarks.quality.figure

Writes docs/figures/bits-and-time.svg.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.common.circumstances import RESULTS, ROOT
from benchmarks.quality.finishing import (
    FIGURE,
    MEASURED,
    MODELLED,
    PUBLISHED,
    Point,
    our_points,
    published,
)

_STYLES = {
    PUBLISHED: ("o", "tab:gray"),
    MEASURED: ("s", "tab:blue"),
    MODELLED: ("^", "tab:green"),
}
"""Marker and colour by kind."""


def draw(points: Iterable[Point], path: Path) -> None:
    """Draws the figure as SVG; equal points give equal bytes."""
    mpl.rcParams["svg.hashsalt"] = "excamera"
    figure = Figure(figsize=(9, 5))
    axes = figure.subplots()
    before: list[Point] = []
    for point in points:
        # Labels of points that are close to each other stand below each other.
        below = sum(_close(point, other) for other in before)
        before.append(point)
        marker, colour = _STYLES[point.kind]
        place = (point.seconds, 100 * point.extra)
        axes.scatter(*place, marker=marker, color=colour)
        axes.annotate(
            point.name,
            place,
            (6, 4 - 10 * below),
            textcoords="offset points",
            fontsize=8,
            color=colour,
        )
    for kind, (marker, colour) in _STYLES.items():
        axes.scatter([], [], marker=marker, color=colour, label=kind)
    axes.set_xscale("log")
    axes.margins(y=0.12)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xlabel("seconds until the film is encoded, with a worker for each chunk")
    axes.set_ylabel("bits at equal SSIM against the best\nsingle-threaded encoder, %")
    axes.legend(loc="upper right", frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def _close(one: Point, other: Point) -> bool:
    return abs(math.log10(one.seconds / other.seconds)) < 0.3 and abs(one.extra - other.extra) < 0.1


def main() -> None:
    """Draws the figure from the kept results."""
    quality, speed = (
        json.loads((RESULTS / f"{name}.json").read_text()) for name in ("rate-distortion", "speed")
    )
    draw([*our_points(quality, speed), *published()], ROOT / "docs" / FIGURE)
    print(f"docs/{FIGURE} is drawn")


if __name__ == "__main__":
    main()
