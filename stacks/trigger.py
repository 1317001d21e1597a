"""Rules by which uploads start jobs, jobs get turns, and their ends are announced; none is lost."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from excamera.lifecycle.admission import EVENT_SOURCE, TURN
from stacks.function import LIVE, Function
from stacks.nag import accept
from stacks.settings import Settings

_ASYNCHRONOUS = "Asynchronous"


class Trigger(Construct):
    """EventBridge rules for uploads and for the ends of jobs.

    Attributes:
        undelivered: queue for events that could not be handled.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        uploads: s3.IBucket,
        start: Function,
        machine: sfn.StateMachine,
        ended: Function,
        admit: Function,
    ) -> None:
        super().__init__(scope, construct_id)
        self.undelivered = sqs.Queue(
            self,
            "Undelivered",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        accept(
            self.undelivered,
            "AwsSolutions-SQS3",
            "It is the dead-letter queue: of the rules and of the functions they call.",
        )
        self.rule("Upload", _uploaded(settings, uploads.bucket_name), start)
        self.rule("Ended", _ended(machine), ended, admit)
        self.rule("Turn", _turn(Stack.of(self).stack_name), admit)
        self.schedule("Turns", Duration.minutes(5), admit)

    def rule(self, construct_id: str, when: events.EventPattern, *functions: Function) -> None:
        """Call functions for events; keep the events that they cannot handle."""
        events.Rule(self, construct_id, event_pattern=when, targets=self._targets(functions))

    def schedule(self, construct_id: str, every: Duration, function: Function) -> None:
        """Call a function at regular intervals."""
        events.Rule(
            self,
            construct_id,
            schedule=events.Schedule.rate(every),
            targets=self._targets([function]),
        )

    def _targets(self, functions: Sequence[Function]) -> list[events.IRuleTarget]:
        for function in functions:
            if function.node.try_find_child(_ASYNCHRONOUS) is None:
                self.keep_what_fails(function)
        return [
            targets.LambdaFunction(one.live, dead_letter_queue=self.undelivered)
            for one in functions
        ]

    def keep_what_fails(self, function: Function) -> None:
        """Retry asynchronous calls of a function; keep the events that it cannot handle."""
        kept = lambda_.CfnEventInvokeConfig(
            function,
            _ASYNCHRONOUS,
            function_name=function.function.function_name,
            qualifier=LIVE,
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=6 * 3600,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
                    destination=self.undelivered.queue_arn
                )
            ),
        )
        kept.node.add_dependency(function.live)
        function.allow(["sqs:SendMessage"], [self.undelivered.queue_arn])


def _uploaded(settings: Settings, bucket: str) -> events.EventPattern:
    """Every way to create an object: PutObject, a multipart upload, a copy, a form.

    A pattern cannot match both the beginning and the end of a key (except with wildcards, of
    which EventBridge takes few), so the function checks the prefix.
    """
    keys = [{"suffix": {"equals-ignore-case": suffix}} for suffix in settings.suffixes]
    return events.EventPattern(
        source=["aws.s3"],
        detail_type=["Object Created"],
        detail={"bucket": {"name": [bucket]}, "object": {"key": keys}},
    )


def _ended(machine: sfn.StateMachine) -> events.EventPattern:
    """The ends of jobs, not those of their maps' children.

    Children have a slash and the map's label after the state machine's name, in both ARNs.
    """
    executions = Stack.of(machine).format_arn(
        service="states",
        resource="execution",
        resource_name=f"{machine.state_machine_name}:",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    return events.EventPattern(
        source=["aws.states"],
        detail_type=["Step Functions Execution Status Change"],
        detail={
            "stateMachineArn": [machine.state_machine_arn],
            "executionArn": [{"prefix": executions}],
            "status": ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"],
        },
    )


def _turn(stack: str) -> events.EventPattern:
    """Events by which functions say that a job may have its turn."""
    return events.EventPattern(source=[EVENT_SOURCE], detail_type=[TURN], detail={"stack": [stack]})
