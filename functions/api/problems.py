"""The answers that report problems, as Powertools sends them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aws_lambda_powertools.event_handler import Response

from excamera.api.answers import Problem
from excamera.api.refusals import (
    MEDIA_TYPE,
    Refusal,
    problem,
    problem_of,
    problem_of_fields,
)


def answer(status: int, error: str, detail: str) -> Response[Any]:
    """The answer that reports a problem."""
    return _answer(problem(status, error, detail))


def of_refusal(refusal: Refusal) -> Response[Any]:
    """The answer to a refused request."""
    return _answer(problem_of(refusal))


def of_fields(found: Iterable[dict[str, Any]]) -> Response[Any]:
    """The answer to a request with fields that the models reject."""
    return _answer(problem_of_fields(found))


def _answer(found: Problem) -> Response[Any]:
    assert found.status is not None
    return Response(status_code=found.status, content_type=MEDIA_TYPE, body=found.model_dump_json())
