"""ExCamera: one video, many small encoders, one VP8 stream with few key frames.

For programs: `encode`, `info`, `compare`, what they return, and their errors.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from excamera.library import (
        Comparison,
        EncodeResult,
        ExCameraError,
        FileInfo,
        OptionError,
        Progress,
        compare,
        encode,
        info,
    )

__all__ = [
    "Comparison", "EncodeResult", "ExCameraError", "FileInfo", "OptionError", "Progress",
    "compare", "encode", "info",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # Functions of a stack import this package, and few of them can do any of this.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("excamera.library"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
