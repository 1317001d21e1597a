"""One page of graphs: what jobs do, how long they take, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aws_cdk import Aws, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from excamera.job.steps import ENCODING
from stacks.alarms import PERIOD, own_metric
from stacks.function import Function

_THIRD, _WHOLE, _HIGH = 8, 24, 6


class Dashboard(Construct):
    """The dashboard, named after the stack and the region."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        machine: sfn.StateMachine,
        functions: Mapping[str, Function],
        undelivered: sqs.Queue,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        self._functions = functions
        name = Stack.of(self).stack_name
        cloudwatch.Dashboard(
            self,
            "Page",
            dashboard_name=f"{name}-{Aws.REGION}",  # dashboards belong to no region
            widgets=[
                [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=_WHOLE)],
                [self._jobs(machine), self._failures(name), self._running(undelivered)],
                [self._frames(), self._seconds(), self._cost(name)],
                [
                    self._by_function("Concurrency", "ConcurrentExecutions", "Maximum"),
                    self._by_function("Duration, longest in ms", "Duration", "Maximum"),
                    self._by_function("Duration, average in ms", "Duration", "Average"),
                ],
                [
                    self._by_function("Calls", "Invocations", "Sum"),
                    self._by_function("Errors", "Errors", "Sum"),
                    self._by_function("Throttles", "Throttles", "Sum"),
                ],
            ],
        )

    def _jobs(self, machine: sfn.StateMachine) -> cloudwatch.IWidget:
        ends = {
            "started": machine.metric_started,
            "succeeded": machine.metric_succeeded,
            "failed": machine.metric_failed,
            "stopped": machine.metric_aborted,
            "out of time": machine.metric_timed_out,
        }
        return _graph(
            "Jobs",
            [end(label=label, period=PERIOD, statistic="Sum") for label, end in ends.items()],
        )

    def _failures(self, namespace: str) -> cloudwatch.IWidget:
        return _graph("Failed jobs by error", [_search(namespace, "service,error", "JobsFailed")])

    def _running(self, undelivered: sqs.Queue) -> cloudwatch.IWidget:
        waiting = undelivered.metric_approximate_number_of_messages_visible(
            label="undelivered events", period=PERIOD, statistic="Maximum"
        )
        jobs = [
            own_metric(self, "watch", name, "Maximum")
            for name in ("JobsQueued", "JobsRunning", "JobsStalled")
        ]
        return _graph("Jobs under way, and what was not delivered", [*jobs, waiting])

    def _frames(self) -> cloudwatch.IWidget:
        rate = cloudwatch.MathExpression(
            expression=f"{ENCODING} / PERIOD({ENCODING})",
            using_metrics={ENCODING: own_metric(self, ENCODING, "Frames", "Sum")},
            label="encoded",
            period=PERIOD,
        )
        return _graph("Frames a second", [rate])

    def _seconds(self) -> cloudwatch.IWidget:
        times = [
            own_metric(self, "ended", "JobSeconds", statistic)
            for statistic in ("Average", "Maximum")
        ]
        return _graph("Seconds that a job took", times)

    def _cost(self, namespace: str) -> cloudwatch.IWidget:
        known = [
            own_metric(self, "ended", "JobCost", "Sum").with_(label="succeeded"),
            _search(namespace, "service,error", "JobCost"),
        ]
        return _graph("Dollars that jobs cost", known)

    def _by_function(self, title: str, name: str, statistic: str) -> cloudwatch.IWidget:
        return _graph(
            title,
            [
                function.metric(name, statistic=statistic, period=PERIOD, label=label)
                for step, one in self._functions.items()
                for label, function in _labelled(step, one)
            ],
        )


def _labelled(step: str, one: Function) -> Iterator[tuple[str, lambda_.Function]]:
    for number, (memory_mb, function) in enumerate(one.sizes.items()):
        yield f"{step}, {memory_mb} MB" if number else step, function


def _search(namespace: str, dimensions: str, name: str) -> cloudwatch.IMetric:
    """Metrics whose dimensions have values that are unknown beforehand."""
    return cloudwatch.MathExpression(
        expression=(
            f"SEARCH('{{\"{namespace}\",{dimensions}}} MetricName=\"{name}\"', 'Sum', "
            f"{PERIOD.to_seconds():.0f})"
        ),
        label="",
        period=PERIOD,
    )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(title=title, left=metrics, width=_THIRD, height=_HIGH)
