"""`excamera completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from excamera.cli.help import command

_PROGRAM = "excamera"
_SHELLS = ("bash", "zsh", "fish")


@command(
    examples=[
        ('eval "$(excamera completion bash)"', "In ~/.bashrc; in ~/.zshrc with zsh."),
        ("excamera completion fish > ~/.config/fish/completions/excamera.fish", "Once, for fish."),
    ]
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL (bash, zsh or fish) complete commands, options and their values.

    bash has to be 4.4 or newer. macOS has an older one.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    program = context.find_root().command
    # The variable is the one under which click looks for requests of the script.
    made = kind(program, {}, _PROGRAM, f"_{_PROGRAM.upper()}_COMPLETE")
    click.echo(made.source_template % made.source_vars())
