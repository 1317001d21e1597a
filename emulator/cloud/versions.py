"""Corrects MiniStack's Lambda where a call names a version or an alias of a function."""

# mypy: disable-error-code="import-not-found"

from typing import Any

from ministack.services import lambda_svc


def install() -> None:
    """Replaces every behaviour listed in this module."""
    limit_all_versions_together()
    keep_what_fails_by_alias()


def limit_all_versions_together() -> None:
    """Reserved concurrency is the function's, whichever of its versions are called."""
    reserved = lambda_svc._reserved_concurrency

    def reserved_concurrency(func: dict[str, Any], config: dict[str, Any]) -> Any:
        whole = lambda_svc._functions.get(config.get("FunctionName", ""))
        return reserved(whole or func, config)

    lambda_svc._reserved_concurrency = reserved_concurrency


def keep_what_fails_by_alias() -> None:
    """An asynchronous call by an alias has the alias's retries and destination."""
    invoke = lambda_svc.invoke_async_with_retry

    def invoke_async_with_retry(func: dict[str, Any], event: Any) -> None:
        arn = (func.get("config") or func)["FunctionArn"]
        _, qualifier = lambda_svc._lambda_function_name_and_qualifier_from_arn(arn)
        whole, _, _ = lambda_svc._get_base_func_record_for_ref(arn)
        configs = (whole or func).get("event_invoke_configs") or {}
        invoke({**func, "event_invoke_config": configs.get(qualifier or "$LATEST")}, event)

    lambda_svc.invoke_async_with_retry = invoke_async_with_retry
