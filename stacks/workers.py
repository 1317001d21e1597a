"""The functions of the pipeline, each with only the rights that its step needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

import layers
from excamera.job.cut import SPAN_PIXELS
from excamera.job.environments import AT_START, FOR_BATCHES
from excamera.job.steps import ENCODING, SPREADING, STEP_NAMES, STEPS, Per, Right, Step
from excamera.lifecycle.reports import WAITS_S
from mu.timelines import STACK_PLACE
from stacks.code import function_code
from stacks.delivery import Delivery
from stacks.executors import Executors
from stacks.function import LIVE, Function, all_versions
from stacks.rights import FILMS, JOBS, Rights
from stacks.settings import SMALLEST_SCRATCH_MB, Settings
from stacks.storage import Storage

SHORT_S = 60
LISTING_S = 300
"""Of functions that list whole timelines."""

WARM = "WARM_FUNCTION"
"""The variable that names the function that has environments made."""

WARMED = (*AT_START, *FOR_BATCHES)

_EXECUTIONS = "Executions are named by their jobs."


class Workers(Construct):
    """Layers, code and functions; `by_step` has the functions that the state machine calls."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._storage = storage
        self.rights = Rights(self, settings, storage)
        self._code = lambda_.Code.from_asset(str(function_code(settings.python)))
        self._powertools = self._layer("Powertools", layers.POWERTOOLS)
        self._video = [self._layer("Codec", layers.CODEC), self._layer("Media", layers.MEDIA)]

        self.by_step = {step.name: self._step(step) for step in STEPS}
        self.by_step["failure"] = self._failure_function()
        self.by_step[SPREADING] = self._spread_function()
        self.warm = self._warm_function() if settings.warm_ahead else None
        self._let_warm(self.by_step["index"])

    def executors(self) -> Executors:
        """What mu's executors use."""
        return Executors(
            self,
            "Executors",
            settings=self._settings,
            storage=self._storage,
            code=self._code,
            layers=[self._layer("Executor", layers.EXECUTOR)],
            own_layers=self._video,
        )

    def _step(self, step: Step) -> Function:
        """The function of a step, with the rights that its row names."""
        settings = self._settings
        environment = {"WORK_BUCKET": self._storage.work.bucket_name}
        if Right.ASKS_FOR_LIMITS in step.rights:
            environment |= {
                **self._limits(),
                "BATCH_WORKERS": str(settings.batch_workers),
                "SPREAD_CALLS": str(settings.spread_calls),
                "SPAN_PIXELS": str(SPAN_PIXELS),
                "MEMORY_MB": json.dumps(settings.memory_mb),
                "ENCODE_SIZES": json.dumps(settings.sizes_of(ENCODING)),
                "ARCHITECTURE": settings.architecture,
                "MAX_USD_PER_JOB": str(float(settings.max_usd_per_job)),
                "MAX_USD_PER_MONTH": str(float(settings.max_usd_per_month)),
            }
        if Right.CHANGES_TURN in step.rights:
            environment["STACK"] = Stack.of(self).stack_name
        if Right.PREDICTS in step.rights:
            environment |= {
                "MEMORY_MB": json.dumps(settings.memory_mb),
                "ARCHITECTURE": settings.architecture,
            }
        function = self.function(
            step.name,
            video=step.media,
            environment=environment,
            scratch_mb=settings.scratch_mb if step.scratch else SMALLEST_SCRATCH_MB,
        )
        self.rights.of_step(function, step.rights)
        return function

    def _failure_function(self) -> Function:
        """The function that records failures."""
        failure = self.function("failure", timeout_s=SHORT_S)
        self.rights.tell_absent_jobs(failure)
        failure.allow(
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            [self._storage.work.arn_for_objects("jobs/*/failure.json")],
            JOBS,
        )
        return failure

    def _spread_function(self) -> Function:
        """The function that runs maps of the flow, and may call exactly what these call."""
        called = {
            step.name: list(self.by_step[step.name].sizes.values())
            for step in STEPS
            if step.per not in (Per.JOB, Per.PROBE)
        }
        arns = {
            step: [one.current_version.function_arn for one in sizes]
            for step, sizes in called.items()
        }
        spread = self.function(
            SPREADING,
            environment={
                "WORK_BUCKET": self._storage.work.bucket_name,
                "CALLED": Stack.of(self).to_json_string(arns),
                "TIMEOUT_S": str(self._settings.timeout_s),
            },
        )
        self.rights.read_jobs(spread)
        self.rights.write_jobs(spread)
        spread.allow(
            ["lambda:InvokeFunction"],
            [all_versions(one) for sizes in called.values() for one in sizes],
            "Jobs that began before a deployment call versions that are older than it.",
        )
        return spread

    def _warm_function(self) -> Function:
        """The function that has environments of others made, and may call exactly these."""
        warmed = {
            name: function
            for step in WARMED
            for name, function in self.by_step[step].by_name.items()
        }
        arns = {name: one.current_version.function_arn for name, one in warmed.items()}
        warm = self.function(
            "warm",
            timeout_s=SHORT_S,
            environment={"WARMED": Stack.of(self).to_json_string(arns)},
        )
        warm.allow(
            ["lambda:InvokeFunction"],
            [all_versions(one) for one in warmed.values()],
            "Jobs that began before a deployment call versions that are older than it.",
        )
        return warm

    def _let_warm(self, function: Function) -> None:
        """Allow it to have environments made ahead, if the stack does."""
        if self.warm is None:
            function.function.add_environment(WARM, "")
            return
        function.function.add_environment(WARM, self.warm.version.function_arn)
        function.allow(
            ["lambda:InvokeFunction"],
            [all_versions(self.warm.function)],
            "A version calls the one that was deployed with it.",
        )

    def _limits(self) -> dict[str, str]:
        """What may run at the same time, as environment."""
        settings = self._settings
        return {
            "WORKERS_AT_ONCE": str(settings.workers_at_once),
            "JOB_WORKERS": str(settings.job_workers),
        }

    def _starting(self, machine: sfn.StateMachine) -> dict[str, str]:
        """The environment of a function that starts jobs."""
        return {
            "STATE_MACHINE_ARN": machine.state_machine_arn,
            "WORK_BUCKET": self._storage.work.bucket_name,
            **self._limits(),
        }

    def _let_start(self, function: Function, machine: sfn.StateMachine) -> None:
        """Allow it to give jobs their turns and start them."""
        work = self._storage.work
        self._let_warm(function)
        function.allow(["states:StartExecution"], [machine.state_machine_arn])
        function.allow(["states:DescribeExecution", "states:StopExecution"],
                       [self._executions(machine)], _EXECUTIONS)  # fmt: skip
        self.rights.ask_for_limits(function)
        self.rights.tell_absent_jobs(function)
        function.allow(
            ["s3:GetObject", "s3:PutObject"], [work.arn_for_objects("admission/turns.json")]
        )
        self.rights.unqueue_jobs(function)
        function.allow(["s3:GetObject"], [work.arn_for_objects("cancelled/*")], JOBS)

    def admit_function(self, machine: sfn.StateMachine) -> Function:
        """The function that starts jobs as there is room for them."""
        admit = self.function("admit", timeout_s=LISTING_S, environment=self._starting(machine))
        self._let_start(admit, machine)
        admit.allow(["states:ListExecutions"], [machine.state_machine_arn])
        jobs = self._storage.work.arn_for_objects("admission/jobs/*")
        admit.allow(["s3:GetObject"], [jobs], JOBS)
        return admit

    def start_function(self, machine: sfn.StateMachine, options: dict[str, object]) -> Function:
        """The function that an upload triggers; it starts the job if nobody waits before it."""
        start = self.function(
            "start",
            timeout_s=LISTING_S,
            environment={
                **self._starting(machine),
                "OUTPUT_BUCKET": self._storage.output.bucket_name,
                "DEFAULT_OPTIONS": json.dumps(options),
                "PREFIX": self._settings.prefix,
            },
        )
        self.rights.read_input(start)
        self._let_start(start, machine)
        self.rights.queue_jobs(start)
        start.allow(
            ["s3:GetObject", "s3:DeleteObject"],
            [self._storage.work.arn_for_objects("uploads/*")],
            JOBS,
        )
        return start

    def sweep_function(self) -> Function:
        """The function that removes the objects of cancelled jobs."""
        sweep = self.function("sweep", timeout_s=LISTING_S)
        self.rights.tell_absent_jobs(sweep)
        self.rights.forget_cancelled_jobs(sweep)
        self.rights.abort_output(sweep)
        return sweep

    def report_function(self) -> Function:
        """The function that makes the report of a job when the API asks for it."""
        settings = self._settings
        report = self.function(
            "report",
            video=True,
            environment={
                "WORK_BUCKET": self._storage.work.bucket_name,
                "OUTPUT_BUCKET": self._storage.output.bucket_name,
                "ARCHITECTURE": settings.architecture,
                "VERSION": version("excamera"),
            },
        )
        asynchronous = lambda_.CfnEventInvokeConfig(
            report,
            "Asynchronous",
            function_name=report.function.function_name,
            qualifier=LIVE,
            # What it cannot make now, it could not make a minute later.
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=WAITS_S,
        )
        asynchronous.node.add_dependency(report.live)
        self.rights.tell_absent_jobs(report)
        self.rights.read_jobs(report)
        self.rights.read_input(report)
        output = self._storage.output.arn_for_objects("*")
        # A result is read in the version in which it was found.
        report.allow(["s3:GetObject", "s3:GetObjectVersion"], [output], FILMS)
        report.allow(["s3:PutObject"], [self._reports], JOBS)
        return report

    @property
    def _reports(self) -> str:
        """The ARN of all objects of reports."""
        return self._storage.work.arn_for_objects("jobs/*/report/*")

    def api_function(
        self,
        machine: sfn.StateMachine,
        options: dict[str, object],
        sweep: Function,
        report: Function,
        delivery: Delivery | None,
    ) -> Function:
        """The function behind the REST API, which may see, stop and remove jobs."""
        settings, storage = self._settings, self._storage
        signing = [] if delivery is None else [self._layer("Signing", layers.SIGNING)]
        api = self.function(
            "api",
            timeout_s=SHORT_S,
            more_layers=[self._layer("Api", layers.API), *signing],
            environment={
                "STATE_MACHINE_ARN": machine.state_machine_arn,
                "STACK": Stack.of(self).stack_name,
                "INPUT_BUCKET": storage.input.bucket_name,
                "WORK_BUCKET": storage.work.bucket_name,
                "OUTPUT_BUCKET": storage.output.bucket_name,
                "DEFAULT_OPTIONS": json.dumps(options),
                "PREFIX": settings.prefix,
                "SUFFIXES": json.dumps(settings.suffixes),
                "SOURCE_BUCKETS": Stack.of(self).to_json_string(
                    [storage.input.bucket_name, *settings.source_buckets]
                ),
                "MAX_SOURCE_BYTES": str(settings.max_source_gb * 10**9),
                "MEMORY_MB": json.dumps(settings.memory_mb),
                "ENCODE_SIZES": json.dumps(settings.sizes_of(ENCODING)),
                "ARCHITECTURE": settings.architecture,
                "API_AUTH": settings.api_auth,
                "SWEEP_FUNCTION": sweep.live.function_arn,
                "REPORT_FUNCTION": report.live.function_arn,
                "REPORT_TIMEOUT_S": str(settings.timeout_s),
                "LOG_GROUPS": Stack.of(self).to_json_string(
                    {name: self.by_step[name].log.log_group_name for name in STEP_NAMES}
                ),
                "CORS_ORIGINS": json.dumps(settings.cors_origins),
                "DELIVERY": "{}" if delivery is None else delivery.told,
            },
        )
        if delivery is not None:
            delivery.let_sign(api)
        arn = machine.state_machine_arn
        api.allow(["states:ListExecutions"], [arn])
        self.rights.queue_jobs(api)
        self.rights.call_admit(api)
        self.rights.unqueue_jobs(api)
        api.allow(["states:DescribeExecution", "states:StopExecution"],
                  [self._executions(machine)], _EXECUTIONS)  # fmt: skip
        for prefix, actions in (
            ("jobs", ["s3:GetObject"]),
            ("uploads", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]),
            ("cancelled", ["s3:PutObject"]),
            ("catalogue/jobs", ["s3:GetObject"]),
            (STACK_PLACE, ["s3:GetObject"]),
        ):
            api.allow(actions, [storage.work.arn_for_objects(f"{prefix}/*")], JOBS)
        api.allow(["s3:GetObject", "s3:DeleteObject"], [self.rights.model])
        self.rights.tell_absent_jobs(api)
        api.allow(["lambda:InvokeFunction"], [sweep.live.function_arn, report.live.function_arn])
        api.allow(["s3:PutObject"], [self._reports], JOBS)
        logs = [self.by_step[name].log.log_group_arn for name in STEP_NAMES]
        api.allow(["logs:FilterLogEvents"], logs)
        self.rights.look_at_output(api)
        self.rights.look_at_sources(api)
        api.allow(
            ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            [storage.input.arn_for_objects(f"{settings.prefix}uploads/*")],
            FILMS,
        )
        return api

    def _executions(self, machine: sfn.StateMachine) -> str:
        """The ARN of all executions of the state machine."""
        return Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{machine.state_machine_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _layer(self, construct_id: str, kind: layers.Layer) -> lambda_.LayerVersion:
        settings = self._settings
        path: Path = layers.build(kind, architecture=settings.architecture, python=settings.python)
        return lambda_.LayerVersion(
            self,
            f"{construct_id}Layer",
            code=lambda_.Code.from_asset(str(path)),
            description=f"ExCamera: {kind}, {settings.architecture}, Python {settings.python}",
        )

    def function(
        self,
        step: str,
        *,
        video: bool = False,
        timeout_s: int | None = None,
        scratch_mb: int = SMALLEST_SCRATCH_MB,
        environment: dict[str, str] | None = None,
        more_layers: Sequence[lambda_.ILayerVersion] = (),
    ) -> Function:
        """A function from a folder below `functions/`, with rights for its log and traces only.

        Args:
            step: the folder.
            video: whether it needs the codec and PyAV.
            timeout_s: time limit of one call; by default the setting of that name.
            scratch_mb: size of `/tmp`.
            environment: see `functions.settings`; by default only the work bucket.
            more_layers: layers of other packages that it imports.
        """
        return Function(
            self,
            step.capitalize(),
            settings=self._settings,
            step=step,
            code=self._code,
            layers=[self._powertools, *(self._video if video else []), *more_layers],
            environment=environment or {"WORK_BUCKET": self._storage.work.bucket_name},
            timeout_s=timeout_s or self._settings.timeout_s,
            scratch_mb=scratch_mb,
            more_mb=self._settings.sizes_of(step)[1:],
        )
