"""A rebased frame follows the true state, loses little, and plays as predicted."""

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codec
from tests.support.clips import clip_pictures
from tests.support.pictures import moving_pictures, psnr
from tests.support.shared import SHARED
from tests.support.streams import (
    DECODERS,
    Flag,
    encode_with_libvpx,
    hide,
    play,
    states,
)

SETTINGS = settings(max_examples=20)
ONLY_ALTREF = Flag.FORCE_ALTREF | Flag.NO_UPD_LAST | Flag.NO_UPD_GOLDEN
ONLY_GOLDEN = Flag.FORCE_GOLDEN | Flag.NO_UPD_LAST | Flag.NO_UPD_ALTREF
FROM_ALTREF = Flag.NO_REF_LAST | Flag.NO_REF_GOLDEN
FROM_GOLDEN = Flag.NO_REF_LAST | Flag.NO_REF_ALTREF
CLIPS = ["foreman_cif.264", "carphone_pristine.mp4"]


def rebased_chunk(state, pictures, frames, y_ac_qi):
    """Puts a chunk (a key frame and inter frames) behind a state, as the pipeline does.

    Returns:
        The chunk's frames without a key frame, and the states after each.
    """
    made_for = [after.basis() for after, _ in states(frames)]
    encoded = codec.encode_inter_frame(state, pictures[0], y_ac_qi)
    out, after = [encoded.frame], [encoded.state]
    for index in range(1, len(frames)):
        encoded = codec.rebase(after[-1], pictures[index], frames[index], made_for[index - 1])
        out.append(encoded.frame)
        after.append(encoded.state)
    return out, after


def assert_stitched_stream_plays_as_predicted(frames, after):
    """Checks that our decoder ends in the predicted states and PyAV's show their rasters."""
    decoded = list(states(frames))
    assert [state for state, _ in decoded] == after
    assert [codec.read_header(frame).key_frame for frame in frames] == [True] + [False] * (
        len(frames) - 1
    )
    shown = [
        raster.i420()
        for frame, (_, raster) in zip(frames, decoded, strict=True)
        if codec.is_shown(frame)
    ]
    for decoder in DECODERS:
        assert play(decoder, frames) == shown, decoder


def stitched(pictures, chunk_frames, options, flags=None, y_ac_qi=40):
    """Encodes pictures as chunks with libvpx and joins them behind the first key frame."""
    frames, after = [], []
    for start in range(0, len(pictures), chunk_frames):
        part = pictures[start : start + chunk_frames]
        chunk = encode_with_libvpx(part, options, flags)
        if not frames:
            frames, after = list(chunk), [state for state, _ in states(chunk)]
            continue
        more, more_states = rebased_chunk(after[-1], part, chunk, y_ac_qi)
        frames += more
        after += more_states
    return frames, after


@pytest.mark.parametrize(
    "options",
    [
        {"b": "300k"},
        {"b": "80k"},
        {"slices": "8", "b": "300k"},
        {"error-resilient": "default", "b": "300k"},
        {"profile": "1", "b": "300k"},
        {"profile": "2", "b": "300k"},
        {"profile": "3", "b": "300k"},
        {"deadline": "realtime", "cpu-used": "8", "b": "150k"},
        {"tune": "ssim", "qmin": "30", "qmax": "30", "crf": "30"},
    ],
    ids=lambda options: ",".join(f"{key}={value}" for key, value in options.items()),
)
def test_chain_of_rebased_chunks_plays_as_predicted(options):
    """The stitched film would show other pictures than those the seams were checked for."""
    pictures = moving_pictures(111, 77, 12, seed=21, noise=3)
    assert_stitched_stream_plays_as_predicted(*stitched(pictures, 4, options))


@SETTINGS
@given(
    width=st.integers(1, 80),
    height=st.integers(1, 80),
    seed=st.integers(0, 1000),
    noise=st.sampled_from([0, 2, 20]),
    y_ac_qi=st.integers(0, 127),
)
def test_chain_of_any_size_plays_as_predicted(width, height, seed, noise, y_ac_qi):
    """Odd sizes or extreme quantizers would break a film at its seams."""
    pictures = moving_pictures(width, height, 6, seed=seed, noise=noise)
    frames, after = stitched(pictures, 3, {"b": "200k"}, y_ac_qi=y_ac_qi)
    assert_stitched_stream_plays_as_predicted(frames, after)


