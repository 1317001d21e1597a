"""Notices of the ends of jobs: a topic, an event, and perhaps a webhook."""

from __future__ import annotations

import json
import string

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from constructs import Construct

from excamera.lifecycle.ending import DETAIL_TYPE, SOURCE
from stacks.nag import accept
from stacks.rights import JOBS
from stacks.settings import Settings
from stacks.trigger import Trigger
from stacks.workers import LISTING_S, SHORT_S, Workers


class Notices(Construct):
    """The topic for the ends of jobs, and the function that publishes to it.

    Attributes:
        topic: anyone with the right may subscribe.
        ended: the function; it also sends an event to the account's default bus.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        workers: Workers,
        work: s3.IBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self.topic = sns.Topic(self, "JobsTopic", enforce_ssl=True)
        resource = self.topic.node.default_child
        assert isinstance(resource, sns.CfnTopic)
        # AWS's own key costs nothing, and every role that may publish may use it.
        resource.kms_master_key_id = "alias/aws/sns"
        self.ended = workers.function(
            "ended",
            timeout_s=LISTING_S,
            environment={
                "WORK_BUCKET": work.bucket_name,
                "JOBS_TOPIC_ARN": self.topic.topic_arn,
                "STACK": stack.stack_name,
                "MEMORY_MB": json.dumps(settings.memory_mb),
                "ARCHITECTURE": settings.architecture,
                "MAX_USD_PER_MONTH": str(float(settings.max_usd_per_month)),
            },
        )
        workers.rights.tell_absent_jobs(self.ended)
        self.ended.allow(
            ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            [work.arn_for_objects(f"jobs/*/{name}.json") for name in ("failure", "end")],
            JOBS,
        )
        self.ended.allow(["s3:GetObject"], [work.arn_for_objects("cancelled/*")], JOBS)
        self.ended.allow(["s3:DeleteObject"], [work.arn_for_objects("jobs/*/map/*")], JOBS)
        workers.rights.abort_output(self.ended)
        self.ended.allow(["s3:DeleteObject"], [work.arn_for_objects("jobs/*/uploads/*")], JOBS)
        self.ended.allow(["s3:PutObject"], [work.arn_for_objects("catalogue/*")], JOBS)
        self.ended.allow(["s3:GetObject", "s3:PutObject"], [workers.rights.model])
        # The result of the plan step has what was predicted.
        self.ended.allow(["s3:GetObject"], [work.arn_for_objects("jobs/*/timeline/plan/*")], JOBS)
        if settings.max_usd_per_month:
            workers.rights.count_spending(self.ended)
        self.ended.allow(["sns:Publish"], [self.topic.topic_arn])
        bus = stack.format_arn(service="events", resource="event-bus", resource_name="default")
        self.ended.allow(["events:PutEvents"], [bus])


class Webhook(Construct):
    """The function that posts notices to the user's receiver, and its signing secret.

    Attributes:
        secret_arn: of a secret of letters and digits, whose number is a multiple of four, so
            that it is valid base64.
        function: the function that posts.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, url: str, workers: Workers, trigger: Trigger
    ) -> None:
        super().__init__(scope, construct_id)
        secret = secretsmanager.Secret(
            self,
            "Secret",
            description="ExCamera: signs the requests of the webhook",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=44,
                exclude_punctuation=True,
                exclude_characters=string.punctuation,  # for services that ignore the former
            ),
        )
        resource = secret.node.default_child
        assert isinstance(resource, secretsmanager.CfnSecret)
        self.secret_arn = resource.attr_id
        accept(
            secret,
            "AwsSolutions-SMG4",
            "The receiver has to learn a new secret at the same time, which only its owner "
            "can arrange; docs/operations.md says how.",
        )
        self.function = workers.function(
            "webhook",
            timeout_s=SHORT_S,
            environment={
                "WEBHOOK_URL": url,
                "WEBHOOK_SECRET_ARN": self.secret_arn,
                "UNDELIVERED_QUEUE_URL": trigger.undelivered.queue_url,
            },
        )
        self.function.allow(["secretsmanager:GetSecretValue"], [self.secret_arn])
        trigger.rule(
            "Webhook",
            events.EventPattern(
                source=[SOURCE],
                detail_type=[DETAIL_TYPE],
                detail={"stack": [Stack.of(self).stack_name]},
            ),
            self.function,
        )
