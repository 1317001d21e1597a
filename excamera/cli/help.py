"""What `--help` and docs/cli.md are made from: options in sections, examples of each command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

RUNNING, OUTPUT, STACK, GOAL = "Running", "Output", "Stack", "Time or price"
"""Sections of options that do not decide bytes; the table of options names the others."""

OTHERS = "Other options"

Example = tuple[str, str]
"""A command line, and what it does."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Option(click.Option):
    """An option that stands in a section of the help text."""

    def __init__(self, *names: Any, section: str = OTHERS, **given: Any) -> None:
        super().__init__(*names, **given)
        self.section = section

    def get_help_extra(self, ctx: click.Context) -> Any:
        """What stands behind the text, with a default in words as it is."""
        extra = super().get_help_extra(ctx)
        if isinstance(self.show_default, str):
            extra["default"] = self.show_default
        return extra


class Command(click.Command):
    """A command with its options in sections, and with examples."""

    def __init__(self, *given: Any, examples: Sequence[Example] = (), **more: Any) -> None:
        super().__init__(*given, **more)
        self.examples = tuple(examples)

    def sections(self, context: click.Context) -> Iterator[tuple[str, list[click.Option]]]:
        """The sections in the order of their first options, each with its options."""
        found: dict[str, list[click.Option]] = {}
        for one in self.get_params(context):
            if isinstance(one, click.Option) and one.get_help_record(context) is not None:
                found.setdefault(getattr(one, "section", OTHERS), []).append(one)
        others = found.pop(OTHERS, [])
        yield from found.items()
        if others:
            yield (OTHERS if found else "Options"), others

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        for title, some in self.sections(context):
            records = [one.get_help_record(context) for one in some]
            with formatter.section(title):
                formatter.write_dl([record for record in records if record is not None])

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        if self.examples:
            with formatter.section("Examples"):
                for number, (line, text) in enumerate(self.examples):
                    if number:
                        formatter.write_paragraph()
                    formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
                    with formatter.indentation():
                        formatter.write_text(text)


class Group(click.Group):
    """Commands in sections."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.sections: dict[str, list[click.Command]] = {}

    def add_section(self, title: str, commands: Sequence[click.Command]) -> None:
        """Add commands that stand together in the help text."""
        self.sections[title] = list(commands)
        for one in commands:
            self.add_command(one)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        width = formatter.width - 6 - max(map(len, self.commands))
        for title, commands in self.sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(one.name or "", one.get_short_help_str(width)) for one in commands]
                )


def command(*, examples: Sequence[Example] = ()) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command; its docstring is the help text.

    Args:
        examples: command lines that work.
    """
    return click.command(cls=Command, examples=examples)


def option(*names: str, section: str = OTHERS, **given: Any) -> Callable[[Decorated], Decorated]:
    """Add an option to a command; see `click.option`.

    Args:
        names: see there.
        section: under which title of the help text it stands.
        given: see there.
    """
    return click.option(*names, cls=Option, section=section, **given)


def a_file(_context: click.Context, _one: click.Parameter, begun: str) -> list[CompletionItem]:
    """Tell a shell to complete the name of a file."""
    return [CompletionItem(begun, type="file")]


def one_of(values: Sequence[str]) -> Callable[..., list[CompletionItem]]:
    """What tells a shell to complete one of these values."""

    def complete(
        _context: click.Context, _one: click.Parameter, begun: str
    ) -> list[CompletionItem]:
        return [CompletionItem(value) for value in values if value.startswith(begun)]

    return complete
