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


PATH = "/openapi.json"
"""Where the API serves the document."""

_BY_IAM = {
    "name": "Authorization",
    "description": "AWS Signature Version 4, service execute-api",
    # How API Gateway itself marks it, by which generators know that requests must be signed.
    "x-amazon-apigateway-authtype": "awsSigv4",
}
_BY_KEY = {"name": "x-api-key", "description": "A key of the stack's usage plan"}


def document(app: APIGatewayRestResolver, settings: ApiSettings) -> str:
    """The document as JSON."""
    proof = _BY_IAM if settings.api_auth == "iam" else _BY_KEY
    return app.get_openapi_json_schema(
        title="ExCamera",
        version=VERSION,
        description=_DESCRIPTION,
        servers=[Server(url=_address(app))],
        security_schemes={"caller": APIKey.model_validate({**proof, "in": APIKeyIn.header})},
        security=[{"caller": []}],
    )


def _address(app: APIGatewayRestResolver) -> str:
    """The API's address as its caller knows it: with the stage, or with a domain's base path."""
    request, headers = app.current_event.request_context, app.current_event.headers
    scheme = headers.get("X-Forwarded-Proto") or "https"
    return f"{scheme}://{request.domain_name}{request.path.removesuffix(PATH)}"
