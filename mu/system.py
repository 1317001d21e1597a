"""Which systems this runs on. Imports next to nothing: it is asked before anything else is."""

from __future__ import annotations

import sys

SYSTEMS = "Linux, macOS and WSL"


def refuse_windows(what: str) -> None:
    """End the program if it runs on Windows itself, where neither processes nor files suit it.

    Args:
        what: what the user has started.

    Raises:
        SystemExit: with a sentence that says where to run it instead.
    """
    if sys.platform in ("win32", "cygwin", "msys"):
        sys.exit(
            f"{what} runs on {SYSTEMS}, not on Windows itself: "
            "install WSL (`wsl --install`) and run it in there."
        )
