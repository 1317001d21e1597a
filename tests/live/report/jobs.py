"""Probes on a job: how events travel, what functions take, what it costs, and what is recorded."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.steps import DEFAULT_MEMORY_MB, FUNCTIONS, STEP_NAMES
from excamera.lifecycle.admission import EVENT_SOURCE, TURN
from excamera.lifecycle.uploads import job_of_upload
from excamera.media.sample import SampleClip, write_sample
from excamera.price.estimate import Estimate, estimate
from excamera.price.film import Film
from excamera.price.workers import Workers
from mu.prices import GB_SECOND_USD
from tests.live.report.subject import REFUSED, Live, Scale, Section, quantiles, spread

_NUMBER = re.compile(r"(?<!\w )(Billed Duration|Init Duration|Duration|Memory Size"
                     r"|Max Memory Used): ([\d.]+) (?:ms|MB)")  # fmt: skip
_CALLED = ("start", "admit", *STEP_NAMES, "ended")
_TRACES_S = 900


def _clip(scale: Scale) -> SampleClip:
    return SampleClip(640, 360, 24, scale.seconds)


def _estimate(scale: Scale, memory_mb: dict[str, int], architecture: str) -> Estimate:
    clip = _clip(scale)
    film = Film(clip.frames, clip.width, clip.height, clip.seconds)
    return estimate(film, EncodeOptions(), Workers(memory_mb, architecture))


@dataclass(frozen=True)
class Line:
    """A line that Lambda writes to a function's log.

    Attributes:
        at: Unix time.
        text: the line.
    """

    at: float
    text: str

    @property
    def numbers(self) -> dict[str, float]:
        """Of a REPORT: milliseconds and MB by their names."""
        return {name: float(number) for name, number in _NUMBER.findall(self.text)}


def lines_of(live: Live, step: str, since: float, words: str) -> list[Line]:
    """Lines of a function's log that have these words."""
    group = live.stack.configuration(step)["LoggingConfig"]["LogGroup"]
    pages = live.stack.client("logs").get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=round(1000 * since), filterPattern=f'"{words}"'
    )  # fmt: skip
    return [
        Line(one["timestamp"] / 1000, one["message"])
        for page in pages
        for one in page["events"]
        if words in one["message"]
    ]


@dataclass(frozen=True)
class Done:
    """A job that has ended well.

    Attributes:
        name: its name.
        began: when its upload began, Unix time.
        uploaded: when it was complete.
        started: when its execution started.
        ended: when that ended.
        reports: Lambda's reports on the calls of each function since `began`.
    """

    name: str
    began: float
    uploaded: float
    started: float
    ended: float
    reports: dict[str, list[Line]]


def a_job(live: Live) -> Done:
    """Uploads a clip and waits for its job; all probes of a run share it."""
    done: Done = live.once("the job", lambda: _job(live))
    return done


def _job(live: Live) -> Done:
    stack, outputs = live.stack, live.stack.outputs
    asked = stack.configuration("start")["Environment"]["Variables"].get("PREFIX", "")
    key = f"{asked}{live.name}.mp4"
    live.undo("the upload", lambda: live.remove_objects(outputs["InputBucket"], key))
    live.undo("the result", lambda: live.remove_objects(
        outputs["OutputBucket"], f"{asked}{live.name}.webm"))  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_sample(path, _clip(live.scale))
        content = path.read_bytes()
    began = live.now()
    upload = stack.upload(key, content)
    uploaded = live.now()
    detail = {"bucket": {"name": outputs["InputBucket"]},
              "object": {"key": key, "version-id": upload.version, "sequencer": ""}}  # fmt: skip
    name = job_of_upload(detail, options={}, output_store="s3://none")["job"]
    prefix = f"{Keys(name).prefix}/"
    live.undo("the job", lambda: live.remove_objects(outputs["WorkBucket"], prefix))
    arn = f"{outputs['StateMachineArn'].replace(':stateMachine:', ':execution:')}:{name}"
    states = stack.client("stepfunctions")

    def ended() -> Any:
        try:
            found = states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            return None
        return found if found["status"] != "RUNNING" else None

    found = live.until(ended)
    if found is None or found["status"] != "SUCCEEDED":
        raise AssertionError(f"the job {name}: {found and found['status']}")
    reports: dict[str, list[Line]] = {}

    def all_reported() -> bool:
        for step in _CALLED:
            reports[step] = lines_of(live, step, began, "REPORT RequestId")
        return all(reports[step] for step in _CALLED if step != "survey")

    live.until(all_reported, live.scale.records_s)
    started, stopped = found["startDate"].timestamp(), found["stopDate"].timestamp()
    return Done(name, began, uploaded, started, stopped, reports)


