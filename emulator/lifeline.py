"""Ends a server when the process that started it ends, even if that one is killed.

The parent holds the writing end of the server's standard input. However the parent ends, the pipe
closes; `PR_SET_PDEATHSIG` would instead fire when the *thread* that started the server ends.
"""

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Kills this process's group, workers included, once standard input is closed."""

    def watch() -> None:
        sys.stdin.buffer.read()
        # The server leads its group: Lambda's workers are in it, the parent is not.
        os.killpg(os.getpgrp(), signal.SIGKILL)

    if os.getpgrp() != os.getpid():
        raise RuntimeError("An emulator's server must lead a process group of its own.")
    threading.Thread(target=watch, name="lifeline", daemon=True).start()
