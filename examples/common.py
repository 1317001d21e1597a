"""What the examples share: where they run, which files they are given, and how they end."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

import mu
from mu.cli.running import run_command_line

HERE = "here"

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _engine(_context: click.Context, _option: click.Parameter, on: str) -> str:
    if on != HERE and not re.fullmatch("stack:.+", on):
        raise click.BadParameter(f"{on} is neither {HERE} nor stack:NAME")
    return on


def run_options(command: Decorated) -> Decorated:
    """Adds --on and --workers, for `mu.Executor`."""
    for option in (
        click.option(
            "--workers",
            type=click.IntRange(1, 1024),
            help="How many workers; by default one for each CPU, or what the account has.",
        ),
        click.option(
            "--on",
            metavar="ENGINE",
            default=HERE,
            show_default=True,
            callback=_engine,
            help="Where workers are: here, or stack:NAME.",
        ),
    ):
        command = option(command)
    return command


def files(patterns: Iterable[str]) -> list[str]:
    """The files that any of the patterns names, each once.

    Raises:
        click.UsageError: a pattern names none.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        named = mu.files(pattern)
        if not named:
            raise click.UsageError(f"{pattern}: there is no such file")
        found |= dict.fromkeys(named)
    return list(found)


def readable_files(patterns: Iterable[str], on: str) -> list[str]:
    """The same, for functions that open the files by themselves where they run.

    Raises:
        click.UsageError: also if a stack's workers could not open one.
    """
    found = files(patterns)
    for place in found:
        if on != HERE and not mu.is_object_url(place):
            raise click.UsageError(f"{place}: functions on {on} read s3:// URLs only")
    return found


def run(command: click.Command, *errors: type[Exception]) -> None:
    """Run a program and end with its exit code; errors become one line, Ctrl-C ends all workers."""
    name = Path(sys.argv[0]).stem
    sys.exit(run_command_line(command, name, None, (mu.MuError, *errors)))
