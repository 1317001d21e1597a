"""What the step `index` learns of a source and hands on: to the surveys of spans, and to `plan`."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass, replace
from itertools import chain, groupby, repeat
from typing import Any, Self

from excamera.job.batches import Batch
from excamera.job.cut import Frames, span_to_read
from excamera.job.objects import Keys
from excamera.job.plan import Plan
from excamera.job.records import SurveyRecord
from excamera.job.zones import ZonedFrames
from mu import Store, at_once


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan before its frames are cut.

    Attributes:
        plan: all of it but the batches.
        frames: of the source.
        spans: the parts of the source that are surveyed by workers of their own, each from its
            first frame to before its end.
        survey: of the whole source, if it has no spans and was surveyed.
        planned: see `excamera.job.results.IndexSummary`.
    """

    plan: Plan
    frames: Frames
    spans: list[tuple[int, int]]
    survey: SurveyRecord | None = None
    planned: dict[str, Any] | None = None

    def save(self, store: Store, keys: Keys) -> None:
        """Store the spans as their workers read them, then the whole."""

        def save_span(number: int) -> None:
            chunks = span_to_read(self.frames, *self.spans[number])
            part = replace(self.plan, batches=(Batch(number, chunks, mode=""),))
            store.put(keys.span(number), part.to_json())

        at_once(save_span, range(len(self.spans)))
        whole = {
            "plan": json.loads(self.plan.to_json()),
            "frames": _packed(self.frames),
            "spans": self.spans,
            "survey": None if self.survey is None else asdict(self.survey),
            "planned": self.planned,
        }
        store.put(keys.index, json.dumps(whole).encode())

    @classmethod
    def load(cls, store: Store, keys: Keys) -> Self:
        """The draft of a job."""
        whole = json.loads(store.get(keys.index))
        survey = whole["survey"]
        return cls(
            plan=Plan.from_json(json.dumps(whole["plan"]).encode()),
            frames=_unpacked(whole["frames"]),
            spans=[(first, end) for first, end in whole["spans"]],
            survey=None if survey is None else SurveyRecord(**survey),
            planned=whole.get("planned"),
        )


def _packed(frames: Frames) -> dict[str, Any]:
    """Frames without what repeats: a film of three hours has 260,000 of them."""
    same = frames.read_pts == frames.pts
    return {
        "pts": frames.pts,
        "read_pts": None if same else frames.read_pts,
        # All frames between two key frames are reached from the same ones.
        "seeks": [[seek, len(list(run))] for seek, run in groupby(frames.seeks)],
        "lead": frames.lead,
        "follow": frames.follow,
        "zones": [astuple(zone) for zone in frames.zones],
    }


def _unpacked(packed: dict[str, Any]) -> Frames:
    seeks = chain.from_iterable(repeat(tuple(seek), count) for seek, count in packed["seeks"])
    pts, read_pts = packed["pts"], packed["read_pts"]
    read_pts = pts if read_pts is None else read_pts
    zones = tuple(ZonedFrames(*zone) for zone in packed["zones"])
    return Frames(pts, read_pts, list(seeks), packed["lead"], packed["follow"], zones)
