"""A command for each of many files: where results go, and what a worker does for one of them."""

from __future__ import annotations

import os
import string
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from mu.commands.command import Command
from mu.commands.run import run
from mu.errors import CommandError
from mu.store.files import deliver, fetch, name_of
from mu.store.url import is_object_url

Item = str | Path | Mapping[str, str | Path]
"""Where the input is, or where each input is, by its name."""

Into = str | Mapping[str, str]
"""Where the output goes, or where each output goes, by its name; see `plan`."""


_LONGEST_NAME = 255
"""Bytes that the file systems of Linux and macOS take."""

_FIELDS = ("index", "name", "output", "stem", "suffix")


@dataclass(frozen=True, slots=True)
class CommandDone:
    """What became of one item.

    Attributes:
        files: where its outputs are, by their names.
        log: the last lines that the program printed.
        seconds: how long it ran.
        dollars: what its worker has cost on a stack, with all attempts.
    """

    files: Mapping[str, str]
    log: str
    seconds: float
    dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """One item, with everything settled.

    Attributes:
        inputs: where each input is.
        outputs: where each output goes.
    """

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def plan(command: Command, items: Sequence[Item], into: Into | None) -> Iterator[Work]:
    """Settle where every item's outputs go.

    Args:
        command: what will run.
        items: one for each time that it runs.
        into: templates; ``{stem}``, ``{name}``, ``{suffix}`` (with its dot), ``{index}`` and
            ``{output}`` stand for the first input's name, the item's number and the output's name.

    Raises:
        CommandError: inputs or outputs do not fit the command, or two items have the same output.
    """
    templates = _templates(command, into)
    taken: dict[str, int] = {}
    for index, item in enumerate(items):
        inputs = _inputs(command, item)
        first = name_of(next(iter(inputs.values()))) if inputs else ""
        path = Path(first)
        outputs: dict[str, str] = {}
        for output, template in templates.items():
            values = [str(index), path.name, output, path.stem, path.suffix]
            if is_object_url(template):
                values = [quote(value) for value in values]
            place = template.format(**dict(zip(_FIELDS, values, strict=True)))
            if not is_object_url(place) and len(os.fsencode(name_of(place))) > _LONGEST_NAME:
                raise CommandError(f"{place}: the name is longer than {_LONGEST_NAME} bytes")
            if taken.setdefault(place, index) != index or place in outputs.values():
                raise CommandError(f"{place} would be written twice: {{index}} tells items apart")
            outputs[output] = place
        yield Work(inputs, outputs)


def _templates(command: Command, into: Into | None) -> dict[str, str]:
    if into is None or isinstance(into, str):
        into = {} if into is None else dict.fromkeys(command.outputs, into)
    if set(into) != set(command.outputs):
        raise CommandError(
            f"the command's outputs are {_named(command.outputs)}, but places are given for "
            f"{_named(sorted(into))}"
        )
    for template in into.values():
        try:
            fields = [field for _, field, _, _ in string.Formatter().parse(template) if field]
        except ValueError as error:
            raise CommandError(f"{template!r}: {error}") from error
        for field in fields:
            if field not in _FIELDS:
                raise CommandError(f"{template!r}: {{{field}}} is none of {_named(_FIELDS)}")
    return dict(into)


def _inputs(command: Command, item: Item) -> dict[str, str]:
    if isinstance(item, str | Path):
        if len(command.inputs) != 1:
            raise CommandError(
                f"the command's inputs are {_named(command.inputs)}: an item says where each is"
            )
        item = {command.inputs[0]: item}
    if set(item) != set(command.inputs):
        raise CommandError(
            f"the command's inputs are {_named(command.inputs)}, but an item has "
            f"{_named(sorted(item))}"
        )
    return {name: str(item[name]) for name in command.inputs}


def _named(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def perform(command: Command, work: Work) -> CommandDone:
    """Fetch an item's inputs, run the command, and deliver its outputs.

    Raises:
        CommandError: see `mu.commands.run.run`.
        StoreError: an input cannot be read, or an output cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="mu-command-") as folder:
        done = run(
            command,
            Path(folder),
            {name: partial(fetch, place) for name, place in work.inputs.items()},
            names={name: name_of(place) for name, place in work.inputs.items()},
        )
        for name, place in work.outputs.items():
            deliver(done.files[name], place)
        return CommandDone(work.outputs, done.log, done.seconds)
