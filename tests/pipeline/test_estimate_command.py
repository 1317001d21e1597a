"""`excamera estimate`: the ways to encode a film, and the one for a goal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from excamera.cli.main import excamera
from excamera.errors import OptionError, OutputError
from tests.pipeline.clips import Clip


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of several batches."""
    return Clip(frames=400, width=64, height=48).write(
        tmp_path_factory.mktemp("estimate") / "a.mp4"
    )


def run(*arguments: object) -> Result:
    """Runs the command."""
    return CliRunner().invoke(excamera, ["estimate", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    """What it tells programs."""
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_frontier_is_listed(film: Path) -> None:
    """If this fails, a user does not see what time and price he could ask for."""
    found = told(film)
    assert found["planned"] is None
    assert len(found["frontier"]) > 1
    shown = run(film).stdout
    table = shown.partition("by simulation:\n")[2].splitlines()
    assert table[0].split() == ["s", "at", "most", "price", "MB", "bits", "[N,x]", "memory",
                                "workers", "calls"]  # fmt: skip
    assert len(table) == 1 + len(found["frontier"])
    for line, point in zip(table[1:], found["frontier"], strict=True):
        assert f"${point['usd']:.4f}" in line
    assert "*" not in shown


def test_a_goal_marks_a_way(film: Path, tmp_path: Path) -> None:
    """If this fails, a user does not learn what a job with this goal would do, or why."""
    sizes = ("--encode-memory", 5307, "--encode-memory", 1769)
    found = told(film, "--within", "60s", *sizes)
    chosen = found["planned"]["chosen"]
    assert found["planned"]["goal"]["within_s"] == 60
    assert chosen in found["frontier"]
    assert chosen["late_s"] <= 60
    assert found["options"]["batch_chunks"] == chosen["batch_chunks"]
    assert found["workers"] == chosen["workers"]
    plot = tmp_path / "ways.svg"
    shown = run(film, "--within", "60s", *sizes, "--plot", plot).stdout
    [marked] = re.findall(r"^\*  .*$", shown, re.M)
    assert f"${chosen['usd']:.4f}" in marked
    assert f"\n* {found['planned']['why']}\n" in shown
    assert plot.read_text().startswith("<svg ")


def test_a_budget_that_is_too_small_is_shown(film: Path) -> None:
    """If this fails, an estimate refuses to say what a film would cost."""
    found = told(film, "--budget", "0.00001")
    assert not found["planned"]["met"]
    assert found["planned"]["chosen"] == found["frontier"][-1]


def test_n_and_x_by_hand_leave_nothing_to_choose(film: Path) -> None:
    """If this fails, a table contradicts what the user asked for."""
    found = told(film, "-n", 12)
    assert (found["frontier"], found["planned"]) == (None, None)
    assert "by simulation" not in run(film, "-x", 4).stdout


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("--within", "30s", "-n", "12"), OptionError, "within chooses chunk-frames"),
        (("--within", "30s", "--budget", "1"), OptionError, "not both"),
        (("--within", "soon"), OptionError, "such as 30s"),
        (("--plot", "a.png"), OutputError, "must end in .svg"),
    ],
)
def test_mistakes(
    film: Path, arguments: tuple[str, ...], error: type[Exception], said: str
) -> None:
    """If this fails, a mistake is ignored, or ends in a traceback."""
    done = run(film, *arguments)
    assert isinstance(done.exception, error)
    assert said in str(done.exception)


def test_a_preset_is_estimated_as_its_options(film: Path) -> None:
    """If this fails, an estimate is of another encode than the one that a preset asks for."""
    found = told(film, "--preset", "preview", "--crf", "30")
    options = ("--codec", "h264", "--h264-preset", "veryfast", "--scale", "360p", "--tonemap")
    assert found == told(film, *options, "--crf", "30")
    assert (found["source"]["width"], found["source"]["height"]) == (64, 48)
