"""The sound of a film: our encoder beside one libopus encoder fed frame by frame, and its parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from benchmarks.common.timing import Spent, interleaved, spread
from excamera.media.audio import read_sound
from excamera.media.opus import FRAME_SAMPLES, RATE
from excamera.media.source.clock import Clock
from mu.machine import available_cpus

COMPLEXITIES = (10, 8, 7, 6, 5, 3, 0)
PEER = "one encoder, complexity 10"
_AAC_SAMPLES = 1024

Samples = NDArray[np.float32]


def music(seconds: float) -> Samples:
    """Notes of two instruments with an attack, and drums; shape (samples, 2)."""
    rng = np.random.default_rng(48)
    time_s = np.arange(round(seconds * RATE)) / RATE
    beat = np.exp(-6 * ((2 * time_s) % 1))
    sides = []
    for side in range(2):
        pitch = np.array([220.0, 277.2, 329.6, 440.0])[(time_s + side / 3).astype(int) % 4]
        tone = sum(np.sin(2 * np.pi * pitch * k * time_s) / k for k in (1, 2, 3, 5))
        sides.append(0.12 * tone * beat + 0.04 * beat * rng.standard_normal(len(time_s)))
    return np.stack(sides, axis=1).astype(np.float32)


def voice(seconds: float) -> Samples:
    """A glottal pulse of changing pitch in syllables, a little to the left; the same shape."""
    rng = np.random.default_rng(49)
    count = round(seconds * RATE)
    time_s = np.arange(count) / RATE
    phase = np.cumsum(2 * np.pi * (120 + 20 * np.sin(2 * np.pi * 0.7 * time_s)) / RATE)
    syllables = np.repeat(
        rng.random(count // 7200 + 1) * (rng.random(count // 7200 + 1) > 0.3), 7200
    )
    loud = np.convolve(syllables[:count], np.hanning(960) / 480, "same")
    tone = 0.1 * loud * sum(np.sin(k * phase) / k for k in range(1, 14))
    both = np.stack([tone, 0.7 * tone], axis=1) + 0.001 * rng.standard_normal((count, 2))
    return both.astype(np.float32)


def real(media: Path, seconds: float) -> Samples | None:
    """A film's own sound, repeated; None if there is no such film here."""
    path = media / "bigbuckbunny.mp4"
    if not path.exists():
        return None
    once = np.concatenate(list(_decoded(str(path))))
    return np.resize(once, (round(seconds * RATE), 2))


