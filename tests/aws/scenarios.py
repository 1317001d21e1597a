"""Uses of the stack, by which tests see whether its rights are enough."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3

from emulator import Emulator
from emulator.excamera.deployed import Deployed, Job, Upload
from emulator.runs import until
from excamera.cloud.account import Account
from excamera.cloud.api import http
from excamera.job.steps import NUMBERS
from mu import MemoryStore, TaskRecord
from mu.timeline import attempts
from mu.timelines import STACK_PLACE, TimelineWriter
from tests.aws.noise import write_noise
from tests.aws.spans import FRAMES, in_spans, padded
from tests.aws.test_api import complete
from tests.aws.ways import spread_up_to
from tests.pipeline.clips import Clip

WORKERS = ("survey", "plan", "probe", "anchors", "encode", "audio", "stitch", "spread")

# What each of the scenarios below must return.
AS_IT_SHOULD_BE = {
    "encodes": ["SUCCEEDED", "SUCCEEDED"],
    "rebases": ["SUCCEEDED"],
    "surveys": ["SUCCEEDED", "2", "SUCCEEDED", "2"],
    "aims": ["SUCCEEDED", "size"],
    "sends_parts": ["SUCCEEDED"],
    "fails": ["OutputExists", "True", "SUCCEEDED", "False"],
    "starts": ["SUCCEEDED"],
    "ends": ["succeeded", "stopped"],
    "watches": ["1"],
    "fits": ["997"],
    "queues": ["1", "urgent usual", "0", "0"],
    "catches": ["stopped", "stopped"],
    "makes_room": ["SUCCEEDED"],
    "remembers": ["200"],
    "reconciles": ["[]"],
    "learns": ["200", "1", "True", "200"],
    "warms": ["SUCCEEDED", "audio 1, plan 1, spread 1, stitch 1"],
    "chooses_sizes": 2 * ["SUCCEEDED by encode10240, warmed", "SUCCEEDED by encode1769, warmed"],
    "warms_batches": ["SUCCEEDED", "anchors 1, encode 5"],
    "tags": ["paid for"],
    "shows_mu": ["200", "calls running", "divided"],
    "awaits": ["SUCCEEDED", "False", "SUCCEEDED"],
    "forgets_ends": ["forgotten"],
    "asks": ["succeeded", "200", "True", "gone", "True", "there is no"],
    "reports": ["made", "200", "True"],
    "sends": ["1", "succeeded"],
    "cancels": ["stopped", "0", "stopped", "False"],
    "sweeps_again": ["0", "False"],
    **{f"forgets_{step}": ["0"] for step in ("index", *WORKERS)},
}


class Scenarios:
    """Uses of the stack, each on keys of its own."""

    def __init__(self, emulator: Emulator, stack: Deployed, film: Path, long_film: Path) -> None:
        self._emulator = emulator
        self._stack = stack
        self._film = film
        self._long_film = long_film
        # Encoded on one CPU it takes so long that more memory is faster.
        wide = Clip(frames=FRAMES, width=640, height=360).write(film.with_name("wide.mp4"))
        self._wide_film = padded(wide)
        self._noise = write_noise(film.with_name("noise.mkv"), 18)
        self._number = 0

    def _key(self) -> str:
        self._number += 1
        return f"{self._number}.mp4"

    def see(self, name: str) -> list[str]:
        """Runs the scenario of that name; returns its outcome."""
        of_step = name.partition("forgets_")[2]
        if of_step and not hasattr(self, name):
            return self.forgets(of_step)
        found: list[str] = getattr(self, name)()
        return found

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

    def remembers(self) -> list[str]:
        """Asks for a job of which only the catalogue knows."""
        stack, work = self._stack, self._stack.outputs["WorkBucket"]
        stack.job(stack.upload(self._key(), self._film))
        [record, *_] = until(lambda: stack.keys("WorkBucket", "catalogue/jobs/"))
        old = json.dumps({**stack.read_work(record), "job": "old"}).encode()
        stack.s3.put_object(Bucket=work, Key="catalogue/jobs/old.json", Body=old)
        return [str(self._ask("GET", "/jobs/old").status)]

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
        for line in self._emulator.logs(self._stack.function("warm")).splitlines():
            if '"asked"' in line and f'"{job.name}"' in line:
                taken = json.loads(line[line.index("{") :])["taken"]
                if step in taken:
                    return ", ".join(f"{one} {taken[one]}" for one in sorted(taken))
        return "none"

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

    def learns(self) -> list[str]:
        """Forgets what was learned, learns from a job, and uses that for the next one."""
        forgotten = self._ask("DELETE", "/model")
        told: list[dict[str, Any]] = []
        for _ in range(2):
            # Noise has more bits than any film, so even little of it changes what is predicted.
            job = self._stack.job(self._stack.upload(self._key(), self._noise)).name
            until(lambda job=job: self._stack.keys("WorkBucket", f"jobs/{job}/end.json"))
            told.append(self._ask("GET", f"/jobs/{job}").json()["predicted"] or {})
            if len(told) == 1:
                model = self._ask("GET", "/model")
        sizes = [one.get("bytes") for one in told]
        return [
            str(forgotten.status),
            str(model.json().get("jobs")),
            str(sizes[0] != sizes[1]),
            str(model.status),
        ]

    def shows_mu(self) -> list[str]:
        """Stores a record as an executor does, and asks the API for its job."""
        stored = MemoryStore()
        writer = TimelineWriter(stored, f"{STACK_PLACE}/calls")
        writer.add(TaskRecord("divided", 0, {}, 1.0, 2.0, worker="w"))
        for key in stored.list():
            self._stack.s3.put_object(
                Bucket=self._stack.outputs["WorkBucket"], Key=key, Body=stored.get(key)
            )
        listed = self._ask("GET", "/mu")
        jobs = listed.json().get("jobs", [])
        told = self._ask("GET", "/mu/calls").json().get("records", [])
        return [
            str(listed.status),
            *(f"{one['name']} {one['state']}" for one in jobs),
            *(one["name"] for one in told),
        ]

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

    def asks(self) -> list[str]:
        """Asks for jobs of an object, with and without its version, and of a missing object."""
        stack, key = self._stack, self._key()
        # Large enough for a turn with which `admit` has environments made.
        uploaded = stack.upload(f"{key}.film", self._long_film)
        source = f"s3://{stack.outputs['InputBucket']}/{uploaded.key}"
        seen = []
        for version in ("", f"?versionId={uploaded.version}"):
            made = self._ask("POST", "/jobs", {"source": source + version})
            if made.status != 201:
                return [*seen, str(made.status)]
            if version:
                break
            job = self._ended(made.json()["id"])
            seen.append(job["state"])
            if job["state"] != "succeeded" or not job["result"]["url"]:
                return seen
            seen.append(str(http().request("GET", job["result"]["url"]).status))
            stack.s3.delete_object(Bucket=job["result"]["bucket"], Key=job["result"]["key"])
            logs = self._ask("GET", f"/jobs/{job['id']}/logs")
            seen.append(str(bool(logs.json().get("lines"))))
            after = self._ask("GET", f"/jobs/{job['id']}")
            seen.append("gone" if after.json().get("result", {"url": ""})["url"] is None else "")
        listed = self._ask("GET", "/jobs?limit=100&state=succeeded").json().get("jobs", [])
        seen.append(str(job["id"] in [one["id"] for one in listed]))
        missing = self._ask("POST", "/jobs", {"source": f"{source}.not"})
        detail = missing.json()["detail"]
        return [*seen, "there is no" if "there is no s3" in detail else detail]

    def reports(self) -> list[str]:
        """Has the report of a job made, with its quality, for which its source is read."""
        name = self._stack.job(self._stack.upload(self._key(), self._film)).name
        path = f"/jobs/{name}/report"
        asked = self._ask("POST", path)
        if asked.status != 202:
            return [str(asked.status)]

        def ended() -> dict[str, Any]:
            told: dict[str, Any] = self._ask("GET", path).json()
            return {} if told["state"] == "making" else told

        told: dict[str, Any] = until(ended)
        if told["state"] != "made":
            return [told["state"], told["message"]]
        page, facts = (http().request("GET", told[name]) for name in ("url", "facts_url"))
        measured = json.loads(facts.data)["runs"][0]["quality"] is not None
        return [told["state"], str(page.status), str(measured)]

    def sends(self) -> list[str]:
        """Sends a job's source through the API's URLs, and looks at it meanwhile."""
        data = self._film.read_bytes()
        request = {"upload": True, "name": self._key(), "size": len(data)}
        made = self._ask("POST", "/jobs", request)
        if made.status != 201:
            return [str(made.status)]
        job, [part] = made.json()["id"], made.json()["upload"]["parts"]
        http().request("PUT", part["url"], body=data)
        found = self._ask("GET", f"/jobs/{job}")
        if found.status != 200:
            return [str(found.status)]
        received = found.json()["upload"]["received"]
        tags = [(one["number"], one["etag"]) for one in received]
        if complete(found.json()["upload"], tags).status != 200:
            return [str(len(received))]
        return [str(len(received)), self._ended(job)["state"]]

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

    def _ask(self, method: str, path: str, body: Any = None) -> urllib3.BaseHTTPResponse:
        account = Account()
        url = account.api_url(self._stack.outputs["ApiUrl"]) + path
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        signed = account.signed(method, url, headers, data)
        return http().request(method, url, body=data, headers=signed)

    def _ended(self, job: str) -> dict[str, Any]:
        """Waits until a job has ended or cannot be read; returns it."""

        def found() -> dict[str, Any]:
            answer = self._ask("GET", f"/jobs/{job}")
            if answer.status != 200:
                return {"state": str(answer.status)}
            told: dict[str, Any] = answer.json()
            return told if told["phase"] == "ended" else {}

        ended: dict[str, Any] = until(found)
        return ended

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


def kept(stack: Deployed) -> list[str]:
    """Takes one message, if any, from the queue of unhandled events; returns its condition."""
    queue, sqs = stack.queue(), stack.client("sqs")
    for message in sqs.receive_message(QueueUrl=queue).get("Messages", ()):
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"])["requestContext"]["condition"]]
    return []
