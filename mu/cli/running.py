"""Runs a command line: the only place that turns errors into messages and exit codes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import click

from mu import streams
from mu.whole import NO_ROOM

EXIT_ERROR = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_NO_READER = 128 + signal.SIGPIPE

_IMPATIENT_S = 3.0


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
        errors: what the user can act on. A class may have an `exit_code`.

    Returns:
        The exit code: 0; 2, or the error's own, if the user can act on it, with one line on
        standard error; 130 after Ctrl-C; 141, without a word, if nobody reads standard output
        any more.
    """
    streams.prepare()
    _unset_empty_settings()
    try:
        with _orderly_termination():
            command.main(arguments, prog_name=name, standalone_mode=False)
            sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        return _fail(name, "interrupted", EXIT_INTERRUPTED)
    except click.ClickException as error:
        return _fail(name, error.format_message(), EXIT_ERROR)
    except errors as error:
        return _fail(name, str(error), getattr(error, "exit_code", EXIT_ERROR))
    except streams.NoReader:
        return EXIT_NO_READER
    except OSError as error:
        return _fail(name, _reason(error), EXIT_ERROR)
    return 0


def _unset_empty_settings() -> None:
    """Take an empty variable of AWS for one that is not set, as AWS's own command line does.

    The SDK takes an empty region or address for a wrong one.
    """
    for name in [name for name, value in os.environ.items() if not value]:
        if name.startswith("AWS_"):
            del os.environ[name]


def _reason(error: OSError) -> str:
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    if error.errno in NO_ROOM:
        return (
            f"{error.strerror}; temporary files go to {tempfile.gettempdir()}, or to the folder "
            "that TMPDIR names"
        )
    return error.strerror or str(error)


def _fail(name: str, message: str, code: int) -> int:
    line = " ".join(message.split())
    click.echo(f"{name}: {line}", err=True)
    return code


@contextlib.contextmanager
def _orderly_termination() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP unwind the program, so that it cleans up.

    A signal that is ignored, as SIGHUP is under `nohup`, stays ignored.
    """
    ending = _Ending()
    before: dict[signal.Signals, Any] = {}
    try:
        with contextlib.suppress(ValueError):  # not in the main thread
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, ending)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Ending:
    """Ends the program at a signal. Impatient repetitions do not disturb the cleaning up."""

    def __init__(self) -> None:
        self._since: float | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._since is not None and now - self._since < _IMPATIENT_S:
            return
        self._since = now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)
