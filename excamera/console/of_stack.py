"""Opens the console of a stack on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from excamera.cloud.api import Api
from excamera.console.local import new_token, serving
from excamera.console.remote import RemoteSite
from excamera.console.site import PAGE, Gate
from excamera.console.urls import SignedPaths


@contextlib.contextmanager
def stack_console(api: Api, port: int) -> Iterator[str]:
    """Serve the console of a stack within the block.

    Args:
        api: the stack's API, with the caller's own proof.
        port: of this machine; 0 for any.

    Yields:
        The address to open, which has a token that is good until the end of the block.

    Raises:
        OptionError: the port is taken.
    """
    token = new_token()
    paths = SignedPaths(token)
    with serving(port, RemoteSite(Gate(token), paths, api)) as address:
        paths.address = address
        yield f"{address}{PAGE}#{token}"
