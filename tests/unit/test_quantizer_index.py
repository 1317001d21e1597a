"""The quantizer of a frame, read from its header."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codec
from codec import EncodeSettings, Segments
from tests.support.pictures import moving_pictures


@settings(deadline=None, max_examples=25)
@given(
    indices=st.lists(st.integers(0, 127), min_size=3, max_size=3),
    segmented=st.booleans(),
    effort=st.integers(0, 4),
)
def test_it_is_what_the_encoder_was_given(indices: list[int], segmented: bool, effort: int) -> None:
    """If this fails, reports plot another quantizer than the one a frame has."""
    pictures = moving_pictures(48, 32, 3, seed=1, noise=5)
    of_blocks = (np.arange(6, dtype=np.uint8) % 4).reshape(2, 3)
    segments = Segments(of_blocks, quantizer_deltas=(0, 3, -4, 9), filter_deltas=(0, 1, 0, -2))
    chosen = EncodeSettings(effort=effort, segments=segments if segmented else None)
    encoded = codec.encode_key_frame(pictures[0], indices[0], chosen)
    assert codec.y_ac_qi(encoded.frame) == indices[0]
    for picture, index in zip(pictures[1:], indices[1:], strict=True):
        encoded = codec.encode_inter_frame(encoded.state, picture, index, chosen)
        assert codec.y_ac_qi(encoded.frame) == index


@pytest.mark.parametrize("frame", [b"", b"\x00", b"\x11\x00\x00", bytes(11)])
def test_a_frame_without_a_header_is_refused(frame: bytes) -> None:
    """If this fails, a damaged file ends a report instead of leaving a gap in it."""
    with pytest.raises(codec.InvalidBitstream, match="has no header"):
        codec.y_ac_qi(frame)
