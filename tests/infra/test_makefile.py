"""The Makefile in the eyes of GNU make 3.81, which is Apple's, and of a plain POSIX shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = ROOT / "Makefile"

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

# What came after 3.81, by the manual's list of features and the news of each version.
NEWER = {
    r"^\.ONESHELL": "3.82",
    r"^\.SHELLFLAGS": "3.82",
    r"^\.RECIPEPREFIX": "3.82",
    r"^define\s+\S+\s*[:?+]?=": "3.82",
    r"^\s*undefine\s": "3.82",
    r"(?:^|:\s)\s*private\s": "3.82",
    r"::?:=": "4.0",
    r"^[^\t#]*!=": "4.0",
    r"\$[({]file\s": "4.0",
    r"\$[({]guile\s": "4.0",
    r"^-?load\s": "4.0",
    r"\$[({]\.SHELLSTATUS": "4.2",
    r"&:": "4.3",
    r"\.EXTRA_PREREQS": "4.3",
    r"\.WAIT": "4.4",
    r"\.NOTINTERMEDIATE": "4.4",
    r"\$[({](?:let|intcmp)\s": "4.4",
}
# `$(shell ...)` and recipes use these tools; GNU's alone have the options named here.
GNU_ONLY = (
    r"\bsed\s+-[a-zA-Z]*[irE]\b",
    r"\bfind\s+-",
    r"\bfind\b.*-(?:printf|maxdepth|regextype|readable)\b",
    r"\bcp\s+(?:-[a-zA-Z]*[adtu]\b|--)",
    r"\btouch\s+(?:-d|--)",
    r"\breadlink\s+-f",
    r"\bnproc\b",
    r"\bxargs\s+-[a-zA-Z]*[rd]\b",
    r"\bgrep\s+-[a-zA-Z]*P",
    r"\brealpath\b\s+-",
    r"\b(?:mktemp|date|stat|ln|tar)\s+--",
)
# Shell variables that a line may use without setting them.
FROM_OUTSIDE = {"PATH", "HOME", "CXX", "INPUT", "OUTPUT"}


def dry_run(*targets: str, folder: Path = ROOT) -> list[str]:
    """What make would give to shells, one entry each, if nothing were up to date."""
    done = subprocess.run(
        # Quiet about the folder and without what a make around this test asks for.
        ["make", "--no-print-directory", "-n", "-B", *targets],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return re.findall(r"(?:.*\\\n)*.+\n", done.stdout)


def targets() -> list[str]:
    """The targets a user may name."""
    text = MAKEFILE.read_text().replace("\\\n", " ")
    [names] = re.findall(r"^\.PHONY:(.*)", text, re.MULTILINE)
    return sorted(names.split())


def test_nothing_newer_than_make_3_81_is_used() -> None:
    """If this fails, make dies on a Mac, whose make is 3.81, at the first target."""
    lines = MAKEFILE.read_text().splitlines()
    used = [
        f"line {number}: {line} ({version})"
        for number, line in enumerate(lines, 1)
        for pattern, version in NEWER.items()
        if re.search(pattern, line) and not line.startswith("#")
    ]
    assert not used


def test_the_tools_options_are_those_of_every_system() -> None:
    """If this fails, recipes stop on a Mac, whose sed, find, cp and touch are BSD's."""
    lines = [line for line in MAKEFILE.read_text().splitlines() if not line.startswith("#")]
    assert not [line for line in lines for pattern in GNU_ONLY if re.search(pattern, line)]


@pytest.mark.parametrize("target", targets())
def test_every_line_of_a_recipe_is_a_whole_program(target: str) -> None:
    """If this fails, a make without .ONESHELL gives a shell half a loop, or an unset variable."""
    for line in dry_run(target):
        parsed = subprocess.run(
            ["/bin/sh", "-n"], input=line, capture_output=True, text=True, check=False
        )
        assert parsed.returncode == 0, f"{line}\n{parsed.stderr}"
        # Single quotes hold text, not variables; they never hold double quotes here.
        code = re.sub(r"'[^']*'", "", line)
        used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", code))
        given = set(re.findall(r"\b([A-Za-z_]\w*)=|\bfor (\w+) in\b", code))
        assert used <= {name for pair in given for name in pair} | FROM_OUTSIDE, line


