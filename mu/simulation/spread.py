"""One function that begins all calls of a map, in simulated time."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from mu.copies import few, slow_s
from mu.simulation.calls import Call, Path
from mu.simulation.rates import Rate
from mu.simulation.steps import Done, Scope, TaskStep
from mu.simulation.work import Work

if TYPE_CHECKING:
    from mu.simulation.run import Run


class Spread:
    """The calls of a map that one function has begun; see `mu.engines.stack.direct`."""

    def __init__(self, run: Run) -> None:
        """Begins with none."""
        self._run = run
        self._rate = Rate(run.cloud.spread_calls)
        self._begun: Counter[str] = Counter()
        self._took: defaultdict[str, list[float]] = defaultdict(list)
        self._left: defaultdict[str, dict[int, tuple[TaskStep, tuple[Any, ...]]]] = defaultdict(
            dict
        )
        self._copied: defaultdict[str, set[int]] = defaultdict(set)

    def next(self, now: float) -> float:
        """When the next call that is asked for now reaches Lambda."""
        return self._rate.take(now) + self._run.cloud.spread_s

    def watched(
        self, step: TaskStep, call: Call, work: Work, event: Any, path: Path, scope: Scope,
        done: Done,
    ) -> Done:  # fmt: skip
        """What to do at the end of a call: the first of two that do the same counts."""
        task, key = call.task, call.key
        self._begun[task] += 1

        def first(result: Any, path: Path) -> None:
            if self._left[task].pop(key, None) is None:
                return  # the other one has ended before
            assert path is not None
            ended = path[1]
            if isinstance(ended, Call):
                self._took[task].append(self._run.now - ended.began)
            done(result, path)
            self._look(task)

        self._left[task][key] = step, (call, work, event, path, scope, first)
        return first

    def _look(self, task: str) -> None:
        """Copy the slowest few calls, each as soon as it is slow."""
        run = self._run
        left, most = self._left[task], few(run.copies, self._begun[task])
        if len(left) > most:
            return
        late = slow_s(self._took[task])
        for key, (_, (call, *_rest)) in left.items():
            if key not in self._copied[task] and len(self._copied[task]) < most:
                self._copied[task].add(key)
                began = run.now if call.began == float("inf") else call.began
                run.at(max(run.now, began + late), self._copy, task, key)

    def _copy(self, task: str, key: int) -> None:
        """Copy a call that has not ended."""
        if key in self._left[task]:
            step, given = self._left[task][key]
            step.copy(*given)
        else:
            self._copied[task].discard(key)
