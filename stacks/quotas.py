"""Limits of AWS's services that the stack touches: each fact once, with the page that says so.

`stacks.limits` refuses settings that break those which a template shows. `docs.reach` computes how
near the stack, a long film and many jobs come to each, for docs/limits.md. If a limit differs by
region, this is the lowest of a region with all services.
"""

from __future__ import annotations

from dataclasses import dataclass

LOOKED_UP = "2026-11-29"
"""When the values were last compared with AWS's documentation."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of a service.

    Attributes:
        service: whose it is.
        name: what is limited; no two limits have the same.
        most: how much of it is allowed.
        unit: what is counted.
        source: address of AWS's page.
        adjustable: whether AWS raises it on request, or as an account is used.
    """

    service: str
    name: str
    most: int
    unit: str
    source: str
    adjustable: bool = False


_AWS = "https://docs.aws.amazon.com/"
_LAMBDA = _AWS + "lambda/latest/dg/gettingstarted-limits.html"
_SCALING = _AWS + "lambda/latest/dg/lambda-concurrency.html"
_STATES = _AWS + "step-functions/latest/dg/service-quotas.html"
_MAP = _AWS + "step-functions/latest/dg/state-map-distributed.html"
_READER = _AWS + "step-functions/latest/dg/input-output-itemreader.html"
_S3_RATES = _AWS + "AmazonS3/latest/userguide/optimizing-performance.html"
_S3_PARTS = _AWS + "AmazonS3/latest/userguide/qfacts.html"
_S3_KEYS = _AWS + "AmazonS3/latest/userguide/object-keys.html"
_S3_METADATA = _AWS + "AmazonS3/latest/userguide/UsingMetadata.html"
_S3_DELETE = _AWS + "AmazonS3/latest/API/API_DeleteObjects.html"
_EVENTS = _AWS + "eventbridge/latest/userguide/eb-quota.html"
_EVENT_SIZE = _AWS + "eventbridge/latest/userguide/eb-putevents.html"
_GATEWAY = _AWS + "apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"
_SQS = _AWS + "AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"
_SNS = _AWS + "general/latest/gr/sns.html"
_CLOUDWATCH = _AWS + "AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"
_EMF = (
    _AWS + "AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"
)
_LOGS = _AWS + "AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"
_IAM = _AWS + "IAM/latest/UserGuide/reference_iam-quotas.html"
_CLOUDFORMATION = _AWS + "AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"
_TAGS = _AWS + "tag-editor/latest/userguide/tagging.html"
_KMS = _AWS + "kms/latest/developerguide/requests-per-second.html"
_SECRETS = _AWS + "secretsmanager/latest/userguide/reference_limits.html"
_CACHE = _AWS + "AmazonElastiCache/latest/dg/quota-limits.html"
_XRAY = _AWS + "general/latest/gr/xray.html"

