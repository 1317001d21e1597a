"""What the calls of a job have taken so far."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from excamera.job.steps import ENCODING
from mu import Attempt

_AHEAD = "anchors"


@dataclass(slots=True)
class Tally:
    """Sums over the calls of a job.

    Attributes:
        seconds: that calls took, by step.
        calls: how many there were, by step.
        tasks: how many tasks they were for, whatever became of these.
        done: how many of these have succeeded.
        retries: attempts at tasks after the first.
        batches: of which a share was encoded.
        divided: of these, those with several shares; of mode anchors also those whose anchors
            were coded, and nothing else yet.
        divided_shares: shares of those.
    """

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    batches: int = 0
    divided: int = 0
    divided_shares: int = 0

    @classmethod
    def of(cls, attempts: Iterable[Attempt]) -> Self:
        """The sums of a timeline; "encode-000003-000001" is share 1 of batch 3."""
        tally = cls()
        numbers: dict[str, int] = {}
        done: set[str] = set()
        for attempt in attempts:
            numbers[attempt.task] = max(numbers.get(attempt.task, 0), attempt.number)
            tally.calls[attempt.name] += 1
            tally.seconds[attempt.name] += attempt.milliseconds / 1000
            if attempt.done:
                done.add(attempt.task)
        tally.tasks = Counter(task.partition("-")[0] for task in numbers)
        tally.done = Counter(task.partition("-")[0] for task in done)
        tally.retries = sum(number - 1 for number in numbers.values())
        shares = Counter(task.split("-")[1] for task in numbers if task.startswith(f"{ENCODING}-"))
        divided = [count for count in shares.values() if count > 1]
        tally.batches = len(shares)
        tally.divided = max(len(divided), tally.tasks[_AHEAD])
        tally.divided_shares = sum(divided)
        return tally

    def add_batches(self, batches: int, totals: Mapping[str, float]) -> None:
        """Count joined batches, with the totals of what `work_of_batch` returned for each."""
        for step in (ENCODING, _AHEAD):
            calls = round(totals.get(f"{step} calls", 0))
            self.calls[step] += calls
            self.tasks[step] += calls
            self.done[step] += calls
            self.seconds[step] += totals.get(f"{step} s", 0.0)
        self.batches += batches
        self.divided += round(totals.get("divided", 0))
        self.divided_shares += round(totals.get("divided shares", 0))


def work_of_batch(shares: int, encode_s: float, ahead_s: float | None) -> dict[str, float]:
    """What a batch's record says of its calls.

    Args:
        shares: how many there were.
        encode_s: seconds that they took together.
        ahead_s: seconds of the call of anchors; None if there was none.
    """
    work: dict[str, float] = {f"{ENCODING} calls": shares, f"{ENCODING} s": round(encode_s, 3)}
    if ahead_s is not None:
        work |= {f"{_AHEAD} calls": 1, f"{_AHEAD} s": round(ahead_s, 3)}
    if shares > 1:
        work |= {"divided": 1, "divided shares": shares}
    return work
