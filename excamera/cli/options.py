"""The options of an encode on the command line, made from the table of options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from excamera.cli.displays import WAYS
from excamera.cli.help import GOAL, OUTPUT, RUNNING, one_of, option
from excamera.job.goal import BUDGET, CHOSEN, NAMES, WITHIN, Goal
from excamera.job.options import OFFERED, EncodeOptions, expanded
from excamera.job.rules import SECTIONS, Value
from excamera.work import VARIABLE

Command = Callable[..., None]


def encode_options(*, local: bool) -> Callable[[Command], Command]:
    """Add the options of an encode to a command, which gets them as keyword arguments.

    An option that the user leaves out is None.

    Args:
        local: whether it works on this machine. Then the help text names the defaults, of which a
            deployed stack has its own, and options that are for a stack only are left out.
    """

    def decorate(command: Command) -> Command:
        # The first that is added is shown last.
        ordered = sorted(OFFERED, key=lambda one: SECTIONS.index(one.rule.section))
        for one in reversed(ordered):
            rule = one.rule
            if local and not rule.local:
                continue
            name = f"--{one.name}"
            if rule.off:
                command = option(
                    f"--no-{one.name}",
                    one.field,
                    section=rule.section,
                    flag_value=rule.off,
                    help=f"As {name} {rule.off}.",
                )(command)
            command = option(
                f"{name}/--no-{one.name}" if rule.switch else name,
                *([rule.flag] if rule.flag else []),
                section=rule.section,
                type=bool if rule.switch else str if rule.choices or rule.form else int,
                default=None,
                show_default=one.default_text if local and one.default_text else False,
                shell_complete=one_of(rule.choices) if rule.choices else None,
                help=f"{rule.help}." if rule.switch else f"{rule.help} ({rule.allowed}).",
            )(command)
        return command

    return decorate


work_dir_option = option(
    "--work-dir",
    section=RUNNING,
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    envvar=VARIABLE,
    show_default=f"${VARIABLE}, or excamera in $XDG_CACHE_HOME or ~/.cache",
    help="Where encodes keep their objects until they succeed. The same command goes on from them.",
)


def progress_options(*, verbose: bool) -> Callable[[Command], Command]:
    """Add the options that say how much a command tells while it works.

    Args:
        verbose: whether it can explain decisions.
    """

    def decorate(command: Command) -> Command:
        if verbose:
            command = option("--verbose", "-v", section=OUTPUT, is_flag=True,
                             help="Explain what is decided, and why.")(command)  # fmt: skip
        command = option("--quiet", "-q", section=OUTPUT, is_flag=True,
                         help="Say nothing but errors.")(command)  # fmt: skip
        return option(
            "--progress",
            section=OUTPUT,
            type=click.Choice(WAYS),
            default=WAYS[0],
            show_default=True,
            help="How progress is shown on standard error: auto is a display on a terminal and "
            "plain lines elsewhere; json is an object a line, for programs.",
        )(command)

    return decorate


def goal_options(command: Command) -> Command:
    """Add the options of a goal to a command; `goal_of` reads them."""
    for one in (
        option(f"--{BUDGET}", section=GOAL, metavar="DOLLARS", help="Choose N, x, memory and "
                     "number of workers: the fastest way that costs no more, such as 0.40."),
        option(f"--{WITHIN}", section=GOAL, metavar="TIME", help="Choose N, x, memory and "
                     "number of workers: the cheapest way that ends so long after the "
                     "upload, such as 30s or 2m."),
    ):  # fmt: skip
        command = one(command)
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
    """The options that the user gave, by the API's names, with those of a preset in its place.

    Raises:
        OptionError: a value is not allowed, or means nothing for the codec that they name.
    """
    found = dict(expanded({name: one for name, one in options.items() if one is not None}))
    if "codec" in found:
        EncodeOptions().with_values(found)
    for one in OFFERED:
        if one.field in found:
            one.rule.check(one.name, found[one.field])
    return found