def job_usd(scale: Scale) -> float:
    """What the job costs at most."""
    return 2 * _estimate(scale, dict(DEFAULT_MEMORY_MB), "x86_64").dollars


def functions(live: Live) -> Section:
    """Encode a clip; read what Lambda reports of each function: cold starts, memory, time."""
    done = a_job(live)
    section = Section(
        [f"The job {done.name} took {done.ended - done.started:.1f} s."],
        ("function", "calls", "cold", "cold start: least, median, most", "longest call",
         "most memory", "of"),
    )  # fmt: skip
    for step in _CALLED:
        numbers = [one.numbers for one in done.reports[step]]
        if not numbers:
            if step != "survey":
                section.missing.append(f"reports of {step}: its log has none")
            continue
        cold = [one["Init Duration"] / 1000 for one in numbers if "Init Duration" in one]
        most = max(one.get("Max Memory Used", 0) for one in numbers)
        longest = max(one["Duration"] for one in numbers) / 1000
        size = max(one.get("Memory Size", 0) for one in numbers)
        section.rows.append((step, len(numbers), len(cold), spread(cold), f"{longest:.2f} s",
                             f"{most:.0f} MB", f"{size:.0f} MB"))  # fmt: skip
        section.facts[step] = {
            "calls": len(numbers),
            "cold_s": quantiles(cold),
            "longest_s": longest,
            "most_mb": most,
            "memory_mb": size,
        }
    if not any(one["most_mb"] for one in section.facts.values()):
        section.missing.append("memory: the reports say that nothing was used")
    if not any(one["cold_s"] for one in section.facts.values()):
        section.missing.append("cold starts: no report has an Init Duration")
    return section


def costs(live: Live) -> Section:
    """Compare what Lambda billed for the job with what the stack and the estimate say."""
    done = a_job(live)
    configurations = {step: live.stack.configuration(step) for step in _CALLED}
    memory = {step: int(one["MemorySize"]) for step, one in configurations.items()}
    [architecture] = configurations["encode"].get("Architectures") or ["x86_64"]
    billed: dict[str, float] = defaultdict(float)
    for step, lines in done.reports.items():
        for line in lines:
            numbers = line.numbers
            if "Billed Duration" in numbers:
                billed[step] += numbers["Billed Duration"] / 1000 * memory[step] / 1024
    usd = sum(billed.values()) * GB_SECOND_USD[architecture]
    expected = _estimate(live.scale, {**DEFAULT_MEMORY_MB, **memory}, architecture)
    section = Section(
        ["The reports are of all calls since the upload began, also of other jobs'."],
        ("function", "billed GB s", "estimated GB s"),
        [
            (step, f"{billed[step]:.3f}", f"{expected.usage.gb_seconds.get(step, 0):.3f}")
            for step in _CALLED
        ],
    )
    notice = live.until(lambda: _notice(live, done.name), live.scale.records_s) or {}
    told = notice.get("cost_usd")
    if told is None:
        section.missing.append("the cost in the notice: there is none")
    estimated = expected.usage.bill(architecture)["lambda"]
    section.lines.append(
        f"Lambda billed {usd:.6f} dollars, the estimate says {estimated:.6f}. "
        f"With requests and transitions, the notice says {told}, and the estimate "
        f"{expected.dollars:.6f}. Cost Explorer shows the bill by the stack's tags after a day."
    )
    section.facts = {"billed_usd": usd, "notice_usd": told, "estimate_usd": expected.dollars}
    return section


