"""The target of a layer: one of Lambda's architectures and a version of Python."""

from __future__ import annotations

import re
from dataclasses import dataclass

from layers.errors import LayerInputError
from mu.packages.platforms import GLIBC_MINOR, MACHINES, platform_tags


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
        return f"{self.machine}-linux-gnu.2.{GLIBC_MINOR}"

    @property
    def platforms(self) -> list[str]:
        """The platform tags of wheels that run there."""
        return platform_tags(self.architecture)
