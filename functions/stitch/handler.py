"""Joins the batches into the result, in the output bucket."""

from __future__ import annotations

from excamera.lifecycle import admission
from excamera.steps.stitch import stitch
from functions.settings import TurnSettings
from functions.task import task_handler
from functions.turns import call_admit
from mu import Context, Event, Json

settings = TurnSettings.from_environment()


def stitch_alone(event: Event, context: Context) -> Json:
    """Stitch a job, after its other workers are returned to those that wait."""
    if admission.shrink(event["job"], 1, context.store):
        call_admit(settings.stack)
    return stitch(event, context)


handler = task_handler("stitch", stitch_alone)
