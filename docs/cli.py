"""The parts of cli.md that come from the code: the commands, and the exit codes of errors."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence

import click

from excamera import errors
from excamera.cli.help import Command
from excamera.cli.main import excamera
from excamera.cli.presets import written_out
from excamera.job.presets import PRESETS
from excamera.job.rules import SECTIONS


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def commands() -> str:
    """Every command with its options in sections, and its examples."""
    parts = []
    for title, some in excamera.sections.items():
        parts.append(f"### {title}")
        for one in some:
            assert isinstance(one, Command)
            parts += _command(one)
    return "\n\n".join(parts)


def exit_codes() -> str:
    """The exit code of each family of errors."""
    rows = []
    for root in (errors.PermanentError, errors.TransientError):
        for kind in _below(root):
            inner = ", ".join(f"`{one.__name__}`" for one in _below(kind))
            text = (inspect.getdoc(kind) or "").partition("\n")[0]
            rows.append([str(kind.exit_code), f"`{kind.__name__}`", text, inner])
    return table(("exit code", "error", "means", "and those below it"), rows)


def _below(kind: type[errors.ExCameraError]) -> list[type[errors.ExCameraError]]:
    """The errors of ours that are of a kind; tests make others."""
    return [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]


def presets() -> str:
    """What each preset is for, and the options that it stands for."""
    rows = [
        [f"`{name}`", f"{preset.help}.", f"`{written_out(preset)}`"]
        for name, preset in PRESETS.items()
    ]
    return table(("preset", "what it is for", "stands for"), rows)


def _command(one: Command) -> Iterator[str]:
    context = click.Context(one, info_name=f"excamera {one.name}")
    yield f"#### excamera {one.name}"
    yield f"```\n{' '.join([context.command_path, *one.collect_usage_pieces(context)])}\n```"
    yield inspect.cleandoc(one.help or "")
    for title, options in one.sections(context):
        rows = [_row(option, context) for option in options if "--help" not in option.opts]
        if title in SECTIONS and one.name != "encode" and _are_of_encode(options):
            yield f"{title}: [those of `encode`](#excamera-encode). The stack has the defaults."
        elif rows:
            yield f"{title}:"
            yield table(("option", "default", "what it does"), rows)
    lines = [f"{line}\n    # {text}" for line, text in one.examples]
    yield "```\n" + "\n".join(lines) + "\n```"


def _are_of_encode(options: Sequence[click.Option]) -> bool:
    """Whether all these options are options of `encode`, too."""
    known = {name for one in excamera.commands["encode"].params for name in one.opts}
    return all(known.issuperset(option.opts) for option in options)


def _row(option: click.Option, context: click.Context) -> list[str]:
    record = option.get_help_record(context)
    assert record is not None
    default = option.get_help_extra(context).get("default", "").strip("()")
    names = record[0].replace("|", r"\|")
    help_text = " ".join((option.help or "").split())
    return [f"`{names}`", f"`{default}`" if default else "", help_text.replace("|", r"\|")]
