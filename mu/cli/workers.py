"""What the commands have in common: their workers, and a count of what is done."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, TypeVar

import click

from mu.cli.moving_line import MovingLine
from mu.engines.opening import HERE
from mu.errors import MuError, StackError, TaskFailed
from mu.executor import Executor
from mu.store.directory import DirectoryStore

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class SomeFailed(MuError):
    """Some of the items failed; each has been told."""


def stack_option(command: Decorated) -> Decorated:
    """Adds the option that names the deployed stack."""
    return click.option(
        "--stack",
        default="ExCamera",
        show_default=True,
        envvar="MU_STACK",
        help="The deployed stack whose cloud functions do the work.",
    )(command)


def worker_options(command: Decorated) -> Decorated:
    """Adds the options that say how items are worked on."""
    for option in (
        click.option(
            "--package",
            "packages",
            metavar="REQUIREMENT",
            multiple=True,
            help="A Python package that the work needs: a requirement, the path of a wheel, or a "
            "folder such as ./package. May be repeated.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            help="Seconds after which an attempt of an item is ended.",
        ),
        click.option(
            "--retries",
            type=click.IntRange(min=0),
            default=0,
            help="How many times an item that failed is tried again.",
        ),
        click.option(
            "--memory", type=click.IntRange(min=1), help="MB of a stack's worker at least."
        ),
        click.option(
            "--workers",
            type=click.IntRange(min=1),
            help="The most that run at once; by default one per CPU, or what the account has.",
        ),
        click.option(
            "--timeline",
            metavar="NAME",
            help="Store what each attempt did, for reports and the console: under this name in the "
            "stack, or with --local in this folder, whose last part is the name.",
        ),
        click.option("--local", is_flag=True, help="Use processes of this machine."),
        stack_option,
    ):
        command = option(command)
    return command


@contextlib.contextmanager
def counted(
    total: int,
    *,
    stack: str,
    local: bool,
    workers: int | None,
    memory: int | None,
    retries: int,
    timeout: float | None,
    packages: Sequence[str],
    timeline: str | None,
) -> Iterator[tuple[Executor, Callable[[str, Any], bool]]]:
    """An executor, and a function that is told each outcome with the item's name.

    The options are those of `worker_options`. The function tells whether the outcome is a result,
    and shows failures and the count.

    Raises:
        SomeFailed: some outcomes were failures.
    """
    store = None
    if local and timeline is not None:
        folder = Path(timeline)
        if not folder.name or folder.exists():
            raise click.ClickException(
                f"--timeline {timeline}: name a folder that is not there yet, such as jobs/tonight"
            )
        store, timeline = DirectoryStore(folder.parent), folder.name
    done = failed = 0
    line = MovingLine(sys.stderr, sys.stderr.isatty())

    def tell(name: str, outcome: Any) -> bool:
        nonlocal done, failed
        well = not isinstance(outcome, TaskFailed)
        done += well
        failed += not well
        if not well:
            line.clear()
            click.echo(f"{name}: {' '.join(str(outcome).split())}", err=True)
        line.show(f"{done} of {total} done" + (f", {failed} failed" if failed else ""))
        return well

    try:
        executor = Executor(
            HERE if local else f"stack:{stack}",
            workers=workers,
            memory=memory,
            retries=retries,
            timeout=timeout,
            packages=packages,
            store=store,
            timeline=timeline,
        )
    except StackError as error:
        raise StackError(f"{error} (--local uses this machine)") from error
    try:
        with executor:
            if executor.job:
                click.echo(f"job {executor.job} on {stack}", err=True)
            yield executor, tell
    except CancelledError as error:
        raise StackError("the job was cancelled") from error
    finally:
        line.clear()
    if failed:
        raise SomeFailed(f"{failed} of {total} failed")
