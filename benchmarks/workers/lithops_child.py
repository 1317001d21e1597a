"""Asks Lithops' localhost mode to make tiny calls; needs nothing but Lithops.

Prints how long the first calls took, one for each worker, with all that has to start for them.
Then reads lines from standard input, each how to make calls and how many, and prints seconds.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import lithops


def _tiny(number: int) -> int:
    return number + 1


def _calls(executor: Any, how: str, count: int) -> float:
    begun = time.perf_counter()
    if how == "map":
        futures = executor.map(_tiny, range(count))
        executor.get_result(futures, show_progressbar=False)
    else:
        futures = [executor.call_async(_tiny, number) for number in range(count)]
        executor.get_result(futures, show_progressbar=False)
    return time.perf_counter() - begun


def main(workers: int) -> None:
    """Serves standard input."""
    config = {
        "lithops": {"backend": "localhost", "storage": "localhost", "log_level": "ERROR"},
        "localhost": {"worker_processes": workers},
    }
    begun = time.perf_counter()
    with lithops.FunctionExecutor(config=config) as executor:
        _calls(executor, "map", workers)
        print(time.perf_counter() - begun, flush=True)
        for line in sys.stdin:
            how, count = line.split()
            print(_calls(executor, how, int(count)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
