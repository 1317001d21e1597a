"""`Emulator`: an AWS account on loopback, for tests, trials and measurements."""

import json
import os
import shutil
import ssl
import subprocess
import urllib.request
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from emulator import assembly as assemblies
from emulator.processes import (
    EmulatorUnavailableError,
    Server,
    Settings,
    interpreter,
    server_environment,
)

REGION = "us-east-1"
# MiniStack takes a key of twelve digits as the account, and its holder as the account's owner.
ACCOUNT = "000000000000"


class Emulator:
    """An AWS account of its own, from `start` to `stop` or as a context manager.

    Args:
        root: A directory for logs and unpacked functions; it is created, and kept afterwards.
        authenticate: Whether to enforce roles, bucket policies and signatures, over TLS.
        concurrency: How many functions may run at once; further invocations wait their turn.
            The default is four per core, because starting a process is mostly computing.
        account_concurrency: The concurrency limit that Lambda reports for the account.
        idle: How many execution environments stay if nobody uses them, as each takes memory.
        idle_s: How long one is idle before it may end.
    """

    def __init__(
        self,
        root: Path,
        *,
        authenticate: bool = False,
        concurrency: int | None = None,
        account_concurrency: int = 1000,
        idle: int = 24,
        idle_s: float = 20.0,
    ) -> None:
        self._root = root.resolve()
        self._authenticate = authenticate
        self._account_concurrency = account_concurrency
        self._idle = idle, idle_s
        self._concurrency = concurrency or 4 * (os.cpu_count() or 1)
        self._servers: list[Server] = []
        self._clients: dict[str, Any] = {}
        self._environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables through which any AWS SDK or CLI finds the emulator."""
        return dict(self._environment)

    @property
    def endpoint(self) -> str:
        """The address of every service."""
        return self._environment["AWS_ENDPOINT_URL"]

    @property
    def certificate(self) -> Path:
        """The certificate of caches, and of every service if roles are enforced."""
        return self._root / "certificate.pem"

    @property
    def pids(self) -> list[int]:
        """The servers' ids; each server leads the process group of the same number."""
        return [server.pid for server in self._servers]

    def start(self) -> None:
        """Starts both processes and waits until they serve.

        Raises:
            EmulatorUnavailableError: A server is not installed, or did not start.
        """
        # Looked up first: if one is missing, nothing has to be stopped.
        pythons = {name: str(interpreter(name)) for name in ("states", "ministack")}
        scratch = self._root / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        certificate = self._certificate(pythons["states"])
        common = {"TMPDIR": str(scratch), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
        keys = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "test"}
        if self._authenticate:
            common |= {"AWS_CA_BUNDLE": certificate[0]}
        try:
            port = self._start_states(pythons["states"], {**common, **keys})
            settings = Settings(
                root=str(self._root / "functions"),
                interpreter_port=port,
                concurrency=self._concurrency,
                idle=self._idle,
                authenticate=self._authenticate,
                certificate=certificate,
            )
            self._start_ministack(pythons["ministack"], settings, {**common, **keys})
        except BaseException:
            self.stop()
            raise

    def _start_states(self, python: str, environment: dict[str, str]) -> int:
        # Its tasks call MiniStack, which does not listen yet: MiniStack needs this port first.
        server = Server(
            "states",
            [python, "-m", "emulator.states"],
            server_environment(**environment),
            self._root,
        )
        self._servers.append(server)
        return server.port()

    def _start_ministack(
        self, python: str, settings: Settings, environment: dict[str, str]
    ) -> None:
        server = Server(
            "ministack",
            [python, "-m", "emulator.cloud", settings.to_json()],
            server_environment(
                **environment,
                AUTH=str(settings.authenticate).lower(),
                USE_SSL="1" if settings.authenticate else "0",
                BIND_HOST="127.0.0.1",
                MINISTACK_HOST="127.0.0.1",
                # Servers of other protocols, which would listen on every interface.
                SFTP_ENABLED="0",
                IOT_MTLS_ENABLED="0",
                # A thread waits for each running function, and the function's calls need more.
                MINISTACK_WORKER_THREADS="1024",
                LAMBDA_ACCOUNT_CONCURRENCY=str(self._account_concurrency),
                LOG_LEVEL="WARNING",
            ),
            self._root,
        )
        self._servers.append(server)
        port = server.port()
        scheme = "https" if settings.authenticate else "http"
        self._environment = {
            "AWS_ENDPOINT_URL": f"{scheme}://127.0.0.1:{port}",
            **{
                name: environment[name]
                for name in (
                    "AWS_REGION",
                    "AWS_DEFAULT_REGION",
                    "AWS_ACCESS_KEY_ID",
                    "AWS_SECRET_ACCESS_KEY",
                    "AWS_CA_BUNDLE",
                )
                if name in environment
            },
        }
        self._ask("GET", "/_ministack/health")

    def _certificate(self, python: str) -> tuple[str, str]:
        """Makes a certificate for 127.0.0.1, with a library of the states environment."""
        files = str(self.certificate), str(self._root / "key.pem")
        subprocess.run(
            [python, "-m", "emulator.states.certificate", *files],
            env=server_environment(),
            cwd=self._root,
            check=True,
        )
        return files

    def stop(self) -> None:
        """Ends both processes and every function; may be called twice."""
        while self._servers:
            self._servers.pop().stop()
        self._clients.clear()
        for folder in ("functions", "caches"):
            shutil.rmtree(self._root / folder, ignore_errors=True)

    def client(self, service: str) -> Any:
        """Returns the boto3 client of the account's owner for a service."""
        if service not in self._clients:
            import boto3
            from botocore.config import Config

            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=self._environment["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self._environment["AWS_SECRET_ACCESS_KEY"],
                verify=self._environment.get("AWS_CA_BUNDLE"),
                config=Config(
                    s3={"addressing_style": "path"},
                    max_pool_connections=50,
                    read_timeout=1000,
                    inject_host_prefix=False,
                    retries={"total_max_attempts": 1},
                ),
            )
        return self._clients[service]

    def deploy(self, assembly: Path, stack: str) -> dict[str, str]:
        """Uploads an assembly's assets, creates or updates a stack, and returns its outputs.

        Raises:
            DeploymentError: A resource could not be created.
        """
        return assemblies.deploy(self.client, assembly, stack)

    def destroy(self, stack: str) -> None:
        """Deletes a stack; retained resources, such as buckets, stay until `reset`.

        Raises:
            DeploymentError: A resource could not be deleted.
        """
        assemblies.destroy(self.client, stack)

    def reset(self) -> None:
        """Empties the account: no stacks, no buckets, no running executions or functions."""
        self._ask("POST", "/_ministack/reset")

    def workers(self, function_name: str) -> list[int]:
        """Returns the ids of processes that run an invocation of a function now."""
        pids: list[int] = self._ask("GET", f"/_emulator/workers?function={quote(function_name)}")
        return pids

    def calls(self) -> int:
        """Returns how many invocations of any function run, or wait for an environment."""
        return int(self._ask("GET", "/_emulator/calls"))

    def requests(self) -> Counter[str]:
        """Counts the AWS calls since the start: {"s3:GetObject": 12, "lambda:Invoke": 3}."""
        return Counter(self._ask("GET", "/_emulator/requests"))

    def needed_rights(self) -> set[tuple[str, str, str]]:
        """Returns the rights without which a request of a role would have been refused.

        Each is the role's name, an action and a resource, as its policy has them. Only with
        `authenticate` are there any.
        """
        return {(role, act, arn) for role, act, arn in self._ask("GET", "/_emulator/rights")}

    def logs(self, function_name: str) -> str:
        """Returns all that a function wrote, with Lambda's START, END and REPORT lines."""
        configuration = self.client("lambda").get_function_configuration(FunctionName=function_name)
        group = configuration.get("LoggingConfig", {}).get("LogGroup")
        pages = self.client("logs").get_paginator("filter_log_events")
        try:
            found = [
                event["message"]
                for page in pages.paginate(logGroupName=group or f"/aws/lambda/{function_name}")
                for event in page["events"]
            ]
        except self.client("logs").exceptions.ResourceNotFoundException:
            return ""
        return "\n".join(found)

    def _ask(self, method: str, path: str) -> Any:
        """Sends the server a request outside AWS's API."""
        authority = self._environment.get("AWS_CA_BUNDLE")
        context = ssl.create_default_context(cafile=authority) if authority else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        request = urllib.request.Request(self.endpoint + path, method=method)
        try:
            with opener.open(request, timeout=60) as answer:
                return json.loads(answer.read())
        except OSError as error:
            log = self._servers[-1].log_tail() if self._servers else ""
            raise EmulatorUnavailableError(f"{path}: {error}\n{log}") from error
