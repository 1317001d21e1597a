"""Executions of state machines run by localstack-core's interpreter instead of MiniStack's own.

MiniStack keeps the machines, the executions and their API; the interpreter, in another process,
runs them and calls MiniStack back over HTTP for every task, as Step Functions would.
"""

# mypy: disable-error-code="import-not-found"

import copy
import hashlib
import http.client
import json
import logging
import os
import threading
from typing import Any
from urllib.parse import urlencode

from ministack.core.responses import error_response_json, get_account_id, json_response, now_iso
from ministack.services import stepfunctions

logger = logging.getLogger(__name__)

# How long the interpreter holds an answer back while an execution runs, in seconds; also how
# stale the history of a running execution may be.
_REPORT_WAIT_S = 0.25
_EVENT_DATA_LIMIT_BYTES = 248 * 1024
_REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")


class Interpreter:
    """The process that runs executions."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()

    def start(self, run: dict[str, Any]) -> None:
        """Runs an execution; see `tests.emulator.states.execution.Run`."""
        self._call("POST", "/start", run)

    def stop(self, arn: str) -> None:
        """Stops an execution, if it still runs."""
        self._call("POST", "/stop", {"arn": arn})

    def report(self, arn: str, after: int, wait_s: float = _REPORT_WAIT_S) -> dict[str, Any]:
        """An execution's status, and its events after the first `after`."""
        query = urlencode({"arn": arn, "after": after, "wait": wait_s})
        return self._call("GET", f"/report?{query}")

    def problem_of(self, definition: str) -> str | None:
        """What is wrong with a definition, if anything."""
        problem: str | None = self._call("POST", "/validate", {"definition": definition})["problem"]
        return problem

    def reset(self) -> None:
        """Stops and forgets all executions."""
        self._call("POST", "/reset", {})

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection: http.client.HTTPConnection = self._local.connection
        connection.request(method, path, None if body is None else json.dumps(body))
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer


def role_credentials(role_arn: str) -> dict[str, str]:
    """Keys of a role assumed by Step Functions, as keyword arguments of a boto3 client."""
    from ministack.services import sts

    digest = hashlib.sha256(f"states:{role_arn}".encode()).hexdigest()
    keys = {
        "aws_access_key_id": f"ASIA{digest[:16].upper()}",
        "aws_secret_access_key": digest,
        "aws_session_token": digest[::-1],
    }
    role = role_arn.rsplit("/", 1)[-1]
    sts.register_session(
        keys["aws_access_key_id"],
        {
            "Arn": f"arn:aws:sts::{get_account_id()}:assumed-role/{role}/states",
            "UserId": f"{role}:states",
            "SecretAccessKey": keys["aws_secret_access_key"],
            "SessionToken": keys["aws_session_token"],
        },
    )
    return keys


