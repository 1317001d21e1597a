"""The targets for the codec's speed, and whether it reaches them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Tree = Mapping[str, Any]

FIRST_FRAME_MS = 200.0
REBASE_SHARE = 0.5
TWO_THREADS = 1.8
WORKER_MIB = 1024.0
BATCH_S = 2.5
BATCH_S_MODELLED = round(BATCH_S / 3, 2)
COMMAND_SHARE = 0.7


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured.

    Attributes:
        target: in words.
        measured: the worst value, if the target covers many sizes and rates.
        wanted: the bound.
        at_least: whether more is better; otherwise less is.
        unit: printed after both figures.
        where: the size, and the rate or clip, of the worst value.
    """

    target: str
    measured: float | None
    wanted: float
    at_least: bool
    unit: str
    where: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None if nothing was measured."""
        if self.measured is None:
            return None
        if self.at_least:
            return self.measured >= self.wanted
        return self.measured <= self.wanted

    @property
    def words(self) -> str:
        """Whether it was met, or by how much it was missed."""
        if self.measured is None:
            return "not measured"
        if self.met:
            return "met"
        short = self.wanted / self.measured if self.at_least else self.measured / self.wanted
        return f"missed: {short:.2f} times {'too little' if self.at_least else 'too much'}"


def _each(section: Tree) -> Iterator[tuple[str, Tree]]:
    for size, rates in section.get("sizes", {}).items():
        for rate, row in rates.items():
            yield f"{size}, {rate} rate", row


def _worst(section: Tree, value: Callable[[Tree], float | None]) -> tuple[float | None, str]:
    found = [
        (measured, where) for where, row in _each(section) if (measured := value(row)) is not None
    ]
    return min(found) if found else (None, "")


def _greatest(found: Iterable[tuple[float, str]]) -> tuple[float | None, str]:
    return max(found, default=(None, ""))


def _ratio_to(name: str) -> Callable[[Tree], float | None]:
    return lambda row: row["ratios"][name]["median"] if name in row["ratios"] else None


def verdicts(result: Tree) -> list[Verdict]:
    """Returns all targets, in the order of the page's sections."""
    found = []
    for name in ("vpxdec", "PyAV's libvpx"):
        measured, where = _worst(result.get("decode", {}), _ratio_to(name))
        found.append(
            Verdict(
                f"decode against {name}, every size and rate (aim: 1.20 times)",
                *(measured, 1.0, True, " times", where),
            )
        )
    measured, where = _worst(result.get("rebase", {}), lambda row: row["ratio"]["median"])
    found.append(
        Verdict(
            "rebase against our decode, every size and rate",
            *(measured, REBASE_SHARE, True, " times", where),
        )
    )
    first = result.get("first_frame", {}).get("found")
    found.append(
        Verdict(
            "re-encoding a first frame at 1920x1072, default effort, one thread",
            first["cpu_ms"]["median"] if first else None,
            *(FIRST_FRAME_MS, False, " ms"),
        )
    )
    measured, where = _worst(result.get("encode", {}), lambda row: row["ratio"]["median"])
    found.append(
        Verdict(
            "encode-given-state against libvpx `good`, cpu-used 0, per frame, every size and rate",
            *(measured, 1.0, True, " times", where),
        )
    )
    sizes = result.get("threads", {}).get("found", {}).get("sizes", {})
    two = sizes.get("1080p", {}).get("operations", {}).get("rebase", {}).get("2")
    found.append(
        Verdict(
            "rebase at 1080p, two threads against one",
            two["speedup"]["median"] if two else None,
            *(TWO_THREADS, True, " times"),
        )
    )
    worker = result.get("memory", {}).get("sizes", {}).get("2160p")
    found.append(
        Verdict(
            "worker that rebases a batch at 2160p, peak memory",
            worker["peak_mib"]["max"] if worker else None,
            *(WORKER_MIB, False, " MiB"),
        )
    )
    return [*found, *_of_batches(result), _of_commands(result)]


def _of_batches(result: Tree) -> Iterator[Verdict]:
    sizes = result.get("batch", {}).get("found", {}).get("sizes", {})
    serial = {
        clip: row["stages"]["anchors and join"] for clip, row in sizes.get("2160p", {}).items()
    }
    measured, where = _greatest(
        (stage["wall_s"]["2"]["median"], clip) for clip, stage in serial.items()
    )
    name = "anchors (N=12) and join of a batch of 96 frames at 2160p"
    yield Verdict(f"{name} on two threads, on the clock", measured, *(BATCH_S, False, " s", where))
    measured, where = _greatest((stage["modelled_s"]["6"], clip) for clip, stage in serial.items())
    yield Verdict(
        "the same on six threads, modelled", measured, *(BATCH_S_MODELLED, False, " s", where)
    )


def _of_commands(result: Tree) -> Verdict:
    measured, where = _greatest(
        (row["wall_share"]["median"], f"{size}, {clip}")
        for size, clips in result.get("command", {}).get("sizes", {}).items()
        for clip, row in clips.items()
    )
    return Verdict(
        "`excamera encode` against libvpx as `ffmpeg` runs it, on the clock, every size and clip",
        *(measured, COMMAND_SHARE, False, " times", where),
    )
