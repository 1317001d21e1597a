"""Monitoring of a deployed stack: a check for stalled jobs, alarms, a dashboard."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.alarms import PERIOD, Alarms
from stacks.canary import Canary
from stacks.dashboard import Dashboard
from stacks.function import Function
from stacks.settings import Settings
from stacks.trigger import Trigger
from stacks.workers import LISTING_S, Workers


class Monitoring(Construct):
    """The check, the alarms and the dashboard.

    Attributes:
        topic: is notified of every alarm.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        workers: Workers,
        work: s3.IBucket,
        machine: sfn.StateMachine,
        trigger: Trigger,
        functions: Mapping[str, Function],
        api: apigateway.RestApi,
    ) -> None:
        super().__init__(scope, construct_id)
        # Longer than two attempts that both hang until their time limit.
        stalled_after_s = 2 * settings.timeout_s
        watch = workers.function(
            "watch",
            timeout_s=LISTING_S,
            environment={
                "WORK_BUCKET": work.bucket_name,
                "STATE_MACHINE_ARN": machine.state_machine_arn,
                "STALLED_AFTER_S": str(stalled_after_s),
                "SWEEP_FUNCTION": functions["sweep"].live.function_arn,
            },
        )
        watch.allow(["lambda:InvokeFunction"], [functions["sweep"].live.function_arn])
        workers.rights.tell_absent_jobs(watch)
        watch.allow(["states:ListExecutions"], [machine.state_machine_arn])
        trigger.schedule("Watch", Duration.minutes(PERIOD.to_minutes()), watch)
        all_functions = {**functions, "watch": watch}
        alarms = Alarms(
            self,
            "Alarms",
            machine=machine,
            functions=all_functions,
            undelivered=trigger.undelivered,
            stalled_after_s=stalled_after_s,
            email=settings.alarm_email,
        )
        self.topic: sns.ITopic = alarms.topic
        if settings.canary:
            Canary(
                self,
                "Canary",
                kind=settings.canary,
                functions=all_functions,
                alarms=alarms,
                api=api,
            )
        Dashboard(
            self,
            "Dashboard",
            machine=machine,
            functions=all_functions,
            undelivered=trigger.undelivered,
            alarms=alarms.alarms,
        )
