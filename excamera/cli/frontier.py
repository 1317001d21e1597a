"""The ways to do a job, for people to choose from: a table, and a picture.

The picture is SVG of our own: a program that people install for their films should not bring a
library for figures along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10

from excamera.price.choices import Point

HEAD = ("", "s", "at most", "price", "MB", "bits", "[N,x]", "memory", "workers", "calls")
MARK = "*"

_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 20, 50
_STEPS = (
    (1,),
    (1, 2, 5),
    (1, 1.5, 2, 3, 4, 5, 7),
    (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9),
)
"""Where lines may be in a decade: the first of these that give enough of them."""
_ENOUGH = 3


def row(point: Point, *, chosen: bool) -> tuple[str, ...]:
    """A line of the table; its columns are those of `HEAD`."""
    choice = point.choice
    return (
        MARK if chosen else "",
        f"{point.seconds:,.0f}",
        f"{point.late_s:,.0f}",
        f"${point.usd:.4f}",
        f"{point.size / 1e6:,.1f}",
        f"{100 * point.more_bits:+.1f}%",
        f"[{choice.chunk_frames or 'N'},{choice.batch_chunks}]",
        f"{choice.memory_mb:,}",
        f"{point.workers:,}",
        f"{point.shares:,}",
    )


def picture(points: Sequence[Point], chosen: Point | None, title: str) -> str:
    """The points as SVG: seconds against dollars, both on logarithmic axes.

    Args:
        points: the fastest first.
        chosen: one of them, or None.
        title: of the picture.
    """
    x = _axis([one.late_s for one in points], _LEFT, _WIDTH - _RIGHT)
    y = _axis([one.usd for one in points], _HEIGHT - _BOTTOM, _TOP)
    places = [(x.place(one.late_s), y.place(one.usd)) for one in points]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        *(
            f'<path d="M{x.place(at):.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#ddd"/>'
            f'<text x="{x.place(at):.1f}" y="{_HEIGHT - _BOTTOM + 16}" '
            f'text-anchor="middle">{at:,.10g}</text>'
            for at in x.ticks
        ),
        *(
            f'<path d="M{_LEFT} {y.place(at):.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 6}" y="{y.place(at) + 4:.1f}" text-anchor="end">${at:,.10g}</text>'
            for at in y.ticks
        ),
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 12}" text-anchor="middle">'
        "seconds until the result, at most</text>",
        f'<text transform="translate(14 {(_TOP + _HEIGHT - _BOTTOM) / 2}) rotate(-90)" '
        'text-anchor="middle">dollars</text>',
        '<polyline fill="none" stroke="#1f77b4" points="'
        + " ".join(f"{left:.1f},{top:.1f}" for left, top in places)
        + '"/>',
    ]
    for point, (left, top) in zip(points, places, strict=True):
        weight = ""
        if point is chosen:
            parts.append(f'<circle cx="{left:.1f}" cy="{top:.1f}" r="8" fill="none" stroke="red"/>')
            weight = ' font-weight="bold"'
        label = f"{point.late_s:,.0f} s, ${point.usd:.4f}"
        parts.append(
            f'<circle cx="{left:.1f}" cy="{top:.1f}" r="4" fill="#1f77b4">'
            f"<title>{escape(f'{label}, {point.workers:,} workers')}</title></circle>"
        )
        # The curve falls: the place above a point on the right is free, and that below on the left.
        # Others show their label if one points at them, for near each other they would overlap.
        if point is points[-1] and len(points) > 1:
            at = f'x="{left:.1f}" y="{top + 20:.1f}" text-anchor="end"'
        elif point is points[0] or point is chosen:
            at = f'x="{left + 8:.1f}" y="{top - 8:.1f}"'
        else:
            continue
        parts.append(f"<text {at}{weight}>{escape(label)}</text>")
    return "\n".join([*parts, "</svg>", ""])


class _Axis:
    """A logarithmic axis.

    Attributes:
        ticks: values with a line and a label.
        place: where a value is, in pixels.
    """

    def __init__(self, ticks: list[float], place: Callable[[float], float]) -> None:
        self.ticks = ticks
        self.place = place


def _axis(values: Sequence[float], first: float, last: float) -> _Axis:
    """An axis from one pixel to another that has all values between its ends."""
    low, high = log10(min(values)) - 0.05, log10(max(values)) + 0.05
    decades = range(floor(low), ceil(high) + 1)
    ticks: list[float] = []
    for steps in _STEPS:
        found = (step * 10.0**decade for decade in decades for step in steps)
        ticks = [one for one in found if low <= log10(one) <= high]
        if len(ticks) >= _ENOUGH:
            break

    def place(value: float) -> float:
        return first + (log10(value) - low) / (high - low) * (last - first)

    return _Axis(ticks, place)
