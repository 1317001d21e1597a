"""A batch as a run of an MP4 file, and what the file's index has to know of it.

A run has the samples of one batch and its sound, interleaved by the second: players then find both
near each other. Nobody reads the samples again. So sizes, order and key frames travel beside the
run, a few bytes a sample: sizes as numbers of variable length, all compressed.
"""

from __future__ import annotations

import base64
import itertools
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

Chunk = tuple[int, ...]
"""A second of a run, counted from the batch's start; how many frames it has, and packets of each
sound track. The sound comes first, track by track."""


@dataclass(frozen=True, slots=True)
class RunIndex:
    """What an index has to know of a run.

    Attributes:
        frames: the size of each coded frame, in order of decoding, in bytes.
        moved: of each, its place in the order of showing less that in the order of decoding.
        keys: places of the key frames, in order of decoding.
        sounds: of each sound track the size of each packet.
        chunks: in the order of the file.
    """

    frames: Sequence[int]
    moved: Sequence[int]
    keys: Sequence[int]
    sounds: Sequence[Sequence[int]]
    chunks: Sequence[Chunk]

    def to_json(self) -> dict[str, Any]:
        """The index as it is noted with the run."""
        return {
            "frames": _packed(self.frames),
            "moved": _packed(2 * by if by >= 0 else -2 * by - 1 for by in self.moved),
            "keys": list(self.keys),
            "sounds": [_packed(sizes) for sizes in self.sounds],
            "chunks": [list(chunk) for chunk in self.chunks],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The index that `to_json` returned."""
        return cls(
            frames=_unpacked(data["frames"]),
            moved=[-(by + 1 >> 1) if by & 1 else by >> 1 for by in _unpacked(data["moved"])],
            keys=data["keys"],
            sounds=[_unpacked(sizes) for sizes in data["sounds"]],
            chunks=[tuple(chunk) for chunk in data["chunks"]],
        )


def run_of(
    frames: Sequence[tuple[int, bytes]], keys: Sequence[int], time_base: Fraction
) -> tuple[bytes, RunIndex]:
    """The frames of a batch as a run without sound.

    Args:
        frames: timestamp and bytes of each, in order of decoding.
        keys: places of the key frames.
        time_base: seconds of a tick.
    """
    times = [pts for pts, _ in frames]
    shown = sorted(range(len(times)), key=times.__getitem__)
    moved = [0] * len(times)
    for place, number in enumerate(shown):
        moved[number] = place - number
    # Decoding keeps the rhythm of showing.
    rhythm = [times[number] for number in shown]
    seconds = ((pts - rhythm[0]) * time_base.numerator // time_base.denominator for pts in rhythm)
    chunks = [(second, sum(1 for _ in same)) for second, same in itertools.groupby(seconds)]
    data = b"".join(frame for _, frame in frames)
    return data, RunIndex([len(frame) for _, frame in frames], moved, keys, (), chunks)


def interleaved(
    data: bytes, index: RunIndex, packets: Sequence[tuple[int, int, bytes]]
) -> tuple[bytes, RunIndex]:
    """A run with sound.

    Args:
        data: the run without.
        index: of that.
        packets: of each the number of its sound track, from 0, milliseconds from the batch's
            start, perhaps less than 0, and bytes; each track's in its order.
    """
    tracks = range(1 + max((track for track, _, _ in packets), default=-1))
    sizes: list[list[int]] = [[] for _ in tracks]
    latest: dict[int, int] = {}
    heard: dict[int, list[list[bytes]]] = {}
    for track, at_ms, packet in packets:
        sizes[track].append(len(packet))
        # The packets of a track keep their order, whatever their times.
        latest[track] = max(latest.get(track, at_ms), at_ms)
        heard.setdefault(latest[track] // 1000, [[] for _ in tracks])[track].append(packet)
    seen = {chunk[0]: chunk[1] for chunk in index.chunks}
    parts = []
    chunks: list[Chunk] = []
    first = at = 0
    for second in sorted(heard.keys() | seen):
        sounds, frames = heard.get(second, [[] for _ in tracks]), seen.get(second, 0)
        size = sum(index.frames[first : first + frames])
        parts += [*itertools.chain(*sounds), data[at : at + size]]
        chunks.append((second, frames, *map(len, sounds)))
        first, at = first + frames, at + size
    return b"".join(parts), RunIndex(index.frames, index.moved, index.keys, sizes, chunks)


def _packed(numbers: Iterable[int]) -> str:
    """Numbers, seven bits a byte from the lowest on, compressed, as text."""
    data = bytearray()
    for number in numbers:
        while number > 0x7F:
            data.append(number & 0x7F | 0x80)
            number >>= 7
        data.append(number)
    return base64.b64encode(zlib.compress(bytes(data), 9)).decode()


def _unpacked(text: str) -> list[int]:
    numbers = []
    number = shift = 0
    for byte in zlib.decompress(base64.b64decode(text)):
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    return numbers
