"""The codec's native files include only what lies below them."""

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "codec" / "native" / "src"

# Each level may include the lower ones, and its own where ISOLATED does not forbid it.
LEVELS = (
    {"tables", "types", "status", "trees", "raster"},
    {"bool_decoder", "bool_encoder", "kernels"},
    {
        "tokens", "modes", "motion_vectors", "quantization", "intra_prediction",
        "inter_prediction", "transform", "loop_filter",
    },
    {"frame_header", "macroblock", "macroblock_grid", "state"},
    {
        "reconstruct", "serialize_frame", "motion_search", "rate_distortion",
        "frame_reader", "state_update",
    },
    {"decode", "encode", "rebase"},
    {"c_api"},
)  # fmt: skip
ISOLATED = (5, 6)
LEVEL_OF = {name: level for level, names in enumerate(LEVELS) for name in names}


def concept_of(path: Path) -> str:
    """Returns the name a file goes by in the table: kernels is one concept, a folder."""
    return "kernels" if path.parent.name == "kernels" else path.stem


def included(path: Path) -> set[str]:
    """Returns the concepts a file includes, its own left out."""
    paths = re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE)
    concepts = {concept_of(Path("src") / name) for name in paths}
    return concepts - {concept_of(path)}


FILES = sorted([*SOURCES.rglob("*.h"), *SOURCES.rglob("*.cc")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_includes_point_downwards(path):
    """The codec's parts would grow into one another."""
    concept = concept_of(path)
    assert concept in LEVEL_OF, f"{concept} has no level: give it one above"
    level = LEVEL_OF[concept]
    for other in included(path):
        assert other in LEVEL_OF, f"{path.name} includes {other}, which has no level"
        assert LEVEL_OF[other] <= level, f"{path.name} includes {other}, which lies above it"
        if level in ISOLATED:
            assert LEVEL_OF[other] < level, f"{path.name} includes {other}, its equal"
