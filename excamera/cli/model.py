"""`excamera model`."""

from __future__ import annotations

from typing import Any

import click

from excamera.cli.cloud import (
    Cloud,
    cloud_command,
    json_option,
    print_fields,
    print_json,
    print_table,
)
from excamera.cli.help import RUNNING, command, option

_QUANTITIES = {"seconds": "time", "usd": "dollars", "bytes": "size"}


@command(examples=[("excamera model", "What the stack knows of its own pace.")])
@option(
    "--reset",
    section=RUNNING,
    is_flag=True,
    help="Forget it, and begin anew with our own constants.",
)
@json_option
@cloud_command
def model(cloud: Cloud, reset: bool, as_json: bool) -> None:
    """Show what a stack has learned from its jobs, and how far its predictions were off.

    A factor says by how much the stack takes longer than the machine on which the model's constants
    were measured, or by how much its films have more bits.
    """
    found = cloud.api.delete("/model") if reset else cloud.api.get("/model")
    if as_json:
        print_json(found)
        return
    if found["problem"] is not None:
        click.echo(f"the record is ignored: {found['problem']}; --reset removes it", err=True)
    print_fields(
        [
            ("functions", found["architecture"]),
            ("learned from", f"{found['jobs']:,} job{'s' if found['jobs'] != 1 else ''}"),
            ("off by", errors_line(found["errors"])),
        ]
    )
    if found["parts"]:
        click.echo()
        print_table(
            ("part", "factor", "jobs", "work", "constants"),
            [
                (
                    name,
                    f"{part['factor']:.3f}",
                    f"{part['jobs']:,}",
                    f"{part['work']:,.0f} {part['unit']}",
                    ", ".join(f"{key} {value:.4g}" for key, value in part["constants"].items()),
                )
                for name, part in found["parts"].items()
            ],
        )


def errors_line(errors: dict[str, Any]) -> str | None:
    """By how much predictions of the last jobs were wrong; None if there were none."""
    shown = [f"{word} {errors[name]:.0f}%" for name, word in _QUANTITIES.items() if name in errors]
    return f"{', '.join(shown)} (median of the last jobs)" if shown else None
