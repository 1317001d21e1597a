"""The codec's operations: pure functions of a state, a frame and a raster."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

from codec._library import Pointer, check, library, take_buffer
from codec.errors import FrameArgumentError
from codec.raster import Raster
from codec.settings import EncodeSettings, Reference
from codec.state import Basis, State

USEFUL_THREADS = 8
"""The most threads that help: more find no rows to work on in most frames."""


class Encoded(NamedTuple):
    """A frame's bytes, and the state a decoder has after them."""

    frame: bytes
    state: State


class Rebased(NamedTuple):
    """A chunk's frames for another state, and the state a decoder has after the last."""

    frames: list[bytes]
    state: State


class Decoded(NamedTuple):
    """The state after a frame, and the raster it decodes to."""

    state: State
    raster: Raster


def _handle(value: Raster | State | None) -> Pointer | None:
    return None if value is None else value._handle


def _frames(frames: Sequence[bytes]) -> tuple[Any, Any]:
    """The frames as two C arrays: where they begin, and their sizes."""
    count = len(frames)
    return (ctypes.c_char_p * count)(*frames), (ctypes.c_size_t * count)(*map(len, frames))


def _handles(values: Sequence[Raster | Basis]) -> Any:
    return (ctypes.c_void_p * len(values))(*(value._handle.value for value in values))


def decode(state: State | None, frame: bytes, *, threads: int = 1) -> Decoded:
    """Decodes one frame (RFC 6386, bit-exact).

    Args:
        state: the state before the frame; may be None for a key frame.
        frame: one frame's bytes. An empty frame repeats the last raster.
        threads: how many work on it, 1 to 64; the result is the same for any number.

    Returns:
        The state after the frame, and its raster, even if it is not shown.

    Raises:
        BitstreamError: the bytes cannot be decoded, or there is no state and they are
            an inter frame or empty.
        FrameArgumentError: `threads` out of range.
    """
    return decode_chunk(state, [frame], threads=threads)[0]


def decode_chunk(
    state: State | None, frames: Sequence[bytes], *, threads: int = 1
) -> list[Decoded]:
    """Decodes consecutive frames in one call, without the interpreter's lock.

    Args:
        state: the state before the first frame; may be None for a key frame.
        frames: the frames' bytes, as for decode().
        threads: as for decode().

    Returns:
        For each frame, the state after it and its raster.

    Raises:
        BitstreamError: as decode(); names the frame, counted from 1.
        FrameArgumentError: `threads` out of range.
    """
    count = len(frames)
    data, sizes = _frames(frames)
    after, rasters = (ctypes.c_void_p * count)(), (ctypes.c_void_p * count)()
    check(library().xc_decode_chunk(_handle(state), data, sizes, count, threads, after, rasters))
    return [
        Decoded(State(ctypes.c_void_p(s)), Raster(ctypes.c_void_p(r)))
        for s, r in zip(after, rasters, strict=True)
    ]


def advance(state: State | None, frames: Sequence[bytes], *, threads: int = 1) -> State:
    """Decodes consecutive frames and returns only the state they lead to.

    Args:
        state: the state before the first frame; may be None for a key frame.
        frames: the frames' bytes, as for decode().
        threads: as for decode().

    Raises:
        BitstreamError: as decode(); names the frame, counted from 1.
        FrameArgumentError: `threads` out of range, or neither a state nor frames.
    """
    data, sizes = _frames(frames)
    after = ctypes.c_void_p()
    check(
        library().xc_advance(_handle(state), data, sizes, len(frames), threads, ctypes.byref(after))
    )
    return State(after)


def skim(state: State, frames: Sequence[bytes]) -> State:
    """Reads only the headers of consecutive inter frames, and applies them to a state.

    The result has the probabilities, segments and deltas that the frames leave. Its references
    are those of `state`, whatever the frames do to them.

    Args:
        state: the state before the first frame.
        frames: the frames' bytes, as for decode().

    Raises:
        BitstreamError: a header cannot be read; names the frame, counted from 1.
        FrameArgumentError: a key frame.
    """
    data, sizes = _frames(frames)
    after = ctypes.c_void_p()
    check(library().xc_skim(_handle(state), data, sizes, len(frames), ctypes.byref(after)))
    return State(after)


_DEFAULT_SETTINGS = EncodeSettings()


def encode_key_frame(
    raster: Raster,
    y_ac_qi: int,
    settings: EncodeSettings = _DEFAULT_SETTINGS,
    *,
    threads: int = 1,
) -> Encoded:
    """Encodes a raster as a key frame.

    Args:
        raster: the picture.
        y_ac_qi: quantizer index, 0 (finest) to 127.
        settings: what the frame does to references does not apply: it becomes all three.
        threads: as for decode().

    Raises:
        FrameArgumentError: an index, level, effort or number of threads out of range.
    """
    frame, after = ctypes.c_void_p(), ctypes.c_void_p()
    options = settings.native(y_ac_qi)
    check(
        library().xc_encode_key_frame(
            _handle(raster),
            ctypes.byref(options),
            threads,
            ctypes.byref(frame),
            ctypes.byref(after),
        )
    )
    return Encoded(take_buffer(frame), State(after))


