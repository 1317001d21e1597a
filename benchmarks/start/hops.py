"""From the end of an upload to the first picture that is encoded: each hop of a warm, short film.

The film is simulated (`mu.simulation`), with the real flow and without chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from excamera.job.options import EncodeOptions
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.price.costs import STARTED_S
from excamera.price.film import Film
from excamera.price.simulated import Simulated, simulated
from excamera.price.workers import Workers
from mu.simulation import CLOUD, Call
from mu.simulation.calls import STATES

FILM = Film(48, 1280, 720, 2.0)
"""Two seconds: the film of `excamera doctor` is as long."""

BATCH = ("anchors", "encode")

REQUESTS_OF_START = 8
"""Requests of the function `start`, one after another, until the execution has begun; those that
are made at the same moment count once. `tests/unit/test_admission.py` counts all but the first
and the last."""


_STATES = "between states"


@dataclass(frozen=True, slots=True)
class Hop:
    """A part of the way.

    Attributes:
        who: where the time is spent.
        what: what happens there.
        seconds: how long it takes.
        source: what the figure rests on.
    """

    who: str
    what: str
    seconds: float
    source: str


_SOURCES = {
    "state machine": "assumption: 50 ms between two states, 50 ms until a call",
    "dispatch": "assumption: 0.3 s until a map begins children, 50 ms and a rate for each",
    "reading items": "assumption: a GET and some parsing",
    "compute": "measured on a machine that is not Lambda",
    "S3": "six requests one after another, of 25 ms, and the bytes at 78 MB/s",
    "cold start": "assumption",
}


def job(*, warm: bool) -> Simulated:
    """The simulated job."""
    return simulated(
        FILM, EncodeOptions(), Workers(DEFAULT_MEMORY_MB), cloud=CLOUD.steady(), warm=warm
    )


def first_call(made: Simulated) -> Call:
    """The first call of a job that encodes."""
    return min(
        (call for call in made.result.calls if call.task in BATCH), key=lambda one: one.began
    )


def hops(*, warm: bool) -> Iterator[Hop]:
    """The way to the first call that encodes, in order; with what that call does first."""
    made = job(warm=warm)
    first = first_call(made)
    yield Hop("S3, EventBridge", "an event for the upload calls `start`", CLOUD.event_s,
              'S3\'s documentation: "typically in seconds"; assumption: one')  # fmt: skip
    yield Hop("`start`", f"{REQUESTS_OF_START} requests in a row; StartExecution is the last",
              STARTED_S, "25 ms a request; 0.02 s of CPU time, measured")  # fmt: skip
    for (who, kind), same in groupby(_steps(made, first), key=lambda one: one[:2]):
        yield Hop(who, kind, sum(seconds for _, _, seconds in same), _SOURCES[kind])


def _steps(made: Simulated, first: Call) -> Iterator[tuple[str, str, float]]:
    chain = []
    path = made.result.path
    while path is not None:
        path, what, seconds = path
        chain.append((what, seconds))
    for what, seconds in reversed(chain[:-1]):  # the last one is the event
        if isinstance(what, Call):
            of = "`" + what.task + "`"
            yield from ((f"before {of}", kind, took) for kind, took in what.waits if took)
            if what is first:
                yield from ((of, kind, took) for kind, took in what.spent if kind == "cold start")
                return
            yield from ((of, kind, took) for kind, took in what.spent if took)
        elif seconds:
            yield _STATES, what, seconds


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted until the first call that encodes begins.

    Attributes:
        calls: of functions that the way leads through, that one and `start` included.
        states: that the way leads through, in the job's execution and a child.
        requests: to S3 and other services, one after another.
    """

    calls: int
    states: int
    requests: int


def counted() -> Counted:
    """The counts of a warm, short film."""
    made = job(warm=True)
    first = first_call(made)
    chain = []
    path = made.result.path
    while path is not None:
        path, what, _ = path
        chain.append(what)
    before = list(reversed(chain))
    before = before[: before.index(first) + 1]
    calls = [one for one in before if isinstance(one, Call)]
    states = [one for one in before if one == STATES]
    rounds = sum(made.stages.work(one.task, one.event).rounds for one in calls if one is not first)
    return Counted(
        calls=1 + len(calls),
        states=len(calls) + len(states),
        requests=REQUESTS_OF_START + rounds,
    )
