"""Our codec as the speed figures call it, in pieces of a few frames.

Where this version of the codec has no operation on several frames, or takes no threads, its
operations on one frame do; the results say which were used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import codec

PIECE_FRAMES = 6
"""Frames of one call: a chunk's. Their pictures are all in memory at a time."""


def _function(name: str) -> Callable[..., Any] | None:
    found: Callable[..., Any] | None = getattr(codec, name, None)
    return found


def api() -> dict[str, str]:
    """The operations that are used, and what the codec says of itself."""
    level = _function("simd_level")
    return {
        "decode": "decode_chunk" if _function("decode_chunk") else "decode",
        "rebase": "rebase_chunk" if _function("rebase_chunk") else "rebase",
        "threads": "yes" if takes_threads() else "no",
        "simd": str(level()) if level else "none",
    }


def takes_threads() -> bool:
    """Whether all three operations do."""
    return all(
        "threads" in inspect.signature(function).parameters
        for function in (
            _function("decode_chunk") or codec.decode,
            _function("rebase_chunk") or codec.rebase,
            codec.encode_inter_frame,
        )
    )


def _threads(threads: int) -> dict[str, int]:
    """The argument, where there is one.

    Raises:
        NotImplementedError: there is none, and more than one is asked for.
    """
    if takes_threads():
        return {"threads": threads}
    if threads != 1:
        raise NotImplementedError("this version of the codec takes no threads")
    return {}


def decode(
    state: codec.State | None, frames: Sequence[bytes], threads: int = 1
) -> list[codec.Decoded]:
    """Decodes successive frames."""
    more = _threads(threads)
    at_once = _function("decode_chunk")
    if at_once is not None:
        found: list[codec.Decoded] = at_once(state, frames, **more)
        return found
    done: list[codec.Decoded] = []
    for frame in frames:
        done.append(codec.decode(done[-1].state if done else state, frame, **more))
    return done


def rebase(
    state: codec.State,
    rasters: Sequence[codec.Raster],
    frames: Sequence[bytes],
    made_for: Sequence[codec.State],
    threads: int = 1,
) -> list[codec.Encoded]:
    """Rebases successive frames, each onto the state that the one before leaves."""
    more = _threads(threads)
    at_once = _function("rebase_chunk")
    if at_once is not None:
        found: list[codec.Encoded] = at_once(state, rasters, frames, made_for, **more)
        return found
    done: list[codec.Encoded] = []
    for raster, frame, made in zip(rasters, frames, made_for, strict=True):
        done.append(codec.rebase(done[-1].state if done else state, raster, frame, made, **more))
    return done


def encode(
    state: codec.State,
    raster: codec.Raster,
    y_ac_qi: int,
    settings: codec.EncodeSettings | None = None,
    threads: int = 1,
) -> codec.Encoded:
    """Encodes a picture against a state, with the default settings where none are given."""
    function: Callable[..., codec.Encoded] = codec.encode_inter_frame
    settings = settings or codec.EncodeSettings()
    return function(state, raster, y_ac_qi, settings, **_threads(threads))


def pieces(count: int, first: int = 0) -> Iterator[slice]:
    """Cuts frames `first` to `count` into pieces."""
    for start in range(first, count, PIECE_FRAMES):
        yield slice(start, min(count, start + PIECE_FRAMES))
