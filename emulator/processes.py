"""The emulator's two server processes: starting them, waiting for them, ending them."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
_START_TIMEOUT_S = 300.0
# Time for a server to end its own workers before the whole group is killed.
_STOP_GRACE_S = 3.0


class EmulatorUnavailableError(RuntimeError):
    """The emulator is not installed here, or did not start."""


@dataclass(frozen=True)
class Settings:
    """The settings that `emulator.cloud` starts with.

    Attributes:
        root: Directory for unpacked functions.
        interpreter_port: Where the Step Functions process listens.
        concurrency: How many functions may run at once; further invocations wait.
        idle: How many environments stay if nobody uses them, and how long one is idle before, in
            seconds.
        authenticate: Whether roles and signatures are enforced.
        certificate: Files of a certificate and its key: of every service if roles are enforced,
            which are then served over TLS, and of caches.
    """

    root: str
    interpreter_port: int
    concurrency: int
    idle: tuple[int, float]
    authenticate: bool
    certificate: tuple[str, str]

    def to_json(self) -> str:
        """Returns the settings as the server's argument."""
        return json.dumps(asdict(self))


def interpreter(name: str) -> Path:
    """Returns the Python of one of the emulator's environments, "ministack" or "states".

    `EMULATOR_MINISTACK` and `EMULATOR_STATES` may name other environments.

    Raises:
        EmulatorUnavailableError: It is not installed.
    """
    default = REPOSITORY / "build" / "emulator" / name
    python = Path(os.environ.get(f"EMULATOR_{name.upper()}", default)) / "bin" / "python"
    if not python.exists():
        raise EmulatorUnavailableError(
            f"The emulator is not installed: no {python} (see emulator/README.md)."
        )
    return python


class Server:
    """A server in a process group of its own, which prints its port when it is about to serve."""

    def __init__(
        self, name: str, arguments: list[str], environment: dict[str, str], directory: Path
    ) -> None:
        """Starts the server.

        Args:
            name: For its log file and for messages.
            arguments: The command.
            environment: Its whole environment.
            directory: Its working directory, which gets its log.
        """
        self._name = name
        self._log_path = directory / f"{name}.log"
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                arguments,
                cwd=directory,
                env=environment,
                # Held open until we end: see lifeline.py.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process's id; it leads the group of the same number."""
        return self._process.pid

    def port(self) -> int:
        """Returns the port that the server printed.

        Raises:
            EmulatorUnavailableError: The server ended, or printed nothing in time.
        """
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _START_TIMEOUT_S)
        line = self._process.stdout.readline() if ready else b""
        if not line.strip().isdigit():
            raise EmulatorUnavailableError(f"{self._name} did not start:\n{self.log_tail()}")
        return int(line)

    def log_tail(self, lines: int = 30) -> str:
        """Returns the last lines that the server wrote to standard error."""
        text = self._log_path.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """Ends the server and every process it started; may be called twice."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        deadline = time.monotonic() + _STOP_GRACE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        # If the server died by itself, its workers are still in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def server_environment(**variables: str) -> dict[str, str]:
    """Returns an environment without our own AWS settings and proxies.

    Args:
        variables: Added to the environment.
    """
    inherited = ("PATH", "LANG", "LC_ALL", "TZ", "HOME")
    return {
        **{name: os.environ[name] for name in inherited if name in os.environ},
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_PROXY": "127.0.0.1",
        **variables,
    }
