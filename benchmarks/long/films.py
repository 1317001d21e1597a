"""Long films of tiny pictures: some seconds are encoded once, and their packets repeated."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.video.frame import VideoFrame

RATE = 24
SOUND_RATE = 48_000
_ONCE_S = 8
_CUES = b"\x1c\x53\xbb\x6b"

KINDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "MP4, moov in front": ("front.mp4", {"movflags": "faststart"}),
    "MP4, moov at the end": ("end.mp4", {}),
    "Matroska": ("cues.mkv", {}),
    "Matroska without cues": ("bare.mkv", {}),
    "MPEG-TS": ("film.ts", {}),
}
"""Name and options of the muxer of each kind of film."""


def write_film(folder: Path, kind: str, seconds: int) -> Path:
    """Write a film with sound, unless it is there.

    Args:
        folder: where.
        kind: one of `KINDS`.
        seconds: its length, a multiple of 8.
    """
    name, options = KINDS[kind]
    path = folder / f"{seconds}-{name}"
    if path.exists():
        return path
    made = path.with_name(f"part-{path.name}")
    with av.open(str(made), "w", container_options=dict(options)) as out:
        _mux(out, seconds)
    if name == "bare.mkv":
        _without_cues(made)
    return made.rename(path)


def _mux(out: OutputContainer, seconds: int) -> None:
    x264 = {"crf": "30", "g": "48", "bf": "2", "preset": "ultrafast"}
    video = out.add_stream("libx264", rate=RATE, options=x264)
    video.width, video.height, video.pix_fmt = 64, 36, "yuv420p"
    video.time_base = Fraction(1, RATE)
    sound = out.add_stream("aac", rate=SOUND_RATE, layout="stereo")
    tracks: list[tuple[Any, int, int, list[tuple[int, int, bytes, bool]]]] = []
    kinds: list[tuple[Any, int, list[Any]]] = [
        (video, RATE, _pictures()),
        (sound, SOUND_RATE, _tones()),
    ]
    for stream, per_second, frames in kinds:
        packets: list[Any] = [p for f in [*frames, None] for p in stream.encode(f) if p.size]
        if stream is sound:
            packets = packets[: _ONCE_S * SOUND_RATE // 1024]
        first = min(p.pts for p in packets)
        kept = [
            (round((p.pts - first) * p.time_base * per_second),
             round((p.dts - first) * p.time_base * per_second), bytes(p), p.is_keyframe)
            for p in packets
        ]  # fmt: skip
        length = _ONCE_S * RATE if stream is video else len(kept) * 1024
        tracks.append((stream, per_second, length, kept))
    due = []
    for stream, per_second, length, kept in tracks:
        for turn in range(-(-seconds * per_second // length)):
            for pts, dts, data, key in kept:
                at = turn * length + dts
                due.append((at / per_second, stream, turn * length + pts, at, data, key))
    due.sort(key=lambda one: one[0])
    for _, stream, pts, dts, data, key in due:
        packet = av.Packet(data)
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, pts, dts, key
        packet.time_base = Fraction(1, RATE if stream is video else SOUND_RATE)
        packet.duration = 1 if stream is video else 1024
        out.mux_one(packet)


def _pictures() -> list[VideoFrame]:
    x = np.arange(64)[None] + np.arange(36)[:, None]
    found = []
    for number in range(_ONCE_S * RATE):
        gray = (128 + 90 * np.sin((x + 3 * number) / 9)).astype(np.uint8)
        picture = np.concatenate([gray, np.full((18, 64), 128, np.uint8)])
        frame = VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, RATE)
        found.append(frame)
    return found


def _tones() -> list[AudioFrame]:
    found = []
    for at in range(0, (_ONCE_S + 1) * SOUND_RATE, 1024):
        wave = 0.2 * np.sin(2 * np.pi * 330 * (at + np.arange(1024)) / SOUND_RATE)
        samples = np.stack([wave, wave]).astype(np.float32)
        frame = AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = SOUND_RATE, at
        frame.time_base = Fraction(1, SOUND_RATE)
        found.append(frame)
    return found


def _without_cues(path: Path) -> None:
    """Make the cues an element that says nothing."""
    data = bytearray(path.read_bytes())
    at = data.rindex(_CUES)
    data[at:] = b"\xec\x01" + (len(data) - at - 9).to_bytes(7, "big") + bytes(len(data) - at - 9)
    path.write_bytes(data)
