"""Opens the console of a stack on this machine."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from excamera.cloud.api import Api
from excamera.console.local import new_token, serving
from excamera.console.remote import RemoteSite
from excamera.console.reports import Reports
from excamera.console.site import PAGE, Gate
from excamera.console.urls import SignedPaths


@contextlib.contextmanager
def stack_console(api: Api, port: int, account: Sequence[str] = ()) -> Iterator[str]:
    """Serve the console of a stack within the block.

    Args:
        api: the stack's API, with the caller's own proof.
        port: of this machine; 0 for any.
        account: the options of the command line by which programs find the stack.

    Yields:
        The address to open, which has a token that is good until the end of the block.

    Raises:
        OptionError: the port is taken.
    """
    token = new_token()
    paths = SignedPaths(token)
    gate = Gate(token)
    with tempfile.TemporaryDirectory() as pages:
        reports = Reports(
            gate, paths, lambda job: (job, *account), lambda job: Path(pages) / f"{job}.html"
        )
        with serving(port, RemoteSite(gate, paths, api, reports)) as address:
            paths.address = address
            try:
                yield f"{address}{PAGE}#{token}"
            finally:
                reports.close()
