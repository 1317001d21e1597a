"""Opens the console of one machine over a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

from excamera.console.descriptions import Descriptions
from excamera.console.jobs import LocalJobs
from excamera.console.parts import PART_BYTES, Parts
from excamera.console.records import Records
from excamera.console.reports import Reports
from excamera.console.site import PAGE, Gate, LocalSite
from excamera.console.turns import Turns
from excamera.console.urls import SignedPaths
from excamera.console.web import Server, Site
from excamera.errors import JobInUse, OptionError, OutputNotWritable
from mu import DirectoryStore
from mu.timelines import Timelines

_TOKEN = ".token"
_LOCK = ".lock"
_BYTES_OF_TOKEN = 32


@contextlib.contextmanager
def local_console(
    folder: Path, port: int, *, part_bytes: int = PART_BYTES, mu: Path | None = None
) -> Iterator[str]:
    """Serve the console of a folder within the block.

    Args:
        folder: for films and results; made if need be.
        port: of this machine; 0 for any.
        part_bytes: see `Parts`.
        mu: the folder of a store in which executors keep the records of their jobs.

    Yields:
        The address to open, which has the console's token.

    Raises:
        OutputNotWritable: the folder cannot be used.
        JobInUse: another console serves it.
        OptionError: the port is taken.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("a") as lock:
            _hold(lock.fileno(), folder)
            token = _token(folder)
            records, paths = Records(folder), SignedPaths(token)
            turns, parts = Turns(records), Parts(records, paths, part_bytes)
            descriptions = Descriptions(records, turns, parts, paths)
            gate, jobs = Gate(token), LocalJobs(records, turns, parts, descriptions)
            reports = Reports(paths, jobs.report, records.report)
            timelines = None if mu is None else Timelines(DirectoryStore(mu))
            site = LocalSite(gate, paths, jobs, parts, reports, timelines)
            with serving(port, site) as address:
                paths.address = address
                turns.open()
                try:
                    # Browsers send no server what is behind the #.
                    yield f"{address}{PAGE}#{token}"
                finally:
                    reports.close()
                    turns.close()
    except OSError as error:
        raise OutputNotWritable(
            f"{error.filename or folder}: {error.strerror}: name another folder with --folder"
        ) from error


@contextlib.contextmanager
def serving(port: int, site: Site) -> Iterator[str]:
    """Serve a site within the block; yields its address.

    Raises:
        OptionError: the port is taken.
    """
    try:
        server = Server(port, site)
    except OSError as error:
        raise OptionError(
            f"port {port}: {error.strerror}: end what uses it, or choose another with --port"
        ) from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
    thread.daemon = True
    thread.start()
    try:
        yield server.address
    finally:
        server.shutdown()
        server.server_close()


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(_BYTES_OF_TOKEN)


def _token(folder: Path) -> str:
    """The folder's token: it stays, so that an open page goes on after a restart."""
    path = folder / _TOKEN
    with contextlib.suppress(FileNotFoundError):
        found = path.read_text().strip()
        if found:
            return found
    token = new_token()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(token)
    return token


def _hold(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise JobInUse(
            f"{folder}: another console serves this folder: use that one, or name another folder "
            "with --folder"
        ) from error
