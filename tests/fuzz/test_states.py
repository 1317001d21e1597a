"""Bytes that are not the state they claim to be: each is refused by name."""

import contextlib
import hashlib
import random
import struct

import pytest

import codec
from codec import State
from tests.support.pictures import moving_pictures
from tests.support.streams import encode_with_libvpx, states

HEADER = struct.Struct("<8sIQ32s")


@pytest.fixture(scope="module")
def blob() -> bytes:
    """Returns the bytes of a state in the middle of a stream."""
    frames = encode_with_libvpx(moving_pictures(49, 37, 4), {"error-resilient": "default"})
    return list(states(frames))[2][0].to_bytes()


def sealed(payload: bytes) -> bytes:
    """Returns a state's bytes around any payload, with the checksum right."""
    checksum = hashlib.sha256(payload).digest()
    return HEADER.pack(b"XCVP8ST\n", 1, len(payload), checksum) + payload


def test_sealed_is_how_states_are_written(blob):
    """The tests below would fail at the checksum and never reach the payload."""
    assert sealed(blob[HEADER.size :]) == blob
    assert State.from_bytes(blob).to_bytes() == blob


def test_state_cut_anywhere_is_refused(blob):
    """Half of an upload would become a decoder's memory."""
    for length in range(0, len(blob), 1 if len(blob) < 4000 else 13):
        with pytest.raises(codec.StateError):
            State.from_bytes(blob[:length])


def test_any_changed_byte_is_refused(blob):
    """If storage lost a bit, the film would silently be another one."""
    choose = random.Random(4)
    for _ in range(2000):
        changed = bytearray(blob)
        changed[choose.randrange(len(changed))] ^= 1 << choose.randrange(8)
        with pytest.raises(codec.StateError):
            State.from_bytes(bytes(changed))


def test_foreign_bytes_are_refused_by_name(blob):
    """A state of a later version would be read as this one's."""
    for foreign in (b"", b"RIFF", blob[1:], b"\0" * 100):
        with pytest.raises(codec.StateError):
            State.from_bytes(foreign)
    later = bytearray(blob)
    later[8:12] = struct.pack("<I", 2)
    with pytest.raises(codec.StateVersionError):
        State.from_bytes(bytes(later))
    with pytest.raises(codec.StateError):
        State.from_bytes(blob + b"\0")


@pytest.mark.slow
def test_forged_payload_never_does_worse_than_an_error(blob):
    """A state with a right checksum could still make the decoder read anywhere."""
    choose = random.Random(5)
    frames = encode_with_libvpx(moving_pictures(49, 37, 4))
    payload = blob[HEADER.size :]
    accepted = 0
    for _ in range(3000):
        forged = bytearray(payload)
        reach = len(forged) if choose.random() < 0.2 else min(1400, len(forged))
        for _ in range(choose.choice((1, 1, 4, 40))):
            forged[choose.randrange(reach)] = choose.choice((0, 1, 127, 128, 255))
        if choose.random() < 0.2:
            forged = forged[: choose.randrange(len(forged))]
        try:
            state = State.from_bytes(sealed(bytes(forged)))
        except codec.StateError:
            continue
        accepted += 1
        assert State.from_bytes(state.to_bytes()) == state
        with contextlib.suppress(codec.CodecError):
            codec.decode(state, frames[3])
    assert accepted > 0, "no forgery came through: nothing past the checks was tried"