def _notice(live: Live, job: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = live.stack.read_work(Keys(job).end)
    except ClientError:
        return None
    return found


# --- how events travel -----------------------------------------------------------


def latencies_usd(scale: Scale) -> float:
    """What `latencies` costs at most."""
    return 2 * scale.events * 0.00001


def latencies(live: Live) -> Section:
    """Time what events take: from an upload to `start`, from PutEvents and an asynchronous call."""
    done = a_job(live)
    section = Section(
        [
            "Times are by AWS's clock, which is ahead of this machine's by "
            f"{live.clock_s[0]:+.2f} to {live.clock_s[1]:+.2f} s."
        ],
        ("from", "to", "least, median, most"),
    )  # fmt: skip
    ways = {
        ("the end of the upload", "start"): _after(live, "start", done.uploaded, 1),
        ("the end of the upload", "the execution"): [done.started - done.uploaded],
        ("PutEvents", "admit"): _put_events(live),
        ("an asynchronous call", "watch"): _asynchronous(live),
    }
    for (source, target), times in ways.items():
        section.rows.append((source, target, spread(times)))
        section.facts[f"{source} to {target}"] = quantiles(times)
        if not times:
            section.missing.append(f"from {source} to {target}: nothing in the log of {target}")
    return section


def _after(live: Live, step: str, since: float, count: int, words: str = "START ") -> list[float]:
    """Seconds from `since` to the first calls of a function after it."""
    # The clocks are the same to half a second only.
    found = live.until(lambda: lines_of(live, step, since - 1, words), live.scale.records_s)
    return [one.at - since for one in found[:count]]


def _put_events(live: Live) -> list[float]:
    entry = {"Source": EVENT_SOURCE, "DetailType": TURN,
             "Detail": json.dumps({"stack": live.stack.name})}  # fmt: skip
    times = []
    for _ in range(live.scale.events):
        time.sleep(2)  # for the lines of the event before
        sent = live.now()
        live.stack.client("events").put_events(Entries=[entry])
        times += _after(live, "admit", sent, 1)
    return times


def _asynchronous(live: Live) -> list[float]:
    """Calls `watch`, which EventBridge calls every five minutes anyway."""
    times = []
    for _ in range(live.scale.events):
        sent = live.now()
        answer = live.stack.client("lambda").invoke(
            FunctionName=live.stack.function("watch"), Qualifier="live", InvocationType="Event",
            Payload=b"{}",
        )  # fmt: skip
        request = answer["ResponseMetadata"].get("RequestId", "")
        times += _after(live, "watch", sent, 1, f"START RequestId: {request}")
    return times


# --- what is recorded ------------------------------------------------------------


def presence_usd(_scale: Scale) -> float:
    """What `presence` costs at most."""
    return 0.001


def presence(live: Live) -> Section:
    """Look whether logs, metrics, traces and alarms of the job are there."""
    done = a_job(live)
    section = Section(head=("what", "found"))
    stack = live.stack

    def note(what: str, find: Any) -> None:
        try:
            found = live.until(find, live.scale.records_s)
        except REFUSED as error:
            section.missing.append(f"{what}: {error}")
            return
        if not found:
            section.missing.append(f"{what}: none")
        section.rows.append((what, found if isinstance(found, str) else len(found or ())))
        section.facts[what] = len(found or ())

    def metrics() -> list[Any]:
        pages = stack.client("cloudwatch").get_paginator("list_metrics")
        return [one for page in pages.paginate(Namespace=stack.name) for one in page["Metrics"]]

    def traces() -> list[Any]:
        answer = stack.client("xray").get_trace_summaries(
            StartTime=done.began - 60, EndTime=min(live.now(), done.began + _TRACES_S)
        )
        return list(answer["TraceSummaries"])

    def history() -> list[Any]:
        log = f"/aws/vendedlogs/states/{stack.name}"
        answer = stack.client("logs").filter_log_events(
            logGroupName=log, startTime=round(1000 * done.began)
        )
        return list(answer["events"])

    note("functions with lines in their logs since the upload",
         lambda: [one.name for one in FUNCTIONS if done.reports.get(one.name)])  # fmt: skip
    note("lines of the state machine's log", history)
    note("metrics of the stack's own", metrics)
    note("traces", traces)
    alarms = stack.client("cloudwatch").describe_alarms(AlarmNamePrefix=stack.name)["MetricAlarms"]
    states = sorted(f"{one['StateValue']}: {one['AlarmName']}" for one in alarms
                    if one["StateValue"] == "ALARM")  # fmt: skip
    section.lines.append(f"{len(alarms)} alarms; ringing: {', '.join(states) or 'none'}.")
    return section
