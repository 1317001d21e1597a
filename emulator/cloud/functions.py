"""Python functions run by `awslambdaric`, Lambda's own runtime client, each in its own process.

MiniStack runs custom runtimes through the Lambda Runtime API, over HTTP, as AWS does. For Python it
instead imports the handler into its own worker, and gives every error the same name. Here Python
functions run like custom runtimes: their bootstrap starts the runtime client in a sandbox.
"""

# MiniStack is installed in a virtual environment of its own, where mypy cannot see it.
# mypy: disable-error-code="import-not-found,misc"

import contextlib
import hashlib
import io
import json
import os
import queue
import shlex
import shutil
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from emulator.cloud import idle, memory

MEBIBYTE = 1 << 20
_LOG_WAIT_S = 5.0
_INIT_S = 120.0
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "HOME")
_AUTHORITIES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE")
_SDK_SETTINGS = ("AWS_ENDPOINT_URL", *_AUTHORITIES)
_SANDBOX = Path(__file__).with_name("sandbox.py")
# Code and layers may hold none, and cannot be written to: each environment would compile them
# again.
_BYTECODE = Path(sys.prefix) / "bytecode"


def _keep_no_bytecode_of_tmp() -> None:
    """Lets no environment find bytecode of what another had in its /tmp under the same name.

    Python tells files apart by size and second only. It writes nothing where a file is in the way.
    """
    _BYTECODE.mkdir(exist_ok=True)
    if not (_BYTECODE / "tmp").is_file():
        shutil.rmtree(_BYTECODE / "tmp", ignore_errors=True)
        (_BYTECODE / "tmp").touch()


class Deployment(bytes):
    """A function's zip, with the configuration that its bootstrap is written from."""

    config: dict[str, Any]

    def __new__(cls, content: bytes, config: dict[str, Any]) -> "Deployment":
        """Takes the zip `content` of the function that `config` describes."""
        deployment = super().__new__(cls, content)
        deployment.config = config
        return deployment


class Deployments:
    """Code and layers, unpacked below `root`; equal content is unpacked once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._layer_digests: dict[str, tuple[bytes, str]] = {}

    def bootstrap(self, deployment: Deployment) -> Path:
        """Returns the directory of the executable that becomes the function's process."""
        with self._lock:
            task = self._unpack("task", hashlib.sha256(deployment).hexdigest(), [deployment])
            layers = self._layers(deployment.config.get("Layers") or [])
            settings = json.dumps(self._settings(deployment.config, task, layers))
            return self._write_bootstrap(settings, deployment.config["Handler"])

    def _settings(self, config: dict[str, Any], task: Path, layers: Path) -> dict[str, Any]:
        storage = (config.get("EphemeralStorage") or {}).get("Size", 512)
        authorities = [os.environ[name] for name in _AUTHORITIES if name in os.environ]
        keep = {sys.prefix, sys.base_prefix, *(str(Path(one).parent) for one in authorities)}
        return {
            "task": str(task),
            "layers": str(layers),
            "tmp_bytes": storage * MEBIBYTE,
            "python": sys.executable,
            "bytecode": str(_BYTECODE),
            "keep": sorted(keep),
        }

    def _write_bootstrap(self, settings: str, handler: str) -> Path:
        name = hashlib.sha256(f"{settings}\n{handler}".encode()).hexdigest()[:32]
        directory = self._root / "bootstrap" / name
        script = directory / "bootstrap"
        if not script.exists():
            directory.mkdir(parents=True)
            command = [sys.executable, "-I", "-S", str(_SANDBOX), settings, handler]
            script.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
            script.chmod(0o755)
        return directory

    def _layers(self, attachments: list[Any]) -> Path:
        """Merges all layers of a function into one directory; files of later layers win."""
        contents = {}
        for attachment in attachments:
            content = lambda_svc._resolve_layer_zip(attachment)
            if content:
                contents[self._digest_of_layer(attachment, content)] = content
        name = hashlib.sha256(" ".join(contents).encode()).hexdigest()
        merged = self._root / "layers" / name
        if not merged.exists():
            partial = merged.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for digest, content in contents.items():
                shutil.copytree(
                    self._unpack("layer", digest, [content]),
                    partial,
                    copy_function=_link,
                    dirs_exist_ok=True,
                    symlinks=True,
                )
            partial.rename(merged)
        return merged

    def _digest_of_layer(self, attachment: Any, content: bytes) -> str:
        """Returns a layer's hash, computed once: layers are large and many functions share them."""
        arn = attachment["Arn"] if isinstance(attachment, dict) else attachment
        known = self._layer_digests.get(arn)
        if known is None or known[0] is not content:
            known = content, hashlib.sha256(content).hexdigest()
            self._layer_digests[arn] = known
        return known[1]

    def _unpack(self, kind: str, name: str, archives: list[bytes]) -> Path:
        directory = self._root / kind / name
        if not directory.exists():
            partial = directory.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for archive in archives:
                with zipfile.ZipFile(io.BytesIO(archive)) as content:
                    lambda_svc._extract_zip_preserving_mode(content, str(partial))
            _date(partial, int(name[:7], 16))
            partial.rename(directory)
        return directory


