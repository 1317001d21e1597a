"""CloudFront in front of the bucket for results: the setting `cloudfront_public_keys`."""

from __future__ import annotations

from typing import Any

from aws_cdk import Annotations, Aws, CfnResource, Duration, Names, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from excamera.lifecycle.urls import URL_S, VERSION
from stacks import public_key
from stacks.function import Function
from stacks.nag import accept
from stacks.settings import Settings


class Delivery(Construct):
    """The distribution, the keys that it trusts, and the secret for the private ones.

    Attributes:
        domain: name of the distribution's host: the custom one, if there is one.
        target: CloudFront's own name of the host.
        secret_arn: of the secret, which has no value until its owner gives it one.
        statement: what the bucket's policy must allow CloudFront.
    """

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, output: s3.IBucket
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self._pems = [public_key.read(one) for one in settings.cloudfront_public_keys]
        # CloudFront never changes a key, so a key's resource is named after what it holds.
        self._keys = [
            cloudfront.PublicKey(self, f"Key{public_key.digest(pem)[:12]}", encoded_key=pem)
            for pem in self._pems
        ]
        for key in self._keys:
            _name_by_region(key, "PublicKeyConfig.Name", "PublicKeyConfig.CallerReference")
        group = cloudfront.KeyGroup(self, "Keys", items=list(self._keys))
        _name_by_region(group, "KeyGroupConfig.Name")
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"{stack.stack_name}: results",
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
            default_behavior=self._behavior(settings, output, group),
            **self._own_name(settings),
        )
        self.domain = settings.cloudfront_domain or distribution.distribution_domain_name
        self.target = distribution.distribution_domain_name
        secret = secretsmanager.CfnSecret(
            self, "PrivateKeys", description="ExCamera: private keys that sign URLs of results"
        )
        self.secret_arn = secret.attr_id
        self.statement = iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudfront.amazonaws.com")],
            actions=["s3:GetObject"],
            resources=[output.arn_for_objects("*")],
            conditions={"StringEquals": {"AWS:SourceArn": distribution.distribution_arn}},
        )
        if settings.output_bucket:  # an output of the stack has the statement
            Annotations.of(self).acknowledge_warning(
                "@aws-cdk/aws-cloudfront-origins:updateImportedBucketPolicyOac"
            )
        self._accept(distribution, secret, own_name=bool(settings.cloudfront_domain))

    def _behavior(
        self, settings: Settings, output: s3.IBucket, group: cloudfront.KeyGroup
    ) -> cloudfront.BehaviorOptions:
        of = cloudfront
        pages = settings.cors_origins
        kept = Duration.seconds(URL_S)
        access = of.S3OriginAccessControl(self, "Access")
        _name_by_region(access, "OriginAccessControlConfig.Name")
        return of.BehaviorOptions(
            origin=origins.S3BucketOrigin.with_origin_access_control(
                output, origin_access_control=access
            ),
            trusted_key_groups=[group],
            viewer_protocol_policy=of.ViewerProtocolPolicy.HTTPS_ONLY,
            compress=False,  # video is compressed; ranges must be those of the object
            allowed_methods=(
                of.AllowedMethods.ALLOW_GET_HEAD_OPTIONS if pages
                else of.AllowedMethods.ALLOW_GET_HEAD
            ),
            cache_policy=of.CachePolicy(
                self,
                "Caching",
                comment="As long as a URL is valid",
                min_ttl=Duration.seconds(0),
                default_ttl=kept,
                max_ttl=kept,
                query_string_behavior=of.CacheQueryStringBehavior.allow_list(VERSION),
            ),
            # The bucket answers what browsers ask before a request from a page.
            origin_request_policy=of.OriginRequestPolicy.CORS_S3_ORIGIN if pages else None,
            response_headers_policy=self._headers(pages),
        )  # fmt: skip

    def _headers(self, pages: list[str]) -> cloudfront.ResponseHeadersPolicy:
        of = cloudfront
        policy = of.ResponseHeadersPolicy(
            self,
            "Headers",
            comment="For results",
            security_headers_behavior=of.ResponseSecurityHeadersBehavior(
                content_type_options=of.ResponseHeadersContentTypeOptions(override=True)
            ),
            custom_headers_behavior=of.ResponseCustomHeadersBehavior(
                custom_headers=[
                    of.ResponseCustomHeader(
                        header="Cache-Control", value=f"private, max-age={URL_S}", override=True
                    )
                ]
            ),
            cors_behavior=(
                of.ResponseHeadersCorsBehavior(
                    access_control_allow_credentials=False,
                    access_control_allow_headers=["*"],
                    access_control_allow_methods=["GET", "HEAD"],
                    access_control_allow_origins=pages,
                    access_control_expose_headers=["Accept-Ranges", "Content-Range", "ETag"],
                    origin_override=True,
                )
                if pages
                else None
            ),
        )
        _name_by_region(policy, "ResponseHeadersPolicyConfig.Name")
        return policy

    def _own_name(self, settings: Settings) -> dict[str, Any]:
        """The custom domain, as arguments of `Distribution`."""
        if not settings.cloudfront_domain:
            return {}
        return {
            "domain_names": [settings.cloudfront_domain],
            "certificate": acm.Certificate.from_certificate_arn(
                self, "Certificate", settings.cloudfront_certificate_arn
            ),
        }

    def _accept(
        self, distribution: Construct, secret: secretsmanager.CfnSecret, *, own_name: bool
    ) -> None:
        for rule, why in (
            ("AwsSolutions-CFR1", "Whoever has a URL of the API's may use it, wherever they are."),
            ("AwsSolutions-CFR2", "Only signed URLs are served, which a firewall cannot check."),
            ("AwsSolutions-CFR3", "The API's log tells who got a URL; access logs would need a "
             "bucket with ACLs."),
        ):  # fmt: skip
            accept(distribution, rule, why)
        if not own_name:
            accept(distribution, "AwsSolutions-CFR4", "CloudFront's own certificate fixes the "
                   "versions of TLS; a custom domain requires TLS 1.2.")  # fmt: skip
        accept(secret, "AwsSolutions-SMG4", "Its public keys are settings, so a new key takes a "
               "deployment; docs/account.md says how.")  # fmt: skip

    def let_sign(self, api: Function) -> None:
        """Allow the API to read the private keys, which it needs to sign URLs."""
        api.allow(["secretsmanager:GetSecretValue"], [self.secret_arn])

    @property
    def told(self) -> str:
        """What the API needs to know, as JSON: of the keys, the first signs."""
        return Stack.of(self).to_json_string(
            {
                "url": f"https://{self.domain}",
                "key_id": self._keys[0].public_key_id,
                "public_key": public_key.digest(self._pems[0]),
                "secret_arn": self.secret_arn,
            }
        )


def _name_by_region(construct: Construct, *properties: str) -> None:
    """Name what has to have a name of its own in the account, also if two regions have the stack.

    CloudFront takes 64 characters at most; regions have up to 14.
    """
    resource = construct.node.default_child
    assert isinstance(resource, CfnResource)
    name = Names.unique_resource_name(construct, max_length=48)
    for path in properties:
        resource.add_property_override(path, f"{name}-{Aws.REGION}")


def key_statement(stack: Stack) -> iam.PolicyStatement:
    """What the policy of a key of KMS must allow so that CloudFront can read what it encrypts.

    It is for all of the account's distributions: the key cannot name one that reads a bucket which
    names the key. The bucket's policy lets in only the one.
    """
    distributions = stack.format_arn(
        service="cloudfront", region="", resource="distribution", resource_name="*"
    )
    return iam.PolicyStatement(
        sid="CloudFront",
        principals=[iam.ServicePrincipal("cloudfront.amazonaws.com")],
        actions=["kms:Decrypt"],
        resources=["*"],
        conditions={"ArnLike": {"AWS:SourceArn": distributions}},
    )
