"""A frame decodes everywhere to what the encoder says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codec
from codec import EncodeSettings, Raster
from tests.support.pictures import moving_pictures, psnr
from tests.support.streams import DECODERS, encode_with_libvpx, play, states

SETTINGS = settings(max_examples=30)


def encode_stream(pictures, y_ac_qi, encode_settings=lambda index: EncodeSettings()):
    """Encodes a key frame and inter frames; returns them and the states after each."""
    encoded = codec.encode_key_frame(pictures[0], y_ac_qi, encode_settings(0))
    frames, after = [encoded.frame], [encoded.state]
    for index, picture in enumerate(pictures[1:], start=1):
        encoded = codec.encode_inter_frame(after[-1], picture, y_ac_qi, encode_settings(index))
        frames.append(encoded.frame)
        after.append(encoded.state)
    return frames, after


def assert_plays_as_predicted(frames, after):
    """Checks that every decoder returns the rasters the encoder predicted."""
    decoded = list(states(frames))
    assert [state for state, _ in decoded] == after
    expected = [
        raster.i420()
        for frame, (_, raster) in zip(frames, decoded, strict=True)
        if codec.is_shown(frame)
    ]
    for decoder in DECODERS:
        assert play(decoder, frames) == expected, decoder


@SETTINGS
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    seed=st.integers(0, 1000),
    noise=st.sampled_from([0, 3, 30]),
    y_ac_qi=st.integers(0, 127),
    effort=st.integers(0, 4),
)
def test_every_decoder_agrees_with_our_own_reconstruction(
    width, height, seed, noise, y_ac_qi, effort
):
    """The picture would drift away from what the encoder thinks it shows."""
    pictures = moving_pictures(width, height, 4, seed=seed, noise=noise)
    encode_settings = EncodeSettings(effort=effort)
    assert_plays_as_predicted(*encode_stream(pictures, y_ac_qi, lambda _: encode_settings))


@SETTINGS
@given(seed=st.integers(0, 1000), y_ac_qi=st.integers(0, 127), data=st.data())
def test_any_picture_against_any_state(seed, y_ac_qi, data):
    """A chunk's first frame, unlike anything in the state, could not be coded."""
    random = np.random.default_rng(seed)
    size = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))
    kinds = st.sampled_from(["moving", "noise", "black", "white", "checks"])

    def picture(kind: str) -> Raster:
        width, height = size
        if kind == "moving":
            return moving_pictures(width, height, 1, seed=int(random.integers(1000)))[0]
        shapes = ((height, width), *[((height + 1) // 2, (width + 1) // 2)] * 2)
        if kind == "noise":
            planes = [random.integers(0, 256, shape, np.uint8) for shape in shapes]
        elif kind == "checks":
            planes = [(np.indices(shape).sum(0) % 2 * 255).astype(np.uint8) for shape in shapes]
        else:
            planes = [np.full(shape, 255 * (kind == "white"), np.uint8) for shape in shapes]
        return Raster.from_planes(*planes)

    pictures = [picture(kind) for kind in data.draw(st.lists(kinds, min_size=2, max_size=4))]
    assert_plays_as_predicted(*encode_stream(pictures, y_ac_qi))


@SETTINGS
@given(data=st.data(), seed=st.integers(0, 100))
def test_reference_settings_do_what_they_say(data, seed):
    """Golden and altref would hold other pictures than the settings promise."""
    copies = st.sampled_from(list(codec.BufferCopy))
    drawn = st.builds(
        EncodeSettings,
        refresh_golden=st.booleans(),
        refresh_altref=st.booleans(),
        copy_to_golden=copies,
        copy_to_altref=copies,
        filter_level=st.sampled_from([None, 0, 1, 40, 63]),
        effort=st.integers(0, 4),
    )
    # FFmpeg copies golden from the altref before the frame; libvpx from the one just copied.
    unambiguous = drawn.filter(
        lambda one: (
            one.copy_to_golden is not codec.BufferCopy.FROM_OTHER
            or one.copy_to_altref is codec.BufferCopy.NONE
        )
    )
    chosen = data.draw(st.lists(unambiguous, min_size=6, max_size=6))
    pictures = moving_pictures(48, 40, 6, seed=seed, noise=4)
    frames, after = encode_stream(pictures, 40, chosen.__getitem__)
    assert_plays_as_predicted(frames, after)
    for before, now, choice in zip(after, after[1:], chosen[1:], strict=False):
        if choice.refresh_golden:
            assert now.golden == now.last
        elif choice.copy_to_golden is codec.BufferCopy.NONE:
            assert now.golden == before.golden
        if choice.refresh_altref:
            assert now.altref == now.last
        elif choice.copy_to_altref is codec.BufferCopy.NONE:
            assert now.altref == before.altref


@SETTINGS
@given(data=st.data(), seed=st.integers(0, 100), noise=st.sampled_from([0, 4, 25]))
def test_frames_of_any_role_play_as_predicted(data, seed, noise):
    """Hidden anchors, frames beside the chain, and segments would drift in some decoder."""
    width, height = data.draw(st.tuples(st.integers(1, 70), st.integers(1, 70)))
    shape = ((height + 15) // 16, (width + 15) // 16)
    deltas = st.tuples(*[st.integers(-40, 40)] * 4)
    some_segments = st.builds(
        lambda map_seed, quantizer, level: codec.Segments(
            np.random.default_rng(map_seed).integers(0, 4, shape, np.uint8), quantizer, level
        ),
        st.integers(0, 2),  # few, so that frames share maps
        st.one_of(st.just((0, 0, 0, 0)), deltas),
        st.one_of(st.just((0, 0, 0, 0)), deltas),
    )
    roles = st.builds(
        EncodeSettings,
        show=st.booleans(),
        refresh_entropy=st.booleans(),
        refresh_last=st.booleans(),
        refresh_golden=st.booleans(),
        refresh_altref=st.booleans(),
        copy_to_golden=st.sampled_from([codec.BufferCopy.NONE, codec.BufferCopy.FROM_OTHER]),
        golden_sign_bias=st.sampled_from([None, False, True]),
        altref_sign_bias=st.sampled_from([None, False, True]),
        segments=st.one_of(st.none(), some_segments),
        filter_level=st.sampled_from([None, 0, 30]),
    )
    chosen = data.draw(st.lists(roles, min_size=6, max_size=6))
    for index in range(1, 6):
        now = chosen[index].segments
        if now is not None and chosen[index - 1].segments is not None and data.draw(st.booleans()):
            kept = replace(chosen[index], segments=replace(now, map=None))
            chosen[index] = kept
    pictures = moving_pictures(width, height, 6, seed=seed, noise=noise)
    frames, after = encode_stream(pictures, 40, chosen.__getitem__)
    assert_plays_as_predicted(frames, after)
    assert [codec.is_shown(frame) for frame in frames] == [one.show for one in chosen]
    for before, now, choice in zip(after, after[1:], chosen[1:], strict=False):
        assert choice.refresh_last or now.last == before.last


def test_a_segment_map_that_is_kept_costs_nothing():
    """Every frame of a still scene would pay for the map of its background."""
    pictures = moving_pictures(320, 240, 2, seed=3)
    segment_map = np.random.default_rng(0).integers(0, 4, (15, 20), np.uint8)
    sent = codec.Segments(segment_map, (-20, 0, 10, 20))
    before = codec.encode_key_frame(pictures[0], 40, EncodeSettings(segments=sent)).state
    kept, again = (
        codec.encode_inter_frame(before, pictures[1], 40, EncodeSettings(segments=one))
        for one in (replace(sent, map=None), sent)
    )
    assert kept.state == again.state
    assert len(kept.frame) + 15 * 20 * 2 // 8 < len(again.frame)


def test_a_segment_with_a_finer_quantizer_is_better():
    """Segments would be in the header and change no picture."""
    picture = moving_pictures(160, 96, 1, seed=5, noise=6)[0]
    left = np.repeat([[1, 1, 1, 1, 1, 0, 0, 0, 0, 0]], 6, axis=0).astype(np.uint8)
    settings = EncodeSettings(segments=codec.Segments(left, (0, -50, 0, 0)))
    coded = codec.encode_key_frame(picture, 60, settings).state.last.planes()[0].astype(int)
    error = np.abs(coded - picture.planes()[0])
    assert error[:, :80].mean() * 2 < error[:, 80:].mean()


def test_continues_a_stream_of_libvpx():
    """Chunks come from libvpx: a frame of ours could not follow one of them."""
    pictures = moving_pictures(144, 112, 8, seed=3, noise=2)
    frames = encode_with_libvpx(pictures[:5], {"slices": "4", "error-resilient": "default"})
    after = [state for state, _ in states(frames)]
    for picture in pictures[5:]:
        encoded = codec.encode_inter_frame(after[-1], picture, 30)
        frames.append(encoded.frame)
        after.append(encoded.state)
    assert_plays_as_predicted(frames, after)


def test_same_input_gives_the_same_bytes():
    """A retried task would overwrite its output with another one."""
    pictures = moving_pictures(64, 64, 3, seed=9, noise=3)
    assert encode_stream(pictures, 25)[0] == encode_stream(pictures, 25)[0]


@pytest.mark.parametrize("noise", [0, 3])
def test_quality_and_size_follow_the_quantizer(noise):
    """--crf would not trade size for quality."""
    pictures = moving_pictures(176, 144, 4, seed=11, noise=noise)
    results = []
    for y_ac_qi in (4, 20, 50, 90, 127):
        frames, after = encode_stream(pictures, y_ac_qi)
        results.append((sum(map(len, frames)), psnr(pictures[-1], after[-1].last)))
    sizes, qualities = zip(*results, strict=True)
    assert list(sizes) == sorted(sizes, reverse=True)
    assert list(qualities) == sorted(qualities, reverse=True)
    assert qualities[0] > 42


def smallest_key_frame_as_good_as(picture, quality_db):
    """Returns the size of the coarsest key frame that reaches a PSNR."""
    low, high = 0, 127
    while low < high:
        middle = (low + high + 1) // 2
        encoded = codec.encode_key_frame(picture, middle)
        if psnr(picture, encoded.state.last) >= quality_db:
            low = middle
        else:
            high = middle - 1
    return len(codec.encode_key_frame(picture, low).frame)


@pytest.mark.parametrize("y_ac_qi", [20, 45, 75])
def test_inter_frame_needs_far_fewer_bytes_than_a_key_frame_as_good(y_ac_qi):
    """Joining chunks would save nothing."""
    pictures = moving_pictures(240, 176, 3, seed=5, noise=1)
    frames, after = encode_stream(pictures, y_ac_qi)
    quality_db = psnr(pictures[2], after[2].last)
    assert len(frames[2]) < 0.6 * smallest_key_frame_as_good_as(pictures[2], quality_db)


def test_still_picture_costs_next_to_nothing():
    """Skip flags and zero vectors would not be used."""
    picture = moving_pictures(320, 240, 1, seed=2)[0]
    # The first repeats still make smooth parts better.
    frames, _ = encode_stream([picture] * 8, 60)
    assert len(frames[-1]) < 0.02 * len(frames[0])


@pytest.mark.parametrize("y_ac_qi", [-1, 128])
def test_quantizer_out_of_range_is_refused(y_ac_qi):
    """A quantizer that nobody asked for would be used silently."""
    picture = moving_pictures(16, 16, 1)[0]
    with pytest.raises(codec.FrameArgumentError):
        codec.encode_key_frame(picture, y_ac_qi)


@pytest.mark.parametrize("effort", [-1, 5])
def test_effort_out_of_range_is_refused(effort):
    """The codec would read past its table of efforts."""
    picture = moving_pictures(16, 16, 1)[0]
    state = codec.encode_key_frame(picture, 30).state
    with pytest.raises(codec.FrameArgumentError, match="effort"):
        codec.encode_key_frame(picture, 30, EncodeSettings(effort=effort))
    with pytest.raises(codec.FrameArgumentError, match="effort"):
        codec.encode_inter_frame(state, picture, 30, EncodeSettings(effort=effort))


def test_more_effort_gives_smaller_frames_as_good():
    """Users would pay for a higher effort and get nothing."""
    pictures = moving_pictures(240, 176, 5, seed=5, noise=1)
    found = []
    for effort in range(5):
        encode_settings = EncodeSettings(effort=effort)
        frames, after = encode_stream(pictures, 80, lambda _, one=encode_settings: one)
        quality_db = sum(map(psnr, pictures, (state.last for state in after))) / len(pictures)
        # One decibel is worth about 15% of the bytes here.
        found.append(sum(map(len, frames)) * 0.85**quality_db)
    assert len(set(found)) == 5
    assert found[4] < found[2] < found[0]


def test_letters_are_found_wherever_they_were():
    """The next page of a text would cost as much as the first, though its letters are the same."""
    random = np.random.default_rng(7)
    letters = np.where(random.random((20, 9, 6)) > 0.5, 30, 220)
    letters[:, 7:, :] = letters[:, :, 5] = 220
    pages = []
    for _ in range(2):
        order = random.integers(0, len(letters), (12, 24))
        luma = letters[order].swapaxes(1, 2).reshape(12 * 9, 24 * 6).astype(np.uint8)
        grey = np.full((54, 72), 128, np.uint8)
        pages.append(Raster.from_planes(luma, grey, grey))
    state = codec.encode_key_frame(pages[0], 20).state
    brief, careful = (
        codec.encode_inter_frame(state, pages[1], 20, EncodeSettings(effort=effort))
        for effort in (0, 1)
    )
    assert_plays_as_predicted(
        [codec.encode_key_frame(pages[0], 20).frame, careful.frame], [state, careful.state]
    )
    assert len(careful.frame) < 0.6 * len(brief.frame)
    assert psnr(pages[1], careful.state.last) > psnr(pages[1], brief.state.last) - 0.5


def test_state_of_another_size_is_refused():
    """References of the wrong size would be read outside their planes."""
    small, large = moving_pictures(16, 16, 1)[0], moving_pictures(48, 48, 1)[0]
    state = codec.encode_key_frame(small, 30).state
    with pytest.raises(codec.CodecError):
        codec.encode_inter_frame(state, large, 30)
