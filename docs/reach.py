"""How near the stack, a long film and many jobs come to AWS's limits: the table of docs/limits.md.

``python -m docs.reach`` synthesises the stack and writes the table, as ``make docs`` does. A test
fails if the page is not current, and if something comes to `NEAR` of a limit without a remark that
says what happens then.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from docs.quota_remarks import REMARKS
from docs.workload import (
    FILMS,
    HUNDRED,
    WORKERS,
    Definition,
    Workload,
    all_retries,
    histories,
    job_event,
    payloads,
    size,
)
from excamera.api.answers import TaskAttempt, TimelinePage
from excamera.job.codecs import CONTAINERS
from excamera.job.objects import Keys
from excamera.job.results import JobResult
from excamera.job.steps import STEP_NAMES
from excamera.lifecycle.ending import notice_of
from excamera.lifecycle.results import LONGEST_SOURCE
from functions.api.uploads import Multipart
from mu import Attempt, Range
from mu.store.s3.bucket import KEYS_AT_ONCE
from mu.store.s3.join import lay_out, least_part
from stacks import limits, message_server
from stacks.quotas import QUOTAS, Quota, quota

FOLDER = Path(__file__).resolve().parent
NEAR = 0.8
_PAGE = FOLDER / "limits.md"
_BEGIN = "<!-- limits: from the code, `make docs` writes it -->"
_END = "<!-- end of limits -->"
_SNS_FIELD = 2_000  # metadata of an upload holds no longer tag


@dataclass(frozen=True)
class Stack:
    """The default stack as synthesised.

    Attributes:
        template: its template.
        assets: the folder with its code and layers.
        context: its settings.
    """

    template: Mapping[str, Any]
    assets: Path
    context: Mapping[str, Any]

    def of_type(self, kind: str) -> list[Mapping[str, Any]]:
        """Properties of all resources of a type."""
        return [
            one.get("Properties", {})
            for one in self.template["Resources"].values()
            if one["Type"] == kind
        ]

    def count(self, kind: str) -> int:
        """How many resources of a type it has."""
        return len(self.of_type(kind))

    def most(self, kind: str, *path: str) -> int:
        """The largest number, or longest list, that resources of a type have there."""

        def found(value: Any) -> int:
            for name in path:
                value = value.get(name, {})
            return value if isinstance(value, int) else len(value)

        return max(found(one) for one in self.of_type(kind))

    @cached_property
    def machine(self) -> Definition:
        """The definition of the state machine of jobs."""
        (found,) = (
            json.loads(one["DefinitionString"])
            for one in self.of_type("AWS::StepFunctions::StateMachine")
            if '"stitch"' in str(one["DefinitionString"])
        )
        return dict(found)

    def _asset(self, key: str) -> int:
        """Bytes of an asset, unzipped."""
        (folder,) = self.assets.glob(f"asset.{key.removesuffix('.zip')}*")
        return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())

    @cached_property
    def _layers(self) -> dict[str, int]:
        return {
            name: self._asset(one["Properties"]["Content"]["S3Key"])
            for name, one in self.template["Resources"].items()
            if one["Type"] == "AWS::Lambda::LayerVersion"
        }

    @cached_property
    def codes(self) -> list[int]:
        """Bytes of the code of each function, with its layers."""
        return [
            self._asset(one["Code"]["S3Key"])
            + sum(self._layers[layer["Ref"]] for layer in one.get("Layers", ()))
            for one in self.of_type("AWS::Lambda::Function")
        ]

    @cached_property
    def code_of_versions(self) -> int:
        """Bytes of what one deployment publishes: each function's own code, and the layers."""
        own = (self._asset(one["Code"]["S3Key"]) for one in self.of_type("AWS::Lambda::Function"))
        return sum(own) + sum(self._layers.values())

    def permissions(self) -> int:
        """Bytes of the largest resource-based policy of a function or its alias."""
        sizes: Counter[str] = Counter()
        for one in self.of_type("AWS::Lambda::Permission"):
            statement = {
                "Sid": "x" * 100, "Effect": "Allow", "Principal": {"Service": one["Principal"]},
                "Action": one["Action"], "Resource": one["FunctionName"],
                "Condition": {"ArnLike": {"AWS:SourceArn": one["SourceArn"]}},
            }  # fmt: skip
            name = json.dumps(one["FunctionName"])
            sizes[name] += len(limits.text_of(statement, self.template))
        return max(sizes.values())


