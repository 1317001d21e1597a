"""The AWS account: credentials, stacks, signatures. The command line uses the SDK only here."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    WaiterError,
)

from excamera.errors import (
    CloudUnavailable,
    NoCredentials,
    NoRegion,
    NoSuchStack,
    NotAllowed,
    WrongConfiguration,
)

_REFUSED = frozenset(
    {"AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException",
     "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
     "AuthFailure"}
)  # fmt: skip


_FUNCTION = re.compile(r"Workers([A-Z][a-z]+)Function[0-9A-F]{8}")
"""Logical ids of functions; those of their versions, aliases and rights are longer."""

_SIZE = re.compile(r"WorkersEncodeMemory(\d+)[0-9A-F]{8}")
"""Logical ids of the function encode in its further sizes."""


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the SDK's errors into ours, with advice.

    Raises:
        NoCredentials: there are no credentials, or their profile is unknown.
        NoRegion: no region is configured.
        NotAllowed: the credentials do not suffice for `what`.
        CloudUnavailable: any other error.
    """
    try:
        yield
    except (NoCredentialsError, ProfileNotFound) as error:
        raise NoCredentials(
            f"{error}: run `aws configure`, set AWS_PROFILE, or give --profile"
        ) from error
    except NoRegionError as error:
        raise NoRegion("no region is configured: set AWS_REGION, or give --region") from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _REFUSED:
            raise NotAllowed(f"{what}: {error}") from error
        raise CloudUnavailable(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise CloudUnavailable(f"{what}: {error}") from error


@contextlib.contextmanager
def _configured() -> Iterator[None]:
    """Name the settings from which the SDK makes an address that is none.

    Raises:
        WrongConfiguration: it did.
    """
    try:
        yield
    except ValueError as error:
        raise WrongConfiguration(
            f"AWS configuration: {error}: check the region (--region, AWS_REGION) and "
            "AWS_ENDPOINT_URL"
        ) from error


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack.

    Attributes:
        name: its name.
        status: its status in CloudFormation's words.
        outputs: its outputs, by name.
        resources: physical ids, by logical id.
    """

    name: str
    status: str
    outputs: Mapping[str, str]
    resources: Mapping[str, str]

    def encode_sizes(self) -> tuple[int, ...]:
        """The further sizes of memory of the function encode, in MB."""
        found = map(_SIZE.fullmatch, self.resources)
        return tuple(sorted(int(logical[1]) for logical in found if logical))

    def functions(self) -> dict[str, str]:
        """The physical names of the functions, by their own name."""
        found = ((_FUNCTION.fullmatch(one), name) for one, name in self.resources.items())
        return {logical[1].lower(): name for logical, name in found if logical}


class Account:
    """An AWS account in one region, chosen by profile, region and environment.

    Raises:
        NoCredentials: the profile is unknown.
        NoRegion: no region is configured.
    """

    def __init__(self, profile: str | None = None, region: str | None = None) -> None:
        with explained("AWS configuration"):
            # The SDK takes an empty profile for the name of one.
            self._session = boto3.Session(
                profile_name=profile or None, region_name=region or os.environ.get("AWS_REGION")
            )
            self._cloudformation = self.client("cloudformation")

    @property
    def region(self) -> str:
        """The region's name."""
        return str(self._cloudformation.meta.region_name)

    def client(self, service: str, connections: int = 10) -> Any:
        """A client of one service, for so many requests at the same time."""
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=connections
        )
        with _configured():
            return self._session.client(service, config=config)

    def identity(self) -> str:
        """The ARN of the owner of the credentials."""
        with explained("sts:GetCallerIdentity"):
            return str(self.client("sts").get_caller_identity()["Arn"])

    def wait(self, service: str, waiter: str, **which: Any) -> bool:
        """Wait for up to half an hour; returns whether the waiter succeeded."""
        config = {"Delay": 5, "MaxAttempts": 360}
        try:
            self.client(service).get_waiter(waiter).wait(**which, WaiterConfig=config)
        except WaiterError:
            return False
        return True

    def stack(self, name: str) -> Stack:
        """A stack by its name.

        Raises:
            NoSuchStack: there is no such stack in this region.
        """
        try:
            with explained("cloudformation:DescribeStacks"):
                found = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
                pages = self._cloudformation.get_paginator("list_stack_resources")
                resources = {
                    one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
                    for page in pages.paginate(StackName=name)
                    for one in page["StackResourceSummaries"]
                }
        except CloudUnavailable as error:
            if "does not exist" in str(error):
                raise NoSuchStack(
                    f"there is no stack {name} in {self.region}: deploy it (`excamera deploy`), "
                    "or choose another with --stack, --region or --profile"
                ) from error
            raise
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
        return Stack(name, found["StackStatus"], outputs, resources)

    def api_url(self, output: str) -> str:
        """The address of the API whose URL is in a stack's output.

        An emulator serves it below its own endpoint, at the path that LocalStack introduced.
        """
        endpoint = str(self._cloudformation.meta.endpoint_url)
        api = urlsplit(output)
        if any(domain in endpoint for domain in (".amazonaws.com", ".api.aws")):
            return output.rstrip("/")
        host, path = api.hostname or "", api.path.rstrip("/")
        name, _, rest = host.partition(".")
        if not rest.startswith("execute-api."):  # a custom domain, which resolves nowhere
            with explained("apigateway:GET on the API's domain"):
                found = self.client("apigateway").get_base_path_mapping(
                    domainName=host, basePath="(none)"
                )
            name, path = found["restApiId"], f"/{found['stage']}"
        return f"{endpoint}/_aws/execute-api/{name}{path}"

    def signed(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> dict[str, str]:
        """The signed headers of a request to API Gateway."""
        with explained("AWS credentials"):
            credentials = self._session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
            SigV4Auth(credentials, "execute-api", self.region).add_auth(request)
        return dict(request.headers.items())

    def api_key(self, key_id: str) -> str:
        """The value of an API key."""
        with explained("apigateway:GET on the API's key"):
            found = self.client("apigateway").get_api_key(apiKey=key_id, includeValue=True)
        return str(found["value"])


def authority() -> str | None:
    """The file with the authorities that TLS trusts, if the environment names one."""
    return os.environ.get("AWS_CA_BUNDLE") or None
