"""The three buckets: for uploads, for intermediate objects, for results."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from mu.timelines import STACK_PLACE
from stacks.nag import accept
from stacks.settings import Settings

_ABORT_UPLOADS = s3.LifecycleRule(
    id="abort-unfinished-uploads",
    abort_incomplete_multipart_upload_after=Duration.days(1),
)


def _expire_replaced(settings: Settings) -> list[s3.LifecycleRule]:
    """Rules for a bucket that keeps versions: what was replaced or deleted goes after a while."""
    return [
        s3.LifecycleRule(
            id="expire-replaced-versions",
            noncurrent_version_expiration=Duration.days(settings.intermediates_days),
        ),
        s3.LifecycleRule(id="remove-marks-of-nothing", expired_object_delete_marker=True),
    ]


class Storage(Construct):
    """Input, work and output buckets, the stack's own or existing ones.

    Attributes:
        input: for uploads; keeps versions, so that a job reads the version it started
            with even if the object is replaced.
        work: for jobs' objects, which expire.
        output: for results; keeps versions for a while, in case of a mistake.
    """

    def __init__(self, scope: Construct, construct_id: str, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.input = self._bucket(
            "Input",
            settings.input_bucket,
            versioned=True,
            rules=[
                _ABORT_UPLOADS,
                *_expire_replaced(settings),
                *(
                    [
                        s3.LifecycleRule(
                            id="expire-uploads", expiration=Duration.days(settings.source_days)
                        )
                    ]
                    if settings.source_days
                    else []
                ),
            ],
        )
        if isinstance(self.input, s3.Bucket):
            # CloudFormation's own property; the L2 construct would add a function that sets it.
            resource = self.input.node.default_child
            assert isinstance(resource, s3.CfnBucket)
            resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
                event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                    event_bridge_enabled=True
                )
            )
        self.work = self._bucket(
            "Work",
            settings.work_bucket,
            rules=[
                _ABORT_UPLOADS,
                *(
                    s3.LifecycleRule(
                        id=f"expire-{what}",
                        prefix=f"{prefix}/",
                        expiration=Duration.days(settings.intermediates_days),
                    )
                    for what, prefix in (
                        ("intermediates", "jobs"),
                        ("jobs-of-executors", "mu"),
                        ("packages-of-executors", "mu-packages"),
                        ("timelines-of-executors", STACK_PLACE),
                        ("awaited-uploads", "uploads"),
                        ("marks-of-cancelled-jobs", "cancelled"),
                    )
                ),
            ],
        )
        self.output = self._bucket(
            "Output",
            settings.output_bucket,
            versioned=True,
            rules=[_ABORT_UPLOADS, *_expire_replaced(settings)],
        )

    def _cors(self, construct_id: str) -> list[s3.CorsRule]:
        """Web pages that may call the API may also use the URLs that it returns."""
        methods = {
            "Input": [s3.HttpMethods.PUT, s3.HttpMethods.POST],
            "Output": [s3.HttpMethods.GET],
        }.get(construct_id)
        if methods is None or not self._settings.cors_origins:
            return []
        return [
            s3.CorsRule(
                allowed_methods=methods,
                allowed_origins=self._settings.cors_origins,
                allowed_headers=["*"],
                exposed_headers=["ETag"],
            )
        ]

    def _bucket(
        self,
        construct_id: str,
        existing: str,
        *,
        rules: list[s3.LifecycleRule],
        versioned: bool = False,
    ) -> s3.IBucket:
        if existing:
            return s3.Bucket.from_bucket_name(self, construct_id, existing)
        destroy = self._settings.removal == "destroy"
        bucket = s3.Bucket(
            self,
            construct_id,
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            versioned=versioned,
            lifecycle_rules=rules,
            cors=self._cors(construct_id),
            # A first deployment that fails takes its empty buckets back.
            removal_policy=(
                RemovalPolicy.DESTROY if destroy else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            ),
            auto_delete_objects=destroy,
        )
        accept(
            bucket,
            "AwsSolutions-S1",
            "CloudTrail records who read what, for the account as a whole; "
            "server access logs would need a fourth bucket that itself is not logged.",
        )
        return bucket
