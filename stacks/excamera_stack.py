"""The stack: buckets, functions, the state machine and its triggers."""

from __future__ import annotations

from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from excamera.job.options import EncodeOptions
from stacks.api import Api
from stacks.costs import Budget, tag_everything
from stacks.delivery import Delivery
from stacks.encryption import Encryption
from stacks.job import Job
from stacks.monitoring import Monitoring
from stacks.notices import Notices, Webhook
from stacks.settings import Settings
from stacks.storage import Storage
from stacks.trigger import Trigger
from stacks.workers import Workers


class ExCameraStack(Stack):
    """All of ExCamera on AWS."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings, **kwargs: Any):
        super().__init__(scope, construct_id, **kwargs)
        options = EncodeOptions.from_json(settings.options).changed()
        storage = Storage(self, "Storage", settings)
        workers = Workers(self, "Workers", settings, storage)
        job = Job(self, "Job", settings=settings, functions=workers.by_step, work=storage.work)
        start = workers.start_function(job.machine, options)
        admit = workers.admit_function(job.machine)
        notices = Notices(self, "Notices", settings=settings, workers=workers, work=storage.work)
        trigger = Trigger(
            self,
            "Trigger",
            settings=settings,
            uploads=storage.input,
            start=start,
            machine=job.machine,
            ended=notices.ended,
            admit=admit,
        )
        sweep = workers.sweep_function()
        trigger.keep_what_fails(sweep)
        delivery = (
            Delivery(self, "Delivery", settings, storage.output)
            if settings.cloudfront_public_keys
            else None
        )
        report = workers.report_function()
        api_function = workers.api_function(job.machine, options, sweep, report, delivery)
        api = Api(self, "Api", settings, api_function)
        functions = {
            **workers.by_step,
            "start": start,
            "admit": admit,
            "api": api_function,
            "ended": notices.ended,
            "sweep": sweep,
            "report": report,
        }
        if workers.warm is not None:
            functions["warm"] = workers.warm
        if settings.webhook_url:
            webhook = Webhook(
                self, "Webhook", url=settings.webhook_url, workers=workers, trigger=trigger
            )
            functions["webhook"] = webhook.function
            self._output("WebhookSecretArn", webhook.secret_arn, "Signs webhook requests")
        monitoring = Monitoring(
            self,
            "Monitoring",
            settings=settings,
            workers=workers,
            work=storage.work,
            machine=job.machine,
            trigger=trigger,
            functions=functions,
            api=api.api,
        )
        if settings.budget_usd:
            Budget(self, "Budget", limit_usd=settings.budget_usd, email=settings.alarm_email)
        executors = workers.executors()
        Encryption(self, "Encryption", settings).apply()
        tag_everything(self, settings)
        self._output("ApiUrl", api.url, "The REST API; docs/api.md describes it")
        if api.key is not None:
            self._output("ApiKeyId", api.key.key_id, "Id of the API's key, without its value")
        if settings.api_domain:
            self._output("ApiDomainTarget", api.target, f"Make {settings.api_domain} a CNAME of it")
        if delivery is not None:
            self._tell(delivery, settings)
        self._output("InputBucket", storage.input.bucket_name, "Upload videos here")
        self._output("OutputBucket", storage.output.bucket_name, "Results appear here")
        self._output("WorkBucket", storage.work.bucket_name, "Jobs' plans and intermediates")
        self._output("StateMachineArn", job.machine.state_machine_arn, "Runs the jobs")
        self._output("JobsTopic", notices.topic.topic_arn, "Gets a notice of the end of every job")
        self._output("AlarmsTopic", monitoring.topic.topic_arn, "Gets a notice of every alarm")
        self._output("Mu", executors.told, "What mu's executors need to know")
        if settings.input_bucket:
            self._output(
                "EnableEvents",
                f"aws s3api put-bucket-notification-configuration --bucket "
                f"{settings.input_bucket} "
                "--notification-configuration '{\"EventBridgeConfiguration\": {}}'",
                "Run once if the bucket does not send its events to EventBridge yet; it "
                "replaces the bucket's other notifications, so add them to it",
            )

    def _tell(self, delivery: Delivery, settings: Settings) -> None:
        """Output what the owner of the distribution has to do."""
        self._output("ResultsUrl", f"https://{delivery.domain}", "Serves results by signed URLs")
        self._output("ResultsKeysSecretArn", delivery.secret_arn, "Put the private key there")
        if settings.cloudfront_domain:
            self._output(
                "ResultsDomainTarget", delivery.target,
                f"Make {settings.cloudfront_domain} a CNAME of it",
            )  # fmt: skip
        if settings.output_bucket:
            self._output(
                "OutputBucketPolicy",
                self.to_json_string(delivery.statement.to_statement_json()),
                f"A statement that the policy of {settings.output_bucket} needs",
            )

    def _output(self, name: str, value: str, description: str) -> None:
        CfnOutput(self, name, value=value, description=description)
