"""Whether a disk has room for an encode is known before it begins."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from excamera.errors import DiskFull
from excamera.job.options import EncodeOptions
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.size import result_bytes
from excamera.steps import index, room
from excamera.steps.room import bytes_in, check_room
from mu import DirectoryStore
from mu.task import Context
from tests.pipeline.clips import Clip

FILM = Film(frames=2400, width=1280, height=720, duration_s=100)
EXPECTED = result_bytes(FILM, EncodeOptions(), Pace())
LARGE = 100 * EXPECTED


def checked(monkeypatch: pytest.MonkeyPatch, free: dict[str, int], **more: Any) -> str:
    """What is said if so much is free in each folder; each is a disk, unless `shared`."""
    shared = more.pop("shared", False)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free[str(path)]))
    monkeypatch.setattr(room, "_on_one_disk", lambda *_: shared)
    told = {"work": "/w/encode-1", "named": "/w", "advice": "ADVICE", "there": 0, "output": "/o",
            "source_bytes": LARGE, **more}  # fmt: skip
    return check_room(FILM, EncodeOptions(), told)


def test_what_fits_is_not_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, users learn to skip the warning."""
    assert checked(monkeypatch, {"/w/encode-1": 2 * EXPECTED, "/o": EXPECTED}) == ""
    assert checked(monkeypatch, {"/w/encode-1": 3 * EXPECTED}, shared=True) == ""
    assert checked(monkeypatch, {"/w/encode-1": 2 * EXPECTED}, output=None) == ""


def test_what_may_not_fit_is_told_and_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a film of few bits is refused, or a full disk comes as a surprise."""
    said = checked(monkeypatch, {"/w/encode-1": 2 * EXPECTED - 1, "/o": EXPECTED})
    megabytes = f"{2 * EXPECTED / 1e6:,.1f} MB"
    assert said == (
        f"/w: {megabytes} are free, and the encode is expected to need {megabytes} there; if the "
        "disk is full, make room, or ADVICE"
    )
    assert "/o: " in checked(monkeypatch, {"/w/encode-1": LARGE, "/o": EXPECTED // 2})
    # A disk for both has to hold the batches, the whole, and its copy.
    assert "/w: " in checked(monkeypatch, {"/w/encode-1": 3 * EXPECTED - 1}, shared=True)


def test_what_cannot_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, an encode of hours ends with a full disk, although that was foreseen."""
    with pytest.raises(DiskFull, match=r"^/w: .* make room, or ADVICE$"):
        checked(monkeypatch, {"/w/encode-1": EXPECTED // 20, "/o": LARGE})
    with pytest.raises(DiskFull, match=r"^/o: .* choose another folder for the output$"):
        checked(monkeypatch, {"/w/encode-1": LARGE, "/o": EXPECTED // 21})


def test_a_small_source_and_what_is_there_need_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, slides that never move are refused, or an encode that has nearly ended."""
    free = {"/w/encode-1": EXPECTED // 10, "/o": EXPECTED // 10}
    assert checked(monkeypatch, free, source_bytes=EXPECTED // 20) == ""
    free = {"/w/encode-1": EXPECTED // 100, "/o": EXPECTED}
    assert checked(monkeypatch, free, there=2 * EXPECTED) == ""


def test_the_first_step_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, nobody asks whether there is room."""
    clip = Clip(frames=8, width=320, height=240).write(tmp_path / "a.mp4")
    event = {
        "job": "j", "input": {"name": "a", "path": str(clip)}, "container": "webm",
        "options": EncodeOptions().to_json(), "index": "auto", "limits": {"processes": 1},
        "room": {"work": str(tmp_path), "named": "/w", "advice": "ADVICE", "there": 0,
                 "output": None, "source_bytes": LARGE},
    }  # fmt: skip
    context = Context(store=DirectoryStore(tmp_path / "store"))
    assert "warning" not in index.index(event, context)
    expected = 2 * result_bytes(Film(8, 320, 240, 0.32, sound=False), EncodeOptions(), Pace())
    for free, warns in ((expected - 1, True), (expected // 21, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        if warns:
            assert "expected to need" in index.index(event, context)["warning"]
        else:
            with pytest.raises(DiskFull):
                index.index(event, context)


def test_bytes_are_those_on_the_disk(tmp_path: Path) -> None:
    """If this fails, an encode that goes on is refused for what it has stored itself."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(bytes(range(256)) * 400)
    assert 102_400 <= bytes_in(tmp_path) <= 110_592