@pytest.mark.parametrize("target", targets())
def test_a_line_of_several_commands_stops_at_an_error(target: str) -> None:
    """If this fails, a recipe goes on after an error, and make reports success."""
    for line in dry_run(target):
        steps = [step.strip() for step in re.sub(r"\\\n", "", line).split(";")]
        runs = [step for step in steps if re.search(r"excamera |qemu-aarch64 \S*-L|pip ", step)]
        assert len(runs) <= 1 or steps[0] == "set -e", line


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder in which everything is installed; its `excamera` writes down how it is called."""
    shutil.copyfile(MAKEFILE, tmp_path / "Makefile")
    (tmp_path / "codec" / "native").mkdir(parents=True)
    commands = tmp_path / ".venv" / "bin"
    commands.mkdir(parents=True)
    command = commands / "excamera"
    command.write_text(
        "#!/bin/sh\n"
        'for word; do printf "%s\\n" "$word"; done >>calls\n'
        'echo >>calls; test "$1" != "$FAILS"\n'
    )
    command.chmod(0o755)
    for name in ("constraints.txt", "pyproject.toml", ".venv/pyvenv.cfg", ".venv/.tools"):
        (tmp_path / name).touch()
    (tmp_path / ".venv" / ".installed").touch()
    return tmp_path


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make for real. This Makefile has no .ONESHELL: each line gets its own shell."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(
        ["make", *words],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def calls(folder: Path) -> list[list[str]]:
    """The words of each call of `excamera`."""
    text = (folder / "calls").read_text()
    return [call.splitlines() for call in text.split("\n\n") if call]


def test_encode_passes_names_on_as_they_are(checkout: Path) -> None:
    """If this fails, `make encode` loses what follows a `$`, or splits names at spaces."""
    done = make(checkout, "encode", "INPUT=my $film.mp4", "OPTIONS=--crf 30")
    assert done.returncode == 0, done.stderr
    assert make(checkout, "encode", "INPUT=a.mov", "OUTPUT=it's.ivf").returncode == 0
    assert calls(checkout) == [
        ["encode", "--crf", "30", "my $film.mp4", "my $film.webm"],
        ["encode", "a.mov", "it's.ivf"],
    ]


def test_encode_without_input_makes_a_clip_and_compares(checkout: Path) -> None:
    """If this fails, the first command of the README does nothing useful."""
    done = make(checkout, "encode")
    assert done.returncode == 0, done.stderr
    assert [call[0] for call in calls(checkout)] == ["sample", "encode", "compare"]
    assert calls(checkout)[1] == [
        "encode",
        "--overwrite",
        "sample/sample.mp4",
        "sample/sample.webm",
    ]


@pytest.mark.parametrize("fails", ["sample", "encode", "compare"])
def test_encode_stops_at_an_error(checkout: Path, fails: str) -> None:
    """If this fails, make says that all is well although a command failed."""
    assert make(checkout, "encode", FAILS=fails).returncode != 0
    assert calls(checkout)[-1][0] == fails


def test_help_is_printed_without_the_commands(checkout: Path) -> None:
    """If this fails, a plain `make` shows shell commands between its lines of help."""
    done = make(checkout)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("make encode INPUT=film.mp4")
    assert "echo" not in done.stdout
    assert "sed" not in done.stdout


def test_clean_removes_what_make_has_made(checkout: Path) -> None:
    """If this fails, `make clean` leaves builds behind."""
    (checkout / "build").mkdir()
    (checkout / "mu" / "__pycache__").mkdir(parents=True)
    assert make(checkout, "clean").returncode == 0
    assert sorted(path.name for path in checkout.iterdir()) == [
        "Makefile", "codec", "constraints.txt", "mu", "pyproject.toml",
    ]  # fmt: skip
    assert not list((checkout / "mu").iterdir())


def test_an_environment_is_made_by_a_python_that_is_new_enough(checkout: Path) -> None:
    """If this fails, an old `python3`, such as Apple's, is taken, or make goes on without one."""
    shutil.rmtree(checkout / ".venv")
    tools = checkout / "tools"
    tools.mkdir()
    for name in ("sh", "find", "sed"):
        (tools / name).symlink_to(str(shutil.which(name)))
    make_program = str(shutil.which("make"))
    for name, new in (("python3", False), ("python3.14", False)):
        write_python(tools / name, new=new)

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [make_program, ".venv/pyvenv.cfg"],
            cwd=checkout, env={"PATH": str(tools)}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    refused = run()
    assert refused.returncode != 0
    assert "Python 3.11 or newer is needed." in refused.stderr
    write_python(tools / "python3.12", new=True)
    taken = run()
    assert taken.returncode == 0, taken.stderr
    assert taken.stdout == "python3.12 -m venv .venv\n"


def write_python(path: Path, *, new: bool) -> None:
    """Write a program that says whether it is new enough, and how it is called otherwise."""
    path.write_text(f'#!/bin/sh\ntest "$1" = -c && exit {0 if new else 1}\necho "{path.name} $*"\n')
    path.chmod(0o755)
