"""Has environments of a stack's functions begin before a job needs them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from excamera.cloud.account import Account, Stack, explained
from excamera.cloud.versions import named
from excamera.errors import CloudUnavailable
from excamera.job.steps import STEPS, Per
from excamera.lifecycle.warming import request
from mu.prices import GB_SECOND_USD, INVOCATION_USD

SHARES_OF_BATCH = 4
"""A usual batch that is divided has about so many shares; one worker codes the anchors before."""

CALLS_A_SECOND = 100
"""This process begins so many at least; no environment may be free again before the last one."""

_BILLED = re.compile(rb"Billed Duration: (\d+) ms")


@dataclass(frozen=True, slots=True)
class Warmed:
    """What became of one function.

    Attributes:
        function: its name.
        wanted: how many environments were asked for.
        ready: how many answered.
        new: how many of these began for it.
        refused: calls that the account's quota of concurrency did not let through.
        usd: what the calls cost at list prices.
    """

    function: str
    wanted: int
    ready: int
    new: int
    refused: int
    usd: float


def wanted(workers: int) -> dict[str, int]:
    """How many environments of each function a job with so many workers can use.

    Most jobs have no target, so those that try samples are left alone.
    """
    of = {Per.JOB: 1, Per.AHEAD: -(-workers // SHARES_OF_BATCH)}
    return {step.name: of.get(step.per, workers) for step in STEPS if step.per is not Per.PROBE}


def warm(account: Account, stack: Stack, workers: int) -> Iterator[Warmed]:
    """Call the versions of functions that the next job will call, one function after another.

    Args:
        account: the stack's account.
        stack: the stack.
        workers: how many shares are to begin at once.

    Raises:
        NotAllowed: the credentials need states:DescribeStateMachine,
            lambda:GetFunctionConfiguration and lambda:InvokeFunction.
        CloudUnavailable: AWS does not answer, or a function failed.
    """
    with explained("states:DescribeStateMachine"):
        machine = account.client("stepfunctions").describe_state_machine(
            stateMachineArn=stack.outputs["StateMachineArn"]
        )
    numbers = dict(named(machine["definition"]))
    functions = stack.functions()
    for step, count in wanted(workers).items():
        function = functions[step]
        yield _warm(account, step, {"FunctionName": function, "Qualifier": str(numbers[function])},
                    count)  # fmt: skip


def _warm(account: Account, step: str, which: dict[str, str], count: int) -> Warmed:
    client = account.client("lambda", connections=count)
    hold_s = 1 + count / CALLS_A_SECOND
    with explained(f"warming {step}"), ThreadPoolExecutor(count) as pool:
        told = client.get_function_configuration(**which)
        calls = [pool.submit(_call, client, which, hold_s) for _ in range(count)]
        answers = [call.result() for call in calls]
    usd_per_s = told["MemorySize"] / 1024 * GB_SECOND_USD[told["Architectures"][0]]
    found = [one for one in answers if one is not None]
    return Warmed(
        function=step,
        wanted=count,
        ready=len({told["environment"] for told, _ in found}),
        new=sum(told["new"] for told, _ in found),
        refused=len(answers) - len(found),
        usd=sum(INVOCATION_USD + seconds * usd_per_s for _, seconds in found),
    )


def _call(client: Any, which: dict[str, str], hold_s: float) -> tuple[dict[str, Any], float] | None:
    """What an environment answers, and the seconds that it is paid for; None if it was refused."""
    try:
        answer = client.invoke(
            **which, LogType="Tail", Payload=json.dumps(request(hold_s)).encode()
        )
    except client.exceptions.TooManyRequestsException:
        return None
    told = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise CloudUnavailable(f"{which['FunctionName']}: {told.get('errorMessage', told)}")
    billed = _BILLED.search(base64.b64decode(answer.get("LogResult", "")))
    return told, int(billed[1]) / 1000 if billed else hold_s
