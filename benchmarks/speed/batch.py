"""How long the stages of a batch take in mode anchors: anchors, a chunk between them, the join."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import codec
from benchmarks.common.timing import Run, Spent, interleaved, ratio, spread
from benchmarks.speed.played import CRF, Played, mp4_of, mp4_to_json
from benchmarks.speed.schedule import Parts
from excamera.job.options import EncodeOptions
from excamera.media.anchors import (
    ChunkAnchors,
    encode_anchors,
    encode_between,
    join_anchored,
    opened_chunks,
)
from excamera.media.join import CodedChunk
from excamera.media.lookahead import Lookahead
from excamera.media.source.reader import read_all
from excamera.price.pace import CRF_TIME_OCTAVE
from excamera.steps.pieces import raster_of
from mu.machine import available_cpus

THREADS = (1, 2)
MODELLED = 6
"""Threads for which times are computed from those on one and two."""

PACE_CRF = 24
"""Quality of the estimate's constants. Reading and lookahead take as long at any."""

LOOKAHEAD, CODING, CHUNK, JOIN, READING = "lookahead", "coding", "chunk", "join", "reading"
ANCHORS = "anchors"
"""Lookahead and coding of what is coded ahead."""

ANCHORS_AND_JOIN = "anchors and join"
"""What of a batch is serial: nothing else of it runs at the same time."""

PACES = {
    "read_s": READING,
    "lookahead_s": LOOKAHEAD,
    "anchor_s": CODING,
    "between_s": CHUNK,
    "check_s": JOIN,
}
"""The constants of `excamera.price.pace.Pace` in mode anchors, and the stages they are of."""

_Result = TypeVar("_Result")


def _less(whole: Spent, part: Spent) -> Spent:
    """Returns the time of what is left; never nothing, though clocks are not exact."""
    return Spent(max(whole.cpu_s - part.cpu_s, 1e-6), max(whole.wall_s - part.wall_s, 1e-6))


def _more(one: Spent, other: Spent) -> Spent:
    return Spent(one.cpu_s + other.cpu_s, one.wall_s + other.wall_s)


def _ordinary(clip: Played, chunk: int) -> range:
    """Numbers of the frames of a chunk that are not coded ahead."""
    first = chunk * clip.chunk_frames
    return range(first if chunk else 1, first + clip.chunk_frames - 1)


class _Batch:
    """A batch of which every stage has been done once, so that each can be timed alone."""

    def __init__(self, clip: Played) -> None:
        self.clip, self.options = clip, EncodeOptions(crf=CRF)
        self.timed_chunk = len(clip.lengths) // 2
        everything = clip.rasters(range(clip.frames), Spent())
        cpus = available_cpus()
        self.anchors = self._coded_ahead(everything, cpus)
        with ThreadPoolExecutor(cpus) as pool:
            self.between = list(pool.map(self._encoded, range(len(clip.lengths))))
        self.frames = [
            frame for chunk in join_anchored(self.anchors, self.between) for frame in chunk.frames
        ]

    def _coded_ahead(self, pictures: Iterable[codec.Raster], threads: int) -> list[ChunkAnchors]:
        ahead = Lookahead(pictures, self.clip.lengths, CRF, threads)
        made = encode_anchors(ahead, self.clip.lengths, self.options, threads)
        return [one.anchors for one in made]

    def _encoded(self, chunk: int) -> CodedChunk:
        pictures = self.clip.rasters(_ordinary(self.clip, chunk), Spent())
        return self._between(chunk, pictures)

    def _between(self, chunk: int, pictures: Iterable[codec.Raster]) -> CodedChunk:
        *_, opened = opened_chunks(self.anchors[: chunk + 1])
        return encode_between(opened, pictures, self.options)

    def _less_reading(
        self, numbers: Iterable[int], work: Callable[[Iterator[codec.Raster]], _Result]
    ) -> tuple[_Result, Spent]:
        """Returns the result of work on pictures, and its time without that of reading them."""
        whole, reading = Spent(), Spent()
        with whole.more():
            result = work(self.clip.rasters(numbers, reading))
        return result, _less(whole, reading)

    def ahead(self, threads: int) -> Run:
        """Returns a turn of lookahead and coding; the latter is the whole without the former."""

        def look(pictures: Iterator[codec.Raster]) -> None:
            Lookahead(pictures, self.clip.lengths, CRF, threads).quantizers()

        def code(pictures: Iterator[codec.Raster]) -> list[ChunkAnchors]:
            return self._coded_ahead(pictures, threads)

        def run() -> dict[str, Spent]:
            every = range(self.clip.frames)
            _, looking = self._less_reading(every, look)
            made, whole = self._less_reading(every, code)
            if made != self.anchors:
                raise RuntimeError(f"{self.clip.name}: {threads} threads made other anchors")
            return {
                f"{LOOKAHEAD} {threads}": looking,
                f"{CODING} {threads}": _less(whole, looking),
                f"{ANCHORS} {threads}": whole,
            }

        return run

    def chunk(self) -> dict[str, Spent]:
        """A turn of one chunk, in the middle: it decodes as many anchors as the mean chunk."""
        number = self.timed_chunk

        def code(pictures: Iterator[codec.Raster]) -> CodedChunk:
            return self._between(number, pictures)

        made, spent = self._less_reading(_ordinary(self.clip, number), code)
        if made != self.between[number]:
            raise RuntimeError(f"{self.clip.name}: a chunk was encoded differently")
        return {f"{CHUNK} 1": spent}

    def join(self) -> dict[str, Spent]:
        """A turn of the join."""
        spent = Spent()
        with spent.more():
            for _ in join_anchored(self.anchors, self.between):
                pass
        return {f"{JOIN} 1": spent}

    def reading(self, path: Path) -> Run:
        """Returns a turn of reading all frames from a compressed file."""

        def run() -> dict[str, Spent]:
            spent = Spent()
            with spent.more():
                for frame in read_all(str(path), path.name):
                    raster_of(frame)
            return {f"{READING} 1": spent}

        return run


