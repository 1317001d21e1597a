"""What remains of cancelled jobs."""

from __future__ import annotations

import contextlib
import json

from emulator.runs import until
from excamera.job.steps import NUMBERS
from mu.timeline import attempts
from tests.aws.uses.user import User, kept


class UsesThatCancel(User):
    """Jobs that are cancelled, and what cleans up after them."""

    def cancels(self) -> list[str]:
        """Cancels a running job, and one that waits for its source."""
        stack, functions = self._stack, self._stack.client("lambda")
        encode = stack.function("encode")
        functions.put_function_concurrency(FunctionName=encode, ReservedConcurrentExecutions=0)
        try:
            arn = stack.started(stack.upload(self._key(), self._film))
            job = arn.rpartition(":")[2]
            # Only encodes are left, which no function may run: workers that end later would
            # clean up after themselves, and nobody knows when.
            timeline = f"jobs/{job}/timeline"
            until(
                lambda: (
                    {one.name for one in attempts(timeline, stack.keys("WorkBucket", timeline))}
                    >= {"index", "plan", "audio"}
                )
            )
            seen = [self._ask("DELETE", f"/jobs/{job}").json().get("state", "")]
            if seen == ["stopped"]:
                stack.ended(arn)
                plan = f"jobs/{job}/plan"
                until(lambda: not stack.keys("WorkBucket", plan) or kept(stack))
                marked = stack.keys("WorkBucket", f"cancelled/{job}")
                seen.append(str(len(stack.keys("WorkBucket", plan))) if marked else "not marked")
        finally:
            with contextlib.suppress(stack.client("stepfunctions").exceptions.ClientError):
                stack.client("stepfunctions").stop_execution(executionArn=arn)
            functions.delete_function_concurrency(FunctionName=encode)
        request = {"upload": True, "name": self._key(), "size": 10}
        made = self._ask("POST", "/jobs", request)
        if made.status != 201:
            return [*seen, str(made.status)]
        job = made.json()["id"]
        seen.append(self._ask("DELETE", f"/jobs/{job}").json().get("state", ""))
        pending = stack.s3.list_multipart_uploads(Bucket=stack.outputs["InputBucket"])
        keys = [one["Key"] for one in pending.get("Uploads", [])]
        return [*seen, str(any(job in key for key in keys))]

    def sweeps_again(self) -> list[str]:
        """Looks for cancelled jobs with objects; returns how many objects of one remain."""
        stack, job = self._stack, f"left-{self._key().removesuffix('.mp4')}"
        work, folder = stack.outputs["WorkBucket"], f"jobs/{job}/"
        for key in (f"{folder}chunks/1", f"cancelled/{job}"):
            stack.s3.put_object(Bucket=work, Key=key, Body=b"")
        self._begin_upload(job)
        answer = stack.client("lambda").invoke(FunctionName=stack.function("watch"))
        if json.loads(answer["Payload"].read()).get("unswept"):
            until(lambda: not stack.keys("WorkBucket", folder) or kept(stack))
        left = len(stack.keys("WorkBucket", folder))
        stack.s3.delete_object(Bucket=work, Key=f"cancelled/{job}")
        pending = stack.s3.list_multipart_uploads(Bucket=stack.outputs["OutputBucket"])
        uploads = [one["Key"] for one in pending.get("Uploads", [])]
        return [str(left), str(f"{job}.webm" in uploads)]

    def forgets(self, step: str) -> list[str]:
        """Returns how many objects of a cancelled job remain after one of its workers has ended."""
        stack, job = self._stack, f"gone-{self._key().removesuffix('.mp4')}"
        work = stack.outputs["WorkBucket"]
        for key in (f"jobs/{job}/chunks/1", f"cancelled/{job}"):
            stack.s3.put_object(Bucket=work, Key=key, Body=b"")
        if step == "plan":  # which may begin an upload after all others are aborted
            self._begin_upload(job)
        numbers = dict.fromkeys(NUMBERS, 0)
        payload = {
            "event": {"job": job, **numbers},
            "state": {"retries": 0},
        }
        if step == "spread":
            payload["event"] = {"job": job, "each": "batches", "event": {}}
        stack.client("lambda").invoke(
            FunctionName=stack.function(step), Payload=json.dumps(payload)
        )
        return [str(len(stack.keys("WorkBucket", f"jobs/{job}/")))]

    def forgets_ends(self) -> list[str]:
        """Returns what remains of a cancelled job after its end is announced."""
        stack, functions = self._stack, self._stack.client("lambda")
        index, ended = stack.function("index"), stack.function("ended")
        functions.put_function_concurrency(FunctionName=index, ReservedConcurrentExecutions=0)
        arn = stack.started(stack.upload(self._key(), self._film))
        job = arn.rpartition(":")[2]
        mark = {"Bucket": stack.outputs["WorkBucket"], "Key": f"cancelled/{job}"}
        before = self._emulator.logs(ended)
        stack.s3.put_object(**mark, Body=b"")
        late = f"jobs/{job}/map/late.json"  # as Step Functions writes it
        stack.s3.put_object(Bucket=mark["Bucket"], Key=late, Body=b"{}")
        try:
            stack.client("stepfunctions").stop_execution(executionArn=arn)

            def told() -> list[str]:
                log = self._emulator.logs(ended)
                if log.count("REPORT") == before.count("REPORT"):
                    return []
                if not stack.keys("WorkBucket", f"jobs/{job}/"):
                    return ["forgotten"]
                return kept(stack)

            found: list[str] = until(told)
            return found
        finally:
            functions.delete_function_concurrency(FunctionName=index)

    def _begin_upload(self, job: str) -> None:
        """Begins an upload of a job's result, as its plan does."""
        stack, key = self._stack, f"{job}.webm"
        bucket = stack.outputs["OutputBucket"]
        begun = stack.s3.create_multipart_upload(Bucket=bucket, Key=key)
        record = {"store": f"s3://{bucket}", "key": key, "name": begun["UploadId"]}
        stack.s3.put_object(
            Bucket=stack.outputs["WorkBucket"],
            Key=f"jobs/{job}/uploads/1.json",
            Body=json.dumps(record).encode(),
        )
