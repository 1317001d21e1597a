"""Compression by a program that every Linux has, for each of many files.

python -m examples.compress 'logs/*.json' --into 'packed/{name}.xz' --with xz
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import click

import mu
from examples.common import HERE, files, run, run_options

PROGRAMS = ("zstd", "xz", "gzip", "bzip2")
"""All of them know -c (write to standard output), -d (decompress) and -q (be quiet)."""

# A command runs without a shell. Here the shell is the program, because a result that goes to
# standard output needs a redirection. It compares before it ends, and a command that ends with
# another code than 0 delivers nothing: so whatever is delivered can be decompressed.
SCRIPT = '"$0" -qc "-$1" "$2" >"$3" && "$0" -qdc "$3" | cmp - "$2"'


def compressor(program: str, level: int) -> mu.Command:
    """The command that compresses one file."""
    return mu.Command(
        ["sh", "-c", SCRIPT, program, str(level), mu.input("plain"), mu.output("packed")]
    )


@click.command()
@click.argument("patterns", metavar="FILES...", nargs=-1, required=True)
@click.option("--into", required=True, help="Where results go; {name} and {stem} tell them apart.")
@click.option("--with", "program", type=click.Choice(PROGRAMS), default="gzip", show_default=True)
@click.option("--level", type=click.IntRange(1, 9), default=9, show_default=True)
@run_options
def main(
    patterns: tuple[str, ...],
    into: str,
    program: str,
    level: int,
    on: str,
    workers: int | None,
) -> None:
    """Compress each of FILES: paths or s3:// URLs, with * ? [] ** for many."""
    if on == HERE and shutil.which(program) is None:
        raise click.UsageError(f"there is no {program} on this machine: choose another --with")
    places = files(patterns)
    before = after = 0
    with mu.Executor(on, workers=workers) as ex:
        results: Iterator[mu.CommandDone] = ex.map(compressor(program, level), places, into=into)
        for place, done in zip(places, results, strict=True):
            plain, packed = (mu.look_up(one).size for one in (place, done.files["packed"]))
            click.echo(f"{plain:12,} -> {packed:12,}  {done.files['packed']}")
            before, after = before + plain, after + packed
    click.echo(f"{before:12,} -> {after:12,}  {len(places)} files, {after / max(1, before):.1%}")


if __name__ == "__main__":
    run(main)
