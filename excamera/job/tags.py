"""What a result says about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter: its begin and end in the result, in nanoseconds, and its title."""

    begin_ns: int
    end_ns: int
    title: str


@dataclass(frozen=True, slots=True)
class SoundTags:
    """What a sound track says about itself: ISO 639-2, or ""; and its title, or ""."""

    language: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Tags:
    """What the result says about itself, as the source does.

    Attributes:
        title: of the film, or "".
        video_language: ISO 639-2, or "".
        sounds: of each sound track, in the result's order.
        chapters: in order of time.
    """

    title: str = ""
    video_language: str = ""
    sounds: tuple[SoundTags, ...] = ()
    chapters: tuple[Chapter, ...] = ()
