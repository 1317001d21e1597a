"""`excamera presets`."""

from __future__ import annotations

from dataclasses import asdict

import click

from excamera.cli.cloud import json_option, print_json
from excamera.cli.help import command
from excamera.job.options import OPTIONS
from excamera.job.presets import PRESETS, Preset


@command(
    examples=[
        ("excamera presets", "Shows what --preset takes, and for what."),
        ("excamera presets --json", "The same for programs, by the API's names."),
    ]
)
@json_option
def presets(as_json: bool) -> None:
    """Sets of options for a purpose, which --preset of encode, submit and estimate takes."""
    if as_json:
        print_json([{"name": name, **asdict(preset)} for name, preset in PRESETS.items()])
        return
    for number, (name, preset) in enumerate(PRESETS.items()):
        if number:
            click.echo()
        click.echo(f"{name}\n    {preset.help}.\n    {written_out(preset)}")


def written_out(preset: Preset) -> str:
    """A preset's options as a user would write them on the command line."""
    words = []
    for option in OPTIONS:
        value = preset.options.get(option.field)
        if option.rule.switch and value is not None:
            words.append(f"--{option.name}" if value else f"--no-{option.name}")
        elif value is not None:
            words.append(f"--{option.name} {value}")
    return " ".join(words)
