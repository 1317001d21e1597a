"""The page's section on where the time goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.common.markdown import paragraph, table

Tree = Mapping[str, Any]


def profile(found: Tree) -> str:
    """Returns tables of instructions and of their shares."""
    if "missing" in found:
        return f"## Where the time goes\n\nNot measured: {found['missing']}."
    columns = {
        f"{operation}, {rate}": row
        for operation in next(iter(found["rates"].values()))["operations"]
        for rate, rates in found["rates"].items()
        for row in (rates["operations"][operation],)
    }
    names = {stage for row in columns.values() for stage in row["stages"]}
    greatest = {
        stage: max(_share(row, stage) for row in columns.values()) for stage in sorted(names)
    }
    stages = [
        [stage, *(f"{_share(row, stage):.1%}" for row in columns.values())]
        for stage in sorted(greatest, key=greatest.__getitem__, reverse=True)
        if greatest[stage] >= 0.0005
    ]
    counts = [
        [
            name,
            str(row["frames"]),
            *(f"{count:,}" for count in row["instructions"]),
            f"{row['instructions'][0] / row['frames'] / 1e6:,.1f}",
        ]
        for name, row in columns.items()
    ]
    runs = len(next(iter(columns.values()))["instructions"])
    same = all(len(set(row["instructions"])) == 1 for row in columns.values())
    largest = [
        f"- {name}: "
        + ", ".join(
            f"`{one['function']}` {one['instructions'] / row['instructions'][-1]:.1%}"
            for one in row["largest"]
        )
        for name, row in columns.items()
    ]
    source = found["source"]
    return "\n\n".join(
        [
            "## Where the time goes",
            table(["share of instructions", *columns], stages),
            paragraph(
                f"""Callgrind ({found["valgrind"]}) counted instructions within the operation, with
                one thread and instruction set {found["simd"]}, on {source["file"]} at
                {source["width"]}x{source["height"]}; the interpreter's own are left out. Every
                source line counts for the stage of the file it was written in, even if it was
                inlined elsewhere. The library has the sources and the optimisation of the
                installed one, plus line tables, and is assembled without one encoding that
                valgrind does not know. Shares of instructions are not quite shares of time: they
                leave out page faults and cache misses."""
            ),
            "The total is "
            + ("the same in every run:" if same else "nearly the same in every run:"),
            table(
                [
                    *("operation", "frames"),
                    *(f"run {number}" for number in range(1, runs + 1)),
                    "million a frame",
                ],
                counts,
            ),
            "The functions with the most instructions:",
            "\n".join(largest),
        ]
    )


def _share(row: Tree, stage: str) -> float:
    return float(row["stages"].get(stage, 0) / sum(row["stages"].values()))
