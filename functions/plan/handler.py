"""Cuts the frames into batches and writes the plan of the job, within its turn."""

from __future__ import annotations

from dataclasses import replace

from excamera.job.packing import Limits
from excamera.lifecycle import admission
from excamera.steps.plan import plan
from functions.settings import TurnSettings
from functions.task import task_handler
from functions.turns import call_admit
from mu import Context, Event, Json

settings = TurnSettings.from_environment()


def plan_within_turn(event: Event, context: Context) -> Json:
    """Plan a job for the workers that it may run, and return those that it cannot use."""

    def grant(workers: int, limits: Limits) -> Limits:
        if limits.concurrency is None:
            return limits
        granted, waiting = admission.settle(
            event["job"],
            min(workers, limits.concurrency),
            context.store,
            capacity=limits.concurrency,
        )
        if waiting:
            call_admit(settings.stack)
        return replace(limits, granted=granted)

    return plan(event, context, grant)


handler = task_handler("plan", plan_within_turn)
