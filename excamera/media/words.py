"""Words of messages and notes."""

from __future__ import annotations

import unicodedata

SOUND = {"opus": "Opus", "aac": "AAC"}
"""Names of the codecs of sound, by FFmpeg's."""


def counted(number: int, what: str, several: str = "") -> str:
    """A number of things in words; `several` if the plural does not only end in "s"."""
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def sized(count: float) -> str:
    """A number of bytes in words, such as "1.2 MB"."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return counted(round(count), "byte")


def skipped(packets: int) -> str:
    """What to say of packets of sound that could not be decoded."""
    return f"{counted(packets, 'packet')} of sound could not be decoded: silence stands in"


def visible(text: str) -> str:
    """A text from a file, on one line and without signs that steer a terminal or turn a line."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) in _STEERING else sign
        for sign in text
    )


_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format, surrogate, ends of lines
