"""Joining the chunks of a batch: all chunks but the first lose their key frame.

A chunk's first frame is re-encoded as an inter frame against the final state of the chunk
before *as originally encoded*. This is slow, and independent of everything else, so it runs
in threads. Then every frame is rebased serially onto the state that really precedes it. One
thread reads the source ahead of the rebase; another decodes the result behind it, and compares
its states with the predicted ones.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import codec
from excamera.errors import ChunkError, SeamMismatch

# A re-encoded first frame takes the place of a key frame, which filled all three
# references: the rest of the chunk expects it in golden and altref too.
_FIRST_FRAME = codec.EncodeSettings(refresh_golden=True, refresh_altref=True)


@dataclass(frozen=True, slots=True)
class CodedChunk:
    """What a chunk's worker encoded of it.

    Attributes:
        frames: in order.
        digest: in mode anchors, see `excamera.media.anchors.digest_of`; "" without frames.
        order: of frames that are not in display order, each one's place in it; else nothing.
        config: what a container's header has to say of them, see
            `excamera.media.codecs.OutputCodec`.
    """

    frames: list[bytes]
    digest: str = ""
    order: Sequence[int] = ()
    config: bytes = b""


@dataclass(frozen=True, slots=True)
class SourceChunk:
    """A chunk as encoded, and the source pictures of its shown frames."""

    coded: list[bytes]
    pictures: list[codec.Raster]


@dataclass(slots=True)
class Timings:
    """Seconds of wall time that joining a batch took.

    Attributes:
        wait_s: waiting for the threads that re-encode first frames.
        rebase_s: rebasing, serially.
        verify_s: decoding the result and comparing states.
    """

    wait_s: float = 0.0
    rebase_s: float = 0.0
    verify_s: float = 0.0


@dataclass(frozen=True, slots=True)
class JoinedChunk:
    """A chunk's frames in the joined batch, and the state after the last of them.

    The other fields are those of `CodedChunk`.
    """

    frames: list[bytes]
    digest: str
    order: Sequence[int] = ()
    config: bytes = b""


@dataclass(frozen=True, slots=True)
class _Trace:
    """A chunk decoded as originally encoded.

    Attributes:
        made_for: the basis of the state each inter frame was made for.
        final: the state after the last frame.
        rasters: the source picture of each frame; for a hidden frame, its decoded picture.
    """

    made_for: list[codec.Basis]
    final: codec.State
    rasters: list[codec.Raster]


@dataclass(slots=True)
class _Ahead:
    """A chunk that is being prepared in threads."""

    coded: list[bytes]
    trace: Future[_Trace]
    first: Future[codec.Encoded] | None


def join(
    chunks: Iterable[SourceChunk], first_frame_qi: int, threads: int, timings: Timings
) -> Iterator[JoinedChunk]:
    """Join the chunks of a batch, given in order.

    At most `threads` + 3 chunks are held at a time.

    Args:
        chunks: of one batch; all their pictures have one size.
        first_frame_qi: `y_ac_qi` of re-encoded first frames.
        threads: how many threads prepare chunks ahead, at least 1; half as many share a
            rebase.
        timings: filled while it runs.

    Raises:
        SeamMismatch: the result does not decode to the predicted states.
    """
    state: codec.State | None = None
    before: codec.Basis | None = None
    with _Verifier(timings) as verifier:
        for ahead in _prepared(chunks, first_frame_qi, threads):
            started = time.perf_counter()
            trace = ahead.trace.result()
            if state is None or before is None:
                frames, state = ahead.coded, trace.final
            else:
                assert ahead.first is not None
                coded = [ahead.first.result().frame, *ahead.coded[1:]]
                timings.wait_s += time.perf_counter() - started
                started = time.perf_counter()
                frames, state = codec.rebase_chunk(
                    state,
                    trace.rasters,
                    coded,
                    [before, *trace.made_for],
                    threads=min(codec.USEFUL_THREADS, max(1, threads // 2)),
                )
                timings.rebase_s += time.perf_counter() - started
            before = trace.final.basis()
            # A chunk's rasters are most of the memory; free them before waiting for the next.
            del ahead, trace
            yield from verifier.check(frames, state)
        yield from verifier.rest()


class _Verifier:
    """Decodes the result in a thread of its own, a little behind the rebase."""

    _BEHIND = 2  # chunks that may wait to be checked

    def __init__(self, timings: Timings) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._timings = timings
        self._seen: codec.State | None = None
        self._waiting: deque[Future[JoinedChunk]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def check(self, frames: list[bytes], predicted: codec.State) -> Iterator[JoinedChunk]:
        """Begin to check a chunk, and yield the earlier chunks that have passed."""
        self._waiting.append(self._pool.submit(self._check, frames, predicted))
        while len(self._waiting) > self._BEHIND:
            yield self._waiting.popleft().result()

    def rest(self) -> Iterator[JoinedChunk]:
        """The remaining chunks."""
        while self._waiting:
            yield self._waiting.popleft().result()

    def _check(self, frames: list[bytes], predicted: codec.State) -> JoinedChunk:
        started = time.perf_counter()
        try:
            self._seen = codec.advance(self._seen, frames)
        except codec.BitstreamError as error:
            raise SeamMismatch(f"a joined chunk does not decode: {error}") from error
        digest = predicted.digest()
        if self._seen.digest() != digest:
            raise SeamMismatch("a joined chunk does not decode to the predicted state")
        self._timings.verify_s += time.perf_counter() - started
        return JoinedChunk(frames, digest)


def _prepared(chunks: Iterable[SourceChunk], first_frame_qi: int, threads: int) -> Iterator[_Ahead]:
    """Chunks in order, with the work that needs no true state begun in threads."""
    waiting: deque[_Ahead] = deque()
    previous: Future[_Trace] | None = None
    source = iter(chunks)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(threads) as pool:
        try:
            coming = reader.submit(next, source, None)
            while (chunk := coming.result()) is not None:
                coming = reader.submit(next, source, None)
                trace = pool.submit(_trace, chunk)
                first = None
                if previous is not None:
                    # Submitted after the trace it waits for, so it cannot block it.
                    first = pool.submit(_encode_first, previous, chunk, first_frame_qi)
                previous = trace
                waiting.append(_Ahead(chunk.coded, trace, first))
                if len(waiting) > threads:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for executor in (reader, pool):
                executor.shutdown(wait=True, cancel_futures=True)


def _encode_first(
    previous: Future[_Trace], chunk: SourceChunk, first_frame_qi: int
) -> codec.Encoded:
    return codec.encode_inter_frame(
        previous.result().final, chunk.pictures[0], first_frame_qi, _FIRST_FRAME
    )


def _trace(chunk: SourceChunk) -> _Trace:
    """Decode a chunk as originally encoded."""
    if not chunk.coded:
        raise ChunkError("a chunk without frames")
    pictures = iter(chunk.pictures)
    state: codec.State | None = None
    made_for: list[codec.Basis] = []
    rasters: list[codec.Raster] = []
    # One at a time: all decoded pictures together would be half of all memory.
    for frame in chunk.coded:
        if state is not None:
            made_for.append(state.basis())
        state, decoded = codec.decode(state, frame)
        rasters.append(next(pictures) if codec.is_shown(frame) else decoded)
    assert state is not None
    return _Trace(made_for, state, rasters)