def test_golden_and_altref_survive_a_rebase():
    """Frames that refer to golden or altref would be predicted from another picture."""
    pictures = moving_pictures(96, 80, 14, seed=4, noise=2)
    flags = {
        2: ONLY_ALTREF,
        3: FROM_ALTREF,
        4: ONLY_GOLDEN,
        5: FROM_GOLDEN | Flag.NO_UPD_ENTROPY,
        6: FROM_ALTREF | Flag.NO_UPD_ALTREF,
    }
    frames, after = stitched(pictures, 7, {"b": "300k"}, flags)
    assert_stitched_stream_plays_as_predicted(frames, after)
    assert after[9].altref not in (after[9].last, after[8].altref)


def test_hidden_frame_stays_hidden():
    """An altref frame would appear in the film."""
    pictures = moving_pictures(64, 48, 5, seed=6)
    chunk = encode_with_libvpx(pictures, {"b": "200k"}, {2: ONLY_ALTREF, 3: FROM_ALTREF})
    chunk[2] = hide(chunk[2])
    key = codec.encode_key_frame(moving_pictures(64, 48, 1, seed=7)[0], 30)
    more, more_states = rebased_chunk(key.state, pictures, chunk, 40)
    assert [codec.is_shown(frame) for frame in more] == [True, True, False, True, True]
    assert_stitched_stream_plays_as_predicted([key.frame, *more], [key.state, *more_states])


def test_intra_macroblocks_are_predicted_again():
    """Blocks predicted from changed neighbours would carry the old residue."""
    left, right = moving_pictures(96, 80, 2, seed=8), moving_pictures(96, 80, 2, seed=9)
    # A cut inside the chunk: libvpx codes most of the frame after it intra.
    pictures = [left[0], right[0], right[1]]
    chunk = encode_with_libvpx(pictures, {"b": "400k"})
    key = codec.encode_key_frame(moving_pictures(96, 80, 1, seed=10, noise=9)[0], 90)
    more, more_states = rebased_chunk(key.state, pictures, chunk, 20)
    assert_stitched_stream_plays_as_predicted([key.frame, *more], [key.state, *more_states])
    assert psnr(pictures[2], more_states[2].last) > 28


def assert_same_state_rebase_loses_little(pictures, frames):
    """Rebases each inter frame onto the state it was made for; compares in sum."""
    before = None
    sizes, qualities = [0, 0], [[], []]
    for picture, frame, (after, raster) in zip(pictures, frames, states(frames), strict=True):
        if before is not None:
            again = codec.rebase(before, picture, frame, before.basis())
            rebased_raster = codec.decode(before, again.frame).raster
            for which, (size, shown) in enumerate(
                [(len(frame), raster), (len(again.frame), rebased_raster)]
            ):
                sizes[which] += size
                qualities[which].append(psnr(picture, shown))
        before = after
    loss_db = (sum(qualities[0]) - sum(qualities[1])) / len(qualities[0])
    growth = sizes[1] / sizes[0] - 1
    assert loss_db < 0.1
    assert growth < 0.02


@pytest.mark.parametrize("quantizer", ["15", "30", "50"])
def test_same_state_loses_little_on_frames_of_libvpx(quantizer):
    """Rebase itself would cost quality or bits, on top of what a changed state costs."""
    pictures = moving_pictures(176, 144, 6, seed=12, noise=2)
    options = {"qmin": quantizer, "qmax": quantizer, "crf": quantizer, "deadline": "best"}
    assert_same_state_rebase_loses_little(pictures, encode_with_libvpx(pictures, options))


@pytest.mark.parametrize("y_ac_qi", [15, 45, 90])
def test_same_state_loses_little_on_frames_of_ours(y_ac_qi):
    """Rebase would undo what the encoder chose."""
    pictures = moving_pictures(176, 144, 5, seed=13, noise=2)
    encoded = codec.encode_key_frame(pictures[0], y_ac_qi)
    frames = [encoded.frame]
    for picture in pictures[1:]:
        encoded = codec.encode_inter_frame(encoded.state, picture, y_ac_qi)
        frames.append(encoded.frame)
    assert_same_state_rebase_loses_little(pictures, frames)


@pytest.mark.slow
@pytest.mark.parametrize("quantizer", ["12", "24", "40"])
@pytest.mark.parametrize("clip", CLIPS)
def test_same_state_loses_little_on_real_clips(clip, quantizer):
    """The bound would hold for synthetic pictures only."""
    if not (SHARED / "media" / clip).exists():
        pytest.skip(f"{SHARED / 'media' / clip} is not on this machine")
    pictures = clip_pictures(SHARED / "media" / clip, 12)
    options = {"qmin": quantizer, "qmax": quantizer, "crf": quantizer}
    assert_same_state_rebase_loses_little(pictures, encode_with_libvpx(pictures, options))


