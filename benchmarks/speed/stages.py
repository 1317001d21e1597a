"""Which stage of the codec a source file belongs to, by the rooms of its sources."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

from benchmarks.speed.callgrind import Place

OTHER = "other"
MEMORY = "memory: allocating, copying, filling"
READING = "reading: boolean decoder, tokens"
WRITING = "writing: boolean encoder, tokens, probabilities"
HEADERS = "headers, modes and motion vectors"
FILTER = "loop filter"
TRANSFORMS = "transforms"
QUANTISATION = "quantisation and weighing of residue"
DECISIONS = "decisions by rate and distortion"
SEARCH = "motion search, distortion"
PREDICTION = "prediction"
RASTERS = "rasters: borders, copies"
LOOPS = "frame loops, states"

# The stage of a room, and of files that belong to another stage than their room.
STAGES = {
    "common": RASTERS,
    "parallel": LOOPS,
    "bitstream": HEADERS,
    "bitstream/bool_decoder": READING,
    "bitstream/bool_encoder": WRITING,
    "bitstream/frame_reader": READING,
    "bitstream/serialize_frame": WRITING,
    "bitstream/tokens": WRITING,
    "picture": PREDICTION,
    "picture/filter_rows": FILTER,
    "picture/loop_filter": FILTER,
    "picture/quantization": QUANTISATION,
    "picture/raster": RASTERS,
    "picture/reconstruct": LOOPS,
    "picture/state": LOOPS,
    "picture/state_update": LOOPS,
    "picture/transform": TRANSFORMS,
    "decide": DECISIONS,
    "decide/entropy_update": WRITING,
    "decide/filter_search": FILTER,
    "decide/frame_writer": WRITING,
    "decide/motion_search": SEARCH,
    "decide/residue_coder": QUANTISATION,
    "operations": LOOPS,
    "c_api": LOOPS,
}
# One file may hold kernels of several stages: the first word in its name or the function's decides.
KERNELS = (
    (r"loop_?filter", FILTER),
    (r"dequanti[sz]e|inverse|dct|walsh|add_two", TRANSFORMS),
    (r"quanti[sz]", QUANTISATION),
    (r"distortion|satd| sad| sse|squares|differences", SEARCH),
    (r"interpolat|sixtap|bilinear|predict|intra", PREDICTION),
    (r"transform", TRANSFORMS),
    (r"", LOOPS),
)
# Of no stage: their lines count where they were inlined.
_INLINED = re.compile(
    r"(common/(types|tables)|bitstream/(trees|macroblock_grid)|picture/raster|kernels/vector\w*)\.h$"
)
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
        if sources in place.file and not _INLINED.search(place.file):
            files.setdefault((place.binary, place.function), Counter())[place.file] += count
    again: Counter[Place] = Counter()
    for place, count in found.items():
        most = files.get((place.binary, place.function), Counter()).most_common(1)
        again[replace(place, home=most[0][0]) if most else place] += count
    return again


def _stage_of_source(name: str, function: str) -> str:
    """The stage of a function in a file, which is named by its room and stem."""
    room = name.partition("/")[0]
    if room == "kernels":
        subject = f"{name} {function}"
        return next(stage for words, stage in KERNELS if re.search(words, subject))
    if name == "bitstream/tokens" and "read" in function:
        return READING
    return STAGES.get(name) or STAGES.get(room, OTHER)


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
    inlined = sources not in place.file or _INLINED.search(place.file)
    file = place.home if inlined else place.file
    name = PurePath(file.rpartition(f"{sources}/")[2]).with_suffix("").as_posix()
    return _stage_of_source(name, plain(place.function))


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
