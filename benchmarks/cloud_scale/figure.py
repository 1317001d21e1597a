"""Draws time and dollars against workers, film length and resolution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.cloud_scale.jobs import MINUTES, RESOLUTIONS

FIGURE = "figures/cloud-scale.svg"
"""Below docs/."""

PUBLISHED = {"workers": 3552, "seconds": 156.6, "dollars": 5.36}
"""The published system: 888 s of 4K, ExCamera[6,16]."""

_COLOURS = ("tab:blue", "tab:green", "tab:orange", "tab:red")
_MARKERS = {"seconds": "seconds until the result", "dollars": "US dollars"}


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws the figure as SVG; equal rows give equal bytes."""
    mpl.rcParams["svg.hashsalt"] = "excamera"
    figure = Figure(figsize=(11, 6.5))
    axes = figure.subplots(2, len(RESOLUTIONS), sharex=True, sharey="row")
    for column, resolution in enumerate(RESOLUTIONS):
        for row, (what, label) in enumerate(_MARKERS.items()):
            place = axes[row][column]
            for minutes, colour in zip(MINUTES, _COLOURS, strict=True):
                points = [
                    one for one in rows
                    if (one["resolution"], one["minutes"]) == (resolution, minutes)
                ]  # fmt: skip
                place.plot(
                    [one["quota"] for one in points], [one[what] for one in points],
                    marker="o", markersize=3, color=colour, label=f"{minutes} min",
                )  # fmt: skip
            if resolution == "4K":
                place.plot(
                    PUBLISHED["workers"], PUBLISHED[what], marker="*", markersize=10,
                    linestyle="", color="black", label="published, 14.8 min",
                )  # fmt: skip
                place.axhline(PUBLISHED[what], color="black", linewidth=0.5, linestyle=":")
            place.set_xscale("log")
            place.set_yscale("log")
            place.grid(visible=True, linewidth=0.3)
            if row == 0:
                place.set_title(resolution)
            else:
                place.set_xlabel("functions that the account runs at once")
            if column == 0:
                place.set_ylabel(label)
    axes[0][1].legend(fontsize=8, frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
