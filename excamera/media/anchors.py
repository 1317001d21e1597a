"""Chunks between exact anchors: a batch in which no picture has to be coded twice.

The last frame of every chunk is its anchor. All anchors of a batch are coded ahead, one after
another, as hidden altref frames; the first frame of the batch is a key frame. Then every chunk is
coded against pictures that are exactly those of the result: golden is the anchor before the chunk,
altref its own. After the chunk a small frame shows the anchor. The pictures never change again;
only the probabilities with which they are written depend on what really precedes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

import codec
from codec import BufferCopy, EncodeSettings
from excamera.errors import ChunkError, SeamMismatch
from excamera.job.options import QI_OF_CRF, EncodeOptions
from excamera.media.join import JoinedChunk

_KEY_SHARE, _ANCHOR_SHARE = 0.5, 0.4
"""By what share of `y_ac_qi` the key frame and the anchors are better than ordinary frames."""

_SHOWN = 0x10  # of a frame's first byte
_COARSE = 60
_TRIED = (10, 20, 40, 80, 127, 4)
"""`y_ac_qi` of the frame that shows an anchor: the first that shows it exactly is taken."""

_AS_IT_IS = EncodeSettings(filter_level=0)


@dataclass(frozen=True, slots=True)
class ChunkAnchors:
    """The frames of a chunk that were coded ahead: before its ordinary frames, and after them.

    Attributes:
        opening: in chunk 0 the key frame, then the hidden anchor; in others the hidden anchor. If
            the chunk has no ordinary frames, the anchor is shown.
        closing: the small frame that shows the anchor; none if the opening shows all.
        y_ac_qi: of the chunk's ordinary frames.
    """

    opening: list[bytes]
    closing: list[bytes]
    y_ac_qi: int


def encode_anchors(
    pictures: Iterable[codec.Raster], lengths: Sequence[int], options: EncodeOptions, threads: int
) -> list[ChunkAnchors]:
    """Code the frames of a batch on which its chunks depend.

    Args:
        pictures: all pictures of the batch, in order.
        lengths: frames of each chunk.
        options: quality and effort.
        threads: how many share a frame; the result is the same for any number.
    """
    source = iter(pictures)
    y_ac_qi = QI_OF_CRF[options.crf]
    state: codec.State | None = None
    found: list[ChunkAnchors] = []
    for length in lengths:
        opening: list[bytes] = []
        ordinary = length - 1
        if state is None:
            key = codec.encode_key_frame(
                next(source), y_ac_qi - int(y_ac_qi * _KEY_SHARE), threads=threads
            )
            opening.append(key.frame)
            state, ordinary = key.state, length - 2
        closing: list[bytes] = []
        if ordinary >= 0:
            for _ in range(ordinary):
                next(source)
            settings = EncodeSettings(
                refresh_altref=True,
                copy_to_golden=BufferCopy.FROM_OTHER if found else BufferCopy.NONE,
            )
            qi = y_ac_qi - int(y_ac_qi * _ANCHOR_SHARE)
            anchor = codec.encode_inter_frame(state, next(source), qi, settings, threads=threads)
            state = anchor.state
            opening.append(_hidden(anchor.frame) if ordinary else anchor.frame)
            if ordinary:
                closing.append(_shows_altref(state, threads))
                state = codec.advance(state, closing)
        found.append(ChunkAnchors(opening, closing, y_ac_qi))
    return found


def encode_between(
    anchors: Sequence[ChunkAnchors],
    chunk: int,
    pictures: Iterable[codec.Raster],
    options: EncodeOptions,
) -> list[bytes]:
    """Code the ordinary frames of a chunk.

    Args:
        anchors: those of the chunks up to this one.
        chunk: its number.
        pictures: of its ordinary frames.
        options: quality and effort.

    Raises:
        ChunkError: the frames do not decode to what was coded.
    """
    before = state = _opened(anchors, chunk)
    frames = []
    for picture in pictures:
        coded = codec.encode_inter_frame(state, picture, anchors[chunk].y_ac_qi)
        frames.append(coded.frame)
        state = coded.state
    if codec.advance(before, frames).digest() != state.digest():
        raise ChunkError(f"the frames of chunk {chunk} do not decode to what was coded")
    return frames


def join_anchored(
    anchors: Sequence[ChunkAnchors], between: Sequence[list[bytes]]
) -> Iterator[JoinedChunk]:
    """Put the frames of a batch into the order of the result.

    The pictures stay as they are; the probabilities are chosen again for what really precedes.

    Args:
        anchors: of all chunks.
        between: the ordinary frames of each.

    Raises:
        SeamMismatch: the result does not decode to the predicted pictures.
    """
    # What anchors and ordinary frames were made for, and what the result leads to.
    ahead: codec.State | None = None
    true: codec.State | None = None
    seen: codec.State | None = None
    try:
        for one, ordinary in zip(anchors, between, strict=True):
            made: list[bytes] = []
            coded = [*one.opening, *ordinary]
            if ahead is None or true is None:
                made, coded = coded[:1], coded[1:]
                ahead = true = codec.decode(None, made[0]).state
            bases, made_for = [], ahead
            for number, decoded in enumerate(codec.decode_chunk(ahead, coded)):
                bases.append(made_for.basis())
                made_for = decoded.state
                if number == len(coded) - len(ordinary) - 1:
                    ahead = made_for
            rasters = [ahead.last] * len(coded)
            rebased = codec.rebase_chunk(true, rasters, coded, bases)
            true = rebased.state
            frames = [*made, *rebased.frames]
            if one.closing:
                [closing] = one.closing
                ahead = codec.advance(ahead, [closing])
                if not _is_shown_by(closing, true):
                    closing = _shows_altref(true, 1)
                true = codec.advance(true, [closing])
                frames.append(closing)
            seen = codec.advance(seen, frames)
            if seen.digest() != true.digest() or not _predict_alike(seen, ahead):
                raise SeamMismatch("a joined chunk does not decode to the predicted pictures")
            yield JoinedChunk(frames, seen.digest())
    except codec.BitstreamError as error:
        raise SeamMismatch(f"a joined chunk does not decode: {error}") from error


def _opened(anchors: Sequence[ChunkAnchors], chunk: int) -> codec.State:
    """The state that precedes the ordinary frames of a chunk."""
    frames = [frame for one in anchors[:chunk] for frame in (*one.opening, *one.closing)]
    return codec.advance(None, [*frames, *anchors[chunk].opening])


def _hidden(frame: bytes) -> bytes:
    return bytes([frame[0] & ~_SHOWN]) + frame[1:]


def _shows_altref(state: codec.State, threads: int) -> bytes:
    """A small frame that shows altref exactly, whatever the last picture and the probabilities are.

    It is coded after a picture that has no pixel of altref, so that it refers to altref alone. If
    it has neither residue nor vectors, probabilities do not matter to it.

    Raises:
        ChunkError: no such frame was found.
    """
    opposite = codec.Raster.from_planes(
        *(np.where(plane < 128, 255, 0).astype(np.uint8) for plane in state.altref.planes())
    )
    other = codec.encode_inter_frame(state, opposite, _COARSE, _AS_IT_IS, threads=threads).state
    for y_ac_qi in _TRIED:
        shows = codec.encode_inter_frame(other, state.altref, y_ac_qi, _AS_IT_IS, threads=threads)
        if shows.state.last == state.altref and _is_shown_by(shows.frame, state):
            return shows.frame
    raise ChunkError("an anchor cannot be shown as it was coded")


def _is_shown_by(closing: bytes, state: codec.State) -> bool:
    """Whether the frame shows altref if it follows this state."""
    try:
        return codec.advance(state, [closing]).last == state.altref
    except codec.BitstreamError:
        return False


def _predict_alike(one: codec.State, other: codec.State) -> bool:
    """Whether what the next chunk refers to is the same in both states."""
    return (one.last, one.golden, one.altref) == (other.last, other.golden, other.altref)
