"""Corrects the interpreter where it differs from Step Functions and a stack can notice.

Each function replaces one behaviour; `apply` replaces all. Import after `library.prepare`.
"""

# The interpreter is installed in a virtual environment of its own, where mypy cannot see it.
# mypy: disable-error-code="import-not-found"

import datetime
import json
import threading
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from localstack.services.stepfunctions.asl.component.common.error_name import (
    custom_error_name,
    failure_event,
    states_error_name,
)
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name_type import (  # noqa: E501
    StatesErrorNameType,
)
from localstack.services.stepfunctions.asl.component.state import state as state_module
from localstack.services.stepfunctions.asl.component.state.state_execution.state_map.item_reader.item_reader_decl import (  # noqa: E501
    ItemReader,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_map.iteration import (  # noqa: E501
    iteration_worker,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_map.iteration.distributed_iteration_component import (  # noqa: E501
    DistributedIterationComponent,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_map.iteration.itemprocessor.distributed_item_processor_worker import (  # noqa: E501
    DistributedItemProcessorWorker,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_map.result_writer.result_writer_decl import (  # noqa: E501
    ResultWriter,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_parallel import (
    branches_decl,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task import (
    state_task_lambda,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service.state_task_service_lambda import (  # noqa: E501
    StateTaskServiceLambda,
)
from localstack.services.stepfunctions.asl.eval.program_state import ProgramEnded, ProgramStopped

DATA_LIMIT_BYTES = 256 * 1024


def apply() -> None:
    """Replaces every behaviour listed in this module."""
    name_lambda_errors()
    write_times_as_aws()
    measure_data_as_aws()
    address_results_by_input()
    name_map_errors()
    keep_names_of_nested_errors()
    fail_distributed_maps()
    forbid_children()


def lambda_error_name(error: ClientError | BotoCoreError) -> str:
    """Returns Step Functions' name for a call that Lambda itself refused."""
    if not isinstance(error, ClientError):
        return "Lambda.SdkClientException"
    code = error.response["Error"]["Code"]
    # A refused permission has no name of its own among Lambda's errors.
    return "Lambda.AWSLambdaException" if code.startswith("AccessDenied") else f"Lambda.{code}"


def name_lambda_errors() -> None:
    """A refused invocation is `Lambda.<code>`, not `Exception`, so Retry rules can match it."""
    for task, detail in (
        (state_task_lambda.StateTaskLambda, "lambdaFunctionFailed"),
        (StateTaskServiceLambda, "taskFailed"),
    ):
        _name_lambda_errors(task, detail)


def _name_lambda_errors(task: Any, detail: str) -> None:
    original = task._from_error

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        if not isinstance(ex, ClientError | BotoCoreError):
            return original(self, env=env, ex=ex)
        name = lambda_error_name(ex)
        details = {"error": name, "cause": str(ex)}
        if detail == "taskFailed":
            details |= {"resource": "invoke", "resourceType": "lambda"}
        return failure_event.FailureEvent(
            env=env,
            error_name=custom_error_name.CustomErrorName(name),
            event_type=detail[0].upper() + detail[1:],
            event_details={f"{detail}EventDetails": details},
        )

    task._from_error = from_error


def write_times_as_aws() -> None:
    """`$$.State.EnteredTime` has milliseconds and a Z, like all times of Step Functions."""

    def now(tz: datetime.tzinfo) -> Any:
        text = datetime.datetime.now(tz).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return SimpleNamespace(isoformat=lambda: text)

    state_module.datetime = SimpleNamespace(datetime=SimpleNamespace(now=now), UTC=datetime.UTC)


def measure_data_as_aws() -> None:
    """The limit of 256 KiB counts compact JSON; counting blanks after commas would lower it."""

    def is_within_size_quota(value: Any) -> bool:
        if not isinstance(value, str):
            value = json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
        return len(value.encode()) <= DATA_LIMIT_BYTES

    state_module.is_within_size_quota = is_within_size_quota
    state_task_lambda.is_within_size_quota = is_within_size_quota


def address_results_by_input() -> None:
    """A map's ResultWriter takes bucket and prefix from the state's input, not from its results."""

    def eval_body(self: Any, env: Any) -> None:
        results = env.stack.pop()
        env.stack.append(env.states.get_input())
        self.parargs.eval(env=env)
        parameters = env.stack.pop()
        env.stack[-1:] = [results, parameters]
        self.resource_eval.eval_resource(env=env)

    ResultWriter._eval_body = eval_body


def name_map_errors() -> None:
    """Failures to read items or to write results have error names of their own."""
    for component, error in (
        (ItemReader, StatesErrorNameType.StatesItemReaderFailed),
        (ResultWriter, StatesErrorNameType.StatesResultWriterFailed),
    ):
        _name_errors_of(component, error)


def _name_errors_of(component: Any, error: Any) -> None:
    original = component._eval_body

    def eval_body(self: Any, env: Any) -> None:
        try:
            original(self, env)
        except (ClientError, BotoCoreError, ValueError) as problem:
            raise _map_failure(env, error, str(problem)) from problem

    component._eval_body = eval_body


def _map_failure(env: Any, error: Any, cause: str) -> Exception:
    failure: Exception = failure_event.FailureEventException(
        failure_event.FailureEvent(
            env=env,
            error_name=states_error_name.StatesErrorName(error),
            event_type="MapRunFailed",
            event_details={"mapRunFailedEventDetails": {"error": error.to_name(), "cause": cause}},
        )
    )
    return failure


def keep_names_of_nested_errors() -> None:
    """An error named States.* that ends a branch or an iteration keeps its name outside it."""

    def name(error_name: str) -> Any:
        try:
            kind = StatesErrorNameType.from_name(error_name)
        except ValueError:
            return custom_error_name.CustomErrorName(error_name)
        return states_error_name.StatesErrorName(kind)

    branches_decl.CustomErrorName = name
    iteration_worker.CustomErrorName = name


def fail_distributed_maps() -> None:
    """A distributed map fails when more children fail than it tolerates, and stops the others.

    The interpreter only counts failed children, and reports the map as succeeded.
    """
    original = DistributedItemProcessorWorker._eval_job
    counting = threading.Lock()

    def eval_job(self: Any, env: Any, job: Any) -> None:
        original(self, env=env, job=job)
        if isinstance(env.program_state(), ProgramEnded | ProgramStopped):
            return
        record = self._map_run_record
        with counting:
            failed = getattr(record, "failed_children", 0) + 1
            record.failed_children = failed
        if is_tolerated(
            failed,
            self._job_pool._jobs_number,
            record.tolerated_failure_count,
            record.tolerated_failure_percentage,
        ):
            return
        job.job_output = _map_failure(
            env,
            StatesErrorNameType.StatesExceedToleratedFailureThreshold,
            "The specified tolerated failure threshold was exceeded",
        )
        for frame in list(self._env._frames):
            if frame is not env:
                frame.set_stop(datetime.datetime.now(datetime.UTC), None, None)

    DistributedItemProcessorWorker._eval_job = eval_job


def forbid_children() -> None:
    """A distributed map fails if the role may not start executions of its own machine."""
    original = DistributedIterationComponent._eval_body

    def eval_body(self: Any, env: Any) -> None:
        if getattr(env.map_run_record_pool_manager, "forbidden", False):
            raise _map_failure(
                env,
                StatesErrorNameType.StatesPermissions,
                "The state machine's role does not allow states:StartExecution on itself",
            )
        original(self, env)

    DistributedIterationComponent._eval_body = eval_body


def is_tolerated(failed: int, items: int, count: int, percentage: float) -> bool:
    """Returns whether a distributed map continues after some children failed.

    Args:
        failed: Children that have failed so far.
        items: Items of the map.
        count: Its ToleratedFailureCount; zero if not set.
        percentage: Its ToleratedFailurePercentage; zero if not set.
    """
    if count and failed > count:
        return False
    if percentage and failed * 100 > percentage * items:
        return False
    return bool(count or percentage) or failed == 0
