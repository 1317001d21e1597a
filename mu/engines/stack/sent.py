"""The calls of a job that have been sent and have not ended: by number, share and wave."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mu.engines.call import Call


@dataclass(slots=True)
class _SentCall:
    """A call that has been sent and has not ended."""

    call: Call
    share: str = ""


@dataclass(slots=True)
class Wave:
    """An execution.

    Attributes:
        arn: its ARN.
        shares: those without an end so far, with the numbers of their calls.
        ended: when it was seen to have ended.
        why: what it ended with, if not well.
        dropped: names of shares that may still run calls that nobody wants.
    """

    arn: str
    shares: dict[str, set[int]] = field(default_factory=dict)
    ended: float | None = None
    why: str = ""
    dropped: set[str] = field(default_factory=set)


class Sent:
    """What has been sent and has not ended; any thread may use it.

    Attributes:
        waves: executions that still run what is wanted, or what is not.
        dropped: numbers of calls that nobody wants and that had not ended.
    """

    def __init__(self, lock: threading.Condition) -> None:
        """Begins with none.

        Args:
            lock: is taken for every change. Whoever holds it already changes more at once.
        """
        self._lock = lock
        self._numbers = itertools.count()
        self._calls: dict[int, _SentCall] = {}
        self._number_of: dict[Call, int] = {}
        self.waves: list[Wave] = []
        self.dropped: set[int] = set()

    def __len__(self) -> int:
        return len(self._calls)

    def numbers(self, share: str | None = None) -> list[int]:
        """The numbers of all calls, or of those of a share."""
        with self._lock:
            return [
                number for number, one in self._calls.items() if share is None or one.share == share
            ]

    def calls(self, numbers: Iterable[int]) -> dict[int, Call]:
        """Those of the calls that have not ended, by their numbers."""
        with self._lock:
            return {number: self._calls[number].call for number in numbers if number in self._calls}

    def number(self, calls: Sequence[Call]) -> list[int]:
        """Numbers of calls that are now sent; those that were cancelled meanwhile get none."""
        with self._lock:
            numbers = []
            for call in calls:
                if not call.over:
                    number = next(self._numbers)
                    self._calls[number] = _SentCall(call)
                    self._number_of[call] = number
                    numbers.append(number)
            return numbers

    def begin_wave(self, arn: str, shares: Mapping[str, Sequence[int]]) -> None:
        """Note an execution, of whose calls some may have been cancelled meanwhile.

        Args:
            arn: its ARN.
            shares: the numbers of the calls in each share.
        """
        with self._lock:
            begun = Wave(arn)
            for share, some in shares.items():
                left = {number for number in some if number in self._calls}
                if len(left) < len(some):
                    begun.dropped.add(share)
                for number in left:
                    self._calls[number].share = share
                if left:
                    begun.shares[share] = left
            self.waves.append(begun)

    def take(self, number: int, *, dropped: bool = False, again: bool = False) -> Call | None:
        """A call that has ended, for whatever reason; None if it has before.

        Args:
            number: its number.
            dropped: whether it has not ended, but nobody wants it.
            again: whether it has not ended, but comes back to be sent again.
        """
        with self._lock:
            sent = self._calls.pop(number, None)
            if sent is None:
                return None
            del self._number_of[sent.call]
            sent.call.over = not again
            if dropped:
                self.dropped.add(number)
            for wave in self.waves:
                if sent.share in wave.shares:
                    if dropped:
                        wave.dropped.add(sent.share)
                    wave.shares[sent.share].discard(number)
                    if not wave.shares[sent.share]:
                        del wave.shares[sent.share]
                    break
            return sent.call

    def drop(self, call: Call) -> bool:
        """Note that nobody wants a call; False if it has not been sent, or has ended."""
        with self._lock:
            found = self._number_of.get(call)
            if found is None:
                return False
            self.take(found, dropped=True)
            return True

    def drop_shares(self) -> None:
        """Note that nobody wants anything of what has been sent."""
        with self._lock:
            for wave in self.waves:
                wave.dropped.update(wave.shares)

    def drop_all(self) -> list[Call]:
        """Note the same, and know none of the calls any more; returns them."""
        with self._lock:
            self.drop_shares()
            left = [one.call for one in self._calls.values()]
            self._calls.clear()
            return left

    def forget_ended_waves(self) -> None:
        """Forget executions of which nothing is left to do."""
        self.waves = [
            wave for wave in self.waves if wave.shares or (wave.dropped and wave.ended is None)
        ]
