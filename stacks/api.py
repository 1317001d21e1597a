"""The REST API: its routes, who may call them, and how often."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.function import Function, log_retention
from stacks.nag import accept
from stacks.settings import Settings

STAGE = "v1"
_ROUTES = {
    "jobs": ("GET", "POST"),
    "jobs/{job_id}": ("GET", "DELETE"),
    "jobs/{job_id}/timeline": ("GET",),
    "jobs/{job_id}/logs": ("GET",),
    "jobs/{job_id}/report": ("GET", "POST"),
    "options": ("GET",),
    "estimate": ("POST",),
    "mu": ("GET",),
    "mu/{name}": ("GET",),
    "console/{name}": ("GET",),
    "model": ("GET", "DELETE"),
    "openapi.json": ("GET",),
}
_LOGS = (
    "API Gateway's own logs need a role that is set for the whole account, which is not this "
    "stack's to set unless the context asks; the function logs every request that reaches it."
)
_PUSHES = (
    "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
    "AmazonAPIGatewayPushToCloudWatchLogs]"
)
_LOGGED = {
    "request": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "caller": "$context.identity.userArn",
    "key": "$context.identity.apiKeyId",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "ms": "$context.responseLatency",
    "error": "$context.error.responseType",
}
"""What the log says of each request, also of those that never reach the function."""


class Api(Construct):
    """API Gateway in front of the `api` function.

    Attributes:
        api: the REST API.
        url: its address, with the custom domain if it has one.
        target: API Gateway's own name of the custom domain's host; "" without one.
        key: the key of the usage plan, or None if callers are authorised by IAM.
    """

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, function: Function
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.api = apigateway.RestApi(
            self,
            "RestApi",
            rest_api_name=Stack.of(self).stack_name,
            description="ExCamera: jobs",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=settings.api_logs == "own-role",
            # The account's other APIs may use the role by the time the stack is deleted.
            cloud_watch_role_removal_policy=(
                RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
                if settings.api_logs == "own-role"
                else None
            ),
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=settings.api_rate,
                throttling_burst_limit=settings.api_burst,
                tracing_enabled=settings.tracing,
                metrics_enabled=True,
                **self._access_log(),
            ),
        )
        self.api.node.try_remove_child("Endpoint")  # a second output of the address
        self.url, self.target = self.api.url, ""
        if settings.api_domain:
            self.url, self.target = f"https://{settings.api_domain}/", self._own_name()
        integration = apigateway.LambdaIntegration(function.live, allow_test_invoke=False)
        for path, methods in _ROUTES.items():
            resource = self.api.root.resource_for_path(path)
            for method in methods:
                self._add_method(resource, method, integration)
            if settings.cors_origins:
                self._preflight(resource, methods)
        self._report_problems()
        self.key = self._usage_plan() if settings.api_auth == "key" else None
        accept(self.api, "AwsSolutions-APIG2", "The function validates requests, by its models.")
        stage = self.api.deployment_stage
        if not settings.api_logs:
            accept(stage, "AwsSolutions-APIG1", _LOGS)
        if settings.api_logs == "own-role":
            accept(self.api.node.find_child("CloudWatchRole"), _PUSHES, "API Gateway takes it.")
        accept(stage, "AwsSolutions-APIG6", _LOGS)
        accept(stage, "AwsSolutions-APIG3", "A firewall costs more than the API; add one in "
               "front if it is to be open to many.")  # fmt: skip

    def _access_log(self) -> dict[str, Any]:
        """What makes the stage log requests, as arguments of `StageOptions`."""
        if not self._settings.api_logs:
            return {}
        log = logs.LogGroup(
            self,
            "Log",
            retention=log_retention(self._settings.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        return {
            "access_log_destination": apigateway.LogGroupLogDestination(log),
            "access_log_format": apigateway.AccessLogFormat.custom(json.dumps(_LOGGED)),
        }

    def _own_name(self) -> str:
        """Give the API its custom domain; returns what that must be a CNAME of."""
        domain = apigateway.DomainName(
            self,
            "Domain",
            domain_name=self._settings.api_domain,
            certificate=acm.Certificate.from_certificate_arn(
                self, "Certificate", self._settings.api_certificate_arn
            ),
            endpoint_type=apigateway.EndpointType.REGIONAL,
            security_policy=apigateway.SecurityPolicy.TLS_1_2,
        )
        # Without a path, so that the function sees the same paths as by the API's own address.
        domain.add_base_path_mapping(self.api, stage=self.api.deployment_stage)
        return domain.domain_name_alias_domain_name

    def _add_method(
        self, resource: apigateway.IResource, method: str, integration: apigateway.Integration
    ) -> None:
        by_key = self._settings.api_auth == "key"
        added = resource.add_method(
            method,
            integration,
            api_key_required=by_key,
            authorization_type=(
                apigateway.AuthorizationType.NONE if by_key else apigateway.AuthorizationType.IAM
            ),
        )
        accept(added, "AwsSolutions-COG4", "Callers are those with IAM's right or a key.")
        if by_key:
            accept(added, "AwsSolutions-APIG4", "A key of the usage plan was asked for.")

    def _preflight(self, resource: apigateway.IResource, methods: tuple[str, ...]) -> None:
        preflight = resource.add_cors_preflight(
            allow_origins=self._settings.cors_origins,
            allow_methods=list(methods),
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Amz-Date",
                           "X-Amz-Security-Token", "X-Api-Key"],
        )  # fmt: skip
        why = "Browsers ask before they send credentials; the answer reveals nothing else."
        accept(preflight, "AwsSolutions-APIG4", why)
        accept(preflight, "AwsSolutions-COG4", why)

    def _report_problems(self) -> None:
        """Make API Gateway report its own refusals as the function reports its."""
        # messageString is already quoted and escaped as JSON.
        problem = (
            '{"type": "about:blank", "title": "$context.error.responseType", '
            '"detail": $context.error.messageString, "error": "$context.error.responseType"}'
        )
        headers = {"Content-Type": "'application/problem+json'"}
        if len(self._settings.cors_origins) == 1:  # these answers cannot depend on the origin
            headers["Access-Control-Allow-Origin"] = f"'{self._settings.cors_origins[0]}'"
        for name, kind in (
            ("Refused", apigateway.ResponseType.DEFAULT_4_XX),
            ("Failed", apigateway.ResponseType.DEFAULT_5_XX),
        ):
            self.api.add_gateway_response(
                name,
                type=kind,
                response_headers=headers,
                templates={"application/json": problem},
            )

    def _usage_plan(self) -> apigateway.IApiKey:
        settings = self._settings
        plan = self.api.add_usage_plan(
            "UsagePlan",
            description="ExCamera: callers with the key",
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.api_rate, burst_limit=settings.api_burst
            ),
            quota=apigateway.QuotaSettings(
                limit=settings.api_requests_a_day, period=apigateway.Period.DAY
            ),
        )
        plan.add_api_stage(stage=self.api.deployment_stage)
        key = self.api.add_api_key("Key", description="ExCamera's API")
        plan.add_api_key(key)
        return key
