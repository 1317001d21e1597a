"""Whether the disks have room for a job, as soon as its film is known."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from excamera.errors import DiskFull
from excamera.job.options import EncodeOptions
from excamera.media.words import sized
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.size import result_bytes

_COPIES = 2
"""Of the result in the job's folder: its batches, and the whole."""

_LEAST = 1 / 20
"""A film may have so much fewer bits than is expected of its kind: pictures that hardly move."""


def check_room(film: Film, options: EncodeOptions, room: Mapping[str, Any]) -> str:
    """Compare what a job needs with what is free.

    The result is expected to be as large as the model of prices says, or as the source if that is
    smaller.

    Args:
        film: what is encoded.
        options: its options.
        room: `work`, the folder of the job's objects, and `there`, bytes of those that it has;
            `output`, the folder of the output, or None if it takes no disk; `source_bytes`; and
            `named` and `advice`, what to call the first and what to do if its disk is full.

    Returns:
        What to tell the user if there may be too little; else "".

    Raises:
        DiskFull: there is too little even for a film of very few bits.
    """
    expected = min(result_bytes(film, options, Pace()), room["source_bytes"])
    needs = {room["work"]: max(0, _COPIES * expected - room["there"])}
    if room["output"] is not None:
        shared = _on_one_disk(room["work"], room["output"])
        place = room["work"] if shared else room["output"]
        needs[place] = needs.get(place, 0) + expected
    for place, needed in needs.items():
        free = shutil.disk_usage(place).free
        if free >= needed:
            continue
        of_work = place == room["work"]
        text = (
            f"{room['named'] if of_work else place}: {sized(free)} are free, and the encode "
            f"is expected to need {sized(needed)} there"
        )
        advice = room["advice"] if of_work else "choose another folder for the output"
        # What is there already says nothing of how wrong the rest may be.
        if free < _LEAST * needed:
            raise DiskFull(f"{text}: make room, or {advice}")
        return f"{text}; if the disk is full, make room, or {advice}"
    return ""


def bytes_in(folder: Path) -> int:
    """How much the files in a folder take on the disk."""
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(inner, name).lstat().st_blocks * 512
    return total


def _on_one_disk(a: str, b: str) -> bool:
    return Path(a).stat().st_dev == Path(b).stat().st_dev
