"""The attempts to make a report of a stack's job, and how much of a film one measures."""

from __future__ import annotations

import json

import pytest

from benchmarks.common.circumstances import RESULTS
from excamera.job.objects import Keys
from excamera.lifecycle.reports import (
    WAITS_S,
    Attempt,
    ask,
    begin,
    fail,
    finish,
    latest,
    results_of,
)
from excamera.report.effort import DECODE_S, MEASURE_S, SCALE_S, ordinal, sampled
from mu import MemoryStore, NoSuchKey

KEYS = Keys("film-1")
LASTS_S = 900.0
HD = 1920 * 1080


def known(store: MemoryStore, now: float) -> Attempt | None:
    """The last attempt, if it is `now`."""
    return latest(store, KEYS, lasts_s=LASTS_S, now=now)


def asked(store: MemoryStore, now: float) -> Attempt | None:
    """Ask for the report, as the API does."""
    return ask(store, KEYS, known(store, now), {"job": {}}, now=now)


def test_a_report_is_made_once() -> None:
    """If this fails, two who ask at the same time, or a call that comes twice, make it twice."""
    store = MemoryStore()
    assert known(store, 0) is None
    first = asked(store, 0)
    assert first is not None
    # Both have seen that there is none.
    assert ask(store, KEYS, None, {"job": {}}, now=0) is None
    assert begin(store, KEYS, first.number, now=1) == {"job": {}, "time": 0, "died": 0}
    assert begin(store, KEYS, first.number, now=1) is None
    assert known(store, 2) == first
    finish(store, KEYS, first.number, "<p>\u202e", {"runs": []})
    made = known(store, 10_000)
    assert made == Attempt(KEYS, 1, "made")
    assert made is not None
    assert store.get(made.page).decode() == "<p>\u202e"
    assert store.get(made.facts) == b'{"runs": []}'


def test_a_page_without_its_facts_is_not_made() -> None:
    """If this fails, a function that dies between both leaves half a report."""
    store = MemoryStore()
    asked(store, 0)
    begin(store, KEYS, 1, now=0)
    store.put(Attempt(KEYS, 1, "made").page, b"<p>")
    found = known(store, 1)
    assert found is not None
    assert found.state == "making"


def test_a_failure_has_its_reason_and_the_next_attempt_begins_anew() -> None:
    """If this fails, nobody learns why there is no report, or it can never be had."""
    store = MemoryStore()
    asked(store, 0)
    begin(store, KEYS, 1, now=1)
    fail(store, KEYS, 1, "SourceChanged: was replaced")
    assert known(store, 2) == Attempt(KEYS, 1, "failed", "SourceChanged: was replaced")
    again = asked(store, 3)
    assert again == Attempt(KEYS, 2, "making")
    assert known(store, 4) == again


@pytest.mark.parametrize("begins", [True, False])
def test_who_died_is_not_waited_for(begins: bool) -> None:
    """If this fails, a report that no function makes any more is being made for ever."""
    store = MemoryStore()
    asked(store, 0)
    lasts_s = float(WAITS_S)
    if begins:
        assert begin(store, KEYS, 1, now=200) is not None
        lasts_s = 200 + LASTS_S
    for now, state in ((lasts_s, "making"), (lasts_s + 61, "failed")):
        found = known(store, now)
        assert found is not None
        assert found.state == state
    assert found.message
    # One that never began has done nothing wrong.
    assert found.died == begins
    again = asked(store, lasts_s + 61)
    assert again is not None
    request = begin(store, KEYS, again.number, now=lasts_s + 62)
    assert request is not None
    assert request["died"] == begins


def test_nothing_is_made_of_a_job_whose_objects_are_gone() -> None:
    """If this fails, a report of a cancelled job is made of nothing."""
    with pytest.raises(NoSuchKey):
        begin(MemoryStore(), KEYS, 1, now=0)


def test_the_files_that_a_report_reads() -> None:
    """If this fails, a report reads a manifest, or the file that another job has put there."""
    assert results_of(None) == results_of({"url": None, "key": "a.webm", "files": []}) == []
    assert results_of({"url": "u", "key": "x/a.webm", "files": []}) == [("a.webm", "x/a.webm")]
    urls = {"a-720p.mp4": "u", "a-480p.mp4": None, "a-audio.mp4": "u", "a-720p.m3u8": "u",
            "a-audio.m3u8": "u", "a.m3u8": "u"}  # fmt: skip
    files = [{"name": name, "key": f"x/{name}", "url": url} for name, url in urls.items()]
    assert results_of({"url": "u", "key": "x/a.m3u8", "files": files}) == [
        ("a-720p.mp4", "x/a-720p.mp4"), None, ("a-audio.mp4", "x/a-audio.mp4"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("frames", "pixels", "batches", "every"),
    [
        (26, 96 * 64, 1, 1),
        (10 * 60 * 24, HD, 60, 1),
        (60 * 60 * 24, HD, 400, 5),
        (3 * 60 * 60 * 24, HD, 1200, 14),
        (3 * 60 * 60 * 24, 4 * HD, 1200, 55),
        # The whole film is one batch, where decoding begins.
        (60 * 60 * 24, HD, 1, 0),
    ],
)
def test_as_much_is_measured_as_there_is_time_for(
    frames: int, pixels: int, batches: int, every: int
) -> None:
    """If this fails, a function runs out of time, or leaves out what it had time for."""
    assert sampled(frames, pixels, [pixels], batches, seconds=900, cpus=3.0) == every


@pytest.mark.parametrize(
    ("source", "sizes", "every"),
    [
        (HD, [HD], 14),
        (HD, [HD, 1280 * 720, 854 * 480], 24),
        # The source alone takes its time, however small the results are.
        (4 * HD, [1280 * 720], 32),
        (4 * HD, [4 * HD, HD], 70),
    ],
)
def test_all_sizes_of_a_ladder_take_time(source: int, sizes: list[int], every: int) -> None:
    """If this fails, the report of a long ladder runs out of time."""
    assert sampled(3 * 60 * 60 * 24, source, sizes, 1200, seconds=900, cpus=3.0) == every


def test_more_time_and_processors_measure_more_and_a_death_less() -> None:
    """If this fails, a function that ran out of time does so again, however often it is asked."""
    hour = (60 * 60 * 24, HD, [HD], 400)
    assert sampled(*hour, seconds=900, cpus=6.0) == 3
    assert sampled(*hour, seconds=450, cpus=3.0) == 10
    assert sampled(*hour, seconds=900, cpus=3.0, died=1) == 19
    assert sampled(*hour, seconds=900, cpus=3.0, died=9) == 0
    assert sampled(*hour, seconds=0, cpus=3.0) == 0


def test_what_measuring_takes_is_what_was_measured() -> None:
    """If this fails, a function plans with other times than the benchmark's by a third or more."""
    found = json.loads((RESULTS / "reports.json").read_text())
    for planned, name in (
        (MEASURE_S, "measure_s"),
        (DECODE_S, "decode_s"),
        (SCALE_S, "scale_s"),
    ):
        assert 2 / 3 < found[name] / planned < 4 / 3


def test_ordinals() -> None:
    """If this fails, a note says "every 3th batch"."""
    assert [ordinal(one) for one in (1, 2, 3, 4, 11, 12, 13, 21, 22, 112, 1003)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "112th", "1,003rd",
    ]  # fmt: skip
