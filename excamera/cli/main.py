"""The `excamera` command."""

from __future__ import annotations

from collections.abc import Sequence

import click

from codec.errors import CodecError
from excamera.cli.clean import clean
from excamera.cli.compare import compare
from excamera.cli.completion import completion
from excamera.cli.console import console
from excamera.cli.decode import decode
from excamera.cli.deploy import deploy, destroy, synth
from excamera.cli.doctor import doctor
from excamera.cli.encode import encode
from excamera.cli.estimate import estimate
from excamera.cli.help import Group
from excamera.cli.info import info
from excamera.cli.jobs import cancel, fetch, jobs, status, timeline
from excamera.cli.logs import logs
from excamera.cli.model import model
from excamera.cli.presets import presets
from excamera.cli.report import report
from excamera.cli.sample import sample
from excamera.cli.submit import submit
from excamera.cli.warm import warm
from excamera.errors import ExCameraError
from mu import MuError
from mu.cli.running import run_command_line


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="excamera")
def excamera() -> None:
    """Encode a video on many small workers into one stream: VP8 with few key frames, or others."""


excamera.add_section(
    "On one machine", (encode, console, decode, compare, report, info, sample, clean)
)
excamera.add_section(
    "Jobs in the cloud",
    (estimate, submit, jobs, status, fetch, cancel, logs, timeline),
)
excamera.add_section("The stack", (deploy, synth, destroy, doctor, warm, model))
excamera.add_section("This program", (presets, completion))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_command_line`."""
    return run_command_line(excamera, "excamera", arguments, (ExCameraError, MuError, CodecError))