@pytest.mark.slow
@pytest.mark.parametrize("clip", CLIPS)
def test_chain_on_real_clips_plays_as_predicted_and_saves_bits(clip):
    """Joining chunks would not pay on real film."""
    if not (SHARED / "media" / clip).exists():
        pytest.skip(f"{SHARED / 'media' / clip} is not on this machine")
    pictures = clip_pictures(SHARED / "media" / clip, 24)
    options = {"qmin": "24", "qmax": "24", "crf": "24"}
    frames, after = stitched(pictures, 6, options, y_ac_qi=26)
    assert_stitched_stream_plays_as_predicted(frames, after)
    apart = [encode_with_libvpx(pictures[start : start + 6], options) for start in range(0, 24, 6)]
    assert sum(map(len, frames)) < 0.9 * sum(len(frame) for chunk in apart for frame in chunk)


@pytest.mark.parametrize("seed", range(3))
def test_another_state_as_good_costs_little(seed):
    """Every seam would cost bits or quality though the true state is as good as the guess.

    The two states show the same picture with other noise of quantization, so nothing can be
    carried over and every macroblock is decided again.
    """
    pictures = moving_pictures(176, 144, 5, seed=seed, noise=2)
    made_for = codec.encode_key_frame(pictures[0], 30).state
    state = codec.encode_key_frame(pictures[0], 31).state
    assert made_for.last != state.last
    made_bytes = rebased_bytes = 0
    for picture in pictures[1:]:
        made = codec.encode_inter_frame(made_for, picture, 30)
        rebased = codec.rebase(state, picture, made.frame, made_for.basis())
        made_bytes += len(made.frame)
        rebased_bytes += len(rebased.frame)
        made_for, state = made.state, rebased.state
    assert rebased_bytes < 1.15 * made_bytes
    assert psnr(pictures[-1], state.last) > psnr(pictures[-1], made_for.last) - 0.4


def changed(state, position):
    """Returns the state with one bit of one pixel flipped, counted from the end of its bytes."""
    data = bytearray(state.to_bytes())
    data[-position] ^= 1
    header = struct.Struct("<8sIQ32s")
    magic, version, size, _ = header.unpack_from(data)
    checksum = hashlib.sha256(data[header.size :]).digest()
    header.pack_into(data, 0, magic, version, size, checksum)
    return codec.State.from_bytes(bytes(data))


def test_references_are_known_by_their_pixels():
    """A frame would be decided again for nothing, or keep residue that does not fit any more."""
    pictures = moving_pictures(56, 40, 2, seed=5, noise=3)  # not whole macroblocks
    frames = encode_with_libvpx(pictures)
    made_for = next(states(frames))[0]
    taken_over = codec.rebase(made_for, pictures[1], frames[1], made_for.basis()).frame
    copy = codec.State.from_bytes(made_for.to_bytes())
    assert codec.rebase(copy, pictures[1], frames[1], made_for.basis()).frame == taken_over
    # One raster of 64x48, Y before U before V, ends a state whose references are all equal.
    for position in (1, 2, 8, 9, 32, 33, 768, 769, 1536, 1537, 1544, 1600, 4608):
        other = changed(made_for, position)
        again = codec.rebase(other, pictures[1], frames[1], made_for.basis())
        assert again.frame != taken_over, position
        assert codec.decode(other, again.frame).state == again.state


def test_key_frame_cannot_be_rebased():
    """A key frame would silently drop the state it was put behind."""
    picture = moving_pictures(32, 32, 1)[0]
    key = codec.encode_key_frame(picture, 30)
    with pytest.raises(codec.FrameArgumentError):
        codec.rebase(key.state, picture, key.frame, key.state.basis())


def test_state_of_another_size_is_refused():
    """References of the wrong size would be read outside their planes."""
    pictures = moving_pictures(32, 32, 2)
    frames = encode_with_libvpx(pictures)
    made_for = next(states(frames))[0]
    other = codec.encode_key_frame(moving_pictures(64, 32, 1)[0], 30).state
    with pytest.raises(codec.CodecError):
        codec.rebase(other, pictures[1], frames[1], made_for.basis())
