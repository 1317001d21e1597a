"""One execution of a state machine: runs the interpreter in a thread and keeps its history."""

# mypy: disable-error-code="import-not-found"

import json
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localstack.services.stepfunctions.asl.eval import program_state
from localstack.services.stepfunctions.asl.eval.environment import Environment
from localstack.services.stepfunctions.asl.eval.evaluation_details import AWSExecutionDetails
from localstack.services.stepfunctions.asl.eval.event.event_manager import EventHistoryContext
from localstack.services.stepfunctions.asl.parse.asl_parser import AmazonStateLanguageParser

_ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}


@dataclass(frozen=True)
class Run:
    """An execution to run.

    Attributes:
        arn: Of the execution.
        name: Of the execution.
        state_machine_arn: Its state machine.
        state_machine_name: The machine's name.
        definition: The machine's definition, JSON.
        role_arn: The role under which the machine makes its calls.
        input: The execution's input, JSON.
        started: When the execution was first started, in the format of `$$.Execution.StartTime`.
        client_settings: Address and keys of the role's calls: keyword arguments of boto3 clients.
        redrive_count: How often the execution was redriven.
        resume_input: The input of a redriven execution's first state, JSON; None if it is `input`.
        may_start_children: Whether the role allows a distributed map's child executions.
    """

    arn: str
    name: str
    state_machine_arn: str
    state_machine_name: str
    definition: str
    role_arn: str
    input: str
    started: str
    client_settings: dict[str, str]
    redrive_count: int = 0
    resume_input: str | None = None
    may_start_children: bool = True


def parse(definition: str) -> Any:
    """Parses a definition into a program.

    Raises:
        Exception: The definition is invalid; the class varies.
    """
    return AmazonStateLanguageParser.parse(json.dumps(_with_float_tolerance(definition)))[0]


def _with_float_tolerance(definition: str) -> Any:
    """Returns the definition with every percentage a float: the grammar rejects integers there."""

    def change(item: dict[str, Any]) -> dict[str, Any]:
        percentage = item.get("ToleratedFailurePercentage")
        if isinstance(percentage, int):
            item["ToleratedFailurePercentage"] = float(percentage)
        return item

    return json.loads(definition, object_hook=change)


class Execution:
    """Runs one `Run` and reports on it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._environment: Environment | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._status = "RUNNING"
        self._result: dict[str, Any] = {}
        self._history: list[dict[str, Any]] = []

    def start(self) -> None:
        """Starts, in a thread that ends with the process."""
        threading.Thread(target=self._work, name=self._run.name, daemon=True).start()

    def stop(self) -> None:
        """Ends the execution as ABORTED; the results of running tasks are ignored, as on AWS."""
        environment = self._environment
        if environment is not None:
            environment.set_stop(stop_date=datetime.now(UTC), cause=None, error=None)
        self._end("ABORTED")

    def report(self, after: int, wait_s: float) -> dict[str, Any]:
        """Reports status and events, once the execution has ended or after a while.

        Args:
            after: How many events of the history the caller has.
            wait_s: How long to wait for the end.
        """
        self._ended.wait(wait_s)
        with self._lock:
            status = self._status
            events = self._history if status != "RUNNING" else self._events()
            return {"status": status, **self._result, "events": events[after:]}

    def _events(self) -> list[dict[str, Any]]:
        if self._environment is None:
            return []
        events = self._environment.event_manager.get_event_history()
        return [{**event, "timestamp": event["timestamp"].timestamp()} for event in events]

    def _work(self) -> None:
        try:
            program = parse(self._run.definition)
            self._environment = environment = self._new_environment()
        except Exception as error:
            self._end("FAILED", error="States.Runtime", cause=f"{type(error).__name__}: {error}")
            return
        environment.event_manager.add_event(
            context=environment.event_history_context,
            event_type="ExecutionStarted",
            event_details={
                "executionStartedEventDetails": {
                    "input": self._run.input,
                    "inputDetails": {"truncated": False},
                    "roleArn": self._run.role_arn,
                }
            },
            update_source_event_id=False,
        )
        if not self._run.may_start_children:
            environment.map_run_record_pool_manager.forbidden = True
        program.eval(environment)
        state = environment.program_state()
        if isinstance(state, program_state.ProgramEnded):
            output = json.dumps(environment.states.get_input(), separators=(",", ":"))
            self._end("SUCCEEDED", output=output)
        elif isinstance(state, program_state.ProgramTimedOut):
            self._end("TIMED_OUT")
        elif isinstance(state, program_state.ProgramStopped):
            self._end("ABORTED")
        else:
            problem = state.error or {}
            self._end("FAILED", error=problem.get("error"), cause=problem.get("cause"))

    def _new_environment(self) -> Environment:
        run = self._run
        _, _, _, region, account, *_ = run.arn.split(":")
        execution = {
            "Id": run.arn,
            "Input": json.loads(run.input),
            "Name": run.name,
            "RoleArn": run.role_arn,
            "StartTime": run.started,
            "RedriveCount": run.redrive_count,
        }
        if run.redrive_count:
            execution["RedriveTime"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        environment = Environment(
            aws_execution_details=AWSExecutionDetails(account, region, run.role_arn),
            execution_type="STANDARD",
            context={
                "Execution": execution,
                "StateMachine": {"Id": run.state_machine_arn, "Name": run.state_machine_name},
            },
            event_history_context=EventHistoryContext.of_program_start(),
            cloud_watch_logging_session=None,
            activity_store={},
        )
        if run.resume_input is not None:
            environment.states.reset(input_value=json.loads(run.resume_input))
        return environment

    def _end(self, status: str, **result: str | None) -> None:
        """Records the first end: later results are ignored."""
        with self._lock:
            if self._status != "RUNNING":
                return
            self._history = [event for event in self._events() if event["type"] not in _ENDS]
            if status != "ABORTED":
                # MiniStack records an abort, with the caller's reason.
                self._history.append(self._last_event(status, result))
            self._status = status
            self._result = {name: value for name, value in result.items() if value is not None}
        self._ended.set()

    def _last_event(self, status: str, result: dict[str, str | None]) -> dict[str, Any]:
        kind = {"TIMED_OUT": "TimedOut"}.get(status, status.capitalize())
        last = len(self._history)
        details = {name: value for name, value in result.items() if value is not None}
        return {
            "id": last + 1,
            "previousEventId": last,
            "type": f"Execution{kind}",
            "timestamp": time.time(),
            f"execution{kind}EventDetails": details,
        }
