"""AAC by FFmpeg's encoder: what its rates and its coders do to the sound, and how fast it is."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from benchmarks.common.timing import spread
from benchmarks.long.sound import Samples, music, real, spectra, voice
from excamera.media.aac import FRAME_SAMPLES, AacEncoder
from excamera.media.opus import RATE

RATES = (128_000, 160_000, 192_000)
CODERS = ("twoloop", "fast")
DELAY = 1024


def _encoded(samples: Samples, bit_rate: int, coder: str) -> tuple[bytes, list[bytes]]:
    """The configuration and the packets."""
    context = AudioCodecContext.create("aac", "w")
    context.sample_rate, context.layout, context.format = RATE, "stereo", "fltp"
    context.time_base, context.bit_rate = Fraction(1, RATE), bit_rate
    context.options = {"aac_coder": coder}
    context.open()
    packets: list[bytes] = []
    for at in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        part = np.ascontiguousarray(samples[at : at + FRAME_SAMPLES].T)
        frame = AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        packets += map(bytes, context.encode(frame))
    packets += map(bytes, context.encode(None))
    return context.extradata or b"", packets


def _quality(samples: Samples, bit_rate: int, coder: str) -> dict[str, float]:
    """Bits, the signal over its error, and the distance of the spectra, as for Opus."""
    head, packets = _encoded(samples, bit_rate, coder)
    decoder = AudioCodecContext.create("aac", "r")
    decoder.extradata = head
    decoder.open()
    frames = [frame for packet in packets for frame in decoder.decode(av.Packet(packet))]
    heard = np.concatenate([frame.to_ndarray().T for frame in frames])[DELAY:]
    count = min(len(heard), len(samples))
    error = heard[:count] - samples[:count]
    before, after = spectra(samples[:count]), spectra(heard[:count])
    clear = before > before.max(axis=1, keepdims=True) - 40
    snr = 10 * np.log10(np.square(samples[:count]).sum() / np.square(error).sum())
    return {
        "bits_a_second": round(8 * sum(map(len, packets)) / (count / RATE)),
        "snr_db": round(float(snr), 2),
        "spectral_distance_db": round(float(np.abs(before - after)[clear].mean()), 3),
    }


def _ours(samples: Samples) -> float:
    """CPU seconds of the encoder that jobs use."""
    began = time.process_time()
    encoder = AacEncoder("stereo")
    for part in np.array_split(samples, max(1, len(samples) // RATE)):
        encoder.add(part)
    encoder.finish()
    return time.process_time() - began


def measure(media: Path, rounds: int, quick: bool) -> dict[str, Any]:
    """Returns what each rate and coder does to the sound, and the speed of the job's encoder."""
    heard_s = 5.0 if quick else 60.0
    sources = {"music": music(heard_s), "voice": voice(heard_s), "film": real(media, heard_s)}
    known = {name: source for name, source in sources.items() if source is not None}
    longest = known.get("film", known["music"])
    spent = [_ours(longest) for _ in range(rounds)]
    return {
        "seconds": heard_s,
        "cpu_s": spread(spent),
        "times_real_time": round(heard_s / sorted(spent)[rounds // 2], 1),
        "sounds": {
            name: {
                f"{coder}, {rate // 1000} kbit/s": _quality(source, rate, coder)
                for coder in CODERS
                for rate in RATES
            }
            for name, source in known.items()
        },
    }