def _stages(spent: dict[str, list[Spent]], width: int, height: int) -> dict[str, Any]:
    """Returns times by stage: measured by threads, and modelled if threads share the stage."""
    found: dict[str, Any] = {}
    for stage in (LOOKAHEAD, CODING, ANCHORS, CHUNK, JOIN, ANCHORS_AND_JOIN, READING):
        turns = {n: spent[f"{stage} {n}"] for n in THREADS if f"{stage} {n}" in spent}
        walls = {n: [one.wall_s for one in each] for n, each in turns.items()}
        found[stage] = {
            "cpu_s": {str(n): spread([one.cpu_s for one in each]) for n, each in turns.items()},
            "wall_s": {str(n): spread(each) for n, each in walls.items()},
        }
        if len(turns) > 1:
            found[stage]["speedup"] = ratio(walls[2], walls[1])
    for stage in (LOOKAHEAD, CODING):
        one, two = (found[stage]["wall_s"][str(n)]["median"] for n in THREADS)
        parts = Parts.of(one, two, width, height)
        found[stage]["serial_s"] = round(parts.serial_s, 4)
        found[stage]["modelled_s"] = {str(MODELLED): round(parts.seconds(MODELLED), 4)}
    ahead = sum(found[stage]["modelled_s"][str(MODELLED)] for stage in (LOOKAHEAD, CODING))
    both = ahead + found[JOIN]["wall_s"]["1"]["median"]
    found[ANCHORS]["modelled_s"] = {str(MODELLED): round(ahead, 4)}
    found[ANCHORS_AND_JOIN]["modelled_s"] = {str(MODELLED): round(both, 4)}
    return found


def _per_megapixel(stages: dict[str, Any], batch: _Batch) -> dict[str, float]:
    """Returns seconds of one thread for a megapixel of the frames that a stage works on."""
    clip = batch.clip
    frames = {
        READING: clip.frames,
        LOOKAHEAD: clip.frames,
        CODING: sum(len(one.opening) for one in batch.anchors),
        CHUNK: len(_ordinary(clip, batch.timed_chunk)),
        JOIN: clip.frames,
    }
    return {
        stage: round(stages[stage]["cpu_s"]["1"]["median"] / count / clip.megapixels, 5)
        for stage, count in frames.items()
    }


def measure(clips: Iterable[Played], rounds: int, cache: Path) -> dict[str, Any]:
    """Returns times by size and clip, and the medians of seconds per megapixel."""
    sizes: dict[str, dict[str, Any]] = {}
    for clip in clips:
        batch, mp4 = _Batch(clip), mp4_of(clip, cache)
        ahead = [batch.ahead(threads) for threads in THREADS]
        spent = interleaved(rounds, [*ahead, batch.chunk, batch.join, batch.reading(mp4)])
        joins = spent[f"{JOIN} 1"]
        for threads in THREADS:  # the join has one thread anyhow
            each = zip(spent[f"{ANCHORS} {threads}"], joins, strict=True)
            spent[f"{ANCHORS_AND_JOIN} {threads}"] = [_more(one, join) for one, join in each]
        pictures = clip.source.pictures
        stages = _stages(spent, pictures.width, pictures.height)
        row = {
            "source": clip.to_json() | mp4_to_json(mp4),
            "crf": CRF,
            "frames": clip.frames,
            "chunk_frames": clip.chunk_frames,
            "timed_chunk": batch.timed_chunk,
            "bytes": sum(map(len, batch.frames)),
            "stages": stages,
            "s_per_megapixel": _per_megapixel(stages, batch),
        }
        wall = stages[ANCHORS_AND_JOIN]["wall_s"]
        print(
            f"batch {clip.size} {clip.name}: anchors and join "
            f"{ {n: one['median'] for n, one in wall.items()} } s, "
            f"s per megapixel {row['s_per_megapixel']}",
            flush=True,
        )
        sizes.setdefault(clip.size, {})[clip.name] = row
    rows = [row for by_clip in sizes.values() for row in by_clip.values()]
    pace = _pace([row["s_per_megapixel"] for row in rows])
    print(f"batch: constants of the estimate: {pace}", flush=True)
    return {"sizes": sizes, "crf": CRF, "effort": EncodeOptions().anchors.effort, "pace": pace}


def _pace(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Returns the constants of the estimate: medians, at its `crf`."""
    detail = 2 ** ((CRF - PACE_CRF) / CRF_TIME_OCTAVE)
    found = {}
    for name, stage in PACES.items():
        factor = 1 if stage in (READING, LOOKAHEAD) else detail
        found[name] = round(factor * statistics.median(row[stage] for row in rows), 5)
    return found
