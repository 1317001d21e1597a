"""Common parts of the commands that use a deployed stack."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from excamera.cli.help import OUTPUT, STACK, option
from mu.cli.moving_line import MovingLine

DEFAULT_STACK = "ExCamera"
STACK_VARIABLE = "EXCAMERA_STACK"

SLOW_S = 1.0
"""After so long, a person wants to know for what a command waits."""


@dataclass
class Cloud:
    """The stack that a command uses.

    Attributes:
        name: of the stack.
        profile: the profile of the AWS configuration, or None for the usual one.
        region: the AWS region, or None for the usual one.
        as_json: whether a program reads what the command prints.
        named: whether somebody asked for this name, with the option or the variable.
    """

    name: str
    profile: str | None
    region: str | None
    as_json: bool = False
    named: bool = True

    @property
    def chosen(self) -> bool:
        """Whether somebody asked for a stack, an account or a region, in whatever way."""
        return self.named or self.profile is not None or self.region is not None

    @functools.cached_property
    def account(self) -> Any:
        """The `excamera.cloud.account.Account`."""
        # Importing the SDK takes longer than most local commands do.
        from excamera.cloud.account import Account

        return Account(self.profile, self.region)

    @functools.cached_property
    def stack(self) -> Any:
        """The `excamera.cloud.account.Stack`."""
        return self.account.stack(self.name)

    @functools.cached_property
    def api(self) -> Any:
        """The `excamera.cloud.api.Api`."""
        from excamera.cloud.api import Api

        return Api.of_stack(self.account, self.stack, said_if_slow(self.as_json))


@contextlib.contextmanager
def said_if_slow(as_json: bool) -> Iterator[None]:
    """Say on a terminal that the API has not answered yet, if it takes its time.

    Args:
        as_json: nothing is said to a program.
    """
    line = MovingLine(sys.stderr, sys.stderr.isatty() and not as_json)
    timer = threading.Timer(
        SLOW_S, line.show, ("waiting for the API, whose first call takes seconds ...",)
    )
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        line.clear()


def cloud_command(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the stack; the command gets a `Cloud`."""

    @option("--stack", section=STACK, default=lambda: os.environ.get(STACK_VARIABLE),
                  show_default=f"${STACK_VARIABLE}, or {DEFAULT_STACK}",
                  help="Name of the CloudFormation stack.")  # fmt: skip
    @option("--profile", section=STACK, help="Profile of the AWS configuration.")
    @option("--region", section=STACK, help="AWS region.")
    @functools.wraps(function)
    def command(stack: str | None, profile: str | None, region: str | None, **given: Any) -> None:
        named, as_json = bool(stack), bool(given.get("as_json"))
        function(Cloud(stack or DEFAULT_STACK, profile, region, as_json, named), **given)

    return command


json_option = option("--json", "as_json", section=OUTPUT, is_flag=True, help="Print JSON.")


def print_json(value: Any) -> None:
    """Print a value for programs to read."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns for people to read; numbers are aligned to the right."""
    table = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *table, strict=True)]
    right = [
        all(row[at].replace(",", "").replace(".", "").lstrip("$").isdigit() for row in table)
        for at in range(len(head))
    ]
    for row in [list(head), *table]:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print a name and a value on each line for people to read; None leaves a line out."""
    shown = [(name, str(value)) for name, value in fields if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        click.echo(f"{name.ljust(width)}  {value}")


def when(time: str | None) -> str | None:
    """A time from the API as people read it."""
    if time is None:
        return None
    return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