class StateMachines:
    """Replaces the parts of MiniStack's Step Functions that run executions."""

    def __init__(self, interpreter: Interpreter, *, enforce_roles: bool) -> None:
        self._interpreter = interpreter
        self._enforce_roles = enforce_roles
        self._lock = threading.Lock()
        self._original: dict[str, Any] = {}

    def install(self) -> None:
        """Puts the replacements in place."""
        for name, replacement in {
            "_run_execution": self.run,
            "_start_execution": self.start,
            "_stop_execution": self.stop,
            "_describe_execution": self.describe,
            "_create_state_machine": self.create,
            "handle_request": self.handle,
            "_emit_execution_status_event": self.emit,
            "reset": self.reset,
        }.items():
            self._original[name] = getattr(stepfunctions, name)
            setattr(stepfunctions, name, replacement)

    async def handle(self, method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        """Adds RedriveExecution, which MiniStack does not know."""
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return stepfunctions._finalize_response(self.redrive(json.loads(body)))
        return await self._original["handle_request"](method, path, headers, body, query)

    def create(self, data: dict[str, Any]) -> Any:
        """CreateStateMachine, refusing what the interpreter cannot parse."""
        problem = self._interpreter.problem_of(data.get("definition", ""))
        if problem is not None:
            return error_response_json("InvalidDefinition", problem, 400)
        return self._original["_create_state_machine"](data)

    def start(self, data: dict[str, Any]) -> Any:
        """StartExecution, which may be repeated while the execution runs.

        The same name and input then answer with the execution there is.
        """
        if data.get("name"):
            execution = self._named(data)
            if (
                execution is not None
                and execution["status"] == "RUNNING"
                and execution["input"] == data.get("input", "{}")
            ):
                answer = {"executionArn": execution["executionArn"]}
                return json_response({**answer, "startDate": execution["startDate"]})
        return self._original["_start_execution"](data)

    def _named(self, data: dict[str, Any]) -> dict[str, Any] | None:
        machine = stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", ""))
        if machine is None:
            return None
        arn = machine.replace(":stateMachine:", ":execution:") + f":{data['name']}"
        execution: dict[str, Any] | None = stepfunctions._executions.get(arn)
        return execution

    def run(self, arn: str) -> None:
        """Runs a started execution to its end; MiniStack calls this in a thread of its own."""
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
        try:
            self._interpreter.start(self._run_of(execution, machine))
            self._follow(execution, kept=[])
        except Exception as error:
            logger.exception("Execution %s", arn)
            stepfunctions._fail_execution(execution, "States.Runtime", repr(error))

    def _run_of(self, execution: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
        role = machine["roleArn"]
        return {
            "arn": execution["executionArn"],
            "name": execution["name"],
            "state_machine_arn": execution["stateMachineArn"],
            "state_machine_name": machine["name"],
            "definition": machine["definition"],
            "role_arn": role,
            "input": execution["input"],
            "started": execution["startDate"],
            "redrive_count": execution.get("redriveCount", 0),
            "client_settings": {
                "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
                **(role_credentials(role) if self._enforce_roles else {}),
            },
        }

    def _follow(self, execution: dict[str, Any], kept: list[dict[str, Any]]) -> None:
        """Copies events and end from the interpreter until the execution ends.

        Args:
            execution: MiniStack's record of it.
            kept: The history before a redrive, which goes on rather than starts again.
        """
        events: list[dict[str, Any]] = []
        while True:
            report = self._interpreter.report(execution["executionArn"], len(events))
            events += report["events"]
            with self._lock:
                if execution["status"] != "RUNNING":
                    return
                execution["events"] = kept + renumbered(events, len(kept))
                if report["status"] == "RUNNING":
                    continue
                execution["stopDate"] = now_iso()
                for name in ("output", "error", "cause"):
                    execution[name] = report.get(name)
                execution["status"] = report["status"]
                break
        stepfunctions._emit_execution_status_event(execution)

    def stop(self, data: dict[str, Any]) -> Any:
        """StopExecution: ends the interpreter's run before MiniStack records the abort."""
        execution = stepfunctions._executions.get(data.get("executionArn"))
        if execution is None or execution["status"] != "RUNNING":
            return self._original["_stop_execution"](data)
        self._interpreter.stop(execution["executionArn"])
        with self._lock:
            return self._original["_stop_execution"](data)

    def describe(self, data: dict[str, Any]) -> Any:
        """DescribeExecution, with what it says of redrives."""
        status, headers, body = self._original["_describe_execution"](data)
        if status != 200:
            return status, headers, body
        execution = stepfunctions._executions[data["executionArn"]]
        answer = {**json.loads(body), **redrive_fields(execution)}
        return json_response({name: value for name, value in answer.items() if value is not None})

    def redrive(self, data: dict[str, Any]) -> Any:
        """RedriveExecution: goes on from the top-level state that was running at the end.

        Unlike AWS, a Parallel or Map state is run again as a whole, and variables are not kept.
        """
        arn = data.get("executionArn", "")
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return error_response_json("ExecutionDoesNotExist", f"Execution {arn} not found", 400)
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
        definition = json.loads(machine["definition"]) if machine else {"States": {}}
        with self._lock:
            entered = last_entered(execution["events"], definition["States"])
            if execution["status"] not in _REDRIVABLE or entered is None:
                message = f"Execution is {execution['status']} and cannot be redriven"
                return error_response_json("ExecutionNotRedrivable", message, 400)
            count = execution.get("redriveCount", 0) + 1
            execution |= {"status": "RUNNING", "stopDate": None, "redriveCount": count}
            execution |= {"redriveDate": now_iso(), "error": None, "cause": None, "output": None}
            kept = copy.deepcopy(execution["events"])
            kept.append(
                {
                    "id": len(kept) + 1,
                    "previousEventId": len(kept),
                    "type": "ExecutionRedriven",
                    "timestamp": execution["redriveDate"],
                    "executionRedrivenEventDetails": {"redriveCount": count},
                }
            )
            execution["events"] = kept
        definition["StartAt"] = entered["name"]
        run = self._run_of(execution, {**machine, "definition": json.dumps(definition)})
        self._interpreter.start({**run, "resume_input": entered["input"]})
        stepfunctions._emit_execution_status_event(execution)
        stepfunctions.threading.Thread(
            target=stepfunctions.contextvars.copy_context().run,
            args=(self._follow, execution, kept),
            daemon=True,
        ).start()
        return json_response({"redriveDate": execution["redriveDate"]})

    def emit(self, execution: dict[str, Any]) -> None:
        """Sends the status change event, with the fields MiniStack's lacks."""
        from ministack.services import eventbridge

        entry = {
            "Source": "aws.states",
            "DetailType": "Step Functions Execution Status Change",
            "Detail": json.dumps(status_detail(execution)),
            "Resources": [execution["executionArn"]],
        }
        try:
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
        except Exception:
            logger.exception("No event for %s", execution["executionArn"])

    def reset(self) -> None:
        """Forgets everything, the interpreter's executions too."""
        self._interpreter.reset()
        self._original["reset"]()


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
    redrivable = status in _REDRIVABLE
    fields = {
        "redriveCount": execution.get("redriveCount", 0),
        "redriveDate": execution.get("redriveDate"),
        "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
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
