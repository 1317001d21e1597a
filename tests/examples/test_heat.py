"""A gang's grid is that of the plain solver, to the last bit, however it is cut."""

from __future__ import annotations

import functools
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mu
from examples.heat import Grid, Solved, plate, solve, solve_strip, solve_together, strips
from tests.support.examples import lines_of, refusal, run_example


@pytest.fixture(scope="module")
def ex() -> Iterator[mu.Executor]:
    """An executor with room for five members."""
    with mu.Executor(workers=5) as made:
        yield made


def random_plate(height: int, width: int) -> Grid:
    """A plate in which every point differs."""
    return np.random.default_rng(7).uniform(-50, 50, (height, width))


@pytest.mark.parametrize(("height", "width"), [(3, 3), (7, 40), (24, 11)])
@pytest.mark.parametrize("members", [1, 2, 3, 5])
def test_the_result_does_not_depend_on_the_cut(
    height: int, width: int, members: int, ex: mu.Executor
) -> None:
    """If this fails, borders arrive late, or at the wrong member."""
    grid = random_plate(height, width)
    alone = solve(grid, 0.01, 200)
    found = solve_together(ex, grid, members, 0.01, 200)
    assert (found.steps, found.change) == (alone.steps, alone.change)
    assert np.array_equal(found.grid, alone.grid)
    assert np.array_equal(grid, random_plate(height, width))


def test_the_middle_of_a_square_has_a_quarter_of_the_warm_edge() -> None:
    """If this fails, the solver solves something else: by symmetry each edge gives a quarter."""
    found = solve(plate(21), 1e-9, 10_000)
    assert found.grid[10, 10] == pytest.approx(25, abs=1e-5)
    assert found.steps < 10_000


def test_strips_cover_the_grid_and_share_two_rows() -> None:
    """If this fails, rows are computed twice or not at all."""
    grid = plate(12)
    cut = strips(grid, 4)
    assert [len(strip) - 2 for strip in cut] == [3, 3, 2, 2]
    assert np.array_equal(np.vstack([strip[1:-1] for strip in cut]), grid[1:-1])
    assert len(strips(grid, 100)) == 10


def _dies_once(mark: Path, comm: mu.Comm, strip: Grid) -> Solved:
    send, sent = comm.send, itertools.count()

    def send_or_die(obj: Any, dest: int, tag: int) -> None:
        if next(sent) == 15 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        send(obj, dest, tag)

    if comm.rank == 1:
        comm.send = send_or_die  # type: ignore[method-assign]
    return solve_strip(comm, strip, 0, 18)


def test_a_worker_that_dies_does_not_change_the_result(tmp_path: Path) -> None:
    """If this fails, a gang goes on with the wrong borders after a member was started again."""
    grid = random_plate(12, 12)
    with mu.Executor(workers=3, retries=1) as ex:
        found = ex.gang(functools.partial(_dies_once, tmp_path / "died"), strips(grid, 3))
    assert (tmp_path / "died").exists()
    inner = np.vstack([part.grid for part in found])
    assert np.array_equal(inner, solve(grid, 0, 18).grid[1:-1])


def test_the_program_solves_a_plate_of_the_users_own(tmp_path: Path) -> None:
    """If this fails, the command of the page does not work."""
    np.save(tmp_path / "plate.npy", random_plate(9, 20).astype(np.float32))
    done = run_example(
        "heat", "plate.npy", "--workers", "3", "--check", "--output", "warm", inside=tmp_path
    )
    first, _, last = lines_of(done)
    assert first.endswith(" steps by 3 members")
    assert last == "the plain solver has the same result, bit by bit"
    grid = random_plate(9, 20).astype(np.float32).astype(np.float64)
    assert np.array_equal(np.load(tmp_path / "warm"), solve(grid, 1e-5, 10_000).grid)


def test_mistakes_are_named(tmp_path: Path) -> None:
    """If this fails, a file that holds no plate ends in a traceback."""
    np.save(tmp_path / "flat.npy", np.zeros(9))
    np.save(tmp_path / "nan.npy", np.full((4, 4), np.nan))
    (tmp_path / "text.npy").write_text("text")
    for name, expected in (
        ("flat.npy", "flat.npy: a plate is an array of at least 3 x 3 numbers"),
        ("nan.npy", "nan.npy: not all of its temperatures are numbers"),
        ("text.npy", "text.npy: is not a .npy file of plain values"),
        ("none.npy", "none.npy: No such file or directory"),
    ):
        assert refusal(run_example("heat", name, inside=tmp_path)) == f"heat: {expected}"
