"""The alarms; docs/operations.md says what to do about each."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import ArnFormat, Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from excamera.job.steps import SPREADING, STEP_NAMES
from stacks.function import Function
from stacks.settings import WATCHED_FOR_REFUSALS

PERIOD = Duration.minutes(5)
RUNBOOK = "docs/operations.md"

_RETRIED_ERRORS = 10
"""Errors of the flow's functions that ring; the state machine retries, or fails the job."""

_RETRIED = (*STEP_NAMES, SPREADING)
"""These functions. What `spread` does not do, a distributed map does."""

_NOT_ERRORS = ("failure",)
"""Functions that fail on purpose, with the error that ends the job."""


class Alarms(Construct):
    """The alarms and the topic that they notify.

    Attributes:
        topic: is notified of every alarm and of its end.
        alarms: all alarms.
        of_function: the alarm for the errors of each function, by its name.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        machine: sfn.StateMachine,
        functions: Mapping[str, Function],
        undelivered: sqs.Queue,
        stalled_after_s: int,
        email: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = self._topic(email)
        self.alarms: list[cloudwatch.Alarm] = []
        self.of_function: dict[str, cloudwatch.Alarm] = {}
        ends = {"failed": machine.metric_failed(), "late": machine.metric_timed_out()}
        self.add("JobsFailed", _sum(ends), "A job failed, or took longer than a job may.")
        # An alarm takes at most ten metrics; Lambda itself retries functions that events call.
        throttles = {
            name: metric
            for step in WATCHED_FOR_REFUSALS
            for name, metric in _of_sizes(functions[step], "Throttles", step).items()
        }
        self.add(
            "Throttles",
            _sum(throttles),
            "Lambda has refused calls for a quarter of an hour: too many at once.",
            periods=3,
        )
        self.add(
            "NoProgress",
            own_metric(self, "watch", "JobsStalled", "Maximum"),
            f"A job runs, and none of its tasks has ended for {stalled_after_s // 60} minutes.",
        )
        self.add(
            "Undelivered",
            undelivered.metric_approximate_number_of_messages_visible(
                period=PERIOD, statistic="Maximum"
            ),
            "An event could not be handled, and lies in the queue.",
        )
        for step, one in functions.items():
            if step not in _NOT_ERRORS:
                self.of_function[step] = self.add(
                    f"{step.capitalize()}Errors",
                    _sum(_of_sizes(one, "Errors", step)),
                    f"The function {step} fails.",
                    threshold=_RETRIED_ERRORS if step in _RETRIED else 1,
                )

    def _topic(self, email: str) -> sns.Topic:
        # No key: CloudWatch may not use AWS's own key for SNS, and another costs a dollar a month.
        topic = sns.Topic(self, "AlarmsTopic", enforce_ssl=True)
        alarms = Stack.of(self).format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name="*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnLike": {"aws:SourceArn": alarms},
                },
            )
        )
        if email:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        return topic

    def add(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        what: str,
        *,
        threshold: int = 1,
        periods: int = 1,
    ) -> cloudwatch.Alarm:
        """Add an alarm.

        Args:
            name: its name after the stack's; with "Errors" at its end, the runbook's `errors`
                describes it, else the section of the same name.
            metric: rings if it is `threshold` or more in each of `periods`.
            what: what has happened then.
            threshold: see `metric`.
            periods: see `metric`.
        """
        anchor = "errors" if name.endswith("Errors") else name.lower()
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{Stack.of(self).stack_name}-{name}",
            alarm_description=f"{what} What to do: {RUNBOOK}#{anchor}",
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        action = actions.SnsAction(self.topic)
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
        self.alarms.append(alarm)
        return alarm


def own_metric(scope: Construct, step: str, name: str, statistic: str) -> cloudwatch.Metric:
    """A metric that a function of the stack writes through its log."""
    return cloudwatch.Metric(
        namespace=Stack.of(scope).stack_name,
        metric_name=name,
        dimensions_map={"service": step},
        statistic=statistic,
        period=PERIOD,
    )


def _of_sizes(one: Function, metric: str, step: str) -> dict[str, cloudwatch.IMetric]:
    """A metric of a function in each of its sizes, by names that an expression can have."""
    return {
        f"{step}{memory_mb}": function.metric(metric, statistic="Sum", period=PERIOD)
        for memory_mb, function in one.sizes.items()
    }


def _sum(metrics: Mapping[str, cloudwatch.IMetric]) -> cloudwatch.IMetric:
    """The sum of metrics."""
    if len(metrics) == 1:
        return next(iter(metrics.values()))
    return cloudwatch.MathExpression(
        expression=f"SUM([{', '.join(metrics)}])", using_metrics=dict(metrics), period=PERIOD
    )
