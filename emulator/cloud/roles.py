"""Roles beyond what MiniStack enforces: Step Functions' calls, hidden and encrypted objects."""

# mypy: disable-error-code="import-not-found"

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any
from urllib.parse import unquote

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import detect_service, extract_access_key_id
from ministack.services import s3, sts

_VARIABLE = re.compile(r"\$\{([^}]+)\}")

_needed: set[tuple[str, str, str]] = set()


def _principal(role_arn: str) -> str:
    name = role_arn.rsplit("/", 1)[-1]
    return f"arn:aws:sts::{get_account_id()}:assumed-role/{name}/states"


def credentials(role_arn: str) -> dict[str, str]:
    """Returns keys of a role that Step Functions assumes: keyword arguments of a boto3 client."""
    digest = hashlib.sha256(f"states:{role_arn}".encode()).hexdigest()
    keys = {
        "aws_access_key_id": f"ASIA{digest[:16].upper()}",
        "aws_secret_access_key": digest,
        "aws_session_token": digest[::-1],
    }
    sts.register_session(
        keys["aws_access_key_id"],
        {
            "Arn": _principal(role_arn),
            "UserId": "states",
            "SecretAccessKey": keys["aws_secret_access_key"],
            "SessionToken": keys["aws_session_token"],
        },
    )
    return keys


def allows(role_arn: str, action: str, resource: str) -> bool:
    """Returns whether a role's policies allow an action that is a call on AWS, but not here."""
    context = iam_evaluator.EvalContext(
        principal_arn=_principal(role_arn),
        principal_type="AssumedRole",
        principal_account=get_account_id(),
        action=action,
        resource_arn=resource,
        region=get_region(),
        source_ip="127.0.0.1",
        secure_transport=True,
    )
    name = role_arn.rsplit("/", 1)[-1]
    policies = iam_evaluator._gather_role_policies(name, get_account_id())
    return bool(iam_evaluator.evaluate(context, policies).decision == "Allow")


def hide_missing_keys() -> None:
    """Refuses missing keys like forbidden ones to callers who may not list a bucket, as S3 does."""
    dispatch = app._dispatch_service_request

    async def dispatch_service_request(
        method: str, path: str, headers: Any, body: bytes, query: Any, request_id: str
    ) -> Any:
        answer = await dispatch(method, path, headers, body, query, request_id)
        bucket, _, key = path.lstrip("/").partition("/")
        if (
            answer[0] != 404
            or method not in ("GET", "HEAD")
            or not key
            or bucket not in s3._buckets
            or detect_service(method, path, headers, query) != "s3"
        ):
            return answer
        denied = iam_evaluator.enforce(
            extract_access_key_id(headers, query),
            "s3:ListBucket",
            "s3",
            get_region(),
            resource_arn=f"arn:aws:s3:::{bucket}",
        )
        return s3._error("AccessDenied", "Access Denied", 403, path) if denied else answer

    app._dispatch_service_request = dispatch_service_request


def protect_keys() -> None:
    """Refuses objects of buckets with a customer's key to roles that may not use the key."""
    dispatch = app._dispatch_service_request

    async def dispatch_service_request(
        method: str, path: str, headers: Any, body: bytes, query: Any, request_id: str
    ) -> Any:
        caller = extract_access_key_id(headers, query)
        if caller and detect_service(method, path, headers, query) == "s3":
            for action, key in _uses_of_keys(method, path, headers, query):
                denied = iam_evaluator.enforce(
                    caller,
                    action,
                    "kms",
                    get_region(),
                    resource_arn=key,
                    service_context={"kms:ViaService": f"s3.{get_region()}.amazonaws.com"},
                )
                if denied:
                    return s3._error("AccessDenied", f"not authorized: {action}", 403, path)
        return await dispatch(method, path, headers, body, query, request_id)

    app._dispatch_service_request = dispatch_service_request


def _uses_of_keys(method: str, path: str, headers: Any, query: Any) -> Iterator[tuple[str, str]]:
    """Yields what S3 asks of KMS in the name of whoever reads or writes an object."""
    bucket, _, name = path.lstrip("/").partition("/")
    key = _key_of(bucket) if name and "tagging" not in query else None
    if key and method == "GET" and "uploadId" not in query:
        yield "kms:Decrypt", key
    if key and (method == "PUT" or (method == "POST" and "uploads" in query)):
        yield "kms:GenerateDataKey", key
    if key and "uploadId" in query and method in ("PUT", "POST"):
        yield "kms:Decrypt", key
    source = headers.get("x-amz-copy-source")
    if source and (key := _key_of(unquote(source).lstrip("/").partition("/")[0])):
        yield "kms:Decrypt", key


def _key_of(bucket: str) -> str | None:
    sealed = s3._bucket_default_sse_headers(bucket)
    key: str | None = sealed.get("x-amz-server-side-encryption-aws-kms-key-id")
    return key


def fill_in_variables() -> None:
    """Replaces variables such as ``${aws:PrincipalTag/job}`` in the resources of policies."""
    first_match = iam_evaluator._first_match

    def filled_in(resource: str, keys: dict[str, Any]) -> str:
        # What a request does not have matches nothing.
        filled = _VARIABLE.sub(lambda found: str(keys.get(found[1].lower(), "\0")), resource)
        # Policies name a log group with all its streams, MiniStack's requests without them.
        return filled.removesuffix(":*") if ":log-group:" in filled else filled

    def first_match_filled_in(context: Any, statements: Any, effect: str) -> Any:
        for statement in statements:
            resources = [filled_in(one, context.principal_keys) for one in statement.resources]
            if first_match(context, [replace(statement, resources=resources)], effect):
                return statement
        return None

    iam_evaluator._first_match = first_match_filled_in


def note_needed_rights() -> None:
    """Notes, whenever a role's request is allowed, whether one right alone allowed it."""
    evaluate = iam_evaluator.evaluate

    def noting(context: Any, policies: Any, *limits: Any) -> Any:
        result = evaluate(context, policies, *limits)
        if result.decision == "Allow" and context.principal_type == "AssumedRole":
            allowing = [
                (action, resource)
                for policy in policies
                for statement in policy
                for action, resource in product(statement.actions, statement.resources)
                if iam_evaluator._first_match(
                    context, [replace(statement, actions=[action], resources=[resource])], "Allow"
                )
            ]
            if len(allowing) == 1:
                role = iam_evaluator._role_name_from_assumed_arn(context.principal_arn)
                _needed.add((role, *allowing[0]))
        return result

    iam_evaluator.evaluate = noting


def needed_rights() -> list[tuple[str, str, str]]:
    """Returns role, action and resource of each right that alone allowed a request so far."""
    return sorted(_needed)
