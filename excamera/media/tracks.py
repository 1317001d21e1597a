"""Which sound tracks of a source the result has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from av.audio.stream import AudioStream
from av.container import InputContainer

from excamera.errors import OptionError
from excamera.job import forms


def audio_streams(
    container: InputContainer, encrypted: Collection[int] = (), chosen: str = ""
) -> list[AudioStream]:
    """The streams to keep, in the result's order.

    Args:
        container: of the source.
        encrypted: indices of streams that cannot be read.
        chosen: the option `audio`; "" for the default stream, else the first. Of all streams the
            default one comes first.

    Raises:
        OptionError: there is no such stream, it cannot be read, or it is chosen twice.
    """
    every = list(container.streams.audio)
    readable = [
        one for one in every if one.codec_context is not None and one.index not in encrypted
    ]
    by_default = sorted(readable, key=lambda one: not one.disposition & one.disposition.default)
    if not chosen:
        return by_default[:1]
    meant = forms.parse_audio(chosen)
    if meant == (forms.NO_AUDIO,):
        return []
    if meant == (forms.ALL_AUDIO,):
        first = by_default[:1]
        return first + [one for one in readable if one not in first]
    kept: list[AudioStream] = []
    for wanted in meant:
        one = _stream(every, readable, wanted)
        if one in kept:
            number = every.index(one) + 1
            raise OptionError(f"audio {chosen}: {wanted} is track {number}, which is there already")
        kept.append(one)
    return kept


def _stream(
    every: Sequence[AudioStream], readable: Collection[AudioStream], wanted: int | str
) -> AudioStream:
    found = [one for number, one in enumerate(every, 1) if wanted in (number, language_of(one))]
    for one in found:
        if one in readable:
            return one
    why = "that one is encrypted, or has no decoder" if found else _told(every)
    raise OptionError(f"audio {wanted}: there is no such sound track: {why}")


def language_of(stream: AudioStream) -> str:
    """The language of a stream, in small letters; "" if it has none."""
    language = stream.metadata.get("language", "").lower()
    return "" if language == "und" else language


def _told(streams: Sequence[AudioStream]) -> str:
    if not streams:
        return "the source has no sound"
    each = []
    for number, one in enumerate(streams, 1):
        about = [language_of(one), one.metadata.get("title", "")]
        each.append(f"{number} ({', '.join(filter(None, about))})" if any(about) else str(number))
    return f"there {'are' if len(each) > 1 else 'is only'} {', '.join(each)}"
