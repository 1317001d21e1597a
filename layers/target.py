"""The target of a layer: one of Lambda's architectures and a version of Python."""

from __future__ import annotations

import re
from dataclasses import dataclass

from layers.errors import LayerInputError

_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}

# Of Lambda's operating system, Amazon Linux 2023, since its Python 3.12.
_GLIBC = "2.34"

# Newest first. With the last alone pip would silently choose a PyAV four major versions old.
_MANYLINUX = ("manylinux_2_28", "manylinux_2_27", "manylinux2014")


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
        if self.architecture not in _MACHINES:
            known = ", ".join(_MACHINES)
            raise LayerInputError(f"architecture must be one of {known}, not {self.architecture!r}")
        if not re.fullmatch(r"3\.\d{1,2}", self.python):
            raise LayerInputError(f"python must be a version such as 3.14, not {self.python!r}")

    def __str__(self) -> str:
        return f"{self.architecture}-{self.python}"

    @property
    def machine(self) -> str:
        """The processor, as Linux names it."""
        return _MACHINES[self.architecture]

    @property
    def zig_target(self) -> str:
        """The target as `codec/native/cmake/zig.cmake` takes it."""
        return f"{self.machine}-linux-gnu.{_GLIBC}"

    @property
    def platforms(self) -> list[str]:
        """The platform tags of wheels that run there."""
        return [f"{tag}_{self.machine}" for tag in _MANYLINUX]
