"""The WebM project's standard test streams."""

import pytest

import codec
from tests.support.shared import SHARED, VECTORS, expected_md5s
from tests.support.streams import md5, read_ivf, states


@pytest.mark.skipif(not VECTORS, reason=f"there are no test vectors in {SHARED / 'vectors'}")
def test_every_vector_is_there():
    """Conformance would be claimed on a part of the standard streams."""
    numbers = [int(vector.stem.rsplit("-", 1)[1]) for vector in VECTORS]
    assert numbers[:17] == list(range(1, 18))


@pytest.mark.skipif(not VECTORS, reason=f"there are no test vectors in {SHARED / 'vectors'}")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_every_frame_matches_its_md5(vector):
    """The decoder would not be the one RFC 6386 describes."""
    frames = read_ivf(vector)
    shown = [
        md5(raster.i420())
        for frame, (_, raster) in zip(frames, states(frames), strict=True)
        if codec.is_shown(frame)
    ]
    assert shown == expected_md5s(vector)


@pytest.mark.slow
@pytest.mark.skipif(not VECTORS, reason=f"there are no test vectors in {SHARED / 'vectors'}")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_state_survives_bytes_at_every_frame(vector):
    """A seam between workers would lose a part of the decoder's memory."""
    state = None
    for frame in read_ivf(vector):
        after, raster = codec.decode(state, frame)
        if state is not None:
            copy = codec.State.from_bytes(state.to_bytes())
            assert copy == state
            assert copy.digest() == state.digest()
            again, raster_again = codec.decode(copy, frame)
            assert again == after
            assert raster_again == raster
        state = after
