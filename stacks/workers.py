"""The functions of the pipeline, each with only the rights that its step needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
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
from stacks.settings import SMALLEST_SCRATCH_MB, Settings
from stacks.storage import Storage

SHORT_S = 60
LISTING_S = 300
"""Of functions that list whole timelines."""

WARM = "WARM_FUNCTION"
"""The variable that names the function that has environments made."""

WARMED = (*AT_START, *FOR_BATCHES)

JOBS = "A job's keys are made while it runs: the right is on its prefix of the work bucket."
_EXECUTIONS = "Executions are named by their jobs."
_FILMS = "The users choose the keys of what they upload; results take theirs from them."


class Workers(Construct):
    """Layers, code and functions; `by_step` has the functions that the state machine calls."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, storage: Storage
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._storage = storage
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
        grants = {
            Right.ASKS_FOR_LIMITS: self._keep_to_limits,
            Right.CHANGES_TURN: self._change_turn,
            Right.PREDICTS: self._read_model,
            Right.READS_SOURCE: self._read_input,
            Right.READS_JOBS: self._read_jobs,
            Right.WRITES_JOBS: self._write_jobs,
            Right.LOOKS_AT_OUTPUT: self._look_at_output,
            Right.WRITES_OUTPUT: self._write_output,
            Right.SENDS_PARTS: self._send_parts,
            Right.ABORTS_OUTPUT: self._abort_parts,
            Right.COMPLETES_OUTPUT: self._list_parts,
        }
        for right in Right:
            if right in step.rights:
                grants[right](function)
        return function

    def _failure_function(self) -> Function:
        """The function that records failures."""
        failure = self.function("failure", timeout_s=SHORT_S)
        self.tell_absent_jobs(failure)
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
        self._read_jobs(spread)
        self._write_jobs(spread)
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
        self._ask_for_limits(function)
        self.tell_absent_jobs(function)
        function.allow(
            ["s3:GetObject", "s3:PutObject"], [work.arn_for_objects("admission/turns.json")]
        )
        self._unqueue_jobs(function)
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
        self._read_input(start)
        self._let_start(start, machine)
        self._queue_jobs(start)
        start.allow(
            ["s3:GetObject", "s3:DeleteObject"],
            [self._storage.work.arn_for_objects("uploads/*")],
            JOBS,
        )
        return start

    def sweep_function(self) -> Function:
        """The function that removes the objects of cancelled jobs."""
        sweep = self.function("sweep", timeout_s=LISTING_S)
        self.tell_absent_jobs(sweep)
        self._forget_cancelled_jobs(sweep)
        self.abort_output(sweep)
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
        self.tell_absent_jobs(report)
        self._read_jobs(report)
        self._read_input(report)
        output = self._storage.output.arn_for_objects("*")
        # A result is read in the version in which it was found.
        report.allow(["s3:GetObject", "s3:GetObjectVersion"], [output], _FILMS)
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
        self._queue_jobs(api)
        self._call_admit(api)
        self._unqueue_jobs(api)
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
        api.allow(["s3:GetObject", "s3:DeleteObject"], [self.model])
        self.tell_absent_jobs(api)
        api.allow(["lambda:InvokeFunction"], [sweep.live.function_arn, report.live.function_arn])
        api.allow(["s3:PutObject"], [self._reports], JOBS)
        logs = [self.by_step[name].log.log_group_arn for name in STEP_NAMES]
        api.allow(["logs:FilterLogEvents"], logs)
        self._look_at_output(api)
        self._look_at_sources(api)
        api.allow(
            ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            [storage.input.arn_for_objects(f"{settings.prefix}uploads/*")],
            _FILMS,
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

    def _read_input(self, function: Function) -> None:
        # If a bucket keeps versions, events and the API name the version to read; other
        # buckets need the right to objects.
        actions = ["s3:GetObjectVersion"]
        if self._settings.input_bucket:
            actions.append("s3:GetObject")
        function.allow(actions, [self._storage.input.arn_for_objects("*")], _FILMS)
        for name in self._settings.source_buckets:
            bucket = s3.Bucket.from_bucket_name(self, f"{function.node.id}Reads{name}", name)
            function.allow(
                ["s3:GetObject", "s3:GetObjectVersion"], [bucket.arn_for_objects("*")], _FILMS
            )

    def _look_at_sources(self, function: Function) -> None:
        """Allow it to see whether a source is there, and in which version, without reading it."""
        buckets = [
            self._storage.input,
            *(
                s3.Bucket.from_bucket_name(self, f"{function.node.id}Sees{name}", name)
                for name in self._settings.source_buckets
            ),
        ]
        function.allow(
            ["s3:GetObject", "s3:GetObjectVersion"],
            [bucket.arn_for_objects("*") for bucket in buckets],
            _FILMS,
        )
        function.allow(["s3:ListBucket"], [bucket.bucket_arn for bucket in buckets])

    def _read_jobs(self, function: Function) -> None:
        function.allow(["s3:GetObject"], [self._storage.work.arn_for_objects("jobs/*")], JOBS)

    def _write_jobs(self, function: Function) -> None:
        self.tell_absent_jobs(function)
        self._forget_cancelled_jobs(function)
        function.allow(["s3:PutObject"], [self._storage.work.arn_for_objects("jobs/*")], JOBS)

    def _queue_jobs(self, function: Function) -> None:
        """Allow it to let jobs wait for their turn."""
        jobs, queue = (
            self._storage.work.arn_for_objects(f"admission/{part}/*") for part in ("jobs", "queue")
        )
        function.allow(["s3:GetObject", "s3:PutObject"], [jobs], JOBS)
        function.allow(["s3:PutObject"], [queue], JOBS)

    def _unqueue_jobs(self, function: Function) -> None:
        """Allow it to take jobs out of the queue."""
        work = self._storage.work
        parts = [work.arn_for_objects(f"admission/{part}/*") for part in ("jobs", "queue")]
        function.allow(["s3:DeleteObject"], parts, JOBS)

    def _change_turn(self, function: Function) -> None:
        """Allow it to return workers of its job's turn."""
        turns = self._storage.work.arn_for_objects("admission/turns.json")
        function.allow(["s3:GetObject", "s3:PutObject"], [turns])
        self._call_admit(function)

    def _call_admit(self, function: Function) -> None:
        bus = Stack.of(self).format_arn(
            service="events", resource="event-bus", resource_name="default"
        )
        function.allow(["events:PutEvents"], [bus])

    def _keep_to_limits(self, function: Function) -> None:
        """Allow it to see how much may run and be spent, and to count what a job may cost."""
        self._ask_for_limits(function)
        function.allow(
            ["s3:GetObject"], [self._storage.work.arn_for_objects("admission/turns.json")]
        )
        if self._settings.max_usd_per_month:
            self.count_spending(function)
        if self._settings.max_usd_per_month or self._settings.max_usd_per_job:
            self._read_model(function)

    def _read_model(self, function: Function) -> None:
        function.allow(["s3:GetObject"], [self.model])

    @property
    def model(self) -> str:
        """The ARN of what was learned from jobs."""
        name = f"model/{self._settings.architecture}.json"
        return self._storage.work.arn_for_objects(name)

    def count_spending(self, function: Function) -> None:
        """Allow it to change what a month costs."""
        function.allow(
            ["s3:GetObject", "s3:PutObject"],
            [self._storage.work.arn_for_objects("spending/*")],
            "Its key is the month.",
        )

    def _ask_for_limits(self, function: Function) -> None:
        """Allow it to see the account's quota of concurrent functions."""
        function.allow(
            ["lambda:GetAccountSettings"], ["*"], "The account's settings are no resource."
        )

    def _write_output(self, function: Function) -> None:
        function.allow(["s3:PutObject"], [self._storage.output.arn_for_objects("*")], _FILMS)

    def _send_parts(self, function: Function) -> None:
        """Allow it to begin uploads and send parts, but not to make objects of them."""
        function.allow(
            ["s3:PutObject"],
            [self._storage.output.arn_for_objects("*")],
            _FILMS,
            # True for requests that make an object, such as PutObject itself.
            {"BoolIfExists": {"s3:ObjectCreationOperation": "false"}},
        )

    def _abort_parts(self, function: Function) -> None:
        output = self._storage.output.arn_for_objects("*")
        function.allow(["s3:AbortMultipartUpload"], [output], _FILMS)

    def _list_parts(self, function: Function) -> None:
        output = self._storage.output.arn_for_objects("*")
        function.allow(["s3:ListMultipartUploadParts"], [output], _FILMS)

    def abort_output(self, function: Function) -> None:
        """Allow it to abort the uploads that jobs have begun and recorded."""
        records = self._storage.work.arn_for_objects("jobs/*/uploads/*")
        function.allow(["s3:GetObject"], [records], JOBS)
        self._abort_parts(function)

    def tell_absent_jobs(self, function: Function) -> None:
        """Without this right S3 answers "forbidden" for an absent key."""
        function.allow(["s3:ListBucket"], [self._storage.work.bucket_arn])

    def _forget_cancelled_jobs(self, function: Function) -> None:
        """A worker that still writes to a cancelled job removes what it wrote."""
        work = self._storage.work
        function.allow(["s3:GetObject"], [work.arn_for_objects("cancelled/*")], JOBS)
        function.allow(["s3:DeleteObject"], [work.arn_for_objects("jobs/*")], JOBS)

    def _look_at_output(self, function: Function) -> None:
        """Results that were made from another source must be left alone."""
        output = self._storage.output
        function.allow(["s3:GetObject"], [output.arn_for_objects("*")], _FILMS)
        function.allow(["s3:ListBucket"], [output.bucket_arn])
