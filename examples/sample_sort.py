"""Sample sort: every worker sorts a part, all agree on borders, and each gives each its share.

python -m examples.sample_sort numbers.npy sorted.npy --workers 4
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

import mu
from examples import arrays
from examples.common import run, run_options

Keys = NDArray[Any]


class Places(NamedTuple):
    """Elements by which borders are drawn, as arrays of one length.

    Equal keys are told apart by where they are. So an array in which one key is everywhere is
    cut as evenly as any other.
    """

    keys: Keys
    ranks: NDArray[np.intp]
    positions: NDArray[np.intp]


def samples(part: Keys, rank: int, count: int) -> Places:
    """Elements at equal distances in a sorted part; all, if they are no more than `count`."""
    count = min(count, len(part))
    positions = np.arange(count) * len(part) // max(1, count)
    return Places(part[positions], np.full(len(positions), rank), positions)


def borders(sampled: list[Places], shares: int) -> Places:
    """The elements at which all but the first share begin."""
    every = Places(*(np.concatenate(column) for column in zip(*sampled, strict=True)))
    order = np.lexsort((every.positions, every.ranks, every.keys))
    chosen = order[np.arange(1, shares) * len(order) // shares]
    return Places(*(column[chosen] for column in every))


def cut(part: Keys, rank: int, at: Places) -> list[Keys]:
    """A sorted part in pieces, one for each share."""
    left = np.searchsorted(part, at.keys, side="left")
    right = np.searchsorted(part, at.keys, side="right")
    # Of keys that are equal to a border's, those of lower ranks lie before it.
    before = np.where(at.ranks > rank, right, np.where(at.ranks < rank, left, at.positions))
    return np.split(part, before)


def sort_part(comm: mu.Comm, part: Keys) -> Keys:
    """What one member does; returns its share of the sorted whole."""
    part = np.sort(part)
    sampled = comm.allgather(samples(part, comm.rank, 8 * comm.size))
    at = borders(sampled, comm.size)
    received = comm.alltoall(cut(part, comm.rank, at))
    # A stable sort finds the runs that are in order already, and merges them.
    return np.sort(np.concatenate(received), kind="stable")


def sort(ex: mu.Executor, keys: Keys, members: int) -> list[Keys]:
    """The shares of at most so many members; one behind the other they are the sorted array."""
    members = max(1, min(members, len(keys)))
    return ex.gang(sort_part, np.array_split(keys, members))


@click.command()
@click.argument("source", metavar="NUMBERS.npy", type=click.Path(path_type=Path))
@click.argument("output", metavar="SORTED.npy", type=click.Path(path_type=Path))
@run_options
def main(source: Path, output: Path, on: str, workers: int | None) -> None:
    """Sort the array in NUMBERS.npy into SORTED.npy."""
    keys = arrays.load(source)
    if keys.ndim != 1:
        raise click.UsageError(f"{source}: has {keys.ndim} dimensions, an array of one is sorted")
    members = workers or 4
    with mu.Executor(on, workers=members) as ex:
        shares = sort(ex, keys, members)
    for rank, share in enumerate(shares):
        span = f"{share[0]} to {share[-1]}" if len(share) else "nothing"
        click.echo(f"member {rank}: {len(share):,} of {len(keys):,}, {span}")
    arrays.save(output, np.concatenate(shares))


if __name__ == "__main__":
    run(main)
