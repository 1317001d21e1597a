"""What functions may do: each right on exactly the keys that a job, a film or the stack has."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from excamera.job.steps import Right
from stacks.function import Function
from stacks.settings import Settings
from stacks.storage import Storage

JOBS = "A job's keys are made while it runs: the right is on its prefix of the work bucket."
FILMS = "The users choose the keys of what they upload; results take theirs from them."


class Rights:
    """Allows functions what they do.

    Args:
        scope: construct in which buckets that exist already are named.
        settings: of the stack.
        storage: its buckets.
    """

    def __init__(self, scope: Construct, settings: Settings, storage: Storage) -> None:
        self._scope = scope
        self._settings = settings
        self._storage = storage

    def of_step(self, function: Function, rights: frozenset[Right]) -> None:
        """Allow a step's function what the step's row names."""
        grants = {
            Right.ASKS_FOR_LIMITS: self._keep_to_limits,
            Right.CHANGES_TURN: self._change_turn,
            Right.PREDICTS: self._read_model,
            Right.READS_SOURCE: self.read_input,
            Right.READS_JOBS: self.read_jobs,
            Right.WRITES_JOBS: self.write_jobs,
            Right.LOOKS_AT_OUTPUT: self.look_at_output,
            Right.WRITES_OUTPUT: self._write_output,
            Right.SENDS_PARTS: self._send_parts,
            Right.ABORTS_OUTPUT: self._abort_parts,
            Right.COMPLETES_OUTPUT: self._list_parts,
        }
        for right in Right:
            if right in rights:
                grants[right](function)

    def read_input(self, function: Function) -> None:
        """Allow it to read sources."""
        # If a bucket keeps versions, events and the API name the version to read; other
        # buckets need the right to objects.
        actions = ["s3:GetObjectVersion"]
        if self._settings.input_bucket:
            actions.append("s3:GetObject")
        function.allow(actions, [self._storage.input.arn_for_objects("*")], FILMS)
        for name in self._settings.source_buckets:
            bucket = s3.Bucket.from_bucket_name(self._scope, f"{function.node.id}Reads{name}", name)
            function.allow(
                ["s3:GetObject", "s3:GetObjectVersion"], [bucket.arn_for_objects("*")], FILMS
            )

    def look_at_sources(self, function: Function) -> None:
        """Allow it to see whether a source is there, and in which version, without reading it."""
        buckets = [
            self._storage.input,
            *(
                s3.Bucket.from_bucket_name(self._scope, f"{function.node.id}Sees{name}", name)
                for name in self._settings.source_buckets
            ),
        ]
        function.allow(
            ["s3:GetObject", "s3:GetObjectVersion"],
            [bucket.arn_for_objects("*") for bucket in buckets],
            FILMS,
        )
        function.allow(["s3:ListBucket"], [bucket.bucket_arn for bucket in buckets])

    def read_jobs(self, function: Function) -> None:
        """Allow it to read what jobs have stored."""
        function.allow(["s3:GetObject"], [self._storage.work.arn_for_objects("jobs/*")], JOBS)

    def write_jobs(self, function: Function) -> None:
        """Allow it to store what belongs to jobs."""
        self.tell_absent_jobs(function)
        self.forget_cancelled_jobs(function)
        function.allow(["s3:PutObject"], [self._storage.work.arn_for_objects("jobs/*")], JOBS)

    def queue_jobs(self, function: Function) -> None:
        """Allow it to let jobs wait for their turn."""
        jobs, queue = (
            self._storage.work.arn_for_objects(f"admission/{part}/*") for part in ("jobs", "queue")
        )
        function.allow(["s3:GetObject", "s3:PutObject"], [jobs], JOBS)
        function.allow(["s3:PutObject"], [queue], JOBS)

    def unqueue_jobs(self, function: Function) -> None:
        """Allow it to take jobs out of the queue."""
        work = self._storage.work
        parts = [work.arn_for_objects(f"admission/{part}/*") for part in ("jobs", "queue")]
        function.allow(["s3:DeleteObject"], parts, JOBS)

    def _change_turn(self, function: Function) -> None:
        """Allow it to return workers of its job's turn."""
        turns = self._storage.work.arn_for_objects("admission/turns.json")
        function.allow(["s3:GetObject", "s3:PutObject"], [turns])
        self.call_admit(function)

    def call_admit(self, function: Function) -> None:
        """Allow it to say that there is room for jobs that wait."""
        bus = Stack.of(self._scope).format_arn(
            service="events", resource="event-bus", resource_name="default"
        )
        function.allow(["events:PutEvents"], [bus])

    def _keep_to_limits(self, function: Function) -> None:
        """Allow it to see how much may run and be spent, and to count what a job may cost."""
        self.ask_for_limits(function)
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

    def ask_for_limits(self, function: Function) -> None:
        """Allow it to see the account's quota of concurrent functions."""
        function.allow(
            ["lambda:GetAccountSettings"], ["*"], "The account's settings are no resource."
        )

    def _write_output(self, function: Function) -> None:
        function.allow(["s3:PutObject"], [self._storage.output.arn_for_objects("*")], FILMS)

    def _send_parts(self, function: Function) -> None:
        """Allow it to begin uploads and send parts, but not to make objects of them."""
        function.allow(
            ["s3:PutObject"],
            [self._storage.output.arn_for_objects("*")],
            FILMS,
            # True for requests that make an object, such as PutObject itself.
            {"BoolIfExists": {"s3:ObjectCreationOperation": "false"}},
        )

    def _abort_parts(self, function: Function) -> None:
        output = self._storage.output.arn_for_objects("*")
        function.allow(["s3:AbortMultipartUpload"], [output], FILMS)

    def _list_parts(self, function: Function) -> None:
        output = self._storage.output.arn_for_objects("*")
        function.allow(["s3:ListMultipartUploadParts"], [output], FILMS)

    def abort_output(self, function: Function) -> None:
        """Allow it to abort the uploads that jobs have begun and recorded."""
        records = self._storage.work.arn_for_objects("jobs/*/uploads/*")
        function.allow(["s3:GetObject"], [records], JOBS)
        self._abort_parts(function)

    def tell_absent_jobs(self, function: Function) -> None:
        """Without this right S3 answers "forbidden" for an absent key."""
        function.allow(["s3:ListBucket"], [self._storage.work.bucket_arn])

    def forget_cancelled_jobs(self, function: Function) -> None:
        """A worker that still writes to a cancelled job removes what it wrote."""
        work = self._storage.work
        function.allow(["s3:GetObject"], [work.arn_for_objects("cancelled/*")], JOBS)
        function.allow(["s3:DeleteObject"], [work.arn_for_objects("jobs/*")], JOBS)

    def look_at_output(self, function: Function) -> None:
        """Results that were made from another source must be left alone."""
        output = self._storage.output
        function.allow(["s3:GetObject"], [output.arn_for_objects("*")], FILMS)
        function.allow(["s3:ListBucket"], [output.bucket_arn])
