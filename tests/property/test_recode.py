"""Frames that are moved without touching a pixel: recode, skim, show_reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codec
from codec import EncodeSettings, Reference
from tests.support.pictures import moving_pictures
from tests.support.streams import DECODERS, play, shown_rasters

SETTINGS = settings(max_examples=30)

HIDDEN = EncodeSettings(show=False, refresh_last=False, refresh_altref=True)


def beside(state, pictures, y_ac_qi):
    """Returns frames that leave golden and altref alone, and the state after them."""
    frames = []
    for picture in pictures:
        encoded = codec.encode_inter_frame(state, picture, y_ac_qi)
        frames.append(encoded.frame)
        state = encoded.state
    return frames, state


@SETTINGS
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    seed=st.integers(0, 1000),
    noise=st.sampled_from([0, 4, 25]),
    qis=st.tuples(*[st.integers(0, 127)] * 3),
    segments=st.booleans(),
)
def test_an_anchor_follows_frames_it_was_not_made_for(size, seed, noise, qis, segments):
    """Chunks of a batch could not be coded at the same time."""
    pictures = moving_pictures(*size, 8, seed=seed, noise=noise)
    key = codec.encode_key_frame(pictures[0], qis[0])
    first = codec.encode_inter_frame(key.state, pictures[4], qis[1], HIDDEN)
    shows = codec.show_reference(first.state, Reference.ALTREF)
    shape = ((size[1] + 15) // 16, (size[0] + 15) // 16)
    some = codec.Segments(np.indices(shape).sum(0).astype(np.uint8) % 4, (0, -9, 9, 20))
    second = codec.encode_inter_frame(
        shows.state,
        pictures[7],
        qis[1],
        EncodeSettings(
            show=False, refresh_last=False, refresh_altref=True, segments=some if segments else None
        ),
    )
    ordinary, after = beside(first.state, pictures[1:4], qis[2])
    true = codec.advance(after, [shows.frame])
    moved = codec.recode(true, second.frame, shows.state.basis())
    assert codec.advance(true, [moved]) == second.state
    last = codec.encode_inter_frame(second.state, pictures[6], qis[2]).frame
    frames = [key.frame, first.frame, *ordinary, shows.frame, moved, last]
    for decoder in DECODERS:
        assert play(decoder, frames) == shown_rasters(frames), decoder


@SETTINGS
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    reference=st.sampled_from(list(Reference)),
    y_ac_qi=st.integers(0, 127),
)
def test_a_reference_is_shown_as_it_is(size, reference, y_ac_qi):
    """The next chunk would be predicted from another picture than its worker had."""
    pictures = moving_pictures(*size, 3, seed=1, noise=5)
    key = codec.encode_key_frame(pictures[0], y_ac_qi)
    altref = codec.encode_inter_frame(key.state, pictures[1], y_ac_qi, HIDDEN)
    before = codec.encode_inter_frame(altref.state, pictures[2], y_ac_qi).state
    shows = codec.show_reference(before, reference)
    expected = {
        Reference.LAST: before.last,
        Reference.GOLDEN: before.golden,
        Reference.ALTREF: before.altref,
    }[reference]
    decoded = codec.decode(before, shows.frame)
    assert decoded.raster == expected == shows.state.last
    assert decoded.state == shows.state
    assert (shows.state.golden, shows.state.altref) == (before.golden, before.altref)
    assert len(shows.frame) < 40


def test_skim_gives_what_frames_do_besides_pictures():
    """An anchor would be written for other probabilities than a decoder has."""
    pictures = moving_pictures(80, 64, 6, seed=4, noise=6)
    key = codec.encode_key_frame(pictures[0], 30)
    altref = codec.encode_inter_frame(key.state, pictures[5], 30, HIDDEN)
    frames, after = beside(altref.state, pictures[1:5], 60)
    skimmed = codec.skim(altref.state, frames)
    assert skimmed != after
    assert skimmed.last == altref.state.last
    shows = codec.show_reference(after, Reference.ALTREF).frame
    assert codec.advance(skimmed, [shows]) == codec.advance(after, [shows])


class Example:
    """Two states that differ, and a frame made for one of them."""

    def __init__(self):
        self.pictures = moving_pictures(48, 32, 4, seed=2, noise=3)
        self.key = codec.encode_key_frame(self.pictures[0], 40)
        self.other = codec.encode_key_frame(self.pictures[1], 40).state
        self.inter = codec.encode_inter_frame(self.key.state, self.pictures[1], 40)
        self.basis = self.key.state.basis()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda e: codec.recode(e.other, e.inter.frame, e.basis), codec.StateMismatch, "predicts"),
        (lambda e: codec.recode(e.key.state, e.key.frame, e.basis), ValueError, "a key frame"),
        (lambda e: codec.recode(e.key.state, b"", e.basis), ValueError, "an empty frame"),
        (
            lambda e: codec.recode(e.key.state, e.inter.frame[:9], e.basis),
            codec.TruncatedBitstream,
            "ends|bytes",
        ),
        (lambda e: codec.skim(e.key.state, [e.key.frame]), ValueError, "a key frame"),
        (
            lambda e: codec.skim(e.key.state, [e.inter.frame, b"\x11"]),
            codec.TruncatedBitstream,
            "frame 2 of 2",
        ),
        (lambda e: codec.show_reference(e.key.state, 0), ValueError, "a reference is 1, 2 or 3"),
    ],
)
def test_what_cannot_be_moved_is_refused(call, error, message):
    """A frame would be written that decodes to another picture."""
    with pytest.raises(error, match=message):
        call(Example())
