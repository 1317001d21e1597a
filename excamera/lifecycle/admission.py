"""Jobs wait until the account has workers for them; then they have a turn, and start.

A quota of concurrent functions belongs to the account, not to a job. So every job begins in a
queue, and starts only when enough of the quota is free. What all jobs together may use is their
`capacity`; the turns that jobs have add up to no more.

A job's turn begins with as many workers as it could need: its frames are not known yet. Its plan
knows them and returns what is too much. While its result is stitched, one worker is enough. What
is returned goes to the jobs that wait, first those of high priority, then those that came first.
Nobody overtakes: a job that needs many workers is not kept waiting by many that need few.

In the store:

``admission/jobs/JOB.json``       a job that waits
``admission/queue/...JOB``        its entry in the queue; names sort in the order of turns
``admission/turns.json``          the turns, which only change as a whole (`shared`)

Whoever changes something here may die at any moment. A job's record is removed after its execution
can be found, and the turn of a job without an execution is removed by `reconcile`; so nothing is
lost, and nothing stays.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from excamera.job.objects import Keys
from excamera.lifecycle import shared
from mu import Event, NoSuchKey, Store

Result = TypeVar("Result")

HIGHEST_PRIORITY = 50
"""Priorities are -50 to 50, as in MediaConvert."""

USUAL_PRIORITY = 0

EVENT_SOURCE = "excamera"
"""The source of our events on the account's default bus."""

TURN = "ExCamera Turn"
"""The type of the event that some job may have a turn now."""

_QUEUE = "admission/queue/"
_TURNS = "admission/turns.json"

_SHARE = 4
"""A job waits for the whole of what it can use, or for this part of the capacity."""

_FEWEST = 2
"""Workers of the smallest turn: one for the sound and one for the pictures."""

_BYTES_A_WORKER = 1 << 16
"""Bytes of a source that keep one worker busy, at least: half a second of a megabit a second."""

_YOUNG_S = 120.0
"""Age in seconds up to which a turn may be without an execution."""

_STARTING_S = 30.0
"""Age in seconds up to which a job with a turn is left to whoever gave it: a hundred uploads call
a hundred functions, and Step Functions answers only some ten questions a second about executions.
Less than the minute after which Lambda calls a function again that died."""


# --- the queue -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits for its turn.

    Attributes:
        event: starts it; its `job` is its name, `size` the bytes of its source, if known, and jobs
            of a higher `priority` are served first.
        created: time of the request, Unix seconds.
    """

    event: Event
    created: float

    @property
    def job(self) -> str:
        """Its name."""
        return str(self.event["job"])

    @property
    def entry(self) -> str:
        """The key of its entry in the queue."""
        rank = HIGHEST_PRIORITY - self.event.get("priority", USUAL_PRIORITY)
        return f"{_QUEUE}{rank:03d}-{self.created * 1e3:014.0f}-{self.job}"

    def to_json(self) -> bytes:
        """As stored."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Waiting:
        """The inverse of `to_json`."""
        return cls(**json.loads(data))


def priority_of(text: str) -> int:
    """A priority from its text.

    Raises:
        ValueError: it is none.
    """
    priority = int(text)
    if abs(priority) > HIGHEST_PRIORITY:
        raise ValueError(f"{priority} is not in -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}")
    return priority


def enqueue(waiting: Waiting, store: Store) -> Waiting:
    """Let a job wait; of several requests for the same job, the first counts and is returned."""
    key = Keys(waiting.job).waiting
    if not store.put_new(key, waiting.to_json()):
        waiting = Waiting.from_json(store.get(key))
    store.put(waiting.entry, b"")
    return waiting


def find(job: str, store: Store) -> Waiting | None:
    """A job that waits, or None."""
    try:
        return Waiting.from_json(store.get(Keys(job).waiting))
    except NoSuchKey:
        return None


def queue(store: Store) -> dict[str, str]:
    """The names of the jobs that wait, next first, by their entries."""
    entries = (key.removeprefix(_QUEUE) for key in store.list(_QUEUE))
    return {entry: entry.split("-", 2)[2] for entry in entries}


def forget(waiting: Waiting, store: Store) -> None:
    """Remove a job from the queue."""
    store.delete(waiting.entry)
    store.delete(Keys(waiting.job).waiting)


