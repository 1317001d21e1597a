"""Which wheels run in Lambda's functions; what builds the stack's layers reads it, too."""

from __future__ import annotations

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
"""The processor as Linux names it, by Lambda's name of the architecture."""

GLIBC_MINOR = 34
"""Of glibc 2 in Lambda's operating system, Amazon Linux 2023, since its Python 3.12."""

_OLDEST_MINOR = 17
"""Older wheels say manylinux2014, of which pip knows what came before."""


def platform_tags(architecture: str) -> list[str]:
    """The platform tags of wheels that run there, newest first.

    Each has to be named: with the last alone pip would silently choose a PyAV four major versions
    old.

    Args:
        architecture: one of `MACHINES`.
    """
    minors = range(GLIBC_MINOR, _OLDEST_MINOR - 1, -1)
    names = [*(f"manylinux_2_{minor}" for minor in minors), "manylinux2014"]
    return [f"{name}_{MACHINES[architecture]}" for name in names]
