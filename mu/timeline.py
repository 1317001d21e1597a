"""The timeline of a run: an object for each attempt of each task, with most facts in its key.

A list of keys is enough to know what is done, how long it took and what failed. A caller that
needs more reads the objects, which are `mu.TaskRecord`s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DONE = "done"
"""The outcome of an attempt that did not fail."""

_KEY = re.compile(r"(?P<task>[^/]+)/(?P<number>\d+)-(?P<ms>\d+)ms-(?P<outcome>[^/]+)\.json")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of one task.

    Attributes:
        task: the task's name and the numbers that distinguish it from others of that name,
            such as "encode-000003-000004".
        number: 1 for the first attempt, then 2, ...
        milliseconds: how long it took.
        outcome: "done", or the class name of what it raised.
    """

    task: str
    number: int
    milliseconds: int
    outcome: str = DONE

    @property
    def name(self) -> str:
        """The task's name in the flow."""
        return self.task.partition("-")[0]

    @property
    def done(self) -> bool:
        """Whether this attempt succeeded."""
        return self.outcome == DONE

    def key(self, prefix: str) -> str:
        """The key of its record in the timeline below `prefix`."""
        return f"{prefix}/{self.task}/{self.number}-{self.milliseconds}ms-{self.outcome}.json"


def attempts(prefix: str, keys: Iterable[str]) -> Iterator[Attempt]:
    """The attempts in a timeline below `prefix`, from its keys and in their order."""
    for key in keys:
        found = _KEY.fullmatch(key.removeprefix(f"{prefix}/"))
        if found:
            yield Attempt(found["task"], int(found["number"]), int(found["ms"]), found["outcome"])
