"""`excamera logs`."""

from __future__ import annotations

import click

from excamera.cli.cloud import Cloud, cloud_command, json_option, print_json
from excamera.cli.help import OUTPUT, command, option
from excamera.job.steps import NUMBERS, STEP_NAMES


@command(examples=[("excamera logs --step encode JOB", "What the calls of one step said.")])
@click.argument("job")
@option("--step", "steps", section=OUTPUT, type=click.Choice(STEP_NAMES), multiple=True,
        help="Print the lines of this step.")  # fmt: skip
@json_option
@cloud_command
def logs(cloud: Cloud, job: str, steps: tuple[str, ...], as_json: bool) -> None:
    """Print the log lines of JOB's workers; for a failed job, those of the task that failed."""
    from excamera.cloud.logs import lines

    found = lines(cloud.account, cloud.stack, cloud.api.get(f"/jobs/{job}"), steps)
    if as_json:
        print_json(found)
        return
    for line in found:
        place = "/".join(str(line[name]) for name in NUMBERS if name in line)
        where = f"{line.get('service', '')} {place}".strip()
        click.echo(f"{line.get('timestamp', '')}  {line.get('level', '')}  {where}  "
                   f"{line.get('message', '')}")  # fmt: skip
        if "exception" in line:
            click.echo(line["exception"])
    if not found:
        click.echo(f"no log lines about {job} yet; logs take some seconds to appear", err=True)
