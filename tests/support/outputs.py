"""Results of the codec's operations, as text that can be compared and sent between processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import codec
from codec import Basis, BufferCopy, Decoded, Encoded, EncodeSettings, Raster, State
from tests.support.streams import md5, read_ivf

# One per frame, in turn: its effect on golden and altref, the source of its filter level, and its
# effort.
SETTINGS = (
    EncodeSettings(),
    EncodeSettings(refresh_golden=True, filter_level=40, effort=4),
    EncodeSettings(copy_to_altref=BufferCopy.FROM_OTHER, filter_level=0, effort=0),
    EncodeSettings(refresh_altref=True, copy_to_golden=BufferCopy.FROM_LAST, effort=3),
    EncodeSettings(effort=1),
)


def described(result: Decoded | Encoded) -> str:
    """Returns the digests of a frame or raster and of the state after it."""
    first = result.frame if isinstance(result, Encoded) else result.raster.i420()
    return f"{md5(first)} {result.state.digest()}"


def md5s_of(stream: Path, threads: int) -> list[str]:
    """Returns the MD5 of each shown frame of an IVF file."""
    frames = read_ivf(stream)
    decoded = codec.decode_chunk(None, frames, threads=threads)
    return [
        md5(one.raster.i420())
        for frame, one in zip(frames, decoded, strict=True)
        if codec.is_shown(frame)
    ]


def decoded(frames: Sequence[bytes], threads: int) -> list[Decoded]:
    """Returns what each frame of a stream decodes to, with one call per frame."""
    found: list[Decoded] = []
    for frame in frames:
        found.append(codec.decode(found[-1].state if found else None, frame, threads=threads))
    return found


def encoded(pictures: Sequence[Raster], y_ac_qi: int, threads: int) -> list[Encoded]:
    """Returns a key frame of the first picture and inter frames of the others."""
    first = EncodeSettings(effort=y_ac_qi % 5)
    found = [codec.encode_key_frame(pictures[0], y_ac_qi, first, threads=threads)]
    for index, picture in enumerate(pictures[1:]):
        settings = SETTINGS[index % len(SETTINGS)]
        before = found[-1].state
        found.append(codec.encode_inter_frame(before, picture, y_ac_qi, settings, threads=threads))
    return found


def rebased(
    state: State,
    pictures: Sequence[Raster],
    frames: Sequence[bytes],
    made_for: Sequence[Basis],
    threads: int,
) -> list[Encoded]:
    """Returns the frames for another state, with one call per frame."""
    found: list[Encoded] = []
    for picture, frame, before in zip(pictures, frames, made_for, strict=True):
        onto = found[-1].state if found else state
        found.append(codec.rebase(onto, picture, frame, before, threads=threads))
    return found


def of_every_operation(
    pictures: Sequence[Raster], frames: Sequence[bytes], y_ac_qi: int, threads: int
) -> dict[str, list[str]]:
    """Returns each operation's result for a stream of one key frame and its pictures."""
    stream = decoded(frames, threads)
    ours = encoded(pictures, y_ac_qi, threads)
    made_for = [one.state.basis() for one in stream[:-1]]
    inter = (pictures[1:], frames[1:], made_for)
    given = {
        "decode": stream,
        "decode_chunk": codec.decode_chunk(None, frames, threads=threads),
        "encode": ours,
        "rebase": rebased(ours[0].state, *inter, threads),
        # Onto the same states: modes and coefficients are kept.
        "rebase, same state": rebased(stream[0].state, *inter, threads),
    }
    found = {name: [described(result) for result in results] for name, results in given.items()}
    chunk = codec.rebase_chunk(ours[0].state, *inter, threads=threads)
    found["rebase_chunk"] = [*map(md5, chunk.frames), chunk.state.digest()]
    found["advance"] = [codec.advance(None, frames, threads=threads).digest()]
    return found


def of_damaged(state: State, frame: bytes, threads: int) -> str:
    """Returns the result of decoding an arbitrary frame, or its error."""
    try:
        return described(codec.decode(state, frame, threads=threads))
    except codec.BitstreamError as error:
        return f"{type(error).__name__}: {error}"
