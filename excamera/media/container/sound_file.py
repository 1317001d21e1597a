"""The sound of a ladder as a file of its own: Opus in WebM, or AAC in MP4 in fragments."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from excamera.job.records import TrackRecord
from excamera.job.tags import Tags
from excamera.media.container import fragments, webm
from excamera.media.container.mp4_output import sound_track
from excamera.media.container.mp4_tracks import SOUND_SAMPLES

PIECE_S = 4
"""Seconds of a piece; each is a request of a player."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Packets that follow each other, as they stand in the file.

    Attributes:
        begin_s: when they are heard, in seconds of the film; perhaps before 0.
        packets: bytes of each.
        data: bytes of the file.
    """

    begin_s: Fraction
    packets: list[int]
    data: bytes


def opus_pieces(blocks: Iterable[webm.Block]) -> Iterator[Piece]:
    """Packets of Opus as clusters of WebM, in order."""
    # As `webm.clusters` counts them: from the first packet of each.
    held: list[webm.Block] = []
    for block in blocks:
        if held and block.time_ms - held[0].time_ms >= PIECE_S * 1000:
            yield _clustered(held)
            held = []
        held.append(block)
    if held:
        yield _clustered(held)


def _clustered(blocks: list[webm.Block]) -> Piece:
    data = b"".join(cluster.data for cluster in webm.clusters(blocks))
    return Piece(Fraction(blocks[0].time_ms, 1000), [len(one.data) for one in blocks], data)


def aac_pieces(blocks: Iterable[webm.Block], sound: TrackRecord) -> Iterator[Piece]:
    """Packets of AAC as fragments, in order."""
    usual = -(-PIECE_S * sound.rate // SOUND_SAMPLES)
    # Of equal length, so that the last is not too short.
    count = -(-sound.blocks // max(1, sound.blocks // usual))
    length = sound.delay + sound.samples
    # What a decoder makes before the film's time 0 is taken away by an edit.
    start = max(0, sound.first)
    packets = iter(blocks)
    for number in itertools.count():
        some = list(itertools.islice(packets, count))
        if not some:
            return
        at = number * count * SOUND_SAMPLES
        is_last = at + len(some) * SOUND_SAMPLES >= length
        last = length - at - (len(some) - 1) * SOUND_SAMPLES if is_last else None
        samples = fragments.sound_samples(some, last)
        data = b"".join(one.data for one in some)
        yield Piece(
            Fraction(sound.first + at, sound.rate),
            [len(one.data) for one in some],
            fragments.fragment(number + 1, start + at, samples, data),
        )


def opus_front(
    sound: TrackRecord, pieces: list[tuple[Fraction, int]], tags: Tags
) -> tuple[bytes, tuple[int, int]]:
    """The front of a file of Opus; and where its cues lie in it, and their size.

    Args:
        sound: the record of the track.
        pieces: begin in seconds and bytes of each.
        tags: of the film.
    """
    track = webm.AudioTrack(
        channels=sound.channels,
        private=bytes.fromhex(sound.private),
        delay_ns=sound.delay_ns,
        language=tags.sounds[sound.place].language,
        title=tags.sounds[sound.place].title,
    )
    cues = [(size, [(max(0, int(begin * 1000)), 0)]) for begin, size in pieces]
    front = webm.front(sound.end_ms, None, [track], cues)
    return front, webm.cues_of(front)


def aac_front(
    sound: TrackRecord, pieces: list[tuple[Fraction, int]], packets: list[int], tags: Tags
) -> tuple[bytes, tuple[int, int]]:
    """The front of a file of AAC; and where its index lies in it, and its size.

    Args:
        sound: the record of the track.
        pieces: begin in seconds and bytes of each.
        packets: bytes of all packets.
        tags: of the film.
    """
    track = sound_track(sound, tags)
    end = Fraction(sound.first + track.delay + sound.samples, sound.rate)
    begins = [max(Fraction(0), begin) for begin, _ in pieces]
    lengths = [after - before for before, after in itertools.pairwise([*begins, end])]
    head = fragments.sound_head(track, packets)
    index = fragments.segment_index(
        sound.rate,
        max(0, sound.first),
        [(size, round(s * sound.rate)) for s, (_, size) in zip(lengths, pieces, strict=True)],
    )
    return head + index, (len(head), len(index))
