"""Words of messages and notes."""

from __future__ import annotations


def counted(number: int, what: str, several: str = "") -> str:
    """A number of things in words; `several` if the plural does not only end in "s"."""
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def skipped(packets: int) -> str:
    """What to say of packets of sound that could not be decoded."""
    return f"{counted(packets, 'packet')} of sound could not be decoded: silence stands in"
