"""What an execution's record says of it: its history, its redrives, its status events."""

# mypy: disable-error-code="import-not-found"

from typing import Any

from ministack.services import stepfunctions

REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")
_EVENT_DATA_LIMIT_BYTES = 248 * 1024


def status_detail(execution: dict[str, Any]) -> dict[str, Any]:
    """The detail of "Step Functions Execution Status Change"; too long data is left out."""
    detail = {
        **{
            name: execution.get(name)
            for name in ("executionArn", "stateMachineArn", "name", "status", "error", "cause")
        },
        **dict.fromkeys(("stateMachineVersionArn", "stateMachineAliasArn")),
        **redrive_fields(execution),
    }
    for name in ("startDate", "stopDate", "redriveDate"):
        detail[name] = stepfunctions._iso_to_epoch_ms(execution.get(name))
    for name in ("input", "output"):
        data = execution.get(name)
        fits = data is not None and len(data.encode()) <= _EVENT_DATA_LIMIT_BYTES
        detail[name] = data if fits else None
        detail[f"{name}Details"] = None if data is None else {"included": fits}
    return detail


def redrive_fields(execution: dict[str, Any]) -> dict[str, Any]:
    """What AWS says of an execution's redrives, in descriptions and events alike."""
    status = execution["status"]
    redrivable = status in REDRIVABLE
    fields = {
        "redriveCount": execution.get("redriveCount", 0),
        "redriveDate": execution.get("redriveDate"),
        "redriveStatus": "REDRIVABLE" if redrivable else "NOTREDRIVABLE",
    }
    if not redrivable:
        fields["redriveStatusReason"] = f"Execution is {status} and cannot be redriven"
    return fields


def last_entered(events: list[dict[str, Any]], states: dict[str, Any]) -> dict[str, Any] | None:
    """The last of some states that an execution entered: its name and input.

    Args:
        events: The execution's history.
        states: The machine's top-level states; names inside a Map or Parallel are others.
    """
    entered = None
    for event in events:
        details = event.get("stateEnteredEventDetails")
        if details and details["name"] in states:
            entered = details
    return entered


def renumbered(events: list[dict[str, Any]], before: int) -> list[dict[str, Any]]:
    """The events as they follow `before` others; of a redrive, without the start it repeats."""
    if not before:
        return events
    shift = before - 1
    return [
        {**event, "id": event["id"] + shift, "previousEventId": event["previousEventId"] + shift}
        for event in events
        if event["type"] != "ExecutionStarted"
    ]
