"""The target of a layer: one of Lambda's architectures and a version of Python."""

from __future__ import annotations

import re
from dataclasses import dataclass

from layers.errors import LayerInputError
from mu.packages.platforms import MACHINES, platform_tags

_GLIBC_MINOR = 28
"""The oldest glibc 2 that the codec runs on: that of PyAV's wheels, which is older than Lambda's.
So one library serves layers and released wheels."""


def linux(machine: str) -> str:
    """A Linux with glibc, as `codec/native/cmake/zig.cmake` takes it.

    Args:
        machine: the processor, as Linux names it.
    """
    return f"{machine}-linux-gnu.2.{_GLIBC_MINOR}"


@dataclass(frozen=True, slots=True)
class Target:
    """One architecture and one Python; `str()` returns a name for files.

    Attributes:
        architecture: "arm64" or "x86_64", as Lambda names them.
        python: such as "3.14".
    """

    architecture: str
    python: str

    def __post_init__(self) -> None:
        """Reject a target for which no wheel can exist."""
        if self.architecture not in MACHINES:
            known = ", ".join(MACHINES)
            raise LayerInputError(f"architecture must be one of {known}, not {self.architecture!r}")
        if not re.fullmatch(r"3\.\d{1,2}", self.python):
            raise LayerInputError(f"python must be a version such as 3.14, not {self.python!r}")

    def __str__(self) -> str:
        return f"{self.architecture}-{self.python}"

    @property
    def machine(self) -> str:
        """The processor, as Linux names it."""
        return MACHINES[self.architecture]

    @property
    def zig_target(self) -> str:
        """The target as `codec/native/cmake/zig.cmake` takes it."""
        return linux(self.machine)

    @property
    def platforms(self) -> list[str]:
        """The platform tags of wheels that run there."""
        return platform_tags(self.architecture)
