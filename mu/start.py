"""Starts a command. It imports next to nothing, so that Ctrl-C is quiet from the beginning."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType

from mu.streams import open_missing
from mu.system import refuse_windows


def start(module: str) -> None:
    """Import a command line, run its `main`, and end with its exit code.

    While modules are imported there is nothing to clean up, so Ctrl-C simply ends the process.

    Args:
        module: has the function `main`; its package has the command's name.

    Raises:
        SystemExit: always.
    """
    open_missing()
    refuse_windows(module.partition(".")[0])
    # It is ignored if a shell has started the command in the background.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    sys.exit(importlib.import_module(module).main())


def _leave(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)
