"""How fast we rebase, against our own decoding of the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import codec
from benchmarks.common.timing import Run, Spent, cpu_ratio, interleaved, summary
from benchmarks.speed.streams import RATES, Source, Stream, pieces, settled_onto, stream_of


def rebased(stream: Stream) -> list[bytes]:
    """Returns a stream's first frame, and the frames after it that one round rebases."""
    return stream.frames[: 1 + stream.source.sized.rebased_frames]


def run_of(stream: Stream, cache: Path, threads: int = 1) -> Run:
    """Returns one turn: it alternately decodes a piece of the stream and rebases it.

    Decoding produces the states that the frames were made for.
    """
    frames, pictures = rebased(stream), stream.source.pictures
    first = codec.decode_chunk(None, frames[:1])[0].state
    onto = settled_onto(stream, cache)

    def run() -> dict[str, Spent]:
        decoding, rebasing = Spent(), Spent()
        before, state = first, onto
        for piece in pieces(len(frames), first=1):
            rasters = [pictures.raster(number) for number in range(piece.start, piece.stop)]
            with decoding.more():
                decoded = codec.decode_chunk(before, frames[piece], threads=threads)
            made_for = [state.basis() for state in (before, *(one.state for one in decoded[:-1]))]
            before = decoded[-1].state
            del decoded
            with rebasing.more():
                state = codec.rebase_chunk(
                    state, rasters, frames[piece], made_for, threads=threads
                ).state
        return {"decode": decoding, "rebase": rebasing}

    return run


def _bytes_after(stream: Stream, cache: Path) -> int:
    """Returns the bytes of the rebased frames; checks that they decode to the predicted states.

    Raises:
        RuntimeError: they decode to other states.
    """
    frames, pictures = rebased(stream), stream.source.pictures
    before = codec.decode_chunk(None, frames[:1])[0].state
    state = seen = settled_onto(stream, cache)
    written = 0
    for piece in pieces(len(frames), first=1):
        decoded = codec.decode_chunk(before, frames[piece])
        made_for = [state.basis() for state in (before, *(one.state for one in decoded[:-1]))]
        before = decoded[-1].state
        rasters = [pictures.raster(number) for number in range(piece.start, piece.stop)]
        coded, state = codec.rebase_chunk(state, rasters, frames[piece], made_for)
        written += sum(map(len, coded))
        seen = codec.advance(seen, coded)
        if state != seen:
            raise RuntimeError(f"{stream.path.name}: a rebased frame decodes to another state")
    return written


def measure(
    sources: Callable[[], Iterator[Source]], rounds: int, cache: Path
) -> dict[str, dict[str, Any]]:
    """Returns figures by size and rate."""
    found: dict[str, dict[str, Any]] = {}
    for source in sources():
        for rate, crf in RATES.items():
            stream = stream_of(source, crf, cache)
            written = _bytes_after(stream, cache)
            spent = interleaved(rounds, [run_of(stream, cache)])
            frames = len(rebased(stream)) - 1
            row: dict[str, Any] = {
                "source": source.to_json(),
                "stream": stream.to_json(),
                "frames": frames,
                "bytes_before": sum(map(len, rebased(stream)[1:])),
                "bytes_after": written,
                "decode": summary(spent["decode"], frames),
                "rebase": summary(spent["rebase"], frames),
                "ratio": cpu_ratio(spent["rebase"], spent["decode"]),
            }
            print(
                f"rebase {source.sized.size} {rate}: {row['rebase']['fps']} fps, "
                f"{row['ratio']['median']} of decode",
                flush=True,
            )
            found.setdefault(source.sized.size, {})[rate] = row
    return found
