"""Help texts, their examples, completion, exit codes: what cli.md is made from."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from docs.cli import commands, exit_codes
from excamera import errors
from excamera.cli.help import OTHERS, Command
from excamera.cli.main import excamera
from excamera.job.options import OFFERED
from excamera.job.rules import SECTIONS
from layers import catalogue
from tests.support.commands import EXCAMERA, run
from tests.support.shared import ROOT

COMMANDS = sorted(excamera.commands)


def command(name: str) -> Command:
    """A command by its name."""
    found = excamera.commands[name]
    assert isinstance(found, Command), f"{name} is not made with excamera.cli.help.command"
    return found


def test_the_page_has_every_command_and_option() -> None:
    """If this fails, the documentation has fallen behind the program."""
    page = (ROOT / "docs" / "cli.md").read_text()
    for name in COMMANDS:
        assert f"#### excamera {name}\n" in page
        for option in command(name).params:
            if isinstance(option, click.Option):
                assert max(option.opts, key=len) in commands(), f"{name} {option.opts}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_understood(name: str) -> None:
    """If this fails, what the help text advises ends in an error."""
    examples = command(name).examples
    assert examples
    for line, text in examples:
        assert text.endswith(".")
        words = shlex.split(line.replace('"$(', "").replace(')"', ""), comments=True)
        given = words[words.index("excamera") + 1 :]
        if ">" in given:
            given = given[: given.index(">")]
        assert given[0] == name
        command(name).make_context(name, given[1:])


def test_the_options_of_an_encode_stand_in_the_sections_of_their_table() -> None:
    """If this fails, a new option is found nowhere in the help, or under a title of its own."""
    context = click.Context(command("encode"))
    shown = dict(command("encode").sections(context))
    assert list(shown)[: len(SECTIONS)] == list(SECTIONS)
    for one in (one for one in OFFERED if one.rule.local):
        names = {name for option in shown[one.rule.section] for name in option.opts}
        assert f"--{one.name}" in names
    others = {name for option in shown[OTHERS] for name in option.opts}
    assert others <= {"-h", "--help"}, "name a section for the option"


def test_the_help_shows_sections_and_examples() -> None:
    """If this fails, `--help` is one long list."""
    shown = CliRunner().invoke(excamera, ["encode", "--help"]).output
    titles = re.findall(r"^(\w[\w ]+):$", shown, re.MULTILINE)
    assert titles[: len(SECTIONS)] == list(SECTIONS)
    assert titles[-1] == "Examples"
    overview = CliRunner().invoke(excamera, ["--help"]).output
    assert re.findall(r"^(\w[\w ]+):$", overview, re.MULTILINE) == ["Options", *excamera.sections]
    assert all(f"\n  {name} " in overview for name in COMMANDS)


def completed(words: str) -> list[str]:
    """What bash is told if somebody presses Tab at the end of a line."""
    given = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    environment = {**os.environ, **given, "_EXCAMERA_COMPLETE": "bash_complete"}
    return run(*EXCAMERA, env=environment).stdout.splitlines()


def test_the_shell_completes_commands_options_values_and_files() -> None:
    """If this fails, the Tab key knows less than the program."""
    assert completed("excamera enc") == ["plain,encode"]
    assert "plain,--chunk-frames" in completed("excamera encode --ch")
    assert completed("excamera encode --mode an") == ["plain,anchors"]
    assert completed("excamera encode fi") == ["file,fi"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_names_the_variable_that_the_program_hears(shell: str) -> None:
    """If this fails, a script is installed and nothing is completed."""
    script = CliRunner().invoke(excamera, ["completion", shell]).output
    assert f"_EXCAMERA_COMPLETE={shell}_complete" in script


def test_bash_takes_the_script() -> None:
    """If this fails, every new shell begins with an error."""
    script = CliRunner().invoke(excamera, ["completion", "bash"]).output
    try:
        done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True,
                              check=False)  # fmt: skip
    except FileNotFoundError:
        pytest.skip("there is no bash here")
    assert (done.returncode, done.stderr) == (0, "")


def test_every_class_of_errors_has_an_exit_code_of_the_page() -> None:
    """If this fails, a script meets an exit code that no page explains."""
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.ExCameraError)
    ]
    for kind in kinds:
        expected = 75 if issubclass(kind, errors.TransientError) else 2
        assert kind.exit_code == expected, kind
        if kind not in (errors.ExCameraError, errors.PermanentError, errors.TransientError):
            assert f"`{kind.__name__}`" in exit_codes()


def test_what_may_pass_has_an_exit_code_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a script cannot tell a lost network from a wrong option."""
    from excamera.cli import main, sample

    def unavailable(*_: object, **__: object) -> None:
        raise errors.CloudUnavailable("no network")

    monkeypatch.setattr(sample, "check_place", unavailable)
    assert main(["sample", "a.mp4"]) == 75
    assert main(["sample"]) == 2


def test_the_command_line_begins_without_what_only_some_commands_need() -> None:
    """If this fails, every command waits for libraries that it does not use."""
    code = "import excamera.cli, sys; print([m for m in ('rich', 'boto3') if m in sys.modules])"
    assert run(sys.executable, "-c", code).stdout == "[]\n"


def test_the_layers_of_lambda_have_no_display() -> None:
    """If this fails, each function carries and unpacks what only a terminal needs."""
    found = [one for one in vars(catalogue).values() if isinstance(one, catalogue.Layer)]
    assert found
    for layer in found:
        assert not {"rich", "markdown-it-py", "mdurl", "pygments"} & set(layer.packages), layer.name
