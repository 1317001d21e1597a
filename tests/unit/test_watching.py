"""Stalled jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from excamera.lifecycle.watching import Running, stalled

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=30)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_only_jobs_without_a_task_for_too_long_are_stalled() -> None:
    """If this fails, a hanging job goes unnoticed, or a working one rings the alarm."""
    tasks = {"works": ago(2), "hangs": ago(31), "none yet": None, "redriven": ago(600)}
    asked = []

    def last_task(job: str) -> datetime | None:
        asked.append(job)
        return tasks[job]

    running = [
        Running("young", ago(29)), Running("works", ago(600)), Running("hangs", ago(600)),
        Running("none yet", ago(40)), Running("redriven", ago(31)),
    ]  # fmt: skip
    found = stalled(running, last_task, now=NOW, patience=PATIENCE)
    assert {one.job: one.since for one in found} == {
        "hangs": ago(31), "none yet": ago(40), "redriven": ago(31),
    }  # fmt: skip
    assert "young" not in asked
