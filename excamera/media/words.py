"""Words of messages and notes."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """A number of things in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def skipped(packets: int) -> str:
    """What to say of packets of sound that could not be decoded."""
    return f"{counted(packets, 'packet')} of sound could not be decoded: silence stands in"
