"""Serves AWS on a loopback port, which it prints: `python -m emulator.cloud <settings>`.

The settings are JSON: see `Settings` in `emulator.processes`.
"""

# mypy: disable-error-code="import-not-found"

import asyncio
import contextlib
import json
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from emulator.lifeline import end_with_parent


def main() -> None:
    """Serves until the parent closes standard input or dies."""
    settings = json.loads(sys.argv[1])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    # Connections wait in the queue while the server is still being set up.
    listener.listen(1024)
    port = listener.getsockname()[1]
    scheme = "https" if settings["authenticate"] else "http"
    # MiniStack reads its settings from the environment when it is imported.
    os.environ |= {"GATEWAY_PORT": str(port), "AWS_ENDPOINT_URL": f"{scheme}://127.0.0.1:{port}"}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_serve(listener, settings))


async def _serve(listener: socket.socket, settings: dict[str, Any]) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app

    from emulator.cloud import (
        caches,
        corrections,
        distributions,
        functions,
        requests,
        roles,
        state_machines,
        versions,
    )
    from emulator.cloud.interpreter import Interpreter

    calls = functions.install(Path(settings["root"]), settings["concurrency"], *settings["idle"])
    versions.install()
    interpreter = Interpreter(settings["interpreter_port"])
    state_machines.StateMachines(interpreter, enforce_roles=settings["authenticate"]).install()
    corrections.install(interpreter.problem_of)
    distributions.install()
    caches.install(Path(settings["root"]).with_name("caches"), tuple(settings["certificate"]))
    if settings["authenticate"]:
        roles.hide_missing_keys()
        roles.protect_keys()
        roles.fill_in_variables()
        roles.note_needed_rights()

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    if settings["authenticate"]:
        config.certfile, config.keyfile = settings["certificate"]
    print(listener.getsockname()[1], flush=True)
    end_with_parent()
    application = requests.CountedApplication(
        app.app, functions.running, calls, roles.needed_rights
    )
    with contextlib.suppress(asyncio.CancelledError):
        await serve(application, config)


main()
