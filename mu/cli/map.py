"""`mu map`: a function of a script for each of many items."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import click

from mu.cli.workers import counted, worker_options


@click.command("map")
@click.argument("function", metavar="SCRIPT.py:FUNCTION")
@click.option(
    "--items",
    required=True,
    type=click.File(encoding="utf-8"),
    help="JSON Lines, one item each; - for standard input.",
)
@click.option(
    "--chunksize", type=click.IntRange(min=1), default=1, help="Items that travel together."
)
@worker_options
def map_(
    function: str,
    items: TextIO,
    chunksize: int,
    **options: Any,
) -> None:
    """Call a function for each item, and print the results as JSON Lines.

    Results come in the order of the items. An item that fails has null in its place, and is told
    on standard error.
    """
    called = _function(function)
    given = [_item(line, number) for number, line in enumerate(items, start=1) if line.strip()]
    with counted(len(given), **options) as (executor, tell):
        outcomes = executor.map(called, given, chunksize=chunksize, return_exceptions=True)
        for number, outcome in enumerate(outcomes, start=1):
            well = tell(f"item {number}", outcome)
            click.echo(json.dumps(outcome if well else None))


def _function(name: str) -> Callable[[Any], Any]:
    path, colon, attribute = name.rpartition(":")
    script = Path(path)
    if not colon or not script.is_file():
        raise click.ClickException(f"{name}: is not of the form SCRIPT.py:FUNCTION")
    # By this name functions travel by value, as those of any script.
    spec = importlib.util.spec_from_file_location("__main__", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(script.parent.absolute()))
    spec.loader.exec_module(module)
    found: Any = getattr(module, attribute, None)
    if not callable(found):
        raise click.ClickException(f"{script}: has no function {attribute}")
    called: Callable[[Any], Any] = found
    return called


def _item(line: str, number: int) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise click.ClickException(f"items, line {number}: is not JSON: {error}") from error
