"""`mu run`: a program for each of many files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from mu.cli.workers import counted, worker_options
from mu.commands.command import Argument, Command, Input, Output
from mu.store.files import files

_PLACES: dict[str, type[Input] | type[Output]] = {"{in}": Input, "{out}": Output}


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Example:
  mu run --input 'logs/*.json' --output 'packed/{stem}.zst' -- zstd -q -19 {in} -o {out}
  mu run --input 'logs/*.json' --output '{name}.gz' --stdout -- gzip -9 -c {in}""",
)
@click.option(
    "--input", "pattern", required=True, help="Files: a path or s3:// URL with * ? [] **."
)
@click.option(
    "--output",
    "into",
    help="Where each result goes: {stem}, {name}, {suffix} and {index} tell files apart.",
)
@click.option(
    "--file",
    "carried",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="A file that the program needs; it lies on the program's search path.",
)
@click.option("--stdout", is_flag=True, help="What the program prints is the result.")
@worker_options
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    argv: tuple[str, ...],
    pattern: str,
    into: str | None,
    carried: tuple[str, ...],
    stdout: bool,
    **options: Any,
) -> None:
    """Run a program once for each of many files.

    In its arguments, {in} stands for the path of the file and {out} for that of the result. If
    neither is there, both are added at the end. A program with a slash in its name travels with
    the job. There is no shell: arguments reach the program as they are.
    """
    program, *rest = argv
    if "/" in program:
        carried = (*carried, program)
        program = program.rpartition("/")[2]
    if not any(place in argument for argument in rest for place in _PLACES):
        rest += ["{in}"] if into is None or stdout else ["{in}", "{out}"]
    arguments: list[Argument] = [program]
    for argument in rest:
        place = _PLACES.get(argument)
        arguments.append(argument if place is None else place(argument.strip("{}")))
    found = files(pattern)
    if not found:
        raise click.ClickException(f"{pattern}: there is no such file")
    command = Command(arguments, files=carried, stdout=Output("out") if stdout else None)
    with counted(len(found), **options) as (executor, tell):
        outcomes: Iterator[Any] = executor.map(command, found, into=into, return_exceptions=True)
        for name, outcome in zip(found, outcomes, strict=True):
            tell(name, outcome)
