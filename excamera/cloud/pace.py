"""What a job in the cloud shows of the pace of its workers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from excamera.cloud.account import Account, Stack, explained
from excamera.cloud.api import Api
from excamera.errors import NoResult, NoSuchJob, NotAllowed, StackTooOld
from excamera.job.options import EncodeOptions
from excamera.job.steps import DEFAULT_MEMORY_MB, STEP_NAMES
from excamera.price.edits import in_sizes
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.workers import Workers
from mu import Attempt


def attempts_of(api: Api, name: str) -> tuple[dict[str, Any], list[Attempt], Film]:
    """A finished job, the attempts of its timeline, and what it encoded.

    Raises:
        NoResult: the job has not succeeded, or its timeline has expired.
    """
    job = api.get(f"/jobs/{name}")
    if job["state"] != "succeeded" or job["film"] is None:
        raise NoResult(f"{name}: only a job that succeeded, and not too long ago, shows a pace")
    attempts: list[Attempt] = []
    more = None
    while True:
        page = api.get(f"/jobs/{name}/timeline", limit=1000, next=more)
        attempts += [
            Attempt(one["task"], one["attempt"],
                    round(1000 * (one["finished"] - one["started"])), one["outcome"])
            for one in page["attempts"]
        ]  # fmt: skip
        more = page["next"]
        if more is None:
            options = EncodeOptions.from_json(job["options"])
            return job, attempts, in_sizes(Film(**job["film"]), options)


@dataclass(frozen=True, slots=True)
class Learned:
    """What a stack has learned from its jobs.

    Attributes:
        workers: the stack's, in an account of the usual size.
        pace: the stack's.
        jobs: how many it has learned from.
        errors: percent by which predictions of the last jobs were wrong, by quantity.
    """

    workers: Workers
    pace: Pace
    jobs: int
    errors: dict[str, float]


def learned_by(api: Api) -> Learned:
    """What a stack has learned from its jobs.

    Raises:
        StackTooOld: it is of a version that does not learn.
    """
    try:
        found = api.get("/model")
    except (NoSuchJob, NotAllowed) as error:  # API Gateway refuses what it has no route for
        raise StackTooOld(f"the stack does not tell what it has learned: {error}") from error
    known = {one.name for one in fields(Pace)}
    return Learned(
        Workers(
            {**DEFAULT_MEMORY_MB, **found["memory_mb"]},
            found["architecture"],
            encode_sizes=tuple(found["encode_sizes"][1:]),
        ),
        Pace(**{name: value for name, value in found["pace"].items() if name in known}),
        found["jobs"],
        found["errors"],
    )


def workers_of(account: Account, stack: Stack) -> Workers:
    """The memory and architecture of a stack's functions."""
    functions, memory, architecture = stack.functions(), {**DEFAULT_MEMORY_MB}, ""
    with explained("lambda:GetFunctionConfiguration"):
        client = account.client("lambda")
        for step in STEP_NAMES:
            answer = client.get_function_configuration(FunctionName=functions[step])
            memory[step] = int(answer["MemorySize"])
            [architecture] = answer["Architectures"]
    return Workers(memory, architecture, encode_sizes=stack.encode_sizes())
