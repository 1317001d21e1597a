"""The OpenAPI document, generated from the models of the handlers."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.models import APIKey, APIKeyIn, Server

from functions.api.settings import ApiSettings

VERSION = "1"
"""Version of the API; goes up when something is removed or changes its meaning."""

_DESCRIPTION = """\
Encodes videos with ExCamera. Times are ISO 8601 unless stated otherwise. Problems are reported
as in RFC 9457. Answers may gain fields at any time."""


def document(app: APIGatewayRestResolver, settings: ApiSettings) -> str:
    """The document as JSON."""
    header = "Authorization" if settings.api_auth == "iam" else "x-api-key"
    description = (
        "AWS Signature Version 4, service execute-api"
        if settings.api_auth == "iam"
        else "A key of the stack's usage plan"
    )
    request = app.current_event.request_context
    return app.get_openapi_json_schema(
        title="ExCamera",
        version=VERSION,
        description=_DESCRIPTION,
        servers=[Server(url=f"https://{request.domain_name}/{request.stage}")],
        security_schemes={
            "caller": APIKey.model_validate(
                {"name": header, "in": APIKeyIn.header, "description": description}
            )
        },
        security=[{"caller": []}],
    )
