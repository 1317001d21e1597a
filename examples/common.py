"""What the examples share: where they run, which files they are given, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

import mu
from mu.cli.running import run_command_line

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def run_options(command: Decorated) -> Decorated:
    """Adds --on and --workers, which `executor` takes."""
    workers = click.option(
        "--workers",
        type=click.IntRange(1, 1024),
        help="How many workers; by default one for each CPU.",
    )
    on = click.option("--on", metavar="ENGINE", help="stack:NAME; by default this machine.")
    return on(workers(command))


def executor(on: str | None, workers: int | None) -> mu.Executor:
    """The executor that the options ask for."""
    open_executor: Callable[..., mu.Executor] = mu.Executor
    engine = [] if on is None else [on]
    return open_executor(*engine, workers=workers)


def files(patterns: Iterable[str], on: str | None) -> list[str]:
    """The files that any of the patterns names, each once.

    Raises:
        click.UsageError: a pattern names none, or a stack could not read a file.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        named = mu.files(pattern)
        if not named:
            raise click.UsageError(f"{pattern}: there is no such file")
        found |= dict.fromkeys(named)
    for place in found:
        if on is not None and not mu.is_object_url(place):
            raise click.UsageError(f"{place}: {on} reads files from s3:// URLs only")
    return list(found)


def run(command: click.Command, *errors: type[Exception]) -> None:
    """Run a program and end with its exit code; errors become one line, Ctrl-C ends all workers."""
    name = Path(sys.argv[0]).stem
    sys.exit(run_command_line(command, name, None, (mu.MuError, *errors)))
