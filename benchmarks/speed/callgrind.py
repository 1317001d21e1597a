"""Reads callgrind's output: instructions by object, function and the source file of each line.

Lines that the compiler inlined count for the file they were written in, not for the function
they ended up in; lines of headers outside the project count for the file of that function.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_NAME = re.compile(r"(ob|fl|fi|fe|fn)=\((\d+)\)(?: (.*))?")
_COST = re.compile(r"[+\-*\d]\S* (\d+)")


@dataclass(frozen=True)
class Place:
    """Where instructions were executed.

    Attributes:
        binary: the executable or library.
        function: its function.
        home: source file of the function.
        file: source file of the lines.
    """

    binary: str
    function: str
    home: str
    file: str


def instructions(lines: Iterable[str]) -> Counter[Place]:
    """Instructions by place, each where it was executed (callees not included).

    Args:
        lines: of a file that callgrind wrote, with positions of lines alone.
    """
    names: dict[tuple[str, str], str] = {}
    now = {"ob": "", "fl": "", "fi": "", "fn": ""}
    found: Counter[Place] = Counter()
    is_call = False
    for line in lines:
        if line.startswith("calls="):
            is_call = True
            continue
        name = _NAME.match(line) or _NAME.match(line.removeprefix("c"))
        if name is not None:
            kind, number, text = name[1], name[2], name[3]
            table = "file" if kind in ("fl", "fi", "fe") else kind
            if text is not None:
                names[table, number] = text
            if line.startswith("c"):
                continue
            value = names.get((table, number), "")
            if kind == "fl":
                now["fl"] = now["fi"] = value
            else:
                now["fi" if kind == "fe" else kind] = value
                if kind == "fn":
                    now["fi"] = now["fl"]
            continue
        cost = _COST.match(line)
        if cost is None:
            continue
        if is_call:
            # The line after calls= is what the callee took.
            is_call = False
            continue
        found[Place(now["ob"], now["fn"], now["fl"], now["fi"])] += int(cost[1])
    return found
