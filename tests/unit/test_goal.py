"""Goals of jobs: a time or a price, as users write them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from excamera.api.requests import JobRequest
from excamera.cli.options import goal_of
from excamera.errors import OptionError
from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions

SOURCE = "s3://films/a.mp4"


@pytest.mark.parametrize(
    ("texts", "goal"),
    [
        ({}, None),
        ({"within": "30s"}, Goal(within_s=30)),
        ({"within": " 1.5 h "}, Goal(within_s=5400)),
        ({"within": "2m"}, Goal(within_s=120)),
        ({"within": "2min"}, Goal(within_s=120)),
        ({"within": "45", "or-fail": "true"}, Goal(within_s=45, or_fail=True)),
        ({"budget": "0.40"}, Goal(budget_usd=0.4)),
        ({"budget": "$12", "or-fail": "false"}, Goal(budget_usd=12)),
    ],
)
def test_what_users_write(texts: dict[str, str], goal: Goal | None) -> None:
    """If this fails, a goal is understood as another, or not at all."""
    found = Goal.of_texts(texts)
    assert found == goal
    assert Goal.from_json(None if found is None else found.to_json()) == goal


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"within": "soon"}, "must be a time such as 30s"),
        ({"within": "-3s"}, "must be a time"),
        ({"within": "0s"}, "within must be more than 0"),
        ({"within": "9000h"}, "within must be more than 0 and at most 604,800"),
        ({"budget": "cheap"}, "must be dollars such as 0.40"),
        ({"budget": "nan"}, "budget must be more than 0"),
        ({"budget": "inf"}, "budget must be more than 0"),
        ({"within": "3s", "budget": "1"}, "either within or budget, not both"),
        ({"or-fail": "true"}, "either within or budget"),
        ({"budget": "1", "or-fail": "true"}, "or-fail belongs to within"),
        ({"within": "3s", "or-fail": "maybe"}, "or-fail must be true or false"),
    ],
)
def test_what_is_no_goal(texts: dict[str, str], said: str) -> None:
    """If this fails, a mistyped goal is taken for another."""
    with pytest.raises(OptionError, match=said):
        Goal.of_texts(texts)


def test_a_goal_excludes_what_it_chooses() -> None:
    """If this fails, a user's N is silently replaced, or other options are refused."""
    Goal(within_s=3).refuse({"crf": 30, "effort": 2, "codec": "vp8"})
    with pytest.raises(OptionError, match="within chooses chunk-frames and batch-chunks: leave"):
        Goal(within_s=3).refuse({"chunk_frames": 6, "crf": 30, "batch_chunks": 4})
    with pytest.raises(OptionError, match="budget chooses batch-chunks"):
        Goal(budget_usd=3).refuse({"batch_chunks": 4})


def test_a_goal_is_for_vp8() -> None:
    """If this fails, a structure of VP8's is chosen for a codec that has none."""
    with pytest.raises(OptionError, match="within is for vp8 only: leave it out for h264"):
        Goal(within_s=3).refuse({"codec": "h264"})
    with pytest.raises(OptionError, match="budget is for vp8 only"):
        Goal(budget_usd=3).check(EncodeOptions(codec="av1"))


def test_goals_on_the_command_line() -> None:
    """If this fails, `submit --within` sends no goal, or its options go on as encode options."""
    options = {"within": "20s", "budget": None, "or_fail": True, "crf": 30, "batch_chunks": None}
    assert goal_of(options) == Goal(within_s=20, or_fail=True)
    assert options == {"crf": 30, "batch_chunks": None}
    with pytest.raises(OptionError, match="within chooses batch-chunks"):
        goal_of({"within": "20s", "budget": None, "batch_chunks": 8})


def test_goals_of_requests() -> None:
    """If this fails, the API takes two goals, or N besides one."""
    assert JobRequest(source=SOURCE).goal() is None
    made = JobRequest.model_validate({"source": SOURCE, "within_s": 30, "or_fail": True})
    assert made.goal() == Goal(within_s=30, or_fail=True)
    made = JobRequest.model_validate({"source": SOURCE, "budget_usd": 0.4, "options": {"crf": 30}})
    assert made.goal() == Goal(budget_usd=0.4)
    for wrong, said in (
        ({"within_s": 3, "budget_usd": 1}, "either within or budget"),
        ({"or_fail": True}, "either within or budget"),
        ({"within_s": 3, "options": {"chunk_frames": 12}}, "within chooses chunk-frames"),
        ({"within_s": 0}, "greater than 0"),
        ({"budget_usd": 1e9}, "less than or equal to"),
    ):
        with pytest.raises(ValidationError, match=said):
            JobRequest.model_validate({"source": SOURCE, **wrong})
