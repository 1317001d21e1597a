"""What else a source holds: what the result keeps of it, and what it leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from fractions import Fraction

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream

from excamera.job.tags import Chapter, SoundTags, Tags
from excamera.media.source.media import Opened

_NANOSECONDS = 1_000_000_000

_KINDS = {
    "video": "picture track",
    "audio": "sound track",
    "subtitle": "subtitle track",
    "data": "data track",
    "attachment": "attachment",
}


def tags_of(
    opened: Opened, sounds: Sequence[AudioStream], origin_s: Fraction, end_s: Fraction
) -> Tags:
    """Title, languages and chapters, as far as the source tells them.

    Args:
        opened: the source.
        sounds: the sound tracks that are kept.
        origin_s: source time that is 0 in the result, in seconds.
        end_s: when the result's last picture ends.
    """
    return Tags(
        title=opened.container.metadata.get("title", ""),
        video_language=_language(opened.video),
        sounds=tuple(SoundTags(_language(one), one.metadata.get("title", "")) for one in sounds),
        chapters=tuple(_kept_chapters(opened.container, origin_s, end_s)),
    )


def _kept_chapters(
    container: InputContainer, origin_s: Fraction, end_s: Fraction
) -> Iterator[Chapter]:
    """The chapters that have a part of the result."""
    found = []
    for one in container.chapters():
        tick = one["time_base"] or Fraction(1)
        title = one["metadata"].get("title", "")
        found.append((one["start"] * tick - origin_s, one["end"] * tick - origin_s, title))
    for begin, end, title in sorted(found):
        if end <= 0 or begin >= end_s:
            continue
        begin_ns = round(max(begin, Fraction(0)) * _NANOSECONDS)
        end_ns = round(min(max(begin, end), end_s) * _NANOSECONDS)
        yield Chapter(begin_ns, end_ns, title)


def left_out(opened: Opened, sounds: Sequence[AudioStream], *, chapters: bool) -> str:
    """One line about all that the result does not hold; "" if there is nothing else.

    Args:
        opened: the source.
        sounds: the sound tracks that are kept.
        chapters: whether the result holds them.
    """
    kept = {opened.video.index} | {sound.index for sound in sounds}
    others = [stream for stream in opened.container.streams if stream.index not in kept]
    parts = list(_tracks(others, opened.encrypted))
    if not chapters:
        parts += _chapters(opened.container)
    return f"left out: {', '.join(parts)}" if parts else ""


def _tracks(streams: Iterable[Stream], encrypted: Collection[int]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for stream in streams:
        kind = _KINDS.get(stream.type, "track of an unknown kind")
        if stream.disposition & stream.disposition.attached_pic:
            kind = "cover picture"
        if stream.index in encrypted:
            kind = f"encrypted {kind}"
        found.setdefault(kind, []).append(_language(stream))
    for kind, languages in found.items():
        known = ", ".join(one for one in languages if one)
        yield _count(len(languages), kind) + (f" ({known})" if known else "")


def _chapters(container: InputContainer) -> Iterator[str]:
    count = len(container.chapters())
    if count:
        yield _count(count, "chapter")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _language(stream: Stream) -> str:
    language = stream.metadata.get("language", "")
    return "" if language == "und" else language
