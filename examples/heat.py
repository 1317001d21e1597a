"""Heat in a plate: workers iterate on strips of a grid, and exchange the borders of the strips.

The border of the plate keeps its temperatures; every other point becomes the mean of its four
neighbours, until nothing changes by more than a tolerance (Jacobi's method for Laplace's equation).

python -m examples.heat --workers 4 --check
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

import mu
from examples import arrays
from examples.common import run, run_options

Grid = NDArray[np.float64]

CHECK_EVERY = 10
"""Steps between two looks at whether all is still: to ask all members costs more than a step."""


class Solved(NamedTuple):
    """A grid after so many steps, the last of which changed no point by more than `change`."""

    grid: Grid
    steps: int
    change: float


def plate(size: int) -> Grid:
    """A cold square plate with one edge at 100 degrees; its middle will have 25."""
    grid = np.zeros((size, size))
    grid[0] = 100
    return grid


def step(grid: Grid) -> float:
    """Do one step in place, and return the largest change of a point."""
    inside = 0.25 * (grid[:-2, 1:-1] + grid[2:, 1:-1] + grid[1:-1, :-2] + grid[1:-1, 2:])
    change = float(np.abs(inside - grid[1:-1, 1:-1]).max())
    grid[1:-1, 1:-1] = inside
    return change


def solve(grid: Grid, tolerance: float, most_steps: int) -> Solved:
    """The plain solver, on one worker and without messages."""
    grid = grid.copy()
    for number in range(1, most_steps + 1):
        change = step(grid)
        if number % CHECK_EVERY == 0 and change <= tolerance:
            break
    return Solved(grid, number, change)


def solve_strip(comm: mu.Comm, strip: Grid, tolerance: float, most_steps: int) -> Solved:
    """The same by one member of a gang.

    Args:
        comm: the other members.
        strip: this member's rows, and above and below them one row of its neighbours.
        tolerance: see above.
        most_steps: the last step.
    """
    above, below = comm.rank - 1, comm.rank + 1
    for number in range(1, most_steps + 1):
        change = step(strip)
        # Send to both sides before receiving from either: `send` does not wait.
        if above >= 0:
            comm.send(strip[1], dest=above, tag=number)
        if below < comm.size:
            comm.send(strip[-2], dest=below, tag=number)
        if above >= 0:
            strip[0] = comm.recv(source=above, tag=number)
        if below < comm.size:
            strip[-1] = comm.recv(source=below, tag=number)
        # The largest change of all is the same however the grid is cut; a sum would be rounded
        # differently. So all gangs stop at the step at which the plain solver stops.
        if number % CHECK_EVERY == 0 and comm.allreduce(change, max) <= tolerance:
            break
    return Solved(strip[1:-1], number, comm.allreduce(change, max))


def strips(grid: Grid, count: int) -> list[Grid]:
    """The grid cut into at most so many strips, each with a row of its neighbours on both sides."""
    inner = np.arange(1, len(grid) - 1)
    parts = np.array_split(inner, min(count, len(inner)))
    return [grid[rows[0] - 1 : rows[-1] + 2] for rows in parts]


def solve_together(
    ex: mu.Executor, grid: Grid, members: int, tolerance: float, most_steps: int
) -> Solved:
    """Solve by a gang; the result is that of `solve`, to the last bit."""
    member = functools.partial(solve_strip, tolerance=tolerance, most_steps=most_steps)
    solved = ex.gang(member, strips(grid, members))
    whole = np.vstack([grid[:1], *(part.grid for part in solved), grid[-1:]])
    return Solved(whole, solved[0].steps, solved[0].change)


def load(path: Path) -> Grid:
    """A plate from a .npy file.

    Raises:
        click.UsageError: it holds no plate.
    """
    found = arrays.load(path)
    if found.ndim != 2 or min(found.shape) < 3 or found.dtype.kind not in "iuf":
        raise click.UsageError(f"{path}: a plate is an array of at least 3 x 3 numbers")
    grid = found.astype(np.float64)
    if not np.isfinite(grid).all():
        raise click.UsageError(f"{path}: not all of its temperatures are numbers")
    return grid


@click.command()
@click.argument("given", metavar="[PLATE.npy]", type=click.Path(path_type=Path), required=False)
@click.option("--size", type=click.IntRange(3, 5000), default=31, help="Of a plate made here.")
@click.option("--tolerance", type=click.FloatRange(min=0), default=1e-5, show_default=True)
@click.option("--most-steps", type=click.IntRange(min=1), default=10_000, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="A .npy file for the result.")
@click.option("--check", is_flag=True, help="Compare with the plain solver.")
@run_options
def main(
    given: Path | None,
    size: int,
    tolerance: float,
    most_steps: int,
    output: Path | None,
    check: bool,
    on: str,
    workers: int | None,
) -> None:
    """How warm a plate becomes: PLATE.npy, or a cold square with one edge at 100 degrees."""
    grid = plate(size) if given is None else load(given)
    members = workers or 4
    with mu.Executor(on, workers=members) as ex:
        found = solve_together(ex, grid, members, tolerance, most_steps)
    middle = found.grid[len(grid) // 2, grid.shape[1] // 2]
    click.echo(f"{found.steps} steps by {len(strips(grid, members))} members")
    click.echo(f"last change {found.change:.6f}, in the middle {middle:.2f} degrees")
    if output is not None:
        arrays.save(output, found.grid)
    if check:
        alone = solve(grid, tolerance, most_steps)
        if alone.steps != found.steps or not np.array_equal(alone.grid, found.grid):
            raise click.ClickException("the plain solver has another result")
        click.echo("the plain solver has the same result, bit by bit")


if __name__ == "__main__":
    run(main)
