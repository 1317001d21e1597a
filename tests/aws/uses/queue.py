"""What becomes of jobs that wait for workers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.aws.uses.user import User


class UsesOfTheQueue(User):
    """Jobs that wait, and those that let them start."""

    def queues(self) -> list[str]:
        """Lets jobs wait, one of them twice; looks at them, and takes them out."""
        stack, turns = self._stack, {"other": {"workers": 10_000, "since": time.time()}}
        work = stack.outputs["WorkBucket"]
        stack.s3.put_object(
            Bucket=work, Key="admission/turns.json", Body=json.dumps(turns).encode()
        )
        try:
            upload = stack.upload(f"usual-{self._key()}", self._film)
            event = json.dumps(stack.event(upload))
            for _ in range(2):
                stack.client("lambda").invoke(FunctionName=stack.function("start"), Payload=event)
            seen = [str(len(stack.keys("WorkBucket", "admission/queue/")))]
            source = f"s3://{stack.outputs['InputBucket']}/urgent-{self._key()}.film"
            bucket, key = source.removeprefix("s3://").split("/")
            stack.s3.put_object(Bucket=bucket, Key=key, Body=self._film.read_bytes())
            self._ask("POST", "/jobs", {"source": source, "priority": 1})
            listed = self._ask("GET", "/jobs?state=queued").json().get("jobs", [])
            seen.append(" ".join(one["id"].partition("-")[0] for one in listed))
            for one in listed:
                self._ask("GET", f"/jobs/{one['id']}")
                self._ask("DELETE", f"/jobs/{one['id']}")
            left = [stack.keys("WorkBucket", f"admission/{part}/") for part in ("jobs", "queue")]
            return [*seen, *(str(len(keys)) for keys in left)]
        finally:
            stack.s3.put_object(Bucket=work, Key="admission/turns.json", Body=b"{}")

    def makes_room(self) -> list[str]:
        """Encodes a film while a larger one waits."""
        stack, work = self._stack, self._stack.outputs["WorkBucket"]
        entry = "admission/queue/100-00000000000001-large"
        event = {"job": "large", "input": {"name": "s3://films/large.mp4", "path": ""}}
        waiting = {"event": {**event, "priority": -50, "size": 1 << 40}, "created": 0.001}
        turns = {"other": {"workers": 990, "since": time.time()}}
        stored = {
            "admission/turns.json": json.dumps(turns),
            "admission/jobs/large.json": json.dumps(waiting),
            entry: "",
        }
        try:
            for key, body in stored.items():
                stack.s3.put_object(Bucket=work, Key=key, Body=body.encode())
            return [stack.job(stack.upload(self._key(), self._film)).status]
        finally:
            for key in reversed(stored):
                stack.s3.delete_object(Bucket=work, Key=key)

    def catches(self) -> list[str]:
        """Starts jobs that somebody cancels at the same moment, by an event and by an upload."""
        return [self._caught(lambda: self._admit("ExCamera Turn")), self._caught(self._starts_all)]

    def _starts_all(self) -> None:
        """Has an upload start all jobs that wait."""
        self._stack.job(self._stack.upload(self._key(), self._film))

    def _caught(self, start: Callable[[], object]) -> str:
        """Starts a job that was cancelled meanwhile; returns what became of it."""
        stack, job = self._stack, f"caught-{self._key().removesuffix('.mp4')}"
        entry = f"admission/queue/050-00000000000001-{job}"
        source = {"name": "s3://films/caught.mp4", "path": ""}
        event = {"job": job, "input": source, "options": {}, "index": "auto"}
        waiting = {"event": {**event, "size": 1}, "created": 0}
        for key, body in (
            (f"cancelled/{job}", b""),
            (f"admission/jobs/{job}.json", json.dumps(waiting).encode()),
            (entry, b""),
        ):
            stack.s3.put_object(Bucket=stack.outputs["WorkBucket"], Key=key, Body=body)
        start()
        arn = f"{stack.outputs['StateMachineArn'].replace(':stateMachine:', ':execution:')}:{job}"
        states = stack.client("stepfunctions")
        try:
            status = states.describe_execution(executionArn=arn)["status"]
        except states.exceptions.ExecutionDoesNotExist:
            return "not started"
        finally:
            for key in (f"admission/jobs/{job}.json", entry):
                stack.s3.delete_object(Bucket=stack.outputs["WorkBucket"], Key=key)
        return {"ABORTED": "stopped"}.get(status, str(status))

    def reconciles(self) -> list[str]:
        """Returns which jobs the schedule starts."""
        return [str(self._admit("Scheduled Event").get("started"))]

    def _admit(self, kind: str) -> dict[str, Any]:
        event = {"detail-type": kind, "detail": {}}
        answer = self._stack.client("lambda").invoke(
            FunctionName=self._stack.function("admit"), Payload=json.dumps(event)
        )
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        return found
