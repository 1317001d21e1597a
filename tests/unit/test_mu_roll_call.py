"""A gang on a stack begins with a roll call: either all members go on, or none does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mu import Comm, MemoryStore, NotEnoughConcurrency
from mu.errors import PeerFailed
from mu.messages.channel import ending
from mu.messages.opening import begin_channel, open_channel

JOBS = itertools.count()

Joining = Callable[[int, int], Comm]


@pytest.fixture
def join(kind: str) -> Iterator[Joining]:
    """Makes a member of the gang, given its rank and the gang's size."""
    objects, job = MemoryStore(), f"mu/{next(JOBS)}"
    url, first = begin_channel(kind, objects, job)
    opened = []

    def member(rank: int, size: int) -> Comm:
        opened.append(open_channel(url, objects, job, "g"))
        return Comm(opened[-1], objects, "g", rank, size)

    yield member
    first.forget("g")
    for channel in opened:
        channel.close()
    first.close()


def test_all_go_on_if_all_are_there(join: Joining) -> None:
    """If this fails, no gang begins; or a member that is started again, or its copy, does not."""
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda rank: join(rank, 3).roll_call(60), range(3)))
    join(1, 3).roll_call(0)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_who_comes_after_the_others_have_given_up_does_not_go_on(join: Joining, size: int) -> None:
    """If this fails, a member runs the user's function alone: what is due to it was sent before."""
    with ThreadPoolExecutor(size) as pool:

        def come(rank: int) -> str:
            with pytest.raises(NotEnoughConcurrency, match=f"not all {size} members") as refused:
                join(rank, size).roll_call(0.3)
            return str(refused.value)

        list(pool.map(come, range(size - 1)))
        come(size - 1)


def test_who_waits_too_long_goes_on_if_others_have(join: Joining) -> None:
    """If this fails, some members run the function, and others have given up."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda rank: join(rank, 2).roll_call(60), range(2)))
    # With three members, rank 2 would wait for messages that nobody has sent.
    join(2, 3).roll_call(0.3)


def test_a_member_that_fails_before_is_not_lack_of_room(join: Joining) -> None:
    """If this fails, an argument that cannot be unpickled is told as a limit of the account."""
    join(0, 2)._channel.put(ending("g", 1), b"ModuleNotFoundError: No module named 'x'")
    with pytest.raises(PeerFailed, match="No module named 'x'"):
        join(0, 2).roll_call(60)


def test_a_member_that_has_given_up_is_lack_of_room(join: Joining) -> None:
    """If this fails, members that end because another gave up hide why it did."""
    with pytest.raises(NotEnoughConcurrency):
        join(1, 2).roll_call(0.1)
    join(0, 2)._channel.put(ending("g", 1), b"NotEnoughConcurrency: not all")
    with pytest.raises(NotEnoughConcurrency):
        join(0, 2).roll_call(60)
