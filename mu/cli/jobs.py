"""`mu logs`, `mu cost` and `mu cancel`: what a job on a stack does and did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mu.cli.workers import stack_option

if TYPE_CHECKING:
    from mu.engines.stack.job import Job


def _job(stack: str, name: str) -> Job:
    # The AWS SDK takes longer to import than all else.
    from mu.engines.stack.deployment import Deployment
    from mu.engines.stack.job import Job

    return Job(Deployment.find(stack), name)


@click.command()
@click.argument("job")
@stack_option
def logs(job: str, stack: str) -> None:
    """Print what each call of a job printed last, once its worker has ended."""
    for title, log in _job(stack, job).logs():
        click.echo(f"--- {title}")
        if log.strip():
            click.echo(log.rstrip())


@click.command()
@click.argument("job")
@stack_option
def cost(job: str, stack: str) -> None:
    """Print what the workers of a job have cost so far, at list prices."""
    found = _job(stack, job).cost()
    click.echo(
        f"${found.dollars:.6f}: {found.calls} calls on {found.shares} workers, "
        f"{found.seconds:.1f} s"
    )


@click.command()
@click.argument("job")
@stack_option
def cancel(job: str, stack: str) -> None:
    """End a job: nothing of it is begun any more, and what runs is stopped within seconds."""
    running = _job(stack, job).cancel()
    click.echo("cancelled" if running else "nothing of it is running")
