"""Makes localstack-core's Amazon States Language interpreter importable by itself.

The interpreter is part of LocalStack, whose runtime we do not start: the runtime binds all
interfaces, needs some eighty packages, and in parts a newer Python than the interpreter. Only the
modules below tie the two together, so each gets a stand-in before the first import.
"""

import enum
import json
import sys
import threading
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from types import ModuleType
from typing import Any

import boto3
import jsonata  # type: ignore[import-not-found]
from botocore.config import Config

# Longer than any function may run; a task's own TimeoutSeconds cuts the wait short.
CLIENT_CONFIG = Config(
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=1000,
    max_pool_connections=256,
    s3={"addressing_style": "path"},
    inject_host_prefix=False,
)


class ServiceClients:
    """The AWS clients of running executions, one per service and role."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settings: dict[str, dict[str, str]] = {}
        self._clients: dict[tuple[str, str, str], Any] = {}

    def configure(self, role_arn: str, settings: dict[str, str]) -> None:
        """Sets the address and keys of calls under `role_arn` from now on.

        Args:
            role_arn: A state machine's role.
            settings: Keyword arguments of a boto3 client.
        """
        with self._lock:
            if self._settings.get(role_arn) != settings:
                self._settings[role_arn] = settings
                self._clients = {
                    key: client for key, client in self._clients.items() if key[1] != role_arn
                }

    def client(self, service: str, region: str, role_arn: str) -> Any:
        """Returns a client of `service` for calls under `role_arn`."""
        key = (service, role_arn, region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = boto3.client(
                    service,
                    region_name=region,
                    config=CLIENT_CONFIG,
                    **self._settings[role_arn],
                )
            return self._clients[key]


CLIENTS = ServiceClients()


class _JobStatus(enum.Enum):
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class _ServiceException(Exception):
    pass


def _handler(*_args: Any, **_kwargs: Any) -> Callable[[Any], Any]:
    return lambda function: function


def _to_json_str(value: Any, separators: tuple[str, str] | None = (",", ":")) -> str:
    def text(item: Any) -> str:
        return item.isoformat() if isinstance(item, date | datetime) else str(item)

    return json.dumps(value, default=text, separators=separators)


def _stand_in(name: str, **contents: Any) -> None:
    module = ModuleType(name, "A stand-in: the interpreter imports this but does not need it.")
    vars(module).update(contents)
    sys.modules[name] = module


def prepare() -> None:
    """Installs the stand-ins; call this before the first import of the interpreter."""
    # LocalStack evaluates JSONata in a JVM that it installs at run time; we use `jsonata-python`.
    _stand_in("jpype")
    _stand_in("jpype.imports")
    _stand_in("localstack.services.stepfunctions.packages", jpype_jsonata_package=None)
    _stand_in("localstack.services.events.utils", to_json_str=_to_json_str)
    _stand_in("localstack.aws.connect", connect_to=None)
    _stand_in("localstack.utils.aws.client_types", ServicePrincipal=str)
    _stand_in("moto")
    _stand_in("moto.batch")
    _stand_in("moto.batch.utils", JobStatus=_JobStatus)
    _stand_in(
        "localstack.aws.api.core",
        CommonServiceException=_ServiceException,
        ServiceException=_ServiceException,
        RequestContext=object,
        ServiceRequest=dict,
        ServiceResponse=object,
        handler=_handler,
    )

    # pylint: disable=import-outside-toplevel -- importable only now
    import localstack.services.stepfunctions.asl.utils.boto_client as boto_client  # type: ignore[import-not-found]

    boto_client.boto_client_for = lambda service, region, state_credentials: CLIENTS.client(
        service, region, state_credentials.role_arn
    )

    from localstack.services.stepfunctions.asl.jsonata import (  # type: ignore[import-not-found]
        jsonata as interpreter_jsonata,
    )

    def evaluate(expression: str) -> Any:
        try:
            return jsonata.Jsonata(expression).evaluate(None)
        except Exception as error:
            raise interpreter_jsonata.JSONataException("UNKNOWN", str(error)) from error

    interpreter_jsonata._eval_jsonata = evaluate

    from localstack.services.stepfunctions.asl.component.common.path import (  # type: ignore[import-not-found]
        result_path,
    )
    from localstack.services.stepfunctions.asl.utils import json_path

    # Each time a path is parsed, its library generates the tables of the parser again.
    for module in (json_path, result_path):
        module.parse = cache(module.parse)
