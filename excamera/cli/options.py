"""The options of an encode on the command line, made from the table of options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from excamera.job.goal import BUDGET, CHOSEN, NAMES, WITHIN, Goal
from excamera.job.options import OFFERED, EncodeOptions, Option, Value

Command = Callable[..., None]


def encode_options(*, local: bool) -> Callable[[Command], Command]:
    """Add the options of an encode to a command, which gets them as keyword arguments.

    An option that the user leaves out is None.

    Args:
        local: whether it works on this machine. Then the help text names the defaults, of which a
            deployed stack has its own, and options that are for a stack only are left out.
    """

    def decorate(command: Command) -> Command:
        for option in reversed(OFFERED):
            rule = option.rule
            if local and not rule.local:
                continue
            name = f"--{option.name}"
            if rule.off:
                command = click.option(
                    f"--no-{option.name}",
                    option.field,
                    flag_value=rule.off,
                    help=f"As {name} {rule.off}.",
                )(command)
            command = click.option(
                f"{name}/--no-{option.name}" if rule.switch else name,
                *([rule.flag] if rule.flag else []),
                type=bool if rule.switch else str if rule.choices or rule.form else int,
                default=None,
                help=_help(option, default=local),
            )(command)
        return command

    return decorate


def _help(option: Option, *, default: bool) -> str:
    rule = option.rule
    text = f"{rule.help}." if rule.switch else f"{rule.help} ({rule.allowed})."
    return f"{text}  [default: {option.default_text}]" if default else text


def goal_options(command: Command) -> Command:
    """Add the options of a goal to a command; `goal_of` reads them."""
    for option in (
        click.option(f"--{BUDGET}", metavar="DOLLARS", help="Choose N, x, memory and number of "
                     "workers: the fastest way that costs no more, such as 0.40."),
        click.option(f"--{WITHIN}", metavar="TIME", help="Choose N, x, memory and number of "
                     "workers: the cheapest way that ends so long after the upload, such as 30s or "
                     "2m."),
    ):  # fmt: skip
        command = option(command)
    return command


def goal_of(options: dict[str, Any]) -> Goal | None:
    """The goal that the user gave, whose options are removed from the others.

    Raises:
        OptionError: it is none, or the user gave what it chooses as well.
    """
    texts = {name: options.pop(name.replace("-", "_"), None) for name in NAMES}
    goal = Goal.of_texts({name: str(value) for name, value in texts.items() if value})
    if goal is not None:
        goal.refuse(given(options))
    return goal


def by_hand(options: Mapping[str, Any]) -> bool:
    """Whether the user gave what a goal would choose."""
    return not given(options).keys().isdisjoint(CHOSEN)


def given(options: Mapping[str, Any]) -> dict[str, Value]:
    """The options that the user gave, by the API's names.

    Raises:
        OptionError: a value is not allowed, or means nothing for the codec that they name.
    """
    found = {name: value for name, value in options.items() if value is not None}
    if "codec" in found:
        EncodeOptions().with_values(found)
    for option in OFFERED:
        if option.field in found:
            option.rule.check(option.name, found[option.field])
    return found
