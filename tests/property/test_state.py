"""A state is a value: equal, hashed, stored and shared as one."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codec
from codec import Raster, State
from tests.support.pictures import moving_pictures
from tests.support.streams import Flag, encode_with_libvpx, states

SETTINGS = settings(max_examples=25)


@SETTINGS
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    seed=st.integers(0, 1000),
    options=st.sampled_from(
        [{}, {"error-resilient": "default"}, {"profile": "3"}, {"slices": "4", "b": "1M"}]
    ),
)
def test_round_trip_through_bytes_anywhere_in_a_stream(width, height, seed, options):
    """A worker would start from another state than its neighbour ended in."""
    only_golden = Flag.FORCE_GOLDEN | Flag.NO_UPD_LAST | Flag.NO_UPD_ALTREF
    flags = {seed % 3 + 1: only_golden, 3: Flag.NO_UPD_ENTROPY}
    pictures = moving_pictures(width, height, 5, seed=seed, noise=seed % 7)
    for state, _ in states(encode_with_libvpx(pictures, options, flags)):
        again = State.from_bytes(state.to_bytes())
        assert again == state
        assert hash(again) == hash(state)
        assert again.digest() == state.digest()
        assert again.to_bytes() == state.to_bytes()
        assert (again.last, again.golden, again.altref) == (state.last, state.golden, state.altref)


def test_states_of_different_frames_differ():
    """A seam between different states would pass as a match."""
    digests = [s.digest() for s, _ in states(encode_with_libvpx(moving_pictures(64, 48, 6)))]
    assert len(set(digests)) == len(digests)


def test_equal_references_are_stored_once():
    """The states of a job would take three times the room."""
    noisy = moving_pictures(160, 120, 2, noise=30)
    key = next(states(encode_with_libvpx(noisy)))[0]
    raster_bytes = 160 * 128 * 3 // 2  # whole macroblocks
    assert key.last == key.golden == key.altref
    assert len(key.to_bytes()) < 1.6 * raster_bytes


def test_copies_and_pickles_are_equal():
    """A state could not be handed to another process."""
    state = next(states(encode_with_libvpx(moving_pictures(33, 17, 1))))[0]
    assert pickle.loads(pickle.dumps(state)) == state
    assert copy.copy(state) == state
    assert pickle.loads(pickle.dumps(state.last)) == state.last


def test_a_state_may_be_used_from_several_threads():
    """Re-encoding first frames in threads would give changing bytes."""
    frames = encode_with_libvpx(moving_pictures(120, 90, 4, noise=5))
    before = next(states(frames))[0]
    expected = codec.decode(before, frames[1])
    with ThreadPoolExecutor(4) as pool:
        for decoded in pool.map(lambda _: codec.decode(before, frames[1]), range(64)):
            assert decoded.state == expected.state
            assert decoded.raster == expected.raster


@SETTINGS
@given(width=st.integers(1, 50), height=st.integers(1, 50), seed=st.integers(0, 99))
def test_raster_keeps_every_pixel(width, height, seed):
    """Pictures would change on the way in or out, at odd sizes first."""
    random = np.random.default_rng(seed)
    chroma = ((height + 1) // 2, (width + 1) // 2)
    planes = [
        random.integers(0, 256, shape, np.uint8) for shape in ((height, width), chroma, chroma)
    ]
    raster = Raster.from_planes(*planes)
    assert (raster.width, raster.height) == (width, height)
    for ours, given_plane in zip(raster.planes(), planes, strict=True):
        assert np.array_equal(ours, given_plane)
    assert raster.i420() == b"".join(plane.tobytes() for plane in planes)
    assert Raster.from_i420(raster.i420(), width, height) == raster


def test_raster_takes_rows_with_gaps_and_is_its_own_copy():
    """Part of a larger picture would be misread, or change under the codec."""
    wide = np.arange(64 * 80, dtype=np.uint32).astype(np.uint8).reshape(64, 80)
    chroma = np.full((24, 20), 7, np.uint8)
    raster = Raster.from_planes(wide[8:56, 20:60], chroma, chroma)
    expected = wide[8:56, 20:60].copy()
    wide[:] = 0
    assert np.array_equal(raster.planes()[0], expected)
    with pytest.raises(ValueError, match="read-only"):
        raster.planes()[0][0, 0] = 1


def zeros(*shape: int) -> np.ndarray:
    """Returns a plane of black."""
    return np.zeros(shape, np.uint8)


@pytest.mark.parametrize(
    "planes",
    [
        (np.zeros((4, 4), np.uint16), zeros(2, 2), zeros(2, 2)),
        (zeros(4, 4), zeros(1, 2), zeros(2, 2)),
        (zeros(4, 4), zeros(2, 2), zeros(2, 3)),
        (zeros(4), zeros(2, 2), zeros(2, 2)),
        (zeros(0, 4), zeros(0, 2), zeros(0, 2)),
        (zeros(4, 8)[:, ::2], zeros(2, 2), zeros(2, 2)),
    ],
    ids=["uint16", "u short", "v wide", "one dimension", "empty", "columns apart"],
)
def test_planes_of_a_wrong_shape_or_type_are_refused(planes):
    """Native code would read outside an array."""
    with pytest.raises(codec.FrameArgumentError):
        Raster.from_planes(*planes)


@pytest.mark.parametrize(("width", "height"), [(16384, 1), (1, 16384)])
def test_sizes_beyond_vp8_are_refused(width, height):
    """A frame no decoder can play would be written."""
    chroma = zeros((height + 1) // 2, (width + 1) // 2)
    with pytest.raises(codec.FrameArgumentError):
        Raster.from_planes(zeros(height, width), chroma, chroma)


def test_i420_of_a_wrong_length_is_refused():
    """A frame of another size would be read as this one."""
    with pytest.raises(codec.FrameArgumentError):
        Raster.from_i420(b"\0" * 99, 10, 10)