QUOTAS = (
    Quota("Lambda", "functions at the same time", 1_000, "calls", _LAMBDA, True),
    Quota("Lambda", "new environments of one function in ten seconds", 1_000, "environments",
          _SCALING),
    Quota("Lambda", "calls a second, ten for each that may run at the same time", 10_000, "calls",
          _LAMBDA, True),
    Quota("Lambda", "memory of a function", 10_240, "MB", _LAMBDA),
    Quota("Lambda", "time of a call", 900, "s", _LAMBDA),
    Quota("Lambda", "/tmp of a function", 10_240, "MB", _LAMBDA),
    Quota("Lambda", "event or answer of a call that is waited for", 6 * 1024**2, "bytes", _LAMBDA),
    Quota("Lambda", "event of an asynchronous call", 1_000_000, "bytes", _LAMBDA),
    Quota("Lambda", "environment variables of a function, together", 4_096, "bytes", _LAMBDA),
    Quota("Lambda", "layers of a function", 5, "layers", _LAMBDA),
    Quota("Lambda", "code of a function with its layers, unzipped", 250 * 1024**2, "bytes",
          _LAMBDA),
    Quota("Lambda", "code of all versions of functions and layers", 75 * 1024**3, "bytes", _LAMBDA,
          True),
    Quota("Lambda", "resource-based policy of a function", 20_480, "bytes", _LAMBDA),
    Quota("Step Functions", "input or output of a state or an execution", 262_144, "bytes",
          _STATES),
    Quota("Step Functions", "history of an execution", 25_000, "events", _STATES),
    Quota("Step Functions", "definition of a state machine", 1_048_576, "bytes", _STATES),
    Quota("Step Functions", "state transitions a second", 800, "transitions", _STATES, True),
    Quota("Step Functions", "StartExecution in a burst", 800, "requests", _STATES, True),
    Quota("Step Functions", "DescribeExecution in a burst", 250, "requests", _STATES, True),
    Quota("Step Functions", "DescribeExecution a second", 10, "requests", _STATES, True),
    Quota("Step Functions", "ListExecutions in a burst", 100, "requests", _STATES, True),
    Quota("Step Functions", "open executions", 1_000_000, "executions", _STATES, True),
    Quota("Step Functions", "open map runs", 1_000, "map runs", _STATES),
    Quota("Step Functions", "children of a map run at the same time", 10_000, "executions",
          _STATES),
    Quota("Step Functions", "children that a map starts in a second", 100, "executions", _STATES),
    Quota("Step Functions", "items of a map", 100_000_000, "items", _READER),
    Quota("Step Functions", "iterations of an inline map at the same time", 40, "iterations", _MAP),
    Quota("Step Functions", "time of an execution", 31_536_000, "s", _STATES),
    Quota("Step Functions", "name of an execution", 80, "characters", _STATES),
    Quota("S3", "writes a second to a prefix", 3_500, "requests", _S3_RATES),
    Quota("S3", "reads a second from a prefix", 5_500, "requests", _S3_RATES),
    Quota("S3", "parts of an upload", 10_000, "parts", _S3_PARTS),
    Quota("S3", "part of an upload", 5 * 1024**3, "bytes", _S3_PARTS),
    Quota("S3", "object", 50 * 10**12, "bytes", _S3_PARTS),
    Quota("S3", "key", 1_024, "bytes", _S3_KEYS),
    Quota("S3", "metadata of an object", 2_048, "bytes", _S3_METADATA),
    Quota("S3", "keys of a DeleteObjects", 1_000, "keys", _S3_DELETE),
    Quota("EventBridge", "event pattern", 2_048, "characters", _EVENTS, True),
    Quota("EventBridge", "rules of a bus", 300, "rules", _EVENTS, True),
    Quota("EventBridge", "targets of a rule", 5, "targets", _EVENTS),
    Quota("EventBridge", "event", 1_000_000, "bytes", _EVENT_SIZE),
    Quota("EventBridge", "PutEvents a second", 400, "requests", _EVENTS, True),
    Quota("EventBridge", "calls of targets a second", 750, "calls", _EVENTS, True),
    Quota("API Gateway", "requests a second", 2_500, "requests", _GATEWAY, True),
    Quota("API Gateway", "requests in a burst", 1_250, "requests", _GATEWAY),
    Quota("API Gateway", "time of a request", 29, "s", _GATEWAY, True),
    Quota("API Gateway", "body of a request or an answer", 10 * 1024**2, "bytes", _GATEWAY),
    Quota("SQS", "message", 1024**2, "bytes", _SQS),
    Quota("SQS", "days that a message is kept", 14, "days", _SQS),
    Quota("SNS", "message of a topic", 262_144, "bytes", _SNS),
    Quota("SNS", "messages of topics a second", 300, "messages", _SNS, True),
    Quota("CloudWatch", "alarms", 5_000, "alarms", _CLOUDWATCH, True),
    Quota("CloudWatch", "metrics of an alarm", 10, "metrics", _CLOUDWATCH),
    Quota("CloudWatch", "widgets of a dashboard", 500, "widgets", _CLOUDWATCH),
    Quota("CloudWatch", "metrics of a line of a log", 100, "metrics", _EMF),
    Quota("CloudWatch", "resource policies of logs", 10, "policies", _LOGS),
    Quota("X-Ray", "segments a second", 2_600, "segments", _XRAY),
    Quota("IAM", "inline policies of a role, together", 10_240, "characters", _IAM),
    Quota("IAM", "managed policies of a role", 10, "policies", _IAM, True),
    Quota("IAM", "managed policy", 6_144, "characters", _IAM),
    Quota("IAM", "roles", 1_000, "roles", _IAM, True),
    Quota("CloudFormation", "resources of a stack", 500, "resources", _CLOUDFORMATION),
    Quota("CloudFormation", "template", 1_000_000, "bytes", _CLOUDFORMATION),
    Quota("CloudFormation", "outputs of a stack", 200, "outputs", _CLOUDFORMATION),
    Quota("CloudFormation", "tags of a resource", 50, "tags", _TAGS),
    Quota("KMS", "uses of keys a second", 10_000, "requests", _KMS, True),
    Quota("Secrets Manager", "GetSecretValue a second", 10_000, "requests", _SECRETS),
    Quota("ElastiCache", "data of a serverless cache", 5_000, "GB", _CACHE, True),
    Quota("ElastiCache", "ECPUs of a serverless cache a second", 15_000_000, "ECPUs", _CACHE,
          True),
)  # fmt: skip
"""In the order of the page."""

_BY_NAME = {one.name: one for one in QUOTAS}


def quota(name: str) -> Quota:
    """The limit of that name.

    Raises:
        KeyError: there is none.
    """
    return _BY_NAME[name]
