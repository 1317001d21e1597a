"""The page's section on where the time goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.common.markdown import paragraph, table

Tree = Mapping[str, Any]


def profile(found: Tree) -> str:
    """Tables of instructions and of their shares."""
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
                f"""Instructions that callgrind ({found["valgrind"]}) counted within the operation,
                one thread, instruction set {found["simd"]}, on {source["file"]} at
                {source["width"]}x{source["height"]}; the interpreter's own are left out. Every
                line of the sources counts for the stage of the file it was written in, also where
                it was inlined elsewhere; the library is the installed one's sources with the same
                optimisation and line tables, assembled without one encoding that valgrind does not
                know. Shares of instructions are not quite shares of time: page faults and cache
                misses are not in them."""
            ),
            "All instructions, which are "
            + ("the same in every run:" if same else "nearly the same in every run:"),
            table(
                [
                    *("operation", "frames"),
                    *(f"run {number}" for number in range(1, runs + 1)),
                    "million a frame",
                ],
                counts,
            ),
            "Functions with the most:",
            "\n".join(largest),
        ]
    )


def _share(row: Tree, stage: str) -> float:
    return float(row["stages"].get(stage, 0) / sum(row["stages"].values()))
