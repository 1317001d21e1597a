"""Refusals, and the problem details of RFC 9457 that report them.

Refusal
├── Malformed          400
├── NoSuchJob          404
├── NotFound           404
├── Conflict           409
├── TooLarge           413
├── Unprocessable      422
└── Unavailable        503
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from excamera.api.answers import FieldProblem, Problem

MEDIA_TYPE = "application/problem+json"


class Refusal(Exception):
    """The API does not carry out a request."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


class Malformed(Refusal):
    """The request cannot be parsed, or its page token is not one of this API."""

    status = HTTPStatus.BAD_REQUEST


class NoSuchJob(Refusal):
    """There is no job of that id."""

    status = HTTPStatus.NOT_FOUND


class NotFound(Refusal):
    """There is nothing at that path."""

    status = HTTPStatus.NOT_FOUND


class Conflict(Refusal):
    """The same idempotency key was used for another request."""

    status = HTTPStatus.CONFLICT


class TooLarge(Refusal):
    """The request's body is too large."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Unprocessable(Refusal):
    """The request can be parsed but not carried out."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unavailable(Refusal):
    """AWS does not answer, or limits the rate of requests."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


def problem(status: int, error: str, detail: str, errors: Iterable[FieldProblem] = ()) -> Problem:
    """The details of a problem."""
    title = HTTPStatus(status).phrase
    return Problem(title=title, status=status, detail=detail, error=error, errors=list(errors))


def problem_of(refusal: Refusal) -> Problem:
    """The details of a refusal."""
    return problem(refusal.status, type(refusal).__name__, str(refusal))


def problem_of_fields(found: Iterable[dict[str, Any]]) -> Problem:
    """The details of a request with fields that the models reject.

    Args:
        found: the errors as pydantic lists them.
    """
    found = list(found)
    errors = [
        FieldProblem(
            pointer="/".join(str(part) for part in one["loc"]),
            detail=str(one["msg"]).removeprefix("Value error, "),
        )
        for one in found
    ]
    if any(one["type"] == "json_invalid" for one in found):
        return problem(HTTPStatus.BAD_REQUEST, "Malformed", "The body is not JSON.", errors)
    detail = "; ".join(f"{one.pointer}: {one.detail}" for one in errors)
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Unprocessable", detail, errors)
