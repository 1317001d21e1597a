"""Bits against finishing time: our shapes at 2160p beside the published system's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

from benchmarks.common.markdown import paragraph, table
from benchmarks.quality import ours
from benchmarks.quality.curves import SSIM, best_peer, difference

FIGURE = "figures/bits-and-time.svg"
"""Below docs/."""

SIZE = "2160p"
FRAMES = 96

PUBLISHED, MEASURED, MODELLED = "published", "measured", "modelled"

_SINGLE_MBIT_S = 22.0
_PUBLISHED = {
    "[6,16]": (156.6, 27.4),
    "[6,1]": (28.8, 43.2),
    "[24,1]": (123.0, 25.0),
    "vpxenc, many threads": (8952.0, 27.2),
    "vpxenc, one thread": (27193.0, _SINGLE_MBIT_S),
}
"""Seconds and Mbit/s at equal SSIM for 15 minutes of 4K film, from the paper; with the start of the
workers and the transfers."""


@dataclass(frozen=True)
class Point:
    """One way to encode, for the figure.

    Attributes:
        name: the shape, and the number of threads where a stage uses some.
        kind: "published", "measured" or "modelled".
        seconds: until everything is done, if there is a worker for every chunk.
        extra: bits at equal SSIM beyond those of the best single-threaded encoder, as a fraction.
    """

    name: str
    kind: str
    seconds: float
    extra: float


def published() -> Iterator[Point]:
    """The paper's points; its single-threaded encoder is the best it has."""
    for name, (seconds, mbit_s) in _PUBLISHED.items():
        yield Point(name, PUBLISHED, seconds, mbit_s / _SINGLE_MBIT_S - 1)


def our_points(quality: Mapping[str, Any], speed: Mapping[str, Any]) -> Iterator[Point]:
    """Ours, as far as the stages are measured.

    Args:
        quality: the results of `benchmarks.quality.rate_distortion`.
        speed: those of `benchmarks.speed`.
    """
    extra = {shape: _extra(quality, shape) for shape in ours.SHAPES}
    if "batch" in speed:
        batches = list(speed["batch"]["found"]["sizes"][SIZE].values())
        for threads in ("1", "2", "6"):
            kind = MEASURED if threads in batches[0]["stages"]["anchors"]["wall_s"] else MODELLED
            seconds = mean(_anchored(row["stages"], threads) for row in batches)
            yield Point(f"anchors, {_threads(threads)}", kind, seconds, extra[ours.ANCHORS])
    frame_s = _libvpx_frame(speed)
    for shape, frames in ((ours.ALONE, 6), (ours.LONG_ALONE, 24)):
        yield Point(shape.removeprefix("ExCamera"), MEASURED, frames * frame_s, extra[shape])
    rebased = 6 * frame_s + (FRAMES - 6) * _rebase_frame(speed)
    yield Point("[6,16], 1 thread", MEASURED, rebased, extra[ours.REBASED])


def _threads(count: str) -> str:
    return f"{count} thread" if count == "1" else f"{count} threads"


def _extra(quality: Mapping[str, Any], shape: str) -> float:
    found = []
    for clip in quality["clips"].values():
        curves = clip["curves"]
        found.append(difference(curves, shape, best_peer(curves, SSIM), SSIM))
    return mean(found)


def _anchored(stages: Mapping[str, Any], threads: str) -> float:
    """Seconds of a batch: its anchors, one chunk beside all others, and the join."""
    anchors = stages["anchors"]
    measured = anchors["wall_s"].get(threads)
    ahead = measured["median"] if measured else anchors["modelled_s"][threads]
    alone = (stages[stage]["wall_s"]["1"]["median"] for stage in ("chunk", "join"))
    return float(ahead + sum(alone))


def _mean(values: Iterable[float]) -> float:
    return float(mean(values))


def _libvpx_frame(speed: Mapping[str, Any]) -> float:
    rows = speed["encode"]["sizes"][SIZE].values()
    return _mean(1 / row["contenders"]["libvpx"]["fps"] for row in rows)


def _rebase_frame(speed: Mapping[str, Any]) -> float:
    rows = speed["rebase"]["sizes"][SIZE].values()
    return _mean(1 / row["rebase"]["fps"] for row in rows)


def section(quality: Mapping[str, Any], speed: Mapping[str, Any]) -> str:
    """The points as a section of the page."""
    rows = [
        [point.name, point.kind, f"{point.seconds:.1f}", f"{100 * point.extra:+.0f}%"]
        for point in (*our_points(quality, speed), *published())
    ]
    text = paragraph(
        f"Seconds until a film at {SIZE} is encoded, however long it is, if every chunk has a"
        f" worker of its own; and bits at equal luma SSIM against the best single-threaded"
        f" encoder. Ours are the stages of a batch of {FRAMES} frames as docs/benchmarks.md has"
        f" them, without the start of workers and without transfers, and the mean bits over the"
        f" clips above. The published ones are whole jobs: 15 minutes of 4K on thousands of"
        f" workers, of which start and transfers were some 4 s."
    )
    image = f"![Bits against finishing time]({FIGURE})"
    return "\n\n".join(
        ["## Bits against finishing time", text, image, table(["shape", "", "s", "bits"], rows)]
    )
