"""The sample sort sorts, and gives no member much more than its share, whatever the keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mu
from examples.sample_sort import Keys, sort
from tests.support.examples import lines_of, refusal, run_example

COUNT = 20_000


@pytest.fixture(scope="module")
def ex() -> Iterator[mu.Executor]:
    """An executor with room for five members."""
    with mu.Executor(workers=5) as made:
        yield made


def _keys() -> dict[str, Keys]:
    random = np.random.default_rng(3)
    gaps = random.normal(size=COUNT)
    gaps[::7] = np.nan
    half = np.where(np.arange(COUNT) < COUNT // 2, 5, random.integers(0, 1000, COUNT))
    return {
        "random": random.normal(size=COUNT),
        "sorted": np.arange(COUNT),
        "falling": np.arange(COUNT)[::-1],
        "skewed": random.zipf(1.3, COUNT),
        "two keys": random.integers(0, 2, COUNT).astype(np.uint8),
        "one key": np.full(COUNT, 7),
        "one key in half of the parts": half,
        "not numbers": gaps,
        "words": random.choice(np.array(["ab", "b", "abc", ""]), COUNT),
        "few": np.array([3, 1, 2]),
        "none": np.array([], dtype=np.int16),
    }


@pytest.mark.parametrize("members", [1, 2, 5])
@pytest.mark.parametrize("name", _keys())
def test_keys_of_every_kind_are_sorted_evenly(name: str, members: int, ex: mu.Executor) -> None:
    """If this fails, keys are lost or out of order, or one member does the work of all."""
    keys = _keys()[name]
    shares = sort(ex, keys, members)
    whole = np.concatenate(shares)
    expected: Any = np.sort(keys)
    assert whole.dtype == keys.dtype
    np.testing.assert_array_equal(whole, expected)  # which takes a NaN for equal to a NaN
    if len(keys) == COUNT:
        assert max(map(len, shares)) <= 1.2 * COUNT / members


def test_the_program_sorts_a_file(tmp_path: Path) -> None:
    """If this fails, the command of the page does not work."""
    keys = _keys()["skewed"]
    np.save(tmp_path / "numbers.npy", keys)
    done = run_example(
        "sample_sort", "numbers.npy", "sorted.npy", "--workers", "3", inside=tmp_path
    )
    lines = lines_of(done)
    assert [line.partition(":")[0] for line in lines] == ["member 0", "member 1", "member 2"]
    assert lines[2].endswith(f" to {keys.max()}")
    assert np.array_equal(np.load(tmp_path / "sorted.npy"), np.sort(keys))


def test_mistakes_are_named(tmp_path: Path) -> None:
    """If this fails, a file that cannot be sorted ends in a traceback."""
    np.save(tmp_path / "square.npy", np.zeros((3, 3)))
    np.save(tmp_path / "objects.npy", np.array([{}, None]), allow_pickle=True)
    for name, expected in (
        ("square.npy", "square.npy: has 2 dimensions, an array of one is sorted"),
        ("objects.npy", "objects.npy: is not a .npy file of plain values"),
        ("none.npy", "none.npy: No such file or directory"),
    ):
        done = run_example("sample_sort", name, "out.npy", inside=tmp_path)
        assert refusal(done) == f"sample_sort: {expected}"
    assert not (tmp_path / "out.npy").exists()