def _date(directory: Path, time_s: int) -> None:
    """Gives all files a time; it is their archive's own, so that bytecode of others never fits."""
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (time_s, time_s))


def _link(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    os.link(source, target, follow_symlinks=False)


class RuntimeClientWorker(lambda_runtime.ProvidedWorker):
    """One execution environment of a Python function."""

    def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
        super().__init__(func_name, config, Deployment(code_zip, config))

    def _build_handler_class(self, *args: Any) -> Any:
        handler = super()._build_handler_class(*args)
        # Otherwise each answer waits 40 ms for the acknowledgement of its headers.
        handler.disable_nagle_algorithm = True
        return handler

    def invoke(self, event: Any, request_id: str, **context: Any) -> dict[str, Any]:
        """Runs one invocation; names the death of an environment as Lambda does."""
        try:
            result: dict[str, Any] = super().invoke(event, request_id, **context)
            if (result.get("error_payload") or {}).get("errorType") == "Runtime.ExitError":
                result["log"] += (
                    f"RequestId: {request_id} Error: {result['error']}\nRuntime.ExitError\n"
                )
            return result
        except lambda_runtime.ProvidedInitTimeout as error:
            problem = {"errorType": "Sandbox.Timedout", "errorMessage": str(error)}
        except RuntimeError as error:
            # The handler's module raised, or the process ended before it was ready. MiniStack
            # itself would also kill the function's other environments now.
            known = self._init_error
            problem = (
                known
                if isinstance(known, dict)
                else {"errorType": "Runtime.ExitError", "errorMessage": str(error)}
            )
        log = self._drain_stderr()
        return {
            "status": "error",
            "error": problem["errorMessage"],
            "error_payload": problem,
            "cold_start": True,
            "log": log,
        }

    def _drain_stderr_bounded(self, **_waits: float) -> str:
        """Returns all that the environment has written, up to a mark that we append to its pipe.

        MiniStack waits for some milliseconds of silence, and loses lines on a busy machine.
        """
        process, mark = self._proc, uuid.uuid4().hex
        try:
            with Path(f"/proc/{process.pid if process else None}/fd/1").open("a") as pipe:
                pipe.write(f"{mark}\n")
        except OSError:  # the process has ended, so its reader will end too
            if self._log_thread is not None:
                self._log_thread.join(_LOG_WAIT_S)
            return str(self._drain_stderr())
        lines: list[str] = []
        with contextlib.suppress(queue.Empty):
            while not (line := self._stderr_queue.get(timeout=_LOG_WAIT_S)).endswith(mark):
                lines.append(line)
            if line != mark:  # the function's last line has no end
                lines.append(line.removesuffix(mark))
        return "\n".join(lines)


class Slots:
    """Limits how many functions run at once; the others wait, because cores are few here."""

    def __init__(self, count: int) -> None:
        self._semaphore = threading.BoundedSemaphore(count)
        self._took = threading.local()
        self._lock = threading.Lock()
        self._under_way = 0

    @property
    def under_way(self) -> int:
        """How many calls run, or wait for their turn or their environment."""
        return self._under_way

    def limit(self, execute: Any) -> Any:
        """Wraps `execute` to wait for its turn."""

        def limited(func: Any, event: Any, request_id: str) -> Any:
            with self._counted(), self._semaphore:
                begun = time.monotonic()
                try:
                    return execute(func, event, request_id)
                finally:
                    self._took.ms = int((time.monotonic() - begun) * 1000)

        return limited

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def report(self, emit: Any) -> Any:
        """Wraps `emit`, which writes a call's log, to report its time without the wait."""

        def emit_log(
            func: Any, request_id: str, log: str, error: bool, ms: int, **more: Any
        ) -> None:
            took = self._took.__dict__.pop("ms", ms)
            emit(func, request_id, log, error, took, **more)

        return emit_log


def running(function_name: str) -> list[int]:
    """Returns the process ids of environments that run an invocation of a function now."""
    return [
        process.pid
        for worker, process in _processes()
        if worker.func_name == function_name and worker._current_request_id
    ]


def _processes() -> list[tuple[RuntimeClientWorker, Any]]:
    """Returns environments in use with their processes, which a worker may lose at any time."""
    with lambda_runtime._lock:
        workers = [worker for pool in lambda_runtime._workers.values() for worker in pool]
    found = [
        (worker, worker._proc)
        for worker in workers
        if isinstance(worker, RuntimeClientWorker) and worker.in_use
    ]
    return [(worker, process) for worker, process in found if process]


def _memory_limits() -> list[tuple[int, int]]:
    return [
        (process.pid, worker.config.get("MemorySize", 128) * MEBIBYTE)
        for worker, process in _processes()
    ]


def install(root: Path, concurrency: int, most_idle: int, idle_s: float) -> Callable[[], int]:
    """Makes MiniStack run Python functions this way.

    Args:
        root: Where to unpack code and layers.
        concurrency: How many functions may run at once.
        most_idle: How many environments stay if nobody uses them.
        idle_s: How long one is idle before it may end.

    Returns:
        Tells how many calls are under way, among them those that wait for an environment.
    """
    _keep_no_bytecode_of_tmp()
    deployments = Deployments(root)
    original_directory = lambda_svc._provided_runtime_code_dir
    original_environment = lambda_svc._provided_worker_env
    original_class = lambda_runtime._worker_class_for
    original_warm = lambda_svc._execute_function_warm
    slots = Slots(concurrency)
    provided_warm = slots.limit(lambda_svc._execute_function_provided_warm)

    def is_python(config: dict[str, Any]) -> bool:
        return str(config.get("Runtime", "")).startswith("python")

    def code_directory(code: bytes) -> str:
        if isinstance(code, Deployment):
            return str(deployments.bootstrap(code))
        return str(original_directory(code))

    def environment(config: dict[str, Any], directory: str, port: int) -> dict[str, str]:
        variables: dict[str, str] = original_environment(config, directory, port)
        return _environment(config, variables) if is_python(config) else variables

    def execute_warm(func: dict[str, Any], event: Any, request_id: str) -> Any:
        execute = provided_warm if is_python(func.get("config") or func) else original_warm
        return execute(func, event, request_id)

    # Lambda allows 10 s on a processor of its own; many environments share these, and start slowly.
    lambda_runtime._PROVIDED_INIT_TIMEOUT = _INIT_S
    lambda_svc._provided_runtime_code_dir = code_directory
    lambda_svc._provided_worker_env = environment
    lambda_svc._execute_function_warm = execute_warm
    lambda_svc._emit_lambda_logs = slots.report(lambda_svc._emit_lambda_logs)
    lambda_runtime._worker_class_for = lambda config: (
        RuntimeClientWorker if is_python(config) else original_class(config)
    )
    memory.enforce(_memory_limits)
    idle.end_idle(most_idle, idle_s)
    return lambda: slots.under_way


def _log_stream(version: str) -> str:
    """Returns the name of an environment's log stream, which tells the function's version."""
    return f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{version}]{uuid.uuid4().hex}"


def _environment(config: dict[str, Any], variables: dict[str, str]) -> dict[str, str]:
    """Returns a function's environment: Lambda's variables and its own, none of this process."""
    own = lambda_svc._runtime_env_vars(config)
    name = config["FunctionName"]
    log_group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
    return {
        **{key: os.environ[key] for key in _INHERITED + _SDK_SETTINGS if key in os.environ},
        **{
            key: value
            for key, value in variables.items()
            if (key.startswith("AWS_") and key not in _SDK_SETTINGS) or key == "_HANDLER"
        },
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": _log_stream(config.get("Version", "$LATEST")),
        # There is no X-Ray daemon here.
        "POWERTOOLS_TRACE_DISABLED": "true",
        **own,
    }
