"""The codec's native files include only what lies below them."""

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "codec" / "native" / "src"

# The rooms from the bottom up, and within each its files. A file may include what stands before
# it: everything in the rooms below, and the earlier names of its own room. The kernels are parts
# of one table and may include each other.
ROOMS = {
    "common": ("types", "status", "tables", "frame_buffer"),
    "kernels": ("*",),
    "parallel": ("thread_team", "wavefront"),
    "bitstream": (
        "trees", "bool_decoder", "bool_encoder", "macroblock_grid", "segment_map",
        "reading_state", "tokens", "motion_vectors", "frame_header", "macroblock_header",
        "frame_reader", "serialize_frame",
    ),
    "picture": (
        "raster", "state", "state_update", "quantization", "transform", "intra_prediction",
        "inter_prediction", "loop_filter", "filter_rows", "reconstruct",
    ),
    "decide": (
        "effort", "rate_distortion", "mode_rates", "entropy_update", "activity_mask",
        "residue_coder", "filter_search", "frame_writer", "block_sums", "motion_search", "sketch",
        "steady", "far_vectors", "macroblock_trial", "intra_trial", "split_search",
        "search_decider", "first_look", "repeat_decider",
    ),
    "operations": ("chunk", "decode", "encode", "rebase", "recode", "show"),
}  # fmt: skip
# Nothing lies above the C boundary, and nothing includes it.
ORDER = [f"{room}/{name}" for room, names in ROOMS.items() for name in names] + ["c_api"]
# These never include each other.
OPERATIONS = {f"operations/{name}" for name in ROOMS["operations"] if name != "chunk"}

FILES = sorted([*SOURCES.rglob("*.h"), *SOURCES.rglob("*.cc")])


def name_of(path: Path) -> str:
    """Returns the name of a file in the table: its room and its stem."""
    room = path.parent.name
    if ROOMS.get(room) == ("*",):
        return f"{room}/*"
    return path.relative_to(SOURCES).with_suffix("").as_posix()


def included(path: Path) -> set[str]:
    """Returns the names of the files that a file includes, without its own header."""
    paths = re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE)
    return {name_of(SOURCES / name) for name in paths} - {name_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_includes_point_downwards(path):
    """The codec's parts would grow into one another."""
    name = name_of(path)
    assert name in ORDER, f"{name} has no level: give it one in ROOMS"
    below = set(ORDER[: ORDER.index(name)])
    if name in OPERATIONS:
        below -= OPERATIONS
    assert included(path) <= below, f"{path.name} includes what does not lie below it"


def test_every_name_in_the_table_is_a_file():
    """The table would describe a codec that is no longer there."""
    assert {name_of(path) for path in FILES} == set(ORDER)