@dataclass(frozen=True)
class Row:
    """A limit, and how near the stack, a film and many jobs come to it; None: not at all.

    Attributes:
        quota: the limit.
        stack: of the default stack or its settings.
        film: of a three-hour film.
        jobs: of a hundred jobs at once.
    """

    quota: Quota
    stack: float | None
    film: float | None
    jobs: float | None

    @property
    def share(self) -> float:
        """The part of the limit that the greatest of them is."""
        return max(one or 0 for one in (self.stack, self.film, self.jobs)) / self.quota.most

    @property
    def remark(self) -> str:
        """What happens at the limit, if anything should be said."""
        return REMARKS.get(self.quota.name, "")


Measure = Callable[[Stack], float | None]


def _nothing(_stack: Stack) -> None:
    return None


@dataclass(frozen=True)
class _Reach:
    stack: Measure = _nothing
    film: Callable[[Stack, Workload], float] | None = None
    jobs: Callable[[Stack, Workload], float] | None = None


def _upload() -> int:
    """Bytes of the events that an upload of the longest key makes."""
    return size(job_event(FILMS[0].options))


def _ended() -> dict[str, Any]:
    """The largest notice of a job's end."""
    job = job_event(FILMS[0].options) | {"tag": "x" * _SNS_FIELD}
    result = JobResult(job["output"]["key"], 10**12, 10**6, 10**4, 1e5, 10**12, "encoded",
                       ["x" * 200] * 10)  # fmt: skip
    detail = {
        "executionArn": "x" * 256, "name": job["job"], "status": "SUCCEEDED", "startDate": 1e12,
        "stopDate": 1e12, "input": json.dumps(job), "output": json.dumps(result.to_json()),
    }  # fmt: skip
    return notice_of(detail, stack="s" * 128, cost_usd=1234.123456)


def _answer() -> int:
    """Bytes of the API's largest answer: a page of the timeline, or the URLs of an upload."""
    attempt = TaskAttempt(
        task="encode-000000-000000", step="encode", batch=10**6, share=10**4, attempt=99,
        outcome="done", queued=1e9 + 0.123456, started=1e9 + 0.123456, fetched=1e9 + 0.123456,
        computed=1e9 + 0.123456, stored=1e9 + 0.123456, finished=1e9 + 0.123456,
        worker="x" * 64, peak_memory_mib=1769,
    )  # fmt: skip
    page = TimelinePage(attempts=[attempt] * 1000, next="x" * 200)
    url = "https://" + "x" * 2_500  # with the credentials of a session
    upload = [{"number": 1000, "offset": 10**12, "size": 10**9, "url": url}] * 1000
    return max(len(page.model_dump_json()), size(upload))


