"""`excamera console`."""

from __future__ import annotations

import contextlib
import signal
import webbrowser
from pathlib import Path

import click

from excamera.cli.cloud import Cloud, cloud_command
from excamera.cli.help import RUNNING, command, option
from excamera.errors import OptionError

PORT = 8321
_FOLDER = Path("excamera-console")


@command(
    examples=[
        ("excamera console --open", "Opens the console of this machine in the browser."),
        ("excamera console --folder ~/films", "Keeps films and results in this folder."),
        ("excamera console --stack ExCamera", "Opens the console of a deployed stack."),
    ]
)
@option("--folder", section=RUNNING, type=click.Path(path_type=Path, file_okay=False),
        show_default=str(_FOLDER),
        help="Where films, results and logs of this machine are kept.")  # fmt: skip
@option("--mu", section=RUNNING, type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Show the jobs of mu, too, whose records are in this folder.")  # fmt: skip
@option("--port", section=RUNNING, type=click.IntRange(0, 65535), default=PORT, show_default=True,
        help="Port on this machine; 0 takes any that is free.")  # fmt: skip
@option("--open", "opens", section=RUNNING, is_flag=True, help="Open the page in a browser.")
@cloud_command
def console(cloud: Cloud, folder: Path | None, mu: Path | None, port: int, opens: bool) -> None:
    """Serve a page about jobs to this machine's browser, until Ctrl-C.

    Drag films into the page to encode them on this machine, one after another. With --stack,
    --profile or --region, or the variable for the stack, it is about the jobs of that stack.
    Jobs of mu are those that were begun with timeline=.
    """
    with _opened(cloud, folder, mu, port) as address:
        of = f"of the stack {cloud.name} " if cloud.chosen else ""
        click.echo(f"The console {of}is at\n{address}\nuntil Ctrl-C.")
        if opens:
            webbrowser.open(address)
        signal.pause()


def _opened(
    cloud: Cloud, folder: Path | None, mu: Path | None, port: int
) -> contextlib.AbstractContextManager[str]:
    try:
        if not cloud.chosen:
            from excamera.console.local import local_console

            return local_console(folder or _FOLDER, port, mu=mu)
        from excamera.console.of_stack import stack_console
    except ModuleNotFoundError as error:
        if error.name != "pydantic":
            raise
        raise click.ClickException(
            "the console needs a package that is not installed: pip install 'excamera[console]'"
        ) from error
    if folder is not None or mu is not None:
        name = "--folder" if folder is not None else "--mu"
        raise OptionError(f"{name} is for the console of this machine: a stack has its buckets")
    return stack_console(cloud.api, port)
