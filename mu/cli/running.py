"""Runs a command line: the only place that turns errors into messages and exit codes."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import click

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def run_command_line(
    command: click.Command,
    name: str,
    arguments: Sequence[str] | None,
    errors: tuple[type[Exception], ...],
) -> int:
    """Run a command line.

    Args:
        command: what it does, perhaps a group of commands.
        name: of the program.
        arguments: None for those that it was started with.
        errors: what the user can act on.

    Returns:
        The exit code: 0; 2 for every error that the user can act on, with one line on
        standard error; 130 after Ctrl-C.
    """
    with _orderly_termination():
        try:
            command.main(arguments, prog_name=name, standalone_mode=False)
        except (KeyboardInterrupt, click.Abort):
            return _fail(name, "interrupted", EXIT_INTERRUPTED)
        except click.ClickException as error:
            return _fail(name, error.format_message(), EXIT_ERROR)
        except errors as error:
            return _fail(name, str(error), EXIT_ERROR)
        except BrokenPipeError:
            sys.stderr.close()  # the reader of our output has gone
            return EXIT_ERROR
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            return _fail(name, f"{where}{error.strerror or error}", EXIT_ERROR)
        return 0


def _fail(name: str, message: str, code: int) -> int:
    line = " ".join(message.split())
    click.echo(f"{name}: {line}", err=True)
    return code


@contextlib.contextmanager
def _orderly_termination() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the program, so that it cleans up as after Ctrl-C."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before: dict[signal.Signals, Any] = {}
    with contextlib.suppress(ValueError):  # not in the main thread
        before = {number: signal.signal(number, _terminate) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
