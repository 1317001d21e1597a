"""What else a source holds: what the result keeps of it, and what it leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream

from excamera.job.plan import Tags
from excamera.media.source.media import Opened

_KINDS = {
    "video": "picture track",
    "audio": "sound track",
    "subtitle": "subtitle track",
    "data": "data track",
    "attachment": "attachment",
}


def tags_of(opened: Opened, sound: AudioStream | None) -> Tags:
    """Title and languages, as far as the source tells them."""
    return Tags(
        title=opened.container.metadata.get("title", ""),
        video_language=_language(opened.video),
        sound_language="" if sound is None else _language(sound),
    )


def left_out(opened: Opened, sound: AudioStream | None) -> str:
    """One line about all that the result does not hold; "" if there is nothing else."""
    kept = {opened.video.index} | (set() if sound is None else {sound.index})
    others = [stream for stream in opened.container.streams if stream.index not in kept]
    parts = [*_tracks(others, opened.encrypted), *_chapters(opened.container)]
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
