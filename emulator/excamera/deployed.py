"""`Deployed`: the stack in an account, used as its users use it: through boto3 and plain HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from boto3.s3.transfer import TransferConfig

from emulator.runs import PATIENCE_S, until

MIN_PART = 5 << 20


def digest(data: bytes) -> str:
    """Returns the digest by which results are compared: a failure must not print whole films."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Upload:
    """An object in the input bucket.

    Attributes:
        key: its key.
        version: its version, or "" if the bucket is not versioned.
    """

    key: str
    version: str

    @property
    def address(self) -> str:
        """The end of its source's address in a job's event."""
        return f"/{quote(self.key)}" + (f"?versionId={self.version}" if self.version else "")


@dataclass
class Job:
    """An execution of the state machine that has ended.

    Attributes:
        name: the job's name, which is the execution's.
        arn: of the execution.
        status: "SUCCEEDED", "FAILED", ...
        error: the error's name, or "".
        message: the error in a user's words, or "".
        output: the result of the last step.
        input: the event that started it.
    """

    name: str
    arn: str
    status: str
    error: str
    message: str
    output: dict[str, Any]
    input: dict[str, Any]


@dataclass
class Deployed:
    """The stack in an account.

    Attributes:
        name: the stack's name.
        client: returns a boto3 client for a service's name.
        outputs: of the stack.
    """

    name: str
    client: Callable[[str], Any]
    outputs: dict[str, str]
    _inputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def s3(self) -> Any:
        """The client of S3."""
        return self.client("s3")

    # --- uploads -------------------------------------------------------------

    def upload(
        self,
        key: str,
        content: Path | bytes,
        metadata: Mapping[str, str] | None = None,
        *,
        multipart: bool = False,
    ) -> Upload:
        """Uploads a video, whole or in parts."""
        bucket, data = self.outputs["InputBucket"], content
        if isinstance(data, Path):
            data = data.read_bytes()
        more = {"Metadata": dict(metadata or {})}
        if not multipart:
            answer = self.s3.put_object(Bucket=bucket, Key=key, Body=data, **more)
            return Upload(key, answer.get("VersionId", ""))
        where = {"Bucket": bucket, "Key": key}
        where["UploadId"] = self.s3.create_multipart_upload(**where, **more)["UploadId"]
        parts = []
        for number, at in enumerate(range(0, len(data), MIN_PART), start=1):
            body = data[at : at + MIN_PART]
            etag = self.s3.upload_part(**where, PartNumber=number, Body=body)["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
        answer = self.s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
        return Upload(key, answer["VersionId"])

    def transfer(self, key: str, path: Path) -> Upload:
        """Uploads a file as boto3 and the AWS CLI do: in parts if it is large."""
        bucket = self.outputs["InputBucket"]
        small_parts = TransferConfig(multipart_threshold=MIN_PART, multipart_chunksize=MIN_PART)
        self.s3.upload_file(str(path), bucket, key, Config=small_parts)
        head = self.s3.head_object(Bucket=bucket, Key=key)
        return Upload(key, head["VersionId"])

    # --- jobs ----------------------------------------------------------------

    def executions(self, upload: Upload) -> list[str]:
        """Returns the ARNs of the executions that an upload has started."""
        pages = self.client("stepfunctions").get_paginator("list_executions")
        machine = self.outputs["StateMachineArn"]
        arns = [
            execution["executionArn"]
            for page in pages.paginate(stateMachineArn=machine)
            for execution in page["executions"]
        ]
        return [arn for arn in arns if self._input(arn)["input"]["path"].endswith(upload.address)]

    def _input(self, arn: str) -> dict[str, Any]:
        if arn not in self._inputs:
            found = self.client("stepfunctions").describe_execution(executionArn=arn)
            self._inputs[arn] = json.loads(found["input"])
        return self._inputs[arn]

    def started(self, upload: Upload) -> str:
        """Waits for the execution that an upload starts; returns its ARN."""
        (arn,) = until(lambda: self.executions(upload))
        return str(arn)

    def ended(self, arn: str, patience_s: float = PATIENCE_S) -> Job:
        """Waits for an execution to end; returns its job."""

        def found() -> Any:
            answer = self.client("stepfunctions").describe_execution(executionArn=arn)
            return answer if answer["status"] != "RUNNING" else None

        answer = until(found, patience_s)
        cause = answer.get("cause") or ""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            cause = json.loads(cause)["errorMessage"]
        return Job(
            name=answer["name"],
            arn=arn,
            status=answer["status"],
            error=answer.get("error") or "",
            message=cause,
            output=json.loads(answer.get("output") or "{}"),
            input=json.loads(answer["input"]),
        )

    def job(self, upload: Upload, patience_s: float = PATIENCE_S) -> Job:
        """Waits for the job of an upload to end and returns it."""
        return self.ended(self.started(upload), patience_s)

    def result(self, upload: Upload, patience_s: float = PATIENCE_S) -> bytes:
        """Waits for the result of an upload's job, which must succeed, and returns it."""
        job = self.job(upload, patience_s)
        assert job.status == "SUCCEEDED", job
        return self.output(job.output["key"])

    # --- what is stored --------------------------------------------------------

    def output(self, key: str) -> bytes:
        """Returns an object of the output bucket."""
        answer = self.s3.get_object(Bucket=self.outputs["OutputBucket"], Key=key)
        return bytes(answer["Body"].read())

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Returns the keys of a bucket, which is given by the name of a stack's output."""
        pages = self.s3.get_paginator("list_objects_v2")
        return [
            item["Key"]
            for page in pages.paginate(Bucket=self.outputs[bucket], Prefix=prefix)
            for item in page.get("Contents", ())
        ]

    def read_work(self, key: str) -> Any:
        """Returns a JSON object of the work bucket."""
        answer = self.s3.get_object(Bucket=self.outputs["WorkBucket"], Key=key)
        return json.loads(answer["Body"].read())

    def failure(self, job: Job) -> dict[str, Any]:
        """Returns the record of a job's failure."""
        record: dict[str, Any] = self.read_work(f"jobs/{job.name}/failure.json")
        return record

    def timeline(self, job: Job, step: str) -> list[dict[str, Any]]:
        """Returns the records of all tasks of a step."""
        prefix = f"jobs/{job.name}/timeline/{step}"
        return [self.read_work(key) for key in self.keys("WorkBucket", prefix)]

    # --- parts of the stack ----------------------------------------------------

    @cached_property
    def resources(self) -> dict[str, str]:
        """Physical ids by logical id."""
        # DescribeStackResources tells the first hundred only.
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return {
            item["LogicalResourceId"]: item.get("PhysicalResourceId", "")
            for page in pages.paginate(StackName=self.name)
            for item in page["StackResourceSummaries"]
        }

    def function(self, step: str) -> str:
        """Returns the name of a step's function."""
        own = re.compile(f"Workers{step.capitalize()}Function[0-9A-F]{{8}}")
        (name,) = (name for logical, name in self.resources.items() if own.fullmatch(logical))
        return name

    def configuration(self, step: str) -> dict[str, Any]:
        """Returns the configuration of a step's function."""
        found: dict[str, Any] = self.client("lambda").get_function_configuration(
            FunctionName=self.function(step)
        )
        return found

    @contextlib.contextmanager
    def changed(self, step: str, **configuration: Any) -> Iterator[None]:
        """Changes the configuration of a step's function for what begins meanwhile.

        Versions do not change, so this publishes one and has the function's alias, or else the
        jobs' state machine and the function `spread`, name it.
        """
        before = self.configuration(step)
        self.publish(step, **configuration)
        try:
            yield
        finally:
            self.publish(step, **{name: before[name] for name in configuration})

    def publish(self, step: str, **configuration: Any) -> None:
        """Changes the configuration of a step's function for all that begins from now on."""
        functions, states = self.client("lambda"), self.client("stepfunctions")
        name = self.function(step)
        functions.update_function_configuration(FunctionName=name, **configuration)
        version = functions.publish_version(FunctionName=name)
        if functions.list_aliases(FunctionName=name)["Aliases"]:
            functions.update_alias(
                FunctionName=name, Name="live", FunctionVersion=version["Version"]
            )
            return
        machine = self.outputs["StateMachineArn"]
        definition = states.describe_state_machine(stateMachineArn=machine)["definition"]
        versions = re.compile(re.escape(f":function:{name}:") + r"\d+")
        states.update_state_machine(
            stateMachineArn=machine,
            definition=versions.sub(f":function:{name}:{version['Version']}", definition),
        )
        variables = self.configuration("spread")["Environment"]["Variables"]
        called = versions.sub(f":function:{name}:{version['Version']}", variables["CALLED"])
        if called != variables["CALLED"]:
            self.publish("spread", Environment={"Variables": {**variables, "CALLED": called}})

    def queue(self) -> str:
        """Returns the URL of the queue of undelivered events."""
        (url,) = self._physical("TriggerUndelivered")
        return url

    def _physical(self, start: str) -> Iterator[str]:
        for logical, physical in self.resources.items():
            if logical.startswith(start) and "Policy" not in logical and "Asyn" not in logical:
                yield physical

    def event(self, upload: Upload) -> dict[str, Any]:
        """Returns the event that EventBridge delivers for an upload."""
        found = {"key": upload.key, "version-id": upload.version, "sequencer": "0"}
        detail = {"bucket": {"name": self.outputs["InputBucket"]}, "object": found}
        return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