def encode_inter_frame(
    state: State,
    raster: Raster,
    y_ac_qi: int,
    settings: EncodeSettings = _DEFAULT_SETTINGS,
    *,
    threads: int = 1,
) -> Encoded:
    """Encodes a raster as an inter frame against any state of its size.

    The slow work: motion search over all three references, mode decision by rate
    and distortion, choice of the filter level and of the probabilities.

    Args:
        state: the state before the frame.
        raster: the picture.
        y_ac_qi: quantizer index, 0 (finest) to 127.
        settings: what the frame does to the state, its segments and its filter level.
        threads: as for decode().

    Raises:
        FrameArgumentError: an index, level, effort or number of threads out of range.
        StateMismatch: state and raster differ in size.
    """
    frame, after = ctypes.c_void_p(), ctypes.c_void_p()
    options = settings.native(y_ac_qi)
    check(
        library().xc_encode_inter_frame(
            _handle(state),
            _handle(raster),
            ctypes.byref(options),
            threads,
            ctypes.byref(frame),
            ctypes.byref(after),
        )
    )
    return Encoded(take_buffer(frame), State(after))


def rebase(
    state: State, raster: Raster, frame: bytes, made_for: Basis, *, threads: int = 1
) -> Encoded:
    """Codes an inter frame again for another state (the paper's rebase).

    References, quantizers, filter levels and most modes and motion vectors stay.
    Prediction and residue are computed again from `state`, and the probabilities are chosen
    again for the new tokens.

    Args:
        state: the state that really precedes the frame.
        raster: the picture the frame shows, as it was before encoding.
        frame: an inter frame. If it was made for another state, only its modes are
            read, so damage to its tokens is not found here.
        made_for: the basis of the state `frame` was made for, which is needed to read
            it.
        threads: as for decode().

    Raises:
        BitstreamError: `frame` cannot be read.
        FrameArgumentError: it is a key frame or empty, or becomes larger than VP8
            allows; `threads` out of range.
        StateMismatch: states and raster differ in size.
    """
    rebased = rebase_chunk(state, [raster], [frame], [made_for], threads=threads)
    return Encoded(rebased.frames[0], rebased.state)


def rebase_chunk(
    state: State,
    rasters: Sequence[Raster],
    frames: Sequence[bytes],
    made_for: Sequence[Basis],
    *,
    threads: int = 1,
) -> Rebased:
    """Rebases consecutive inter frames in one call, without the interpreter's lock.

    Args:
        state: the state that really precedes the first frame.
        rasters: the picture each frame shows.
        frames: the frames, as for rebase().
        made_for: the basis of the state each frame was made for.
        threads: as for decode().

    Raises:
        FrameArgumentError: as rebase(), or not as many frames as rasters and bases.
        BitstreamError: as rebase(). All errors of a frame name it, counted from 1.
        StateMismatch: as rebase().
    """
    count = len(frames)
    if not count == len(rasters) == len(made_for):
        raise FrameArgumentError(
            f"{count} frames need as many rasters and bases, not {len(rasters)} and {len(made_for)}"
        )
    data, sizes = _frames(frames)
    rebased, after = (ctypes.c_void_p * count)(), ctypes.c_void_p()
    check(
        library().xc_rebase_chunk(
            _handle(state),
            _handles(rasters),
            data,
            sizes,
            _handles(made_for),
            count,
            threads,
            rebased,
            ctypes.byref(after),
        )
    )
    return Rebased([take_buffer(ctypes.c_void_p(buffer)) for buffer in rebased], State(after))


def show_reference(state: State, reference: Reference, *, threads: int = 1) -> Encoded:
    """Makes a frame of a few bytes that shows a reference as it is.

    The reference becomes the last reference, too; everything else of the state stays.

    Args:
        state: the state before the frame.
        reference: the picture to show.
        threads: as for decode().

    Raises:
        FrameArgumentError: no such reference; `threads` out of range.
    """
    frame, after = ctypes.c_void_p(), ctypes.c_void_p()
    check(
        library().xc_show_reference(
            _handle(state), reference, threads, ctypes.byref(frame), ctypes.byref(after)
        )
    )
    return Encoded(take_buffer(frame), State(after))


def recode(state: State, frame: bytes, made_for: Basis) -> bytes:
    """Writes an inter frame to follow another state that predicts the same.

    The state may have other probabilities than the one the frame was made for, and other
    segments if the frame sends its own. The frame keeps its modes, its tokens and its own
    probabilities, so it decodes to the same picture. Only its first partition is written again.

    Args:
        state: the state that really precedes the frame.
        frame: an inter frame.
        made_for: the basis of the state `frame` was made for.

    Raises:
        BitstreamError: `frame` cannot be read.
        FrameArgumentError: it is a key frame or empty, or needs a motion vector probability that
            no header can bring back; frames of this encoder never do.
        StateMismatch: the states differ in size or references.
    """
    recoded = ctypes.c_void_p()
    check(
        library().xc_recode(
            _handle(state), frame, len(frame), made_for._handle, ctypes.byref(recoded)
        )
    )
    return take_buffer(recoded)


def quantizer_steps() -> tuple[int, ...]:
    """The quantizer step of AC coefficients in luma for each `y_ac_qi` (RFC 6386, 14.1)."""
    return tuple(library().xc_quantizer_steps().contents)


def simd_level() -> str:
    """The instruction set whose kernels are in use.

    It is the best that this CPU has, or the one that the environment variable
    EXCAMERA_CODEC_SIMD names: reference, sse2, avx2 or neon. Results are the same.

    Raises:
        FrameArgumentError: the variable names a level that this CPU does not have.
    """
    name = ctypes.c_char_p()
    check(library().xc_simd_level(ctypes.byref(name)))
    assert name.value is not None
    return name.value.decode()
