"""What the step `index` learns of a source and hands on: to the surveys of spans, and to `plan`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

from excamera.job.cut import Frames, span_to_read
from excamera.job.objects import Keys
from excamera.job.plan import Batch, Plan
from excamera.job.records import SurveyRecord
from mu import Store, at_once

_OF_FRAMES = tuple(one.name for one in fields(Frames))


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan before its frames are cut.

    Attributes:
        plan: all of it but the batches.
        frames: of the source.
        spans: the parts of the source that are surveyed by workers of their own, each from its
            first frame to before its end.
        survey: of the whole source, if it has no spans and was surveyed.
    """

    plan: Plan
    frames: Frames
    spans: list[tuple[int, int]]
    survey: SurveyRecord | None = None

    def save(self, store: Store, keys: Keys) -> None:
        """Store the spans as their workers read them, then the whole."""

        def save_span(number: int) -> None:
            chunks = span_to_read(self.frames, *self.spans[number])
            part = replace(self.plan, batches=(Batch(number, chunks, mode=""),))
            store.put(keys.span(number), part.to_json())

        at_once(save_span, range(len(self.spans)))
        whole = {
            "plan": json.loads(self.plan.to_json()),
            "frames": {name: getattr(self.frames, name) for name in _OF_FRAMES},
            "spans": self.spans,
            "survey": None if self.survey is None else asdict(self.survey),
        }
        store.put(keys.index, json.dumps(whole).encode())

    @classmethod
    def load(cls, store: Store, keys: Keys) -> Self:
        """The draft of a job."""
        whole = json.loads(store.get(keys.index))
        frames, survey = whole["frames"], whole["survey"]
        return cls(
            plan=Plan.from_json(json.dumps(whole["plan"]).encode()),
            frames=Frames(**{**frames, "seeks": [tuple(one) for one in frames["seeks"]]}),
            spans=[(first, end) for first, end in whole["spans"]],
            survey=None if survey is None else SurveyRecord(**survey),
        )
