"""`excamera console`."""

from __future__ import annotations

import signal
import webbrowser
from pathlib import Path

import click

from excamera.cli.help import RUNNING, command, option

PORT = 8321


@command(
    examples=[
        ("excamera console --open", "Opens the console in the browser."),
        ("excamera console --folder ~/films", "Keeps films and results in this folder."),
    ]
)
@option("--folder", section=RUNNING, type=click.Path(path_type=Path, file_okay=False),
        default=Path("excamera-console"), show_default=True,
        help="Where films, results and logs are kept.")  # fmt: skip
@option("--port", section=RUNNING, type=click.IntRange(0, 65535), default=PORT, show_default=True,
        help="Port on this machine; 0 takes any that is free.")  # fmt: skip
@option("--open", "opens", section=RUNNING, is_flag=True, help="Open the page in a browser.")
def console(folder: Path, port: int, opens: bool) -> None:
    """Serve a page about jobs to this machine's browser, until Ctrl-C.

    Drag films into the page to encode them on this machine, one after another.
    """
    try:
        from excamera.console.local import local_console
    except ModuleNotFoundError as error:
        if error.name != "pydantic":
            raise
        raise click.ClickException(
            "the console needs pydantic: pip install 'excamera[console]'"
        ) from error
    with local_console(folder, port) as address:
        click.echo(f"The console is at\n{address}\nuntil Ctrl-C. Films are kept in {folder}.")
        if opens:
            webbrowser.open(address)
        signal.pause()
