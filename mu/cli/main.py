"""The commands of `mu`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from mu.cli.jobs import cancel, cost, logs
from mu.cli.map import map_
from mu.cli.run import run
from mu.cli.running import run_command_line
from mu.errors import MuError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="excamera")
def mu() -> None:
    """Run programs and functions over many files and items, on many workers."""


for command in (run, map_, logs, cost, cancel):
    mu.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_command_line`."""
    return run_command_line(mu, "mu", arguments, (MuError,))
