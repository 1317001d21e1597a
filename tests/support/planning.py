"""The steps up to the plan of a job, one after another in this process."""

from __future__ import annotations

from excamera.steps.index import index
from excamera.steps.plan import plan
from excamera.steps.survey import survey
from mu import Context, Event


def make_plan(event: Event, context: Context) -> Event:
    """Runs the steps index, survey for each span, and plan; returns the result of the last."""
    indexed = index(event, context)
    for span in indexed["spans"]:
        survey({"job": event["job"], "span": span, "threads": 1}, context)
    return plan({"job": event["job"], "limits": indexed["limits"]}, context)
