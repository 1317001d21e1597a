"""Functions that probes run on the executors' workers; they travel by value."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import mu


def where(hold_s: float) -> tuple[str, str, float]:
    """Keeps its worker busy; returns the worker's function, its environment and when it began."""
    began = time.time()
    time.sleep(hold_s)
    environment = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
    return os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ""), environment, began


def moved(url: str, size: int, parallel: int) -> tuple[float, float]:
    """Writes and reads as many objects of `size` bytes as it does at the same time.

    Returns:
        Seconds of all writes, and of all reads.
    """
    store = mu.open_store(url)
    data = random.randbytes(size)
    keys = [f"moved/{size}-{number}" for number in range(parallel)]
    store.put("moved/first", b"")  # connects
    with ThreadPoolExecutor(parallel) as threads:
        began = time.perf_counter()
        list(threads.map(lambda key: store.put(key, data), keys))
        written = time.perf_counter()
        whole = all(threads.map(lambda key: len(store.get(key)) == size, keys))
        read = time.perf_counter()
    if not whole:
        raise ValueError("S3 returned other bytes than were written")
    return written - began, read - written


def changed(url: str, times: int) -> tuple[int, int, float]:
    """Adds one to a number in an object that others change, too, as often as is asked.

    Returns:
        How often it wrote, how often S3 refused as somebody else had written, and seconds.
    """
    store = mu.open_store(url)
    writes, refused = 0, 0
    began = time.perf_counter()
    for _ in range(times):
        while True:
            try:
                found = store.look_up("changed")
                with found.open() as file:  # type: ignore[union-attr]
                    number, etag = int(file.read()), found.etag
            except mu.NoSuchKey:
                number, etag = 0, mu.NOTHING
            except mu.ObjectChanged:
                continue
            writes += 1
            try:
                store.concat("changed", [b"%d" % (number + 1)], replaces=etag)
                break
            except (mu.ObjectExists, mu.NoSuchKey):
                refused += 1
                time.sleep(random.uniform(0, 0.05))
    return writes, refused, time.perf_counter() - began
