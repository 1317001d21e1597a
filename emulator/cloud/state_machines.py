"""Runs executions of state machines by localstack-core's interpreter instead of MiniStack's own.

MiniStack keeps the machines, the executions and their API. The interpreter runs the executions in
another process and calls MiniStack back over HTTP for every task, as Step Functions would.
"""

# mypy: disable-error-code="import-not-found"

import copy
import json
import logging
import os
import threading
from typing import Any

from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import stepfunctions

from emulator.cloud import roles
from emulator.cloud.histories import (
    REDRIVABLE,
    last_entered,
    redrive_fields,
    renumbered,
    status_detail,
)
from emulator.cloud.interpreter import Interpreter

logger = logging.getLogger(__name__)


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
            "_describe_state_machine_for_execution": self.describe_machine,
            "_create_state_machine": self.create,
            "handle_request": self.handle,
            "_emit_execution_status_event": self.emit,
            "reset": self.reset,
        }.items():
            self._original[name] = getattr(stepfunctions, name)
            setattr(stepfunctions, name, replacement)

    async def handle(self, method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        """Adds RedriveExecution, which MiniStack lacks."""
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return stepfunctions._finalize_response(self.redrive(json.loads(body)))
        return await self._original["handle_request"](method, path, headers, body, query)

    def create(self, data: dict[str, Any]) -> Any:
        """Handles CreateStateMachine; refuses a definition that the interpreter cannot parse."""
        problem = self._interpreter.problem_of(data.get("definition", ""))
        if problem is not None:
            return error_response_json("InvalidDefinition", problem, 400)
        return self._original["_create_state_machine"](data)

    def start(self, data: dict[str, Any]) -> Any:
        """Handles StartExecution, which may be repeated while the execution runs.

        The same name and input then return the running execution.
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
        """Runs a started execution to its end; MiniStack calls this in a separate thread."""
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
        # It keeps the definition with which it began, also when it is redriven.
        execution["definition"] = machine["definition"]
        try:
            self._interpreter.start(self._run_of(execution, machine))
            self._follow(execution, kept=[])
        except Exception as error:
            logger.exception("Execution %s", arn)
            stepfunctions._fail_execution(execution, "States.Runtime", repr(error))

    def _run_of(self, execution: dict[str, Any], machine: dict[str, Any]) -> dict[str, Any]:
        role = machine["roleArn"]
        run = {
            "arn": execution["executionArn"],
            "name": execution["name"],
            "state_machine_arn": execution["stateMachineArn"],
            "state_machine_name": machine["name"],
            "definition": machine["definition"],
            "role_arn": role,
            "input": execution["input"],
            "started": execution["startDate"],
            "redrive_count": execution.get("redriveCount", 0),
            "client_settings": {"endpoint_url": os.environ["AWS_ENDPOINT_URL"]},
        }
        if self._enforce_roles:
            run["client_settings"] |= roles.credentials(role)
            run["may_start_children"] = roles.allows(
                role, "states:StartExecution", execution["stateMachineArn"]
            )
        return run

    def _follow(self, execution: dict[str, Any], kept: list[dict[str, Any]]) -> None:
        """Copies events and the end from the interpreter until the execution ends.

        Args:
            execution: MiniStack's record of it.
            kept: The history before a redrive, which continues it.
        """
        events: list[dict[str, Any]] = []
        while True:
            report = self._interpreter.report(execution["executionArn"], len(events))
            events += report["events"]
            if report["status"] == "UNKNOWN":
                # The account was reset meanwhile.
                return
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
        """Handles StopExecution: ends the interpreter's run before MiniStack records the abort."""
        execution = stepfunctions._executions.get(data.get("executionArn"))
        if execution is None or execution["status"] != "RUNNING":
            return self._original["_stop_execution"](data)
        with self._lock:  # otherwise `_follow` may record the end without the caller's reason
            self._interpreter.stop(execution["executionArn"])
            return self._original["_stop_execution"](data)

    def describe(self, data: dict[str, Any]) -> Any:
        """Handles DescribeExecution; adds the fields about redrives."""
        status, headers, body = self._original["_describe_execution"](data)
        if status != 200:
            return status, headers, body
        execution = stepfunctions._executions[data["executionArn"]]
        answer = {**json.loads(body), **redrive_fields(execution)}
        return json_response({name: value for name, value in answer.items() if value is not None})

    def describe_machine(self, data: dict[str, Any]) -> Any:
        """Handles DescribeStateMachineForExecution: the definition is the execution's own."""
        status, headers, body = self._original["_describe_state_machine_for_execution"](data)
        if status != 200:
            return status, headers, body
        execution = stepfunctions._executions[data["executionArn"]]
        own = {"definition": execution["definition"]} if "definition" in execution else {}
        return json_response({**json.loads(body), **own})

    def redrive(self, data: dict[str, Any]) -> Any:
        """Handles RedriveExecution: continues at the top-level state that was running at the end.

        Unlike on AWS, a Parallel or Map state runs again as a whole, and variables are lost.
        """
        arn = data.get("executionArn", "")
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return error_response_json("ExecutionDoesNotExist", f"Execution {arn} not found", 400)
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
        definition = json.loads(execution["definition"]) if machine else {"States": {}}
        with self._lock:
            entered = last_entered(execution["events"], definition["States"])
            if execution["status"] not in REDRIVABLE or entered is None:
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
        """Sends the status change event, with the fields that MiniStack's lacks."""
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
        """Forgets everything, including the interpreter's executions."""
        self._interpreter.reset()
        self._original["reset"]()
