"""Surveys by several threads, of real films."""

from __future__ import annotations

from pathlib import Path

import pytest

from excamera.job.draft import Draft
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.job.records import SurveyRecord
from excamera.steps.index import index
from excamera.steps.survey import survey, survey_of
from mu import Context, MemoryStore
from tests.support.shared import SHARED, needs

MEDIA = SHARED / "media"
CLIPS = ("bigbuckbunny.mp4", "foreman_cif.264")


def indexed(source: Path, store: MemoryStore, *, in_spans: bool) -> list[int]:
    """Indexes a film; returns the numbers of its spans."""
    event = {
        "job": "j",
        "input": {"name": source.name, "path": str(source)},
        "container": "webm",
        "options": EncodeOptions().to_json(),
        "index": "auto",
        "span_pixels": 1 if in_spans else 10**12,
    }
    spans: list[int] = index(event, Context(store, "index"))["spans"]
    return spans


@pytest.mark.slow
@needs(MEDIA)
@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_see_what_one_sees(clip: str, threads: int) -> None:
    """If this fails, how a film is cut depends on the memory of a function."""
    store = MemoryStore()
    assert indexed(MEDIA / clip, store, in_spans=False) == []
    draft = Draft.load(store, Keys("j"))
    frames = draft.frames
    own = frames.chunk(1, 48, len(frames))
    lead_in = (frames.chunk(0, 24, 48),)
    one = survey_of(own, draft.plan, store, lead_in, threads=1)
    assert len(one.alone) == len(frames) - 48
    assert one.lost
    assert survey_of(own, draft.plan, store, lead_in, threads=threads) == one


@needs(MEDIA)
def test_the_step_uses_the_threads_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, the CPUs of a function are not used, or a machine has too many threads."""
    store = MemoryStore()
    assert indexed(MEDIA / "foreman_cif.264", store, in_spans=True)
    used = []

    def noted(*arguments: object) -> SurveyRecord:
        used.append(arguments[-1])
        return SurveyRecord(first=0)

    monkeypatch.setattr("excamera.steps.survey.survey_of", noted)
    monkeypatch.setattr("excamera.steps.survey.available_cpus", lambda: 5)
    for threads in (1, 2, 0):
        survey({"job": "j", "span": 0, "threads": threads}, Context(store, "survey"))
    assert used == [1, 2, 5]
    assert Job.load(store, "j", span=0).plan.batches
