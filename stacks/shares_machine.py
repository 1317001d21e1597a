"""The state machine that hands shares of executors' calls to workers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mu.retries import BUSY
from stacks.states_language import INVOKE, State, retry_rule

_SERVICE_ERRORS: State = {
    "ErrorEquals": [
        "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
    ],
    "IntervalSeconds": 1,
    "BackoffRate": 2.0,
    "MaxDelaySeconds": 10,
    "MaxAttempts": 4,
    "JitterStrategy": "FULL",
}  # fmt: skip
"""Lambda's own failures. What befalls a worker is told to the executor, who decides."""

_NOT_CONNECTED: State = {
    **_SERVICE_ERRORS,
    "ErrorEquals": [
        "Lambda.ResourceNotReadyException", "Lambda.ENINotReadyException",
        "Lambda.ResourceConflictException",
    ],
    "MaxAttempts": 60,
}  # fmt: skip
"""Functions that nobody has called for weeks lose their network, and get it again in a minute."""


def definition(timeout_s: int, *, networked: bool = False) -> dict[str, Any]:
    """The state machine's definition.

    Its event has the `job`; the `slots` of each worker; and shares, each with the `function` that
    runs it: few of them as `shares`, many as the key `items` of a JSON array.

    Args:
        timeout_s: limit of one worker's call, in seconds.
        networked: whether workers are in a network of the stack's.
    """
    selected = {
        "job.$": "$.job",
        "slots.$": "$.slots",
        "share.$": "$$.Map.Item.Value.share",
        "function.$": "$$.Map.Item.Value.function",
    }

    def each(name: str, source: State, mode: State) -> State:
        return {
            "Type": "Map",
            **source,
            "ItemSelector": selected,
            "MaxConcurrencyPath": "$.concurrency",
            "ItemProcessor": {
                "ProcessorConfig": mode,
                "StartAt": f"run {name}",
                "States": {
                    f"run {name}": _run(timeout_s, f"{name} lost", networked=networked),
                    f"{name} lost": _note_loss(),
                },
            },
            "ResultSelector": {},
            "End": True,
        }

    return {
        "Comment": "mu: shares of an executor's calls, each on a worker",
        "StartAt": "how many",
        "States": {
            "how many": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.shares", "IsPresent": True, "Next": "few"}],
                "Default": "many",
            },
            "few": each("few", {"ItemsPath": "$.shares"}, {"Mode": "INLINE"}),
            "many": each(
                "many",
                {
                    "ItemReader": {
                        "Resource": "arn:${Partition}:states:::s3:getObject",
                        "ReaderConfig": {"InputType": "JSON"},
                        "Parameters": {"Bucket": "${WorkBucket}", "Key.$": "$.items"},
                    }
                },
                {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            ),
        },
    }


def _run(timeout_s: int, on_failure: str, *, networked: bool) -> State:
    """Calls a worker."""
    return {
        "Type": "Task",
        "Resource": f"${{{INVOKE}}}",
        "Parameters": {
            "FunctionName.$": "$.function",
            "Payload": {"job.$": "$.job", "share.$": "$.share", "slots.$": "$.slots"},
        },
        "TimeoutSeconds": timeout_s + 15,
        "Retry": [
            retry_rule(replace(BUSY, attempts=1000)),
            _SERVICE_ERRORS,
            *([_NOT_CONNECTED] if networked else []),
        ],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failed", "Next": on_failure}],
        # Thousands of results would exceed what an execution may hold.
        "ResultSelector": {},
        "End": True,
    }


def _note_loss() -> State:
    """Tells the executor why a worker did not answer."""
    return {
        "Type": "Task",
        "Resource": "${PutObject}",
        "Parameters": {
            "Bucket": "${WorkBucket}",
            "Key.$": "States.Format('mu/{}/lost/{}', $.job, $.share)",
            "Body.$": "$.failed",
        },
        "Retry": [{**_SERVICE_ERRORS, "ErrorEquals": ["States.ALL"]}],
        "ResultSelector": {},
        "End": True,
    }