def write_source(samples: Samples, path: Path) -> None:
    """Write them as AAC in MP4."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=RATE, layout="stereo")
        stream.bit_rate = 192_000
        for at in range(0, len(samples), _AAC_SAMPLES):
            part = np.ascontiguousarray(samples[at : at + _AAC_SAMPLES].T)
            frame = AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def _decoded(path: str) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="flt", rate=RATE)
    with av.open(path) as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                yield piece.to_ndarray().reshape(-1, 2).astype(np.float32)


def _context(complexity: int) -> AudioCodecContext:
    context = AudioCodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format = RATE, "stereo", "flt"
    context.time_base, context.bit_rate = Fraction(1, RATE), 128_000
    context.options = {"frame_duration": "20", "compression_level": str(complexity)}
    context.open()
    return context


def _encoded(samples: Samples, complexity: int) -> list[bytes]:
    context = _context(complexity)
    packets: list[bytes] = []
    for at in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        part = samples[at : at + FRAME_SAMPLES].reshape(1, -1)
        frame = AudioFrame.from_ndarray(part, format="flt", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        packets += map(bytes, context.encode(frame))
    return packets


def _timed(name: str, run: Callable[[], object]) -> dict[str, Spent]:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return {name: Spent(wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu)}


def _ours(path: Path, threads: int) -> object:
    return read_sound(str(path), path.name, 0, Fraction(0), Clock(), threads)


def _demux(path: Path) -> None:
    with av.open(str(path)) as container:
        for _ in container.demux(audio=0):
            pass


def _speeds(path: Path, samples: Samples, rounds: int) -> dict[str, Any]:
    seconds = len(samples) / RATE
    counts = sorted({1, available_cpus()})
    runs: dict[str, Callable[[], object]] = {
        PEER: lambda: _encoded(np.concatenate(list(_decoded(str(path)))), 10),
        **{f"ours, {count} threads": partial(_ours, path, count) for count in counts},
        "read packets": partial(_demux, path),
        "decode and resample": lambda: [None for _ in _decoded(str(path))],
        **{f"libopus, complexity {one}": partial(_encoded, samples, one) for one in COMPLEXITIES},
    }
    turns = interleaved(rounds, [partial(_timed, name, run) for name, run in runs.items()])
    peer = sorted(spent.wall_s for spent in turns[PEER])[rounds // 2]
    return {
        name: {
            "wall_s": spread([spent.wall_s for spent in spents]),
            "cpu_s": spread([spent.cpu_s for spent in spents]),
            "times_real_time": round(seconds / sorted(s.wall_s for s in spents)[rounds // 2], 1),
            "times_as_fast_as_peer": round(peer / sorted(s.wall_s for s in spents)[rounds // 2], 2),
        }
        for name, spents in turns.items()
    }


def _quality(samples: Samples) -> dict[str, Any]:
    """For each complexity: bits, the signal over its error, and the distance of the spectra."""
    found = {}
    for complexity in COMPLEXITIES:
        packets = _encoded(samples, complexity)
        decoder = AudioCodecContext.create("opus", "r")
        head = _context(complexity).extradata or b""
        decoder.extradata = head
        decoder.open()
        resampler = av.AudioResampler(format="flt", rate=RATE)
        heard = np.concatenate(
            [
                piece.to_ndarray().reshape(-1, 2)
                for packet in packets
                for frame in decoder.decode(av.Packet(packet))
                for piece in resampler.resample(frame)
            ]
        )
        # FFmpeg's decoder drops the start-up samples by itself.
        delay = max(0, len(heard) - len(packets) * FRAME_SAMPLES)
        count = min(len(heard) - delay, len(samples))
        error = heard[delay : delay + count] - samples[:count]
        snr = 10 * np.log10(np.square(samples[:count]).sum() / np.square(error).sum())
        before, after = spectra(samples[:count]), spectra(heard[delay : delay + count])
        clear = before > before.max(axis=1, keepdims=True) - 40
        found[str(complexity)] = {
            "bits_a_second": round(8 * sum(map(len, packets)) / (count / RATE)),
            "snr_db": round(float(snr), 2),
            "spectral_distance_db": round(float(np.abs(before - after)[clear].mean()), 3),
        }
    return found


def spectra(samples: Samples) -> NDArray[np.float64]:
    """Returns decibels, shape (windows, bins), of the left side."""
    size = 1024
    windows = np.lib.stride_tricks.sliding_window_view(samples[:, 0], size)[:: size // 2]
    return 20 * np.log10(np.abs(np.fft.rfft(windows * np.hanning(size))) + 1e-6)


def measure(folder: Path, media: Path, rounds: int, quick: bool) -> dict[str, Any]:
    """Returns speeds and their parts, and what each complexity of libopus does to the sound."""
    seconds, heard_s = (20.0, 5.0) if quick else (600.0, 60.0)
    folder.mkdir(parents=True, exist_ok=True)
    samples = real(media, seconds)
    if samples is None:
        samples = music(seconds)
    else:
        samples = np.clip(0.7 * samples + 0.5 * music(seconds), -1, 1)
    path = folder / "sound.mp4"
    write_source(samples, path)
    sources = {"music": music(heard_s), "voice": voice(heard_s), "film": real(media, heard_s)}
    return {
        "seconds": seconds,
        "peer": PEER,
        "runs": _speeds(path, samples, rounds),
        "complexities": {
            name: _quality(source) for name, source in sources.items() if source is not None
        },
    }
