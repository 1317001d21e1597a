"""Chunks between exact anchors: a batch in which no picture has to be coded twice.

The last frame of every chunk is its anchor. All anchors of a batch are coded ahead, one after
another, as hidden altref frames; the first frame of the batch is a key frame. Then every chunk is
coded against pictures that are exactly those of the result: golden is the anchor before the chunk,
altref its own, and the first frame finds the anchor before it in last, too. After the chunk a
frame of a few bytes shows the anchor. The last chunk of a batch has none, for nothing else would
refer to it.

No pixel changes afterwards. Within a chunk the probabilities run from frame to frame; only the
next anchor (or the last chunk's first frame), which was coded before these frames, has to be told
about them: its first partition is written again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import codec
from codec import BufferCopy, EncodeSettings, Reference
from excamera.errors import ChunkError, SeamMismatch
from excamera.job.options import EncodeOptions
from excamera.media.join import CodedChunk, JoinedChunk
from excamera.media.lookahead import Lookahead
from excamera.media.quantizers import spread_qis


@dataclass(frozen=True, slots=True)
class ChunkAnchors:
    """The frames of a chunk that were coded ahead: before its ordinary frames, and after them.

    Attributes:
        opening: in chunk 0 the key frame, then the hidden anchor; in others the hidden anchor. If
            the chunk has no ordinary frames, the anchor is shown. The last chunk has no anchor.
        closing: the small frame that shows the anchor; none if there is none, or it is shown.
        y_ac_qi: of the chunk's ordinary frames.
    """

    opening: list[bytes]
    closing: list[bytes]
    y_ac_qi: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A chunk whose ordinary frames can be coded now.

    Attributes:
        anchors: what was coded ahead of it.
        state: the state that precedes its ordinary frames.
    """

    anchors: ChunkAnchors
    state: codec.State


def encode_anchors(
    ahead: Lookahead,
    lengths: Sequence[int],
    options: EncodeOptions,
    threads: int,
    even: float | None = None,
) -> Iterator[Opened]:
    """Code the frames of a batch on which its chunks depend; each chunk comes when it can begin.

    Args:
        ahead: what the pictures of the batch are to each other.
        lengths: frames of each chunk.
        options: quality and effort.
        threads: how many share a frame; the result is the same for any number.
        even: see `Lookahead.quantizers`.
    """
    quantizers = ahead.quantizers(even)
    key = quantizers.ahead[0]
    settings = EncodeSettings(segments=key.segments, effort=options.anchors.effort)
    coded = codec.encode_key_frame(ahead.pictures[0], key.y_ac_qi, settings, threads=threads)
    opening, state = [coded.frame], coded.state
    remaining = iter(zip(ahead.pictures[1:], quantizers.ahead[1:], strict=True))
    last = len(lengths) - 1
    ordinary = [quantizers.ordinary] * len(lengths)
    if options.target is not None:
        # The same for all would be too coarse a choice for a film of few batches.
        ordinary = spread_qis(quantizers.step, len(lengths))
    for number, length in enumerate(lengths):
        closing: list[bytes] = []
        opened = state
        if number < last and length > len(opening):
            hidden = length > len(opening) + 1
            picture, quantizer = next(remaining)
            settings = EncodeSettings(
                segments=quantizer.segments,
                effort=options.anchors.effort,
                show=not hidden,
                refresh_last=not hidden,
                refresh_altref=True,
                # The anchor before becomes golden; the key frame is there already.
                copy_to_golden=BufferCopy.FROM_OTHER if number else BufferCopy.NONE,
            )
            coded = codec.encode_inter_frame(
                state, picture, quantizer.y_ac_qi, settings, threads=threads
            )
            opening.append(coded.frame)
            opened = state = coded.state
            if hidden:
                shows = codec.show_reference(state, Reference.ALTREF, threads=threads)
                closing.append(shows.frame)
                state = shows.state
        yield Opened(ChunkAnchors(opening, closing, ordinary[number]), opened)
        opening = []


def opened_chunks(anchors: Iterable[ChunkAnchors]) -> Iterator[Opened]:
    """The chunks of a batch whose anchors were coded before, as `encode_anchors` returned them."""
    state: codec.State | None = None
    for one in anchors:
        opened = codec.advance(state, one.opening) if one.opening else state
        assert opened is not None
        yield Opened(one, opened)
        state = codec.advance(opened, one.closing)


def encode_between(
    opened: Opened, pictures: Iterable[codec.Raster], options: EncodeOptions
) -> CodedChunk:
    """Code the ordinary frames of a chunk.

    Args:
        opened: the chunk.
        pictures: of its ordinary frames, perhaps none.
        options: quality and effort.

    Raises:
        ChunkError: the frames do not decode to what was coded.
    """
    state = opened.state
    settings = EncodeSettings(effort=options.anchors.ordinary_effort)
    frames = []
    for picture in pictures:
        coded = codec.encode_inter_frame(state, picture, opened.anchors.y_ac_qi, settings)
        frames.append(coded.frame)
        state = coded.state
    if not frames:
        return CodedChunk([])
    if codec.advance(opened.state, frames) != state:
        raise ChunkError("the frames of a chunk do not decode to what was coded")
    return CodedChunk(frames, digest_of(opened.state, frames))


def digest_of(before: codec.State, frames: Sequence[bytes]) -> str:
    """SHA-256 of a state and the frames that were made for it.

    It ties frames to what their worker verified, so that join need not decode them again.
    """
    digest = hashlib.sha256(bytes.fromhex(before.digest()))
    for frame in frames:
        digest.update(len(frame).to_bytes(4, "little"))
        digest.update(frame)
    return digest.hexdigest()


def join_anchored(
    anchors: Iterable[ChunkAnchors], between: Iterable[CodedChunk]
) -> Iterator[JoinedChunk]:
    """Put the frames of a batch into the order of the result.

    The workers of the chunks have decoded their frames. Here every anchor and the last chunk are
    decoded as they stand in the result, and every chunk is compared with the state before it.

    Args:
        anchors: of all chunks; both may still be made while the first are joined.
        between: the ordinary frames of each.

    Raises:
        SeamMismatch: the result does not decode to the predicted pictures.
    """
    # The anchors as they were made, and what the result leads to.
    made: codec.State | None = None
    true: codec.State | None = None
    try:
        for number, (one, ordinary) in enumerate(zip(anchors, between, strict=True)):
            opening, frames = list(one.opening), list(ordinary.frames)
            if opening:
                if made is not None and true is not None:
                    opening[0] = codec.recode(true, opening[0], made.basis())
                made = true = codec.advance(true, opening)
            if made is None or true is None:
                raise SeamMismatch("the batch does not begin with a key frame")
            if frames and digest_of(made, frames) != ordinary.digest:
                raise SeamMismatch(f"chunk {number} was not made for the state before it")
            if frames and not opening:
                frames[0] = codec.recode(true, frames[0], made.basis())
            # Nothing that follows sees the pictures of these frames, if an anchor is shown.
            true = codec.skim(true, frames) if one.closing else codec.advance(true, frames)
            made, true = (codec.advance(state, one.closing) for state in (made, true))
            yield JoinedChunk([*opening, *frames, *one.closing], true.digest())
    except (codec.BitstreamError, codec.StateError, codec.FrameArgumentError) as error:
        raise SeamMismatch(f"a joined chunk does not decode: {error}") from error
