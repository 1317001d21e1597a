"""A state machine that calls functions: its log, its limits and its rights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import ArnFormat, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.function import all_versions, log_retention
from stacks.nag import accept, accept_wildcards
from stacks.settings import Settings
from stacks.states_language import INVOKE


def new_state_machine(
    scope: Construct,
    definition: Mapping[str, Any],
    *,
    settings: Settings,
    substitutions: Mapping[str, str],
    functions: Sequence[lambda_.IFunction],
    log_id: str = "Log",
    log_suffix: str = "",
) -> sfn.StateMachine:
    """Make a state machine, as `StateMachine` below a construct.

    Args:
        scope: the construct.
        definition: in Amazon States Language.
        settings: the stack's.
        substitutions: what stands for each ``${name}`` in the definition, besides ``${Partition}``
            and ``${InvokeFunction}``.
        functions: those that it may call, in any version.
        log_id: the log's id below the construct.
        log_suffix: tells the log from those of the stack's other state machines.
    """
    machine = sfn.StateMachine(
        scope,
        "StateMachine",
        definition_body=sfn.DefinitionBody.from_string(json.dumps(definition, indent=1)),
        definition_substitutions={
            "Partition": Aws.PARTITION,
            INVOKE: f"arn:{Aws.PARTITION}:states:::lambda:invoke",
            **substitutions,
        },
        timeout=Duration.seconds(settings.job_timeout_s),
        tracing_enabled=settings.tracing or None,
        logs=sfn.LogOptions(
            destination=logs.LogGroup(
                scope,
                log_id,
                # Log groups of other names use up an account-wide policy of limited size.
                log_group_name=f"/aws/vendedlogs/states/{Stack.of(scope).stack_name}{log_suffix}",
                retention=log_retention(settings.log_days),
                removal_policy=RemovalPolicy.DESTROY,
            ),
            level=sfn.LogLevel.ALL,
            include_execution_data=False,
        ),
    )
    if not settings.tracing:
        accept(machine, "AwsSolutions-SF2", "The context asks for no traces.")
    callable_ = [all_versions(one) for one in functions]
    machine.role.add_to_principal_policy(
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=callable_)
    )
    # Of the role, as the CDK spreads what is too long for one policy over several.
    accept_wildcards(
        machine.role,
        callable_,
        "Executions that began before a deployment call versions that are older than it.",
    )
    accept_wildcards(
        machine.role, ["*"], "X-Ray's actions on traces and the delivery of logs take no resource."
    )
    return machine


def allow_distributed_map(
    scope: Construct,
    machine: sfn.StateMachine,
    objects: Sequence[tuple[Sequence[str], str]],
    *,
    why_shapes: str,
    redrive: bool = False,
) -> None:
    """Give a state machine what it needs to run children of its own.

    These rights are on the state machine itself, so their policy is made after it.

    Args:
        scope: the construct that has the state machine.
        machine: it.
        objects: actions of S3, each with the ARN of objects that has wildcards.
        why_shapes: why these have wildcards.
        redrive: whether failed children may be run again.
    """
    execution = Stack.of(scope).format_arn(
        service="states",
        resource="execution",
        resource_name=machine.state_machine_name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    children = {f"{execution}:*": ["states:DescribeExecution", "states:StopExecution"]}
    if redrive:
        children[f"{execution}/*:*"] = ["states:RedriveExecution"]
    policy = iam.Policy(scope, "DistributedMap", roles=[machine.role])
    for actions, resource in (
        *objects,
        (["states:StartExecution"], machine.state_machine_arn),
        *((actions, resource) for resource, actions in children.items()),
    ):
        policy.add_statements(iam.PolicyStatement(actions=list(actions), resources=[resource]))
    accept_wildcards(policy, [resource for _, resource in objects], why_shapes)
    accept_wildcards(policy, list(children), "Step Functions names a map's child executions.")
