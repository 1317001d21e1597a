"""What jobs do between an upload and their end."""

from __future__ import annotations

import json

from emulator.excamera.deployed import Job, Upload
from emulator.runs import quiet, until
from tests.aws.spans import in_spans
from tests.aws.uses.user import User, kept
from tests.aws.ways import spread_up_to


class UsesOfJobs(User):
    """Films that are encoded, each in another way."""

    def encodes(self) -> list[str]:
        """Encodes a film, then its next version, which finds the first one's result."""
        key = self._key()
        seen = []
        for _ in range(2):
            seen.append(self._stack.job(self._stack.upload(key, self._film)).status)
            if seen[-1] != "SUCCEEDED":
                break
        return seen

    def rebases(self) -> list[str]:
        """Encodes a film in the published way, and its batches in child executions."""
        with spread_up_to(self._stack, 0):
            upload = self._stack.upload(self._key(), self._film, {"excamera-mode": "rebase"})
            return [self._stack.job(upload).status]

    def surveys(self) -> list[str]:
        """Encodes a film that is surveyed in spans, in each way; tells how many these were, too."""
        seen = []
        for calls in (1000, 0):
            with in_spans(self._stack), spread_up_to(self._stack, calls):
                job = self._stack.job(self._stack.upload(self._key(), self._long_film))
            seen += [job.status, str(len(self._stack.timeline(job, "survey")))]
        return seen

    def aims(self) -> list[str]:
        """Encodes a film of a wanted size, for which it is tried; tells what was wanted."""
        upload = self._stack.upload(self._key(), self._film, {"excamera-size": "20k"})
        job = self._stack.job(upload)
        return [job.status, job.output["target"]["kind"]]

    def sends_parts(self) -> list[str]:
        """Encodes a film whose batch is large enough for a part of the result."""
        options = {"crf": "0", "chunk-frames": "6", "batch-chunks": "3"}
        metadata = {f"excamera-{name}": text for name, text in options.items()}
        return [self._stack.job(self._stack.upload(self._key(), self._noise, metadata)).status]

    def fails(self) -> list[str]:
        """Makes a job fail, then redrives it to success, which removes the failure's record."""
        key = self._key()
        stack, output = self._stack, key.replace(".mp4", ".webm")
        taken = {"Bucket": stack.outputs["OutputBucket"], "Key": output}
        stack.s3.put_object(**taken, Body=b"precious")
        job = stack.job(stack.upload(key, self._film))
        record = f"jobs/{job.name}/failure.json"
        seen = [job.error, str(record in stack.keys("WorkBucket", record))]
        end = f"jobs/{job.name}/end.json"
        until(lambda: stack.keys("WorkBucket", end) or kept(stack))
        stack.s3.delete_object(**taken)
        stack.client("stepfunctions").redrive_execution(executionArn=job.arn)
        again = stack.ended(job.arn)
        return [*seen, again.status, str(record in stack.keys("WorkBucket", record))]

    def starts(self) -> list[str]:
        """Uploads a film, which starts a job; if it does not, the event is kept."""
        upload = self._stack.upload(self._key(), self._film)

        def seen() -> list[str]:
            started = self._stack.executions(upload)
            return [self._stack.ended(arn).status for arn in started] or kept(self._stack)

        found: list[str] = until(seen)
        return found

    def ends(self) -> list[str]:
        """Ends one job by success and stops another; an end that is not announced is kept."""
        stack, seen = self._stack, []
        for stopped in (False, True):
            arn = stack.started(stack.upload(self._key(), self._film))
            if stopped:
                stack.client("stepfunctions").stop_execution(executionArn=arn)
            stack.ended(arn)
            end = f"jobs/{arn.rpartition(':')[2]}/end.json"

            def told(end: str = end) -> list[str]:
                found = stack.keys("WorkBucket", end)
                return [stack.read_work(end)["status"]] if found else kept(stack)

            seen += until(told)
        return seen

    def watches(self) -> list[str]:
        """Looks at a job that waits for a worker, and at what it has done so far."""
        functions, name = self._stack.client("lambda"), self._stack.function("watch")
        index = self._stack.function("index")
        before = functions.get_function_configuration(FunctionName=name)["Environment"]
        impatient = {"Variables": {**before["Variables"], "STALLED_AFTER_S": "-1"}}
        functions.put_function_concurrency(FunctionName=index, ReservedConcurrentExecutions=0)
        functions.update_function_configuration(FunctionName=name, Environment=impatient)
        arn = self._stack.started(self._stack.upload(self._key(), self._film))
        try:
            answer = functions.invoke(FunctionName=name)
            return [str(json.loads(answer["Payload"].read()).get("stalled"))]
        finally:
            self._stack.client("stepfunctions").stop_execution(executionArn=arn)
            functions.update_function_configuration(FunctionName=name, Environment=before)
            functions.delete_function_concurrency(FunctionName=index)

    def fits(self) -> list[str]:
        """Returns how many functions the account lets run, according to the index."""
        job = self._stack.job(self._stack.upload(self._key(), self._film))
        [indexed] = self._stack.timeline(job, "index")
        return [str(indexed["result"]["limits"]["concurrency"])]

    def warms(self) -> list[str]:
        """Encodes a film; returns which environments were made as its job began."""
        job = self._stack.job(self._stack.upload(self._key(), self._long_film))
        return [job.status, self._taken(job, "plan")]

    def warms_batches(self) -> list[str]:
        """Encodes a film in spans; returns which environments were made during its surveys."""
        with in_spans(self._stack):
            job = self._stack.job(self._stack.upload(self._key(), self._long_film))
        return [job.status, self._taken(job, "encode")]

    def chooses_sizes(self) -> list[str]:
        """Encodes films with goals, in each way; returns the memory of what encoded each."""
        found: list[str] = []
        for calls in (1000, 0):
            with in_spans(self._stack), spread_up_to(self._stack, calls):
                for goal in ({"excamera-budget": "10"}, {"excamera-within": "15m"}):
                    job = self._stack.job(self._stack.upload(self._key(), self._wide_film, goal))
                    chosen = self._ask("GET", f"/jobs/{job.name}").json()["planned"]["chosen"]
                    size = f"encode{chosen['memory_mb']}"
                    warmed = "" if self._taken(job, size) == "none" else ", warmed"
                    found.append(f"{job.status} by {size}{warmed}")
        return found

    def _taken(self, job: Job, step: str) -> str:
        """Returns the environments of the call that asked for some of a step, if there was one."""
        quiet(self._emulator)  # such a call may outlast the job, and tells when it ends
        for line in self._emulator.logs(self._stack.function("warm")).splitlines():
            if '"asked"' in line and f'"{job.name}"' in line:
                taken = json.loads(line[line.index("{") :])["taken"]
                if step in taken:
                    return ", ".join(f"{one} {taken[one]}" for one in sorted(taken))
        return "none"

    def tags(self) -> list[str]:
        """Returns an upload's tag, which is in its job's event."""
        upload = self._stack.upload(self._key(), self._film, {"excamera-tag": "paid for"})
        return [str(self._stack.job(upload).input["tag"])]

    def awaits(self) -> list[str]:
        """Uploads the source that a job waits for, then a film that only looks like one."""
        stack, job = self._stack, f"awaited-{self._key().removesuffix('.mp4')}"
        record, key = f"uploads/{job}.json", f"uploads/{job}/film.mp4"
        output = {"store": f"s3://{stack.outputs['OutputBucket']}", "key": f"{job}.webm"}
        event = {
            "job": job, "input": {"name": f"s3://films/{key}", "path": ""}, "output": output,
            "container": "webm", "options": {}, "index": "auto", "tag": None,
        }  # fmt: skip
        body = json.dumps({"event": event}).encode()
        stack.s3.put_object(Bucket=stack.outputs["WorkBucket"], Key=record, Body=body)
        seen = []
        for name in (key, f"uploads/nobody/{self._key()}"):
            upload = stack.upload(name, self._film)

            def started(upload: Upload = upload) -> list[str]:
                found = stack.executions(upload)
                return [stack.ended(arn).status for arn in found] or kept(stack)

            seen += until(started)
            if seen[-1] != "SUCCEEDED":
                break
            if len(seen) == 1:
                until(lambda: not stack.keys("WorkBucket", record) or kept(stack))
                seen.append(str(bool(stack.keys("WorkBucket", record))))
        return seen
