"""Corrects MiniStack's S3, EventBridge, API Gateway and CloudFormation where a stack can notice."""

# mypy: disable-error-code="import-not-found"

import json
import os
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from ministack.services import apigateway_v1, eventbridge, lambda_svc, s3
from ministack.services.cloudformation import provisioners

_FUNCTION = "AWS::Lambda::Function"

_THROTTLED_S = 0.5
"""Between attempts to find a place."""


def install(problem_of: Callable[[str], str | None]) -> None:
    """Replaces every behaviour listed in this module.

    Args:
        problem_of: Returns what is wrong with a state machine's definition, if anything.
    """
    read_ranges_of_versions()
    name_versions_in_events()
    retry_what_rules_call()
    keep_what_is_throttled()
    create_functions_as_aws()
    refuse_bad_definitions(problem_of)
    take_alarms_over_expressions()
    encrypt_buckets_of_templates()
    store_lifecycle_rules()
    tell_functions_their_address()


def read_ranges_of_versions() -> None:
    """A read of a version returns the requested range, not the whole object."""
    get = s3._get_object

    def get_object(bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Any:
        if "versionId" not in (query or {}) or "range" not in headers:
            return get(bucket, key, headers, query)
        # A checksum covers the whole object, so it would not fit the part.
        dropped = ("range", "x-amz-checksum-mode")
        whole = {name: value for name, value in headers.items() if name not in dropped}
        status, answered, body = get(bucket, key, whole, query)
        if status != 200:
            return status, answered, body
        wanted = s3._parse_range(headers["range"], len(body))
        if wanted is None:
            size = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
            return 416, size, s3._xml_body(s3._range_error_xml(bucket, key))
        first, last = wanted
        part = body[first : last + 1]
        answered["Content-Length"] = str(len(part))
        answered["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
        return 206, answered, part

    s3._get_object = get_object


def name_versions_in_events() -> None:
    """An event of a versioned bucket names the version."""
    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event
    # Each event is fired in a thread of its own.
    firing = threading.local()

    def fire_s3_event(*args: Any, version_id: str | None = None, **details: Any) -> None:
        firing.version_id = version_id
        try:
            fire(*args, version_id=version_id, **details)
        finally:
            firing.version_id = None

    def dispatch_event(event: dict[str, Any], *args: Any, **options: Any) -> Any:
        version_id = getattr(firing, "version_id", None)
        if version_id and event.get("Source") == "aws.s3":
            detail = json.loads(event["Detail"])
            detail["object"]["version-id"] = version_id
            event = {**event, "Detail": json.dumps(detail)}
        return dispatch(event, *args, **options)

    s3._fire_s3_event = fire_s3_event
    eventbridge._dispatch_event = dispatch_event


def retry_what_rules_call() -> None:
    """A rule calls its function asynchronously: a failure is retried, and then kept."""

    def dispatch_to_lambda(arn: str, payload: str) -> None:
        function, config, _ = lambda_svc._get_func_record_for_ref(arn)
        if function and config:
            called = {**config, "FunctionArn": arn}  # with the alias, if the rule names one
            record = lambda_svc._execution_record_for_config(function, called)
            lambda_svc.invoke_async_with_retry(record, json.loads(payload))

    eventbridge._dispatch_to_lambda = dispatch_to_lambda


def keep_what_is_throttled() -> None:
    """An asynchronous call for which there is no place waits; that costs it no attempt."""
    execute, invoke = lambda_svc._execute_function, lambda_svc.invoke_async_with_retry
    asynchronous = ContextVar("asynchronous", default=False)

    def invoke_async(function: dict[str, Any], event: Any) -> None:
        before = asynchronous.set(True)  # the thread that it starts inherits this
        try:
            invoke(function, event)
        finally:
            asynchronous.reset(before)

    def execute_function(function: dict[str, Any], event: Any) -> Any:
        while True:
            result = execute(function, event)
            # Calls of a function that nobody may call are kept at once.
            waits = result.get("throttle") and function.get("concurrency") != 0
            if not (asynchronous.get() and waits):
                return result
            time.sleep(_THROTTLED_S)

    lambda_svc._execute_function = execute_function
    lambda_svc.invoke_async_with_retry = invoke_async


def create_functions_as_aws() -> None:
    """A template's reserved concurrency applies, and a function without code is an error."""
    handlers = provisioners._RESOURCE_HANDLERS[_FUNCTION]
    for name in ("create", "update"):
        handlers[name] = _checked(handlers[name])


def _checked(provision: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any, **options: Any) -> Any:
        result = provision(*args, **options)
        # (logical id, properties, stack) if creating, (name, old, new properties, ...) if updating.
        properties = [argument for argument in args if isinstance(argument, dict)][-1]
        function = lambda_svc._functions[result[0]]
        if not function["code_zip"]:
            raise ValueError(f"{_FUNCTION} {result[0]}: its code is not in S3")
        reserved = properties.get("ReservedConcurrentExecutions")
        function["concurrency"] = None if reserved is None else int(reserved)
        return result

    return checked


def refuse_bad_definitions(problem_of: Callable[[str], str | None]) -> None:
    """A state machine whose definition does not parse fails the deployment, not the execution."""
    original = provisioners._sfn_definition

    def definition(properties: dict[str, Any]) -> Any:
        text = original(properties)
        problem = problem_of(text)
        if problem is not None:
            raise ValueError(f"Invalid state machine definition: {problem}")
        return text

    provisioners._sfn_definition = definition


def take_alarms_over_expressions() -> None:
    """An alarm over an expression is stored as one over its first metric: no alarm rings here."""
    original = provisioners._cw_metric_alarm_record

    def record(name: str, properties: dict[str, Any]) -> Any:
        measured = [
            one["MetricStat"] for one in properties.get("Metrics") or [] if "MetricStat" in one
        ]
        if measured:
            first = {**measured[0]["Metric"], "Period": measured[0]["Period"]}
            properties = {**properties, **first, "Statistic": measured[0]["Stat"], "Metrics": None}
        return original(name, properties)

    provisioners._cw_metric_alarm_record = record


def encrypt_buckets_of_templates() -> None:
    """A bucket in a template is encrypted with the key that the template names.

    Without one it stays as it is: MiniStack refuses uploads to it that name KMS but no key, which
    AWS takes.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    for name in ("create", "update"):
        handlers[name] = _with_encryption(handlers[name])


def _with_encryption(provision: Callable[..., Any]) -> Callable[..., Any]:
    def provisioned(*args: Any, **options: Any) -> Any:
        result = provision(*args, **options)
        properties = [argument for argument in args if isinstance(argument, dict)][-1]
        rules = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        for rule in rules:
            default = rule.get("ServerSideEncryptionByDefault", {})
            if default.get("KMSMasterKeyID"):
                enabled = str(bool(rule.get("BucketKeyEnabled"))).lower()
                body = (
                    "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
                    f"<SSEAlgorithm>{default['SSEAlgorithm']}</SSEAlgorithm>"
                    f"<KMSMasterKeyID>{default['KMSMasterKeyID']}</KMSMasterKeyID>"
                    "</ApplyServerSideEncryptionByDefault>"
                    f"<BucketKeyEnabled>{enabled}</BucketKeyEnabled></Rule>"
                    "</ServerSideEncryptionConfiguration>"
                )
                s3._put_bucket_encryption(result[0], body.encode())
        return result

    return provisioned


def store_lifecycle_rules() -> None:
    """A bucket has the lifecycle rules of its template, for those who ask; none of them runs."""

    def put(bucket: str, rules: list[dict[str, Any]]) -> None:
        problem = s3._lifecycle_rules_error(rules)
        if problem:
            raise ValueError(f"LifecycleConfiguration of {bucket}: {problem[2].decode()}")
        s3._bucket_lifecycle[bucket] = rules

    provisioners._S3_BUCKET_CONFIGURATIONS += (
        ("LifecycleConfiguration", _lifecycle_rules, put, s3._delete_bucket_lifecycle),
    )


def _lifecycle_rules(configuration: dict[str, Any]) -> list[dict[str, Any]]:
    return [_lifecycle_rule(rule) for rule in configuration["Rules"]]


def _lifecycle_rule(template: dict[str, Any]) -> dict[str, Any]:
    """A rule in the words of S3's API, from one in those of CloudFormation.

    Raises:
        ValueError: it has a property that is not known here.
    """
    given = dict(template)
    rule: dict[str, Any] = {"Status": given.pop("Status")}
    rule["Filter"] = {"Prefix": given.pop("Prefix", "")}
    for theirs, action, name in (
        ("ExpirationInDays", "Expiration", "Days"),
        ("ExpiredObjectDeleteMarker", "Expiration", "ExpiredObjectDeleteMarker"),
        ("NoncurrentVersionExpirationInDays", "NoncurrentVersionExpiration", "NoncurrentDays"),
    ):
        if theirs in given:
            rule.setdefault(action, {})[name] = given.pop(theirs)
    for action in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
        if action in given:
            rule[action] = given.pop(action)
    if "Id" in given:
        rule["ID"] = given.pop("Id")
    if given:
        raise ValueError(f"lifecycle rules have no {', '.join(given)} in the emulator yet")
    return rule


def tell_functions_their_address() -> None:
    """The request that a function gets names the address that its caller used.

    An API's address is one below the emulator's own, as if it were mapped to a domain's path. A
    request may also name a custom domain as its host.
    """
    build = apigateway_v1._build_lambda_event_v1
    address = urlsplit(os.environ["AWS_ENDPOINT_URL"])

    def build_event(api: str, stage: str, *args: Any, **options: Any) -> dict[str, Any]:
        event: dict[str, Any] = build(api, stage, *args, **options)
        hosts = [value for name, value in event["headers"].items() if name.lower() == "host"]
        own = [host for host in hosts if apigateway_v1.find_domain_scope(host)]
        event["requestContext"] |= {
            "domainName": own[0] if own else address.netloc,
            "path": event["path"] if own else f"/_aws/execute-api/{api}/{stage}{event['path']}",
        }
        event["headers"] |= {"X-Forwarded-Proto": address.scheme}
        event["multiValueHeaders"] |= {"X-Forwarded-Proto": [address.scheme]}
        return event

    apigateway_v1._build_lambda_event_v1 = build_event
