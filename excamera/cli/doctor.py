"""`excamera doctor`."""

from __future__ import annotations

from dataclasses import asdict

import click

from excamera.cli.cloud import Cloud, cloud_command, json_option, print_json
from excamera.cli.help import command
from excamera.errors import StackUnwell


@command(examples=[("excamera doctor", "After a deployment, or if jobs fail.")])
@json_option
@cloud_command
def doctor(cloud: Cloud, as_json: bool) -> None:
    """Check a deployed stack from end to end with a clip of two seconds."""
    from excamera.cloud.doctor import examine

    findings = []
    for finding in examine(cloud.account, cloud.name):
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.verdict:<7} {finding.what}: {finding.message}")
    if as_json:
        print_json([asdict(finding) for finding in findings])
    unwell = [finding.what for finding in findings if finding.verdict == "unwell"]
    if unwell:
        raise StackUnwell(f"{cloud.name} has problems: {', '.join(unwell)}")
