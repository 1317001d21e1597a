"""A source that takes longer to be decoded for its index than a call may."""

from __future__ import annotations

import functools
import time
from itertools import count
from pathlib import Path

import pytest

from excamera.errors import SlowSource
from excamera.job.options import EncodeOptions
from excamera.media.source import recording
from excamera.media.source.patience import Patience
from excamera.steps.index import index
from mu import Context, open_store
from tests.pipeline.clips import Clip

HALF_AN_HOUR_S = 1800.0


def read(name: str, all_s: float, took_s: float, share: float) -> None:
    """Reads a share of a source in so many seconds, of which it has `all_s`."""
    clock = iter([0.0, took_s])
    Patience(all_s, now=lambda: next(clock)).check(name, share)


def test_what_will_not_end_in_time_is_given_up_early() -> None:
    """If this fails, a film costs hours of calls that Lambda ends, and its user hears nothing."""
    with pytest.raises(SlowSource, match="about 50 minutes; a call may take 15") as raised:
        read("films/a day.ts", 900, 30, 0.01)
    assert str(raised.value).endswith("ffmpeg -i 'a day.ts' -c copy 'a day.mkv'")
    with pytest.raises(SlowSource, match=r"-c copy a\.mp4"):
        read("a.mkv", 900, 800, 0.5)


def test_what_may_end_in_time_goes_on() -> None:
    """If this fails, a slow beginning, or a few seconds of it, cost a film that would be done."""
    read("a.ts", 900, 30, 0.03)
    read("a.ts", 900, 15, 0.0)
    read("a.ts", 900, 850, 0.99)


def test_a_job_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the step index does not look at its deadline."""
    source = Clip(frames=48).write(tmp_path / "a.ts")
    event = {
        "job": "a",
        "input": {"name": "a.ts", "path": str(source)},
        "container": "webm",
        "options": EncodeOptions().to_json(),
    }
    store = open_store(f"dir:{tmp_path}/store")
    now = time.time()
    index(event, Context(store, deadline=now + HALF_AN_HOUR_S))
    clock = count(now, 2 * HALF_AN_HOUR_S)
    patience = functools.partial(Patience, now=lambda: next(clock))
    monkeypatch.setattr(recording, "Patience", patience)
    with pytest.raises(SlowSource, match=r"^a\.ts: .* about 60 minutes; a call may take 30"):
        index(event, Context(store, deadline=now + HALF_AN_HOUR_S))
    index(event, Context(store))
