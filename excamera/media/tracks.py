"""Which sound track of a source the result has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from av.audio.stream import AudioStream
from av.container import InputContainer

from excamera.errors import OptionError
from excamera.job import forms


def audio_stream(
    container: InputContainer, encrypted: Collection[int] = (), chosen: str = ""
) -> AudioStream | None:
    """The stream to keep; None if there is none.

    Args:
        container: of the source.
        encrypted: indices of streams that cannot be read.
        chosen: the option `audio`; "" for the default stream, else the first.

    Raises:
        OptionError: there is no such stream, or it cannot be read.
    """
    every = list(container.streams.audio)
    readable = [
        one for one in every if one.codec_context is not None and one.index not in encrypted
    ]
    if not chosen:
        default = [one for one in readable if one.disposition & one.disposition.default]
        return next(iter(default or readable), None)
    meant = forms.parse_audio(chosen)
    if meant == forms.NO_AUDIO:
        return None
    found = [one for number, one in enumerate(every, 1) if meant in (number, language_of(one))]
    for one in found:
        if one in readable:
            return one
    why = "that one is encrypted, or has no decoder" if found else _told(every)
    raise OptionError(f"audio {chosen}: there is no such sound track: {why}")


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