def _parts(work: Workload) -> list[int]:
    """The sizes of the parts as which a film is stitched."""
    whole, count = work.estimate.size, len(work.batches)
    pieces = [Range(f"{number}", 0, whole // count) for number in range(count)]
    return [part.size for part in lay_out(pieces, least_part(whole))]


def _keys() -> int:
    """Bytes of the longest key: of a job's object, or of the result of the longest upload."""
    job = "j" * quota("name of an execution").most
    attempt = Attempt("anchors-000000", 99, 10**7, "ExceedToleratedFailureThreshold")
    keys = Keys(job)
    longest = [
        str(attempt.key(keys.timeline)),
        keys.share(10**6, 40, 40),
        keys.upload,
        keys.waiting,
    ]
    return max(len(key.encode()) for key in longest)


def _result_key(stack: Stack) -> int:
    """Bytes of the key of a result, if its upload's key is as long as S3 allows."""
    shortest = min(len(suffix) for suffix in stack.context["suffixes"])
    return quota("key").most - shortest + max(len(f".{name}") for name in CONTAINERS)


def _metadata() -> int:
    """Bytes of the metadata of a result: three names, the source, its time, the job."""
    names = len("excamera-source" + "excamera-uploaded" + "excamera-job")
    return names + LONGEST_SOURCE + len("2026-01-01T00:00:00+00:00") + 80


def _measured() -> int:
    """Metrics that one call of a function writes to its log, at most."""
    handlers = (FOLDER.parent / "functions").rglob("*.py")
    return max(one.read_text().count("metrics.add_metric(") for one in handlers)


def _longest_call(work: Workload) -> float:
    return max(work.call_seconds(step) for step in STEP_NAMES)


def _part_of_source(stack: Stack) -> int:
    return Multipart("", "", stack.context["max_source_gb"] * 10**9).part_size


def _of_template(name: str) -> _Reach:
    """What `stacks.limits` measures."""
    (limit,) = (one for one in limits.LIMITS if one.name == name)
    return _Reach(
        lambda stack: max((one.amount for one in limit.measure(stack.template)), default=0)
    )


def _both(measure: Callable[[Workload], float]) -> _Reach:
    return _Reach(film=lambda _, work: measure(work), jobs=lambda _, work: measure(work))


REACHES: dict[str, _Reach] = {
    **{one.name: _of_template(one.name) for one in limits.LIMITS},
    "functions at the same time": _both(lambda work: work.workers),
    "new environments of one function in ten seconds": _both(lambda work: work.workers),
    "calls a second, ten for each that may run at the same time": _both(
        lambda work: work.rates.calls
    ),
    "memory of a function": _Reach(lambda s: s.most("AWS::Lambda::Function", "MemorySize")),
    "time of a call": _Reach(
        lambda s: s.most("AWS::Lambda::Function", "Timeout"), lambda _, work: _longest_call(work)
    ),
    "/tmp of a function": _Reach(
        lambda s: s.most("AWS::Lambda::Function", "EphemeralStorage", "Size")
    ),
    "event or answer of a call that is waited for": _Reach(lambda _: _answer()),
    "event of an asynchronous call": _Reach(lambda _: _upload()),
    "layers of a function": _Reach(lambda s: s.most("AWS::Lambda::Function", "Layers")),
    "code of a function with its layers, unzipped": _Reach(lambda s: max(s.codes)),
    "code of all versions of functions and layers": _Reach(lambda s: s.code_of_versions),
    "resource-based policy of a function": _Reach(Stack.permissions),
    "input or output of a state or an execution": _Reach(
        film=lambda _, work: max(
            size(one)
            for one in payloads(
                work.options, work.batches, work.film.frames, work.film.width * work.film.height
            ).values()
        )
    ),
    "history of an execution": _Reach(
        film=lambda s, work: histories(s.machine, WORKERS.batch_workers, all_retries(s.machine))
    ),
    "state transitions a second": _both(lambda work: work.rates.transitions),
    "StartExecution in a burst": _Reach(jobs=lambda _, work: work.started),
    "DescribeExecution in a burst": _Reach(jobs=lambda _, work: work.started),
    "DescribeExecution a second": _Reach(lambda s: s.context["api_rate"]),
    "ListExecutions in a burst": _Reach(
        # The schedules of admit and watch; the API.
        lambda s: 2 + s.context["api_burst"]
    ),
    "open executions": _both(lambda work: work.jobs + work.workers),
    "open map runs": _both(lambda work: work.jobs),
    "children of a map run at the same time": _Reach(film=lambda _, work: WORKERS.limits.workers),
    "children that a map starts in a second": _Reach(
        film=lambda _, work: work.estimate.shape.batches / work.estimate.seconds
    ),
    "items of a map": _Reach(film=lambda _, work: len(work.batches)),
    "iterations of an inline map at the same time": _Reach(lambda s: s.context["batch_workers"]),
    "time of an execution": _Reach(
        lambda s: s.context["job_timeout_s"], lambda _, work: work.estimate.seconds
    ),
    "name of an execution": _Reach(lambda _: len(job_event(FILMS[0].options)["job"])),
    "writes a second to a prefix": _both(lambda work: work.rates.writes),
    "reads a second from a prefix": _both(lambda work: work.rates.reads),
    "parts of an upload": _Reach(
        lambda s: -(-s.context["max_source_gb"] * 10**9 // _part_of_source(s)),
        lambda _, work: len(_parts(work)),
    ),
    "part of an upload": _Reach(_part_of_source, lambda _, work: max(_parts(work))),
    "object": _Reach(
        lambda s: s.context["max_source_gb"] * 10**9, lambda _, work: work.estimate.size
    ),
    "key": _Reach(_result_key, lambda _, _work: _keys()),
    "metadata of an object": _Reach(lambda _: _metadata()),
    "keys of a DeleteObjects": _Reach(lambda _: KEYS_AT_ONCE),
    "rules of a bus": _Reach(lambda s: s.count("AWS::Events::Rule")),
    "targets of a rule": _Reach(lambda s: s.most("AWS::Events::Rule", "Targets")),
    "event": _Reach(lambda _: size(_ended())),
    "PutEvents a second": _Reach(jobs=lambda _, work: work.jobs),
    # An upload calls start, which has admit called.
    "calls of targets a second": _Reach(jobs=lambda _, work: 2 * work.jobs),
    "requests a second": _Reach(lambda s: s.context["api_rate"]),
    "requests in a burst": _Reach(lambda s: s.context["api_burst"]),
    "time of a request": _Reach(
        lambda s: next(
            one["Timeout"]
            for one in s.of_type("AWS::Lambda::Function")
            if one["Handler"] == "functions.api.handler.handler"
        )
    ),
    "body of a request or an answer": _Reach(lambda _: _answer()),
    "message": _Reach(lambda _: size(_ended()) + _upload()),
    "days that a message is kept": _Reach(
        lambda s: s.most("AWS::SQS::Queue", "MessageRetentionPeriod") // 86_400
    ),
    "message of a topic": _Reach(lambda _: size(_ended())),
    "messages of topics a second": _Reach(jobs=lambda _, work: work.jobs),
    "alarms": _Reach(lambda s: s.count("AWS::CloudWatch::Alarm")),
    "metrics of an alarm": _Reach(lambda s: s.most("AWS::CloudWatch::Alarm", "Metrics")),
    "widgets of a dashboard": _Reach(
        lambda s: max(
            limits.text_of(one["DashboardBody"], s.template).count('"type":"metric"')
            for one in s.of_type("AWS::CloudWatch::Dashboard")
        )
    ),
    "metrics of a line of a log": _Reach(lambda _: _measured()),
    "resource policies of logs": _Reach(lambda s: s.count("AWS::Logs::ResourcePolicy")),
    # A call has two segments: Lambda's own, and that of the function.
    "segments a second": _both(lambda work: 2 * work.rates.calls),
    "roles": _Reach(lambda s: s.count("AWS::IAM::Role")),
    "outputs of a stack": _Reach(lambda s: len(s.template["Outputs"])),
    # As if the buckets had no keys of their own, which spare most of these.
    "uses of keys a second": _both(lambda work: work.rates.writes + work.rates.reads),
    "GetSecretValue a second": _Reach(jobs=lambda _, work: work.jobs),
    "data of a serverless cache": _Reach(lambda _: message_server.MOST_GB),
    "ECPUs of a serverless cache a second": _Reach(lambda _: message_server.MOST_ECPU_A_SECOND),
}
"""What is compared with each limit."""


def rows(stack: Stack) -> Iterator[Row]:
    """All limits, in the order of the page."""
    for one in QUOTAS:
        reach = REACHES[one.name]
        yield Row(
            one,
            reach.stack(stack),
            None if reach.film is None else max(reach.film(stack, work) for work in FILMS),
            None if reach.jobs is None else max(reach.jobs(stack, work) for work in HUNDRED),
        )


def shown(amount: float | None) -> str:
    """An amount; of a large one three digits."""
    if amount is None:
        return ""
    if amount < 10:
        return f"{amount:.2g}"
    digits = 10 ** max(0, len(str(round(amount))) - 3) if amount >= 10_000 else 1
    return f"{round(amount / digits) * digits:,}"


def _percent(share: float) -> str:
    percent = 100 * share
    return "less than 1%" if percent < 1 else f"{percent:.0f}%"


def table(stack: Stack) -> str:
    """The table of the page."""
    lines = [
        "| Limit | At most | Raised | The stack | A film | 100 jobs | Nearest | Then |",
        "|---|---:|---|---:|---:|---:|---:|---|",
    ]
    service = ""
    for row in rows(stack):
        if row.quota.service != service:
            service = row.quota.service
            lines.append(f"| **{service}** | | | | | | | |")
        cells = [
            f"[{row.quota.name}]({row.quota.source})",
            f"{row.quota.most:,} {row.quota.unit}",
            "yes" if row.quota.adjustable else "no",
            *(shown(one) for one in (row.stack, row.film, row.jobs)),
            _percent(row.share),
            row.remark,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def written(page: str, stack: Stack) -> str:
    """The page with its table as the code has it."""
    before, _, rest = page.partition(_BEGIN)
    return f"{before}{_BEGIN}\n\n{table(stack)}\n\n{_END}{rest.partition(_END)[2]}"


def default_stack(folder: Path) -> Stack:
    """The stack with the settings of cdk.json, synthesised into a folder."""
    from stacks.node import use_own_node

    use_own_node()
    from stacks.app import synthesise

    context = json.loads((FOLDER.parent / "cdk.json").read_text())["context"]
    return Stack(synthesise(context, folder), folder, context)


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as folder:
        _PAGE.write_text(written(_PAGE.read_text(), default_stack(Path(folder))))


if __name__ == "__main__":
    main()
