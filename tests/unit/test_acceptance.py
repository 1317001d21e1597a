"""A job is accepted when its film is known, and a goal decides how it is done."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from excamera.errors import BudgetTooSmall, OptionError
from excamera.job.draft import Draft
from excamera.job.goal import Goal
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.packing import Limits
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.lifecycle.acceptance import Accepted, accepted, surveyed
from excamera.price.estimate import estimate
from excamera.price.film import Film
from excamera.price.workers import Workers
from excamera.steps.index import index
from excamera.steps.plan import plan
from mu import Context, MemoryStore
from tests.pipeline.clips import Clip

FILM = Film(1440, 1920, 1080, 60.0)
WORKERS = Workers(DEFAULT_MEMORY_MB, concurrency=200, encode_sizes=(10_240,))
LIMITS = replace(WORKERS.limits, concurrency=500, granted=200)
OPTIONS = EncodeOptions(crf=30)


def test_without_a_goal_nothing_changes() -> None:
    """If this fails, jobs that ask for nothing are encoded in another way."""
    found = accepted(FILM, OPTIONS, None, WORKERS, LIMITS)
    usd = estimate(FILM, OPTIONS, WORKERS).dollars
    assert found == Accepted(OPTIONS, LIMITS, None, usd)


def test_a_goal_chooses_within_the_jobs_limits() -> None:
    """If this fails, a job does not do what was chosen for it, or takes what is others'."""
    found = accepted(FILM, OPTIONS, Goal(within_s=45), WORKERS, LIMITS)
    assert found.planned is not None
    chosen = found.planned["chosen"]
    assert found.planned["met"]
    assert chosen["late_s"] <= 45
    assert found.usd == chosen["usd"]
    assert found.options == replace(
        OPTIONS, chunk_frames=chosen["chunk_frames"], batch_chunks=chosen["batch_chunks"]
    )
    usual = chosen["memory_mb"] == DEFAULT_MEMORY_MB["encode"]
    assert found.limits == Limits(
        min(LIMITS.job_workers, chosen["job_workers"]),
        min(LIMITS.batch_workers, chosen["batch_workers"]),
        cpus=chosen["memory_mb"] // 1769,
        memory_mb=0 if usual else chosen["memory_mb"],
        concurrency=500,
        granted=200,
    )


def test_a_job_that_begins_again_keeps_its_choice() -> None:
    """If this fails, finished batches are encoded again because the account became busier."""
    goal = Goal(within_s=45)
    first = accepted(FILM, OPTIONS, goal, WORKERS, LIMITS)
    busy = replace(WORKERS, concurrency=3)
    again = accepted(FILM, OPTIONS, goal, busy, busy.limits, before=first.planned)
    assert (again.options, again.planned, again.usd) == (first.options, first.planned, first.usd)
    assert again.limits.memory_mb == first.limits.memory_mb
    assert again.limits.concurrency == 3
    other = accepted(FILM, OPTIONS, Goal(within_s=300), WORKERS, LIMITS, before=first.planned)
    assert other.planned is not None
    assert other.planned["goal"]["within_s"] == 300


def test_a_budget_that_is_too_small_is_refused() -> None:
    """If this fails, a job spends more than its user allows."""
    with pytest.raises(BudgetTooSmall, match=r"No way costs as little as \$0\.0001"):
        accepted(FILM, OPTIONS, Goal(budget_usd=0.0001), WORKERS, LIMITS)


def _indexed(path: Path, goal: Goal | None, **options: Any) -> tuple[dict[str, Any], Draft, Any]:
    """What index and plan make of a film: the result, the draft, and the result of plan."""
    store = MemoryStore()
    event = {
        "job": "j",
        "input": {"name": path.name, "path": str(path)},
        "container": "webm",
        "options": EncodeOptions(**options).to_json(),
        "goal": None if goal is None else goal.to_json(),
        "index": "auto",
    }

    def accept(film: Film, chosen: EncodeOptions, goal: Goal | None) -> Accepted:
        return accepted(film, chosen, goal, WORKERS, LIMITS)

    result = index(event, Context(store), accept)
    draft = Draft.load(store, Keys("j"))
    made = plan({"job": "j", "limits": result["limits"]}, Context(store))
    return result, draft, made


def test_a_draft_is_that_of_the_chosen_options(tmp_path: Path) -> None:
    """If this fails, a job with a goal has other bytes than one with the options it chose."""
    film = Clip(frames=200).write(tmp_path / "a.mp4")
    # The stack's own N and x give way.
    result, draft, made = _indexed(film, Goal(budget_usd=1.0), chunk_frames=6, batch_chunks=2)
    chosen = result["planned"]["chosen"]
    options = {name: chosen[name] for name in ("chunk_frames", "batch_chunks")}
    assert options != {"chunk_frames": 6, "batch_chunks": 2}
    _, same, _ = _indexed(film, None, **options)
    assert draft.planned == made["planned"] == result["planned"]
    assert replace(draft, planned=None) == same
    assert same.planned is None
    json.dumps(result, allow_nan=False)


def test_one_machine_has_no_goals(tmp_path: Path) -> None:
    """If this fails, a goal is ignored where nothing can be chosen."""
    film = Clip(frames=2).write(tmp_path / "a.mp4")
    event = {
        "job": "j", "input": {"name": "a", "path": str(film)}, "container": "webm",
        "options": OPTIONS.to_json(), "goal": Goal(within_s=3).to_json(), "index": "auto",
    }  # fmt: skip
    with pytest.raises(OptionError, match="one machine has no prices"):
        index(event, Context(MemoryStore()))


def test_a_source_is_looked_at_before_the_choice() -> None:
    """If this fails, scenes are not known when a structure is chosen that follows them."""
    assert surveyed(EncodeOptions(chunk_frames=6, crf=9)) == EncodeOptions(crf=9)
    published = EncodeOptions(mode="rebase", chunk_frames=6)
    assert surveyed(published) == published


def test_jobs_without_a_goal_import_no_simulator() -> None:
    """If this fails, every cold start of `index` pays for what few jobs need."""
    code = "import sys, excamera.steps.index; print('mu.simulation' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "False"
