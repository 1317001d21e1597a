"""Which stage of the codec a source file belongs to: the files follow the chapters of RFC 6386."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

from benchmarks.speed.callgrind import Place

OTHER = "other"
MEMORY = "memory: allocating, copying, filling"

# The first pattern that is found in "<file> <function>" decides. Kernels are told by the names
# of their files, and where one file holds several, by their functions.
READING = "reading: boolean decoder, tokens"
WRITING = "writing: boolean encoder, tokens, probabilities"
DECISIONS = "decisions by rate and distortion"
PATTERNS = (
    (r"^(bool_decoder|frame_reader)\.|^tokens\..* .*read", READING),
    (
        r"^(bool_encoder|tokens|serialize_frame|coded_blocks|entropy_update|frame_writer)\.",
        WRITING,
    ),
    (r"^(frame_header|macroblock|motion_vectors|trees)\.", "headers, modes and motion vectors"),
    (r"filter_search|filter_rows|loop_?filter", "loop filter"),
    (r"dequanti[sz]e|inverse|dct|walsh|add_two", "transforms"),
    (r"quanti[sz]|residue_coder", "quantisation and weighing of residue"),
    (r"_decision\.|^(mode_rates|rate_distortion|activity_mask)\.", DECISIONS),
    (r"motion_search|distortion|satd| sad| sse|squares|differences", "motion search, distortion"),
    (r"interpolat|sixtap|bilinear|predict|intra", "prediction"),
    (r"transform", "transforms"),
    (r"^(raster|frame_buffer)\.", "rasters: borders, copies"),
    (
        r"^(reconstruct|decode|encode|rebase|state|state_update|c_api|kernels)\.",
        "frame loops, states",
    ),
    (r"^(macroblock_grid|thread_team|wavefront)\.", "frame loops, states"),
)
_OURS = tuple((re.compile(pattern), stage) for pattern, stage in PATTERNS)
# Of no stage: their lines count where they were inlined.
_COMMON = re.compile(r"^(types|tables|trees|macroblock_grid|raster|vector\w*)\.h$")
_OUR_LIBRARY = "libexcamera_codec"
_LIBC = re.compile(r"/(libc|libstdc\+\+|libc\+\+|libgcc_s|libm|ld-linux)[-.\w]*\.so")


def plain(function: str) -> str:
    """A C++ function's name without its namespace, result and arguments."""
    name = function.replace("(anonymous namespace)::", "").split("(")[0]
    return re.sub(r"^[^<]*? (?=vp8::)", "", name).replace("vp8::", "") or function


def settled(found: Mapping[Place, int], sources: str) -> Counter[Place]:
    """The same with the home of every function where most of its own lines are.

    Debug information names the file of a function's first line, which may be inlined too.

    Args:
        found: instructions by place.
        sources: folder of the codec's sources, as debug information names it.
    """
    files: dict[tuple[str, str], Counter[str]] = {}
    for place, count in found.items():
        if sources in place.file and not _COMMON.search(PurePath(place.file).name):
            files.setdefault((place.binary, place.function), Counter())[place.file] += count
    again: Counter[Place] = Counter()
    for place, count in found.items():
        most = files.get((place.binary, place.function), Counter()).most_common(1)
        again[replace(place, home=most[0][0]) if most else place] += count
    return again


def stage_of(place: Place, sources: str) -> str | None:
    """The stage that instructions belong to.

    Args:
        place: where they were executed.
        sources: folder of the codec's sources, as debug information names it.

    Returns:
        None for what is not the codec's: the interpreter that called it.
    """
    if _OUR_LIBRARY not in place.binary:
        return MEMORY if _LIBC.search(place.binary) else None
    file = PurePath(place.file if sources in place.file else place.home).name
    if _COMMON.search(file):
        file = PurePath(place.home).name
    subject = f"{file} {plain(place.function)}"
    return next((stage for pattern, stage in _OURS if pattern.search(subject)), OTHER)


def by_stage(found: Mapping[Place, int], sources: str) -> Counter[str]:
    """Instructions by stage."""
    stages: Counter[str] = Counter()
    for place, count in settled(found, sources).items():
        stage = stage_of(place, sources)
        if stage is not None:
            stages[stage] += count
    return stages


def largest(found: Mapping[Place, int], sources: str, count: int) -> list[dict[str, str | int]]:
    """The functions of the codec with the most instructions, whatever file the lines are from."""
    functions: Counter[str] = Counter()
    for place, executed in found.items():
        if stage_of(place, sources) not in (None, MEMORY):
            functions[plain(place.function)] += executed
    return [
        {"function": name, "instructions": executed}
        for name, executed in functions.most_common(count)
    ]
