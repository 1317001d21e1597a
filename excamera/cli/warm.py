"""`excamera warm`."""

from __future__ import annotations

from dataclasses import asdict

import click

from excamera.cli.cloud import Cloud, cloud_command, json_option, print_json, print_table
from excamera.cli.help import RUNNING, command, option

MOST_WORKERS = 1000


@command(examples=[("excamera warm --workers 200", "Before a job that is to begin at once.")])
@option("--workers", section=RUNNING, type=click.IntRange(1, MOST_WORKERS), default=100,
        show_default=True, help="How many shares the next job is to begin at once.")  # fmt: skip
@json_option
@cloud_command
def warm(cloud: Cloud, workers: int, as_json: bool) -> None:
    """Have environments of the functions begin now, so that the next job does not wait for them.

    Lambda keeps them for some minutes after their last call; how long is its own choice.
    """
    from excamera.cloud.warm import warm as warm_functions

    found = list(warm_functions(cloud.account, cloud.stack, workers))
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        ("function", "asked for", "warm", "new", "USD"),
        [(one.function, one.wanted, one.ready, one.new, f"{one.usd:.6f}") for one in found],
    )
    ready, usd = sum(one.ready for one in found), sum(one.usd for one in found)
    click.echo(f"{ready} environments are warm; that cost ${usd:.4f}")
    refused = sum(one.refused for one in found)
    if refused:
        click.echo(
            f"{refused} calls were refused: the account runs no more functions at once; ask for "
            "fewer --workers, or for a higher quota (docs/operations.md)"
        )
