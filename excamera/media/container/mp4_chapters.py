"""Chapters of an MP4 file: Nero's list, and the text track that Apple's players read.

A chapter list of QuickTime is a text track with one sample for each chapter, which begins when the
chapter does. A track that plays refers to it (`chap`); it is not enabled itself, so nobody shows it
as a subtitle.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from excamera.job.tags import Chapter
from excamera.media.container.mp4_boxes import UNITY, box, full, halves, words

CHAPTER_SCALE = 90_000
"""Ticks of a second on the clock of the text track."""

_MOST_CHAPTERS = 255
_MOST_BYTES = 255
"""What Nero's list holds of chapters, and of a title."""

_UTF8 = 0x100
_COPY, _GREY = 0x40, 0x8000
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ChapterTrack:
    """The text track.

    Attributes:
        begin: when the first chapter begins, in ticks.
        durations: of each sample, in ticks: a chapter lasts until the next one begins.
        samples: a title each.
        language: ISO 639-2, or "".
    """

    begin: int
    durations: Sequence[int]
    samples: Sequence[bytes]
    language: str

    @classmethod
    def of(cls, chapters: Sequence[Chapter], language: str) -> ChapterTrack:
        """The track of some chapters, at least one, in order."""
        ticks = [one.begin_ns * CHAPTER_SCALE // _SECOND_NS for one in chapters]
        ticks.append(chapters[-1].end_ns * CHAPTER_SCALE // _SECOND_NS)
        # No sample has no duration.
        times = list(itertools.accumulate(ticks, lambda before, at: max(before + 1, at)))
        durations = [b - a for a, b in itertools.pairwise(times)]
        return cls(times[0], durations, [_sample(one) for one in chapters], language)


def _title(chapter: Chapter) -> bytes:
    return chapter.title.encode()[:_MOST_BYTES].decode(errors="ignore").encode()


def _sample(chapter: Chapter) -> bytes:
    title = _title(chapter)
    return halves(len(title)) + title + box("encd", words(_UTF8))


def text_media_head() -> bytes:
    """The header of media that is neither picture nor sound: how text would be drawn."""
    return box("gmhd", full("gmin", halves(_COPY, _GREY, _GREY, _GREY, 0, 0)), box("text", UNITY))


def text_entry() -> bytes:
    """The sample entry of QuickTime's text: all of how it would look is left at zero."""
    return box("text", words(0), halves(0, 1), bytes(44))


def nero_chapters(chapters: Sequence[Chapter]) -> bytes:
    """Nero's list of chapters."""
    rows = []
    for chapter in chapters[:_MOST_CHAPTERS]:
        name = _title(chapter)
        rows.append(struct.pack(">QB", chapter.begin_ns // 100, len(name)) + name)
    return full("chpl", words(0), bytes([len(rows)]), *rows, version=1)
