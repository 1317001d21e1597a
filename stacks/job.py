"""The state machine that runs one job, derived from ExCamera's flow."""

from __future__ import annotations

import json

from aws_cdk import ArnFormat, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from excamera.job.flow import excamera_flow
from mu.flow import Sequence
from stacks.function import Function, log_retention
from stacks.nag import accept_wildcards
from stacks.settings import Settings
from stacks.states_language import STORE, state_machine


def definition(settings: Settings) -> dict[str, object]:
    """The state machine's definition; ``${...}`` is known only after deployment."""
    flow = excamera_flow(
        # Slightly above the function's own limit, whose error says more.
        timeout_s=settings.timeout_s + 15
    )
    assert isinstance(flow, Sequence)
    return state_machine(
        flow,
        on_failure="failure",
        timeout_s=settings.job_timeout_s,
        comment="ExCamera: one video, encoded by many workers into one VP8 stream",
    )


class Job(Construct):
    """The state machine, its role and its log."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        functions: dict[str, Function],
        work: s3.IBucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self.machine = sfn.StateMachine(
            self,
            "StateMachine",
            definition_body=sfn.DefinitionBody.from_string(
                json.dumps(definition(settings), indent=1)
            ),
            definition_substitutions={
                STORE: work.bucket_name,
                "Partition": Aws.PARTITION,
                **{step: one.function.function_arn for step, one in functions.items()},
            },
            timeout=Duration.seconds(settings.job_timeout_s),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "Log",
                    # Log groups of other names use up an account-wide policy of limited size.
                    log_group_name=f"/aws/vendedlogs/states/{Stack.of(self).stack_name}",
                    retention=log_retention(settings.log_days),
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,
            ),
        )
        role = self.machine.role
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[one.function.function_arn for one in functions.values()],
            )
        )
        accept_wildcards(
            role.node.find_child("DefaultPolicy"),
            ["*"],
            "X-Ray's actions on traces and the delivery of logs take no resource.",
        )
        self._allow_distributed_map(work)

    def _allow_distributed_map(self, work: s3.IBucket) -> None:
        """Rights on the state machine itself: in a policy of their own, made after it."""
        machine = self.machine.state_machine_arn
        items, results = (
            work.arn_for_objects("jobs/*/items.json"),
            work.arn_for_objects("jobs/*/map/*"),
        )
        execution = Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=self.machine.state_machine_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        children, of_map_runs = f"{execution}:*", f"{execution}/*:*"
        policy = iam.Policy(self, "DistributedMap", roles=[self.machine.role])
        for actions, resource in (
            (["s3:GetObject"], items),
            (
                [
                    "s3:PutObject",
                    "s3:GetObject",
                    "s3:ListMultipartUploadParts",
                    "s3:AbortMultipartUpload",
                ],
                results,
            ),
            (["states:StartExecution"], machine),
            (["states:DescribeExecution", "states:StopExecution"], children),
            (["states:RedriveExecution"], of_map_runs),
        ):
            policy.add_statements(iam.PolicyStatement(actions=actions, resources=[resource]))
        accept_wildcards(
            policy,
            [items, results],
            "Jobs are named by their uploads: the right is on a key's shape.",
        )
        accept_wildcards(
            policy, [children, of_map_runs], "Step Functions names a map's child executions."
        )
