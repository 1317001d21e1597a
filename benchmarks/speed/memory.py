"""Peak memory of a worker that rebases a batch; size of states, and the time to write them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av

import codec
from benchmarks.common import films
from benchmarks.common.circumstances import ROOT, code_digest
from benchmarks.common.clips import sha256_of
from benchmarks.common.serial import JOB, SerialJob
from benchmarks.common.timing import Spent, interleaved, spread
from benchmarks.speed.streams import RATES, Source, stream_of
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from mu import DirectoryStore

SIZES = ("1080p", "2160p")
RATE = "high"
RUNS = 2


def _encoded_job(source: Path, source_sha256: str, cache: Path) -> Path:
    """Returns a job whose chunks are all encoded and whose only batch is not joined."""
    key = f"{source_sha256} {code_digest(('excamera', 'mu'))} {av.__version__}"
    folder = cache / f"job-{hashlib.sha256(key.encode()).hexdigest()[:24]}"
    if not (folder / "complete").exists():
        options = EncodeOptions(
            chunk_frames=films.CHUNK_FRAMES, batch_chunks=films.BATCH_CHUNKS, mode="rebase"
        )
        job = SerialJob(source, options, folder)
        [batch] = job.plan().batches
        job.encode(batch, len(batch.chunks))
        (folder / "complete").touch()
    cluster = Keys(JOB).cluster(0)
    for key in (cluster, Keys.record(cluster)):
        DirectoryStore(folder).path(key).unlink(missing_ok=True)
    return folder


def measure_peaks(quick: bool, media: Path, cache: Path) -> dict[str, Any]:
    """Returns the peak memory of the rebase step in a process of its own, by size."""
    found: dict[str, Any] = {}
    for size in films.SIZES:
        if size.name not in SIZES or (quick and size.name != SIZES[0]):
            continue
        frames = 2 * films.CHUNK_FRAMES if quick else films.FRAMES
        source = films.source_of(size, frames, media, cache)
        digest = sha256_of(source)
        reports = []
        for _ in range(RUNS):
            folder = _encoded_job(source, digest, cache)
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.speed.memory_child", str(folder)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
            reports.append(json.loads(done.stdout.splitlines()[-1]))
        found[size.name] = {
            "source": source.name,
            "source_sha256": digest,
            "frames": frames,
            "chunks": frames // films.CHUNK_FRAMES,
            "threads": reports[0]["threads"],
            "runs": RUNS,
            "peak_mib": spread([report["peak_mib"] for report in reports]),
            "peak_before_mib": spread([report["peak_before_mib"] for report in reports]),
            "wall_s": spread([report["wall_s"] for report in reports]),
        }
        print(f"memory {size.name}: {found[size.name]['peak_mib']} MiB", flush=True)
    return found


def _largest(state: codec.State, source: Source) -> codec.State:
    """Returns a state whose three references differ: equal ones are written once.

    Args:
        state: the state after the first frame, where all three are equal.
        source: the source of further pictures.
    """
    for number, altref in ((1, True), (2, False)):
        settings = codec.EncodeSettings(refresh_altref=altref, filter_level=0)
        state = codec.encode_inter_frame(state, source.pictures.raster(number), 127, settings).state
    return state


def measure_states(
    sources: Callable[[], Iterator[Source]], rounds: int, cache: Path
) -> dict[str, dict[str, Any]]:
    """Returns the bytes of a state, and the time to write and read it, by size."""
    found: dict[str, dict[str, Any]] = {}
    for source in sources():
        stream = stream_of(source, RATES[RATE], cache)
        key = codec.decode_chunk(None, stream.frames[:1])[0].state
        state = _largest(key, source)
        spent = interleaved(rounds, [_turn(state)])
        found[source.sized.size] = {
            "source": source.to_json(),
            "stream": stream.to_json(),
            "bytes": len(state.to_bytes()),
            "bytes_after_key_frame": len(key.to_bytes()),
            **{
                name: {
                    "cpu_ms": spread([1000 * one.cpu_s for one in turns]),
                    "wall_ms": spread([1000 * one.wall_s for one in turns]),
                }
                for name, turns in spent.items()
            },
        }
        print(f"state {source.sized.size}: {found[source.sized.size]['bytes']:,}", flush=True)
    return found


def _turn(state: codec.State) -> Callable[[], dict[str, Spent]]:
    def run() -> dict[str, Spent]:
        writing, reading = Spent(), Spent()
        with writing.more():
            data = state.to_bytes()
        with reading.more():
            again = codec.State.from_bytes(data)
        if again != state:
            raise RuntimeError("a state differs after it is written and read")
        return {"serialise": writing, "deserialise": reading}

    return run
