"""A task function inside a cloud function."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mu import Context, Event, MemoryStore
from mu.engines.stack.function import call, peak_memory_mib
from mu.timeline import attempts
from tests.support.shared import ROOT

STATE = {"name": "double", "entered": "2026-01-02T03:04:05.678Z", "retries": 2}


def double(event: Event, context: Context) -> Event:
    if event["n"] < 0:
        raise ValueError("negative")
    context.mark("doubled")
    return {"n": 2 * event["n"], "attempt": context.attempt}


def test_the_function_gets_its_event_and_leaves_a_record() -> None:
    """If this fails, steps run in the cloud leave no timeline, or get the wrong event."""
    store = MemoryStore()
    payload = {"event": {"n": 21}, "state": STATE}
    result = call(double, payload, store, worker="w", timeline="t", task="double-7")
    assert result == {"n": 42, "attempt": 3}
    (noted,) = attempts("t", store.list())
    assert (noted.task, noted.number, noted.outcome) == ("double-7", 3, "done")
    record = json.loads(store.get(noted.key("t")))
    assert record["started"] <= record["marks"]["doubled"] <= record["finished"]
    assert (record["name"], record["attempts"], record["worker"]) == ("double", 3, "w")
    assert record["queued"] == pytest.approx(1767323045.678)
    assert record["peak_memory_mib"] > 0
    assert record["result"] == result


def test_a_failure_comes_out_as_itself_and_is_recorded() -> None:
    """If this fails, retry rules by class name never match in the cloud."""
    store = MemoryStore()
    with pytest.raises(ValueError, match="negative"):
        call(
            double, {"event": {"n": -1}, "state": STATE}, store, worker="w", timeline="t", task="d"
        )
    (noted,) = attempts("t", store.list())
    assert (noted.outcome, noted.done) == ("ValueError", False)
    assert json.loads(store.get(noted.key("t")))["error"] == "ValueError"


def test_a_record_that_cannot_be_stored_does_not_hide_the_failure() -> None:
    """If this fails, a store that is down hides why tasks fail."""
    with pytest.raises(ValueError, match="negative"):
        call(double, {"event": {"n": -1}}, MemoryStore(), worker="w", timeline="/bad")


def test_the_peak_of_memory_is_this_processes_own() -> None:
    """If this fails, a small function seems to need the memory of its parent."""
    large = bytearray(300 << 20)
    large[::4096] = bytes(len(large[::4096]))
    program = "from mu.engines.stack.function import peak_memory_mib; print(peak_memory_mib())"
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert len(large) >> 20 == 300
    assert 1 < int(child.stdout) < 250
    assert peak_memory_mib() >= 300
