"""The codec's native files include only what lies below them."""

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "codec" / "native" / "src"

# A file may include what stands before it: lower levels, and the earlier names of its own.
LEVELS = (
    (
        "types", "status", "trees", "tables", "frame_buffer", "raster", "thread_team", "wavefront",
    ),
    ("bool_decoder", "bool_encoder", "kernels", "macroblock_grid"),
    (
        "quantization", "tokens", "transform", "motion_vectors", "intra_prediction",
        "inter_prediction", "loop_filter", "filter_rows",
    ),
    ("frame_header", "macroblock", "state"),
    (
        "reconstruct", "state_update", "frame_reader", "rate_distortion", "mode_rates",
        "entropy_update", "serialize_frame", "activity_mask", "residue_coder", "filter_search",
        "frame_writer", "motion_search", "mode_decision", "inter_decision", "rebase_decision",
    ),
    ("decode", "encode", "rebase"),
    ("c_api",),
)  # fmt: skip
ORDER = [name for level in LEVELS for name in level]
# The operations never include each other.
OPERATIONS = LEVELS[5]

FILES = sorted([*SOURCES.rglob("*.h"), *SOURCES.rglob("*.cc")])


def concept_of(path: Path) -> str:
    """Returns the name a file goes by in the table: kernels is one concept, a folder."""
    return "kernels" if path.parent.name == "kernels" else path.stem


def included(path: Path) -> set[str]:
    """Returns the concepts a file includes, its own left out."""
    paths = re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE)
    return {concept_of(Path("src") / name) for name in paths} - {concept_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_includes_point_downwards(path):
    """The codec's parts would grow into one another."""
    concept = concept_of(path)
    assert concept in ORDER, f"{concept} has no level: give it one in LEVELS"
    below = ORDER[: ORDER.index(concept)]
    if concept in OPERATIONS:
        below = [name for name in below if name not in OPERATIONS]
    assert included(path) <= set(below), f"{path.name} includes what does not lie below it"


def test_every_name_in_the_table_is_a_file():
    """The table would describe a codec that is no longer there."""
    assert {concept_of(path) for path in FILES} == set(ORDER)
