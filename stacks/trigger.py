"""Rules by which uploads start jobs and the ends of jobs are announced; no event is lost."""

from __future__ import annotations

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.function import Function
from stacks.nag import accept
from stacks.settings import Settings


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
        self.rule("Ended", _ended(machine), ended)

    def rule(self, construct_id: str, when: events.EventPattern, function: Function) -> None:
        """Call a function for events; keep the events that it cannot handle."""
        self._keep_what_fails(function)
        events.Rule(self, construct_id, event_pattern=when, targets=[self._target(function)])

    def schedule(self, construct_id: str, every: Duration, function: Function) -> None:
        """Call a function at regular intervals."""
        self._keep_what_fails(function)
        events.Rule(
            self,
            construct_id,
            schedule=events.Schedule.rate(every),
            targets=[self._target(function)],
        )

    def _target(self, function: Function) -> events.IRuleTarget:
        return targets.LambdaFunction(function.function, dead_letter_queue=self.undelivered)

    def _keep_what_fails(self, function: Function) -> None:
        lambda_.CfnEventInvokeConfig(
            function,
            "Asynchronous",
            function_name=function.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=6 * 3600,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(
                    destination=self.undelivered.queue_arn
                )
            ),
        )
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
