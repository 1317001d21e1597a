"""The standard test streams at every SIMD level of this machine, with several threads."""

import pytest

from tests.support import outputs
from tests.support.levels import processes
from tests.support.shared import SHARED, VECTORS, expected_md5s

THREADS = (1, 2, 3)

pytestmark = pytest.mark.skipif(
    not VECTORS, reason=f"there are no test vectors in {SHARED / 'vectors'}"
)


@pytest.fixture(scope="module")
def levels():
    """Provides a process at each level."""
    with processes() as running:
        yield running


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_every_frame_matches_its_md5(vector, threads, levels):
    """A film would look different on another processor, or on one with more cores."""
    expected = expected_md5s(vector)
    for level, process in levels.items():
        found = process.submit(outputs.md5s_of, vector, threads).result()
        assert found == expected, level
