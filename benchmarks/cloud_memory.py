"""The memory that each function really uses, by picture size, by batch and by threads."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation

from benchmarks.clips import sha256_of
from benchmarks.cloud_jobs import Run, deployed
from excamera.sample import SampleClip, write_sample
from mu.local import available_cpus

ROOT = Path(__file__).resolve().parents[1]
FILM = "bigbuckbunny.mp4"
FRAMES = 96
CHUNK_FRAMES, BATCH_CHUNKS = 6, 16


@dataclass(frozen=True)
class Size:
    """A size of pictures by its usual name."""

    name: str
    width: int
    height: int


SIZES = (Size("720p", 1280, 720), Size("1080p", 1920, 1080), Size("2160p", 3840, 2160))
# (chunks of a batch, threads); the source has 16 chunks.
GROWTH = ((4, 2), (8, 2), (16, 2), (16, 1))


def source_of(size: Size, frames: int, media: Path, cache: Path) -> Path:
    """An MP4 with sound of so many frames of a size, made in the cache if it is not there.

    Scaled from a real clip where the folder has it, else generated.
    """
    film = media / FILM
    kind = "film" if film.exists() else "sample"
    path = cache / f"cloud-{kind}-{size.name}-{frames}.mp4"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"part-{path.name}")
        if kind == "film":
            _scale(film, partial, size, frames)
        else:
            write_sample(partial, SampleClip(size.width, size.height, 24, frames / 24))
        partial.replace(path)
    return path


def _scale(film: Path, target: Path, size: Size, frames: int) -> None:
    with av.open(str(film)) as source, av.open(str(target), "w") as out:
        rate = Fraction(source.streams.video[0].average_rate or 25)
        video = out.add_stream("libx264", rate=rate, options={"crf": "14", "refs": "4"})
        video.width, video.height, video.pix_fmt = size.width, size.height, "yuv420p"
        sound = out.add_stream("aac", rate=48_000, layout="stereo")
        resampler = AudioResampler("fltp", "stereo", 48_000, frame_size=1024)
        shown = 0
        for frame in source.decode(video=0, audio=0):
            if isinstance(frame, VideoFrame):
                if shown == frames:
                    break
                scaled = frame.reformat(
                    size.width, size.height, "yuv420p", interpolation=Interpolation.LANCZOS
                )
                scaled.pts, scaled.time_base = shown, 1 / rate
                out.mux(video.encode(scaled))
                shown += 1
            else:
                for piece in resampler.resample(frame):
                    out.mux(sound.encode(piece))
        if shown != frames:
            raise ValueError(f"{film.name} has {shown} frames, {frames} are needed")
        out.mux(video.encode(None))
        out.mux(sound.encode(None))


def configured_mb() -> dict[str, int]:
    """The memory that cdk.json gives each function."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    found: dict[str, int] = context["memory_mb"]
    return found


@contextlib.contextmanager
def on_cpus(count: int) -> Iterator[None]:
    """Lets this process and all it starts use so many CPUs only."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(allowed)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _run(source: Path, batch_chunks: int, threads: int) -> Run:
    """A job on an emulator of its own: all its processes are new."""
    texts = {"chunk-frames": str(CHUNK_FRAMES), "batch-chunks": str(batch_chunks)}
    with on_cpus(threads), deployed(available_cpus()) as cloud:
        return cloud.run(source, texts)


def measure_size(size: Size, frames: int, media: Path, cache: Path) -> dict[str, Any]:
    """Peaks of every function at one size of pictures, in one batch where it has the frames."""
    source = source_of(size, frames, media, cache)
    threads = available_cpus()
    started = time.time()
    run = _run(source, BATCH_CHUNKS, threads)
    result = {
        "width": size.width,
        "height": size.height,
        "frames": frames,
        "source": source.name,
        "source_bytes": source.stat().st_size,
        "source_sha256": sha256_of(source),
        "threads": threads,
        "batches": len(run.of("rebase")),
        "calls": {step: len(run.of(step)) for step in run.peaks_mib if step != "start"},
        "peaks_mib": run.peaks_mib,
        "seconds": time.time() - started,
    }
    print(f"{size.name}: {run.peaks_mib} in {result['seconds']:.0f} s", flush=True)
    return result


def measure_growth(media: Path, cache: Path) -> list[dict[str, Any]]:
    """Peaks of the rebase function at 720p, by the chunks of a batch and by threads."""
    source = source_of(SIZES[0], FRAMES, media, cache)
    found = []
    for batch_chunks, threads in GROWTH:
        if threads > available_cpus():
            continue
        peaks = _run(source, batch_chunks, threads).peaks_mib["rebase"]
        found.append({"batch_chunks": batch_chunks, "threads": threads, "peak_mib": max(peaks)})
        print(f"rebase: {found[-1]}", flush=True)
    return found
