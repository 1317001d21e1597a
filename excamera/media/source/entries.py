"""Finding the places of a stream where decoding can start.

A container or a codec may call packets key frames that are none. So nothing is believed: while the
stream is decoded, a second decoder begins at a packet that is called one. Once it shows some frames
in a row just as the first decoder does, decoding can start there.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from excamera.job.geometry import Geometry
from excamera.media.source.decoder import Decoder, Mark, Marked, another
from excamera.media.source.picture import geometry_of, planes_of, to_i420
from excamera.media.source.recorded import Entry

_ALIKE = 4
"""So many frames in a row are to be alike."""

_TRIED = 32
"""A second decoder is given up after so many packets."""

_APART = 24
"""The least distance between two trials, in packets; after each failure it doubles."""

_FARTHEST = 16 * _APART

_WITHOUT_KEYS = 250
"""If no packet is called a key frame for so long, some are tried nevertheless."""

_KEPT = 256
"""Of so many frames it is known how they look."""


@dataclass(slots=True)
class _Trial:
    """A second decoder.

    Attributes:
        decoder: it.
        packet: number of the packet at which it began.
        offset: of that packet where it is recorded.
        fed: how many packets it was given.
        shown: its frames that are still to be compared, with how they look.
        alike: its latest frames that were alike in a row.
    """

    decoder: Decoder
    packet: int
    offset: int
    fed: int = 0
    shown: list[tuple[Mark | None, int]] = field(default_factory=list)
    alike: list[tuple[Mark, int]] = field(default_factory=list)


class EntryFinder:
    """Finds entries while a stream is decoded.

    Attributes:
        entries: what it has found.
    """

    def __init__(self, context: VideoCodecContext) -> None:
        """Begins with none.

        Args:
            context: the decoder of the stream.
        """
        self._context = context
        self._geometry: Geometry | None = None
        self._trials: list[_Trial] = []
        self._seen: dict[Mark, tuple[int, int]] = {}
        self._next = _APART
        self._apart = _APART
        self._last_key = 0
        self.entries: list[Entry] = []

    def begin(self, packet: Packet[Any], number: int, offset: int) -> None:
        """Hear of a packet before it is decoded."""
        if packet.is_keyframe or number >= self._last_key + _WITHOUT_KEYS:
            self._last_key = number
            if number >= self._next:
                self._trials.append(_Trial(Decoder(another(self._context)), number, offset))
                self._next = number + self._apart

    def see(self, frames: Sequence[Marked], number: int) -> None:
        """Hear what the first decoder has shown.

        Args:
            frames: these.
            number: of the first of them.
        """
        if not self._trials:
            return
        for place, (frame, mark) in enumerate(frames, number):
            if mark is not None:
                self._seen[mark] = place, self._looks(frame)
                if len(self._seen) > _KEPT:
                    del self._seen[next(iter(self._seen))]

    def go_on(self, packet: Packet[Any], number: int) -> None:
        """Decode a packet after the first decoder has."""
        for trial in list(self._trials):
            trial.fed += 1
            self._show(trial, trial.decoder.decode(packet, number))
            if self._compare(trial, _ALIKE):
                self._trials.remove(trial)
                self._apart = _APART
            elif trial.fed >= _TRIED:
                self._trials.remove(trial)
                self._apart = min(_FARTHEST, 2 * self._apart)
        if not self._trials:
            self._seen.clear()

    def finish(self) -> None:
        """Hear that there are no more packets."""
        for trial in self._trials:
            self._show(trial, trial.decoder.finish())
            self._compare(trial, 1)
        self._trials.clear()
        self.entries.sort(key=lambda entry: (entry.frame, entry.offset))

    def _show(self, trial: _Trial, frames: Sequence[Marked]) -> None:
        trial.shown += [(mark, self._looks(frame)) for frame, mark in frames]

    def _compare(self, trial: _Trial, enough: int) -> bool:
        """Whether so many frames in a row are alike; then it is an entry."""
        for mark, looks in trial.shown[:]:
            found = None if mark is None else self._seen.get(mark)
            if mark is not None and found is None and mark[0] >= trial.packet:
                break  # the first decoder has not shown it yet
            del trial.shown[0]
            if mark is None or found is None or found[1] != looks:
                trial.alike.clear()
                continue
            if trial.alike and trial.alike[-1][1] != found[0] - 1:
                trial.alike.clear()
            trial.alike.append((mark, found[0]))
        if len(trial.alike) < enough:
            return False
        (packet, turn), frame = trial.alike[0]
        self.entries.append(Entry(frame, trial.offset, packet - trial.packet, turn))
        return True

    def _looks(self, frame: VideoFrame) -> int:
        """A digest of a frame as workers take it."""
        self._geometry = self._geometry or geometry_of(frame, (1, 1))
        digest = 0
        for plane in planes_of(to_i420(frame, self._geometry)):
            digest = zlib.crc32(plane.tobytes(), digest)
        return digest
