"""What an execution's record holds: its history, its redrives, its status events."""

# mypy: disable-error-code="import-not-found"

from typing import Any

from ministack.services import stepfunctions

REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")
_EVENT_DATA_LIMIT_BYTES = 248 * 1024


def status_detail(execution: dict[str, Any]) -> dict[str, Any]:
    """Returns the detail of "Step Functions Execution Status Change"; large data is left out."""
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
    """Returns the fields about redrives, which descriptions and events share."""
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
    """Returns the name and input of the last of some states that an execution entered.

    Args:
        events: The execution's history.
        states: The machine's top-level states, without those inside a Map or Parallel.
    """
    entered = None
    for event in events:
        details = event.get("stateEnteredEventDetails")
        if details and details["name"] in states:
            entered = details
    return entered


def renumbered(events: list[dict[str, Any]], before: int) -> list[dict[str, Any]]:
    """Renumbers events that follow `before` others; drops the start that a redrive repeats."""
    if not before:
        return events
    shift = before - 1
    return [
        {**event, "id": event["id"] + shift, "previousEventId": event["previousEventId"] + shift}
        for event in events
        if event["type"] != "ExecutionStarted"
    ]
