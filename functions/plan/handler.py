"""Cuts the frames into batches and writes the plan of the job, within its turn."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aws_lambda_powertools import Logger

from excamera.job.packing import Limits
from excamera.job.plan import Plan
from excamera.job.results import Prediction
from excamera.lifecycle import admission, warming
from excamera.price.predicted import predict_plan
from excamera.price.workers import Workers
from excamera.steps.plan import plan
from functions.learned import model_of
from functions.settings import TurnSettings
from functions.task import task_handler
from functions.turns import call_admit
from mu import Context, Event, Json


@dataclass(frozen=True, slots=True)
class PlanSettings(TurnSettings):
    """The settings of the plan step.

    Attributes:
        memory_mb: memory of each function, by its name.
        architecture: "arm64" or "x86_64", of every function.
    """

    memory_mb: dict[str, int]
    architecture: str


logger = Logger()
settings = PlanSettings.from_environment()
_planned: list[str] = []
"""The last job that this environment has planned."""


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

    def foretell(made: Plan, limits: Limits) -> Prediction | None:
        # If this function has an environment from before, others probably have, too.
        warm = bool(_planned) or warming.began_before()
        try:
            return predict_plan(
                made,
                limits,
                Workers(settings.memory_mb, settings.architecture),
                model_of(context.store, settings.architecture).pace,
                warm=warm,
            )
        except Exception:  # a job is worth more than what is said of it
            logger.exception("no prediction")
            return None

    summary = plan(event, context, grant, foretell)
    _planned[:] = [event["job"]]
    return summary


handler = task_handler("plan", plan_within_turn)
