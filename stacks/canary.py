"""New versions of functions take over step by step, and not at all if they fail."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from constructs import Construct

from stacks.alarms import Alarms
from stacks.function import Function
from stacks.nag import accept

SHIFTED = ("api", "start", "ended", "webhook")
"""Functions with a call for each request or job. The others are called too seldom to tell."""


class Canary(Construct):
    """CodeDeploy's groups: one for each function, whose alias it moves."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        kind: str,
        functions: Mapping[str, Function],
        alarms: Alarms,
        api: apigateway.RestApi,
    ) -> None:
        """Makes them.

        Args:
            scope: parent.
            construct_id: its id.
            kind: one of `stacks.settings.CANARIES`.
            functions: the stack's, by name.
            alarms: the stack's; a group's function is moved back if its own rings.
            api: the REST API, whose function answers 500 where others would fail.
        """
        super().__init__(scope, construct_id)
        application = codedeploy.LambdaApplication(self, "Application")
        config = codedeploy.LambdaDeploymentConfig.from_lambda_deployment_config_name(
            self, "Config", f"CodeDeployDefault.Lambda{kind}"
        )
        for name, function in functions.items():
            if name not in SHIFTED:
                continue
            watched: list[cloudwatch.IAlarm] = [alarms.of_function[name]]
            if name == "api":
                failed = api.metric_server_error(period=Duration.minutes(1), statistic="Sum")
                watched.append(alarms.add("ApiAnswersErrors", failed, "The API answers 5xx."))
            group = codedeploy.LambdaDeploymentGroup(
                self,
                name.capitalize(),
                alias=function.live,
                application=application,
                deployment_config=config,
                alarms=watched,
                auto_rollback=codedeploy.AutoRollbackConfig(
                    deployment_in_alarm=True, failed_deployment=True
                ),
            )
            accept(
                group.role,
                "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
                "AWSCodeDeployRoleForLambdaLimited]",
                "AWS's own policy for this purpose: CodeDeploy moves aliases and reads alarms.",
            )