# --- turns -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """What a job may use.

    Attributes:
        workers: functions at the same time.
        since: when its turn began, Unix seconds.
        by: the call of `admit` that gave it and starts the job, or "".
    """

    workers: int
    since: float
    by: str = ""


Turns = dict[str, Turn]
"""By job."""


def turns(store: Store) -> Turns:
    """All turns."""
    return _turns(shared.read(_TURNS, store))


def admit(
    store: Store,
    *,
    capacity: int,
    most: int,
    start: Callable[[Event, int], bool],
    known: Mapping[str, Waiting] | None = None,
    clock: Callable[[], float] = time.time,
) -> list[str]:
    """Begin the turns of the jobs for which there is room.

    Args:
        store: the jobs'.
        capacity: functions that all jobs together may use.
        most: functions that one job may use, by the stack's limits.
        start: starts a job by its event, is told the workers of its turn, and returns when it can
            be found; returns False if it was started before and has ended. To start a running job
            again has no effect.
        known: jobs in the queue that the caller has just put there, by name: they are not read.
        clock: returns Unix seconds.

    Returns:
        Names of the jobs that were started. One that got its turn a moment ago from somebody else
        is left to them.

    Raises:
        Exception: of the first job that could not be started, once all others are; it stays in the
            queue, with its turn.
    """
    me = secrets.token_hex(4)

    def give(now: Turns) -> list[tuple[Waiting, int]]:
        given = []
        for entry, job in queue(store).items():
            waiting = (known or {}).get(job) or find(job, store)
            if waiting is None:  # started meanwhile, or cancelled; a late event may leave an entry
                store.delete(_QUEUE + entry)
                continue
            if job in now and now[job].by != me and clock() - now[job].since < _STARTING_S:
                continue
            if job not in now:
                free = capacity - _used(now)
                wanted = _wanted(waiting, most, capacity)
                if now and free < min(wanted, max(_FEWEST, capacity // _SHARE)):
                    break
                now[job] = Turn(max(1, min(wanted, free)), clock(), me)
            given.append((waiting, now[job].workers))
        return given

    started, failed = [], []
    for waiting, workers in _change(store, give):
        try:
            runs = start(waiting.event, workers)
        except Exception as error:
            failed.append(error)
            continue
        if runs:
            started.append(waiting.job)
        else:
            release(waiting.job, store)
        forget(waiting, store)
    if failed:
        raise failed[0]
    return started


def settle(
    job: str, workers: int, store: Store, *, capacity: int, clock: Callable[[], float] = time.time
) -> tuple[int, bool]:
    """Adapt a job's turn to what the job can use.

    It may grow only if nobody waits. A job without a turn, which somebody started by hand, gets
    one of what is left.

    Args:
        job: its name.
        workers: functions that it could use at the same time.
        store: the jobs'.
        capacity: functions that all jobs together may use.
        clock: returns Unix seconds.

    Returns:
        How many it may use, and whether others wait for what it does not.
    """
    others_wait = bool(queue(store))

    def adapt(now: Turns) -> int:
        mine = now.pop(job, None)
        if mine is None:
            most = max(_FEWEST, capacity - _used(now))
        elif others_wait:
            most = mine.workers
        else:
            most = max(mine.workers, capacity - _used(now))
        granted = min(workers, most)
        now[job] = Turn(granted, clock()) if mine is None else replace(mine, workers=granted)
        return granted

    return _change(store, adapt), others_wait


def shrink(job: str, workers: int, store: Store) -> bool:
    """Return all but some workers of a job's turn; says whether others wait for them."""

    def less(now: Turns) -> None:
        if job in now and now[job].workers > workers:
            now[job] = replace(now[job], workers=workers)

    _change(store, less)
    return bool(queue(store))


def release(job: str, store: Store) -> None:
    """End a job's turn, if it has one."""
    _change(store, lambda now: now.pop(job, None))


def reconcile(running: Iterable[str], store: Store, clock: Callable[[], float] = time.time) -> None:
    """End the turns of jobs that do not run, whose ends nobody has reported.

    Args:
        running: names of all jobs that run.
        store: the jobs'.
        clock: returns Unix seconds.
    """
    alive = {*running, *queue(store).values()}

    def end(now: Turns) -> None:
        for job, turn in list(now.items()):
            if job not in alive and clock() - turn.since > _YOUNG_S:
                del now[job]

    _change(store, end)


def _used(now: Turns) -> int:
    return sum(turn.workers for turn in now.values())


def _wanted(waiting: Waiting, most: int, capacity: int) -> int:
    """Workers that a job could use, by what is known before it starts."""
    wanted = min(most, capacity)
    size = waiting.event.get("size")
    if size is not None:
        wanted = min(wanted, _FEWEST + size // _BYTES_A_WORKER)
    return wanted


def _change(store: Store, how: Callable[[Turns], Result]) -> Result:
    """Change the turns; if somebody else does so meanwhile, `how` is called again with theirs."""

    def changed(fields: shared.Fields) -> Result:
        now = _turns(fields)
        result = how(now)
        fields.clear()
        fields.update({job: asdict(turn) for job, turn in now.items()})
        return result

    return shared.change(_TURNS, store, changed)


def _turns(fields: shared.Fields) -> Turns:
    return {job: Turn(**turn) for job, turn in fields.items()}
