"""Ends execution environments that nobody uses, as Lambda does.

MiniStack keeps the first environment of every version of a function for ever. A run of many
deployments and configurations would fill the memory of a machine with them.
"""

# MiniStack is installed in a virtual environment of its own, where mypy cannot see it.
# mypy: disable-error-code="import-not-found"

import threading
import time
from typing import Any

from ministack.core import lambda_runtime

_LOOK_EVERY_S = 0.5


def surplus(workers: list[Any], now: float, most: int, after_s: float) -> list[Any]:
    """Returns the environments that are to end: of those in no use, the longest idle.

    Args:
        workers: Have `in_use` and `last_used`, in Unix seconds.
        now: In Unix seconds.
        most: How many may stay.
        after_s: How long one has been idle at least.
    """
    idle = sorted(
        (worker for worker in workers if not worker.in_use), key=lambda one: one.last_used
    )
    beyond = idle[: max(0, len(idle) - most)]
    return [worker for worker in beyond if now - worker.last_used > after_s]


def end_idle(most: int, after_s: float) -> None:
    """Ends them for as long as this process lives; see `surplus`."""

    def watch() -> None:
        while True:
            time.sleep(_LOOK_EVERY_S)
            with lambda_runtime._lock:
                pools = lambda_runtime._workers
                doomed = surplus(
                    [one for pool in pools.values() for one in pool], time.time(), most, after_s
                )
                for key, pool in list(pools.items()):
                    pools[key] = [one for one in pool if one not in doomed]
            lambda_runtime.kill_workers(doomed)

    threading.Thread(target=watch, name="idle", daemon=True).start()
