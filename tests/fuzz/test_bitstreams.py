"""Frames that no encoder made: each is refused by name or decoded; nothing else happens."""

import random
import struct
from dataclasses import replace

import numpy as np
import pytest

import codec
from codec import EncodeSettings
from tests.support.pictures import moving_pictures
from tests.support.streams import Flag, encode_with_libvpx

# libvpx ends every partition with 32 bits that no decoder needs to read.
FLUSH_BYTES = 4


OURS = 4


def our_stream(pictures, seed):
    """Returns a key frame, a hidden altref, and frames that leave parts of the state alone."""
    shape = ((pictures[0].height + 15) // 16, (pictures[0].width + 15) // 16)
    segment_map = np.random.default_rng(seed).integers(0, 4, shape, np.uint8)
    segments = codec.Segments(segment_map, (-30, 0, 9, 40), (-9, 0, 3, 12))
    roles = [
        EncodeSettings(segments=segments),
        EncodeSettings(show=False, refresh_last=False, refresh_altref=True, altref_sign_bias=True),
        EncodeSettings(segments=segments, refresh_entropy=False),
        EncodeSettings(segments=replace(segments, map=segment_map % 2)),
        EncodeSettings(refresh_last=False, copy_to_golden=codec.BufferCopy.FROM_OTHER),
    ]
    encoded = codec.encode_key_frame(pictures[0], 40, roles[0])
    frames = [encoded.frame]
    for picture, role in zip(pictures[1:], roles[1:], strict=True):
        encoded = codec.encode_inter_frame(encoded.state, picture, 40 + seed, role)
        frames.append(encoded.frame)
    return frames


def stream(seed: int) -> list[bytes]:
    """Returns a short stream with many features: partitions, altref, split vectors, noise.

    Seeds from 4 on give streams of our own encoder, with segments and frames of every role.
    """
    pictures = moving_pictures(80 + seed, 64 - seed, 5, seed=seed, noise=seed)
    if seed >= OURS:
        return our_stream(pictures, seed)
    options = {"slices": str(1 << seed % 4), "b": "300k", "profile": str(seed % 4)}
    only_altref = Flag.FORCE_ALTREF | Flag.NO_UPD_LAST | Flag.NO_UPD_GOLDEN
    return encode_with_libvpx(pictures, options, {2: only_altref})


def with_states(frames):
    """Returns each frame with the state that precedes it."""
    pairs, state = [], None
    for frame in frames:
        pairs.append((state, frame))
        state = codec.decode(state, frame).state
    return pairs


def decodes_or_is_refused(state, frame):
    """Decodes arbitrary bytes; returns whether they could be decoded."""
    try:
        decoded = codec.decode(state, frame)
    except codec.BitstreamError:
        return False
    assert len(decoded.raster.i420()) > 0
    return True


@pytest.mark.parametrize("seed", range(6))
def test_frame_cut_at_any_byte_is_refused(seed):
    """A broken download would be shown as a picture, or read outside its buffer."""
    for state, frame in with_states(stream(seed))[:3]:
        whole = codec.decode(state, frame)
        for length in range(1, len(frame)):
            try:
                decoded = codec.decode(state, frame[:length])
            except codec.BitstreamError:
                continue
            assert length >= len(frame) - FLUSH_BYTES, f"{length} of {len(frame)} bytes decoded"
            assert decoded.state == whole.state


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_never_do_worse_than_an_error(seed):
    """One flipped bit could crash or hang a worker."""
    choose = random.Random(seed)
    pairs = with_states(stream(seed))
    decoded = 0
    for _ in range(1500):
        state, frame = choose.choice(pairs)
        mutated = bytearray(frame)
        # Half of them in the headers, where a bit matters most.
        reach = len(mutated) if choose.random() < 0.5 else min(40, len(mutated))
        for _ in range(choose.choice((1, 1, 1, 2, 8, 64))):
            mutated[choose.randrange(reach)] ^= 1 << choose.randrange(8)
        decoded += decodes_or_is_refused(state, bytes(mutated))
    assert decoded > 100, "nearly everything was refused: the mutations reach too little"


def test_random_bytes_never_do_worse_than_an_error():
    """Bytes of another format could crash or hang a worker."""
    choose = random.Random(1)
    state = with_states(stream(1))[1][0]
    for _ in range(2000):
        noise = bytearray(choose.randbytes(choose.randrange(1, 300)))
        if choose.random() < 0.7:
            first = (choose.randrange(120) << 5) | 0x10 | (choose.randrange(4) << 1)
            if choose.random() < 0.3:
                noise[3:10] = b"\x9d\x01\x2a" + struct.pack(
                    "<HH", choose.randrange(1, 64), choose.randrange(1, 64)
                )
            else:
                first |= 1
            noise[:3] = first.to_bytes(3, "little")
        decodes_or_is_refused(
            choose.choice((None, state)) if noise[0] & 1 == 0 else state, bytes(noise)
        )


def test_random_bytes_as_partitions_of_real_headers():
    """Nonsense tokens and vectors could read far outside the references."""
    choose = random.Random(2)
    for seed in range(4):
        for state, frame in with_states(stream(seed)):
            for _ in range(60):
                start = choose.randrange(10, len(frame))
                noisy = frame[:start] + choose.randbytes(len(frame) - start + 2000)
                decodes_or_is_refused(state, noisy)


@pytest.mark.parametrize(
    ("width", "height"), [(0, 0), (0, 16), (16, 0), (16383, 16383), (16383, 1), (1, 16383)]
)
def test_absurd_sizes_in_a_small_key_frame(width, height):
    """A frame of a hundred bytes could take gigabytes, or divide by zero."""
    frame = bytearray(stream(0)[0])
    frame[6:10] = struct.pack("<HH", width, height)
    with pytest.raises(codec.BitstreamError):
        codec.decode(None, bytes(frame))


def test_partition_sizes_beyond_the_frame():
    """A length field could send the decoder outside the buffer."""
    state, frame = with_states(stream(3))[1]
    for first_partition in (0, len(frame), 0x7FFFF):
        tag = int.from_bytes(frame[:3], "little") & 0x1F | first_partition << 5
        with pytest.raises(codec.BitstreamError):
            codec.decode(state, tag.to_bytes(3, "little") + frame[3:])


@pytest.mark.parametrize("version", [4, 5, 6, 7])
def test_unknown_versions_are_refused_by_name(version):
    """A future bitstream would be decoded as garbage."""
    frame = bytearray(stream(0)[0])
    frame[0] = frame[0] & ~0x0E | version << 1
    with pytest.raises(codec.UnsupportedBitstream):
        codec.decode(None, bytes(frame))


def test_key_frame_without_its_start_code_is_invalid():
    """Another format's bytes would be taken for a picture."""
    frame = bytearray(stream(0)[0])
    frame[3] ^= 1
    with pytest.raises(codec.InvalidBitstream):
        codec.decode(None, bytes(frame))


def test_inter_frame_without_a_state_is_named():
    """A stream joined in the middle would fail without a reason."""
    with pytest.raises(codec.InvalidBitstream):
        codec.decode(None, stream(0)[1])


def test_failed_decode_leaves_the_state_as_it_was():
    """One bad frame would spoil every later one decoded from the same state."""
    state, frame = with_states(stream(2))[2]
    before = state.digest()
    for length in range(1, len(frame) - FLUSH_BYTES, 7):
        with pytest.raises(codec.BitstreamError):
            codec.decode(state, frame[:length])
    assert codec.State.from_bytes(state.to_bytes()).digest() == before


@pytest.mark.slow
def test_rebase_refuses_what_decode_refuses():
    """The serial pass would crash on a chunk that was damaged in the store."""
    choose = random.Random(3)
    pictures = moving_pictures(81, 63, 5, seed=1, noise=1)
    pairs = with_states(stream(1))
    for _ in range(400):
        index = choose.randrange(1, len(pairs))
        made_for, frame = pairs[index]
        mutated = bytearray(frame)
        for _ in range(choose.choice((1, 2, 30))):
            mutated[choose.randrange(1, len(mutated))] ^= 1 << choose.randrange(8)
        onto = pairs[choose.randrange(1, len(pairs))][0]
        try:
            rebased = codec.rebase(onto, pictures[index], bytes(mutated), made_for.basis())
        except codec.CodecError:
            continue
        assert codec.decode(onto, rebased.frame).state == rebased.state
