"""The `excamera` command, and the only place that turns errors into messages and exit codes."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import click

from codec.errors import CodecError
from excamera.cli.compare import compare
from excamera.cli.decode import decode
from excamera.cli.deploy import deploy, destroy
from excamera.cli.doctor import doctor
from excamera.cli.encode import encode
from excamera.cli.estimate import estimate
from excamera.cli.jobs import cancel, fetch, jobs, status
from excamera.cli.logs import logs
from excamera.cli.sample import sample
from excamera.cli.submit import submit
from excamera.errors import ExCameraError
from mu import MuError, TaskFailed

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="excamera")
def excamera() -> None:
    """Encode a video on many small workers into one VP8 stream with few key frames."""


for command in (
    *(encode, decode, compare, sample),
    *(deploy, destroy, doctor),
    *(submit, status, jobs, cancel, fetch, logs, estimate),
):
    excamera.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0; 2 for every error that the user can act on, with one line on
        standard error; 130 after Ctrl-C.
    """
    with _orderly_termination():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        excamera.main(arguments, prog_name="excamera", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", EXIT_INTERRUPTED)
    except click.ClickException as error:
        return _fail(error.format_message(), EXIT_ERROR)
    except TaskFailed as error:
        return _fail(str(error), EXIT_ERROR)
    except (ExCameraError, MuError, CodecError) as error:
        return _fail(str(error), EXIT_ERROR)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone
        return EXIT_ERROR
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", EXIT_ERROR)
    return 0


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    click.echo(f"excamera: {line}", err=True)
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
