"""A job whose steps a test calls itself, one after another."""

from __future__ import annotations

from pathlib import Path

from excamera.job.flow import FUNCTIONS
from excamera.job.objects import Job
from excamera.job.options import EncodeOptions
from mu import Context, Event, Store
from mu.task import resolve

NAME = "j"


class JobByHand:
    """A job that has its plan and its sound.

    Attributes:
        job: it.
    """

    def __init__(
        self, source: Path, options: EncodeOptions, store: Store, container: str = "ivf"
    ) -> None:
        self._store = store
        indexed = self.call(
            "index",
            {
                "input": {"name": source.name, "path": str(source)},
                "container": container,
                "options": options.to_json(),
                "index": "auto",
            },
        )
        for span in indexed["spans"]:
            self.call("survey", {"span": span, "threads": 1})
        self.call("plan", {"limits": indexed["limits"]})
        self.call("audio", {})
        self.job = Job.load(store, NAME)

    def call(self, step: str, event: Event) -> Event:
        """Call a step's function."""
        result: Event = resolve(FUNCTIONS[step])({"job": NAME, **event}, Context(self._store, step))
        return result

    def encode(self, batch: int, share: int, of: int, threads: int = 1) -> Event:
        """Encode one of so many shares of a batch."""
        return self.call("encode", {"batch": batch, "share": share, "of": of, "threads": threads})

    def run(self, shares: int, threads: int = 1) -> None:
        """Encode all batches in so many shares, as far as they have chunks, and the rest."""
        for batch in self.job.plan.batches:
            of = min(shares, len(batch.chunks))
            if of > 1 and batch.is_anchored:
                self.call("anchors", {"batch": batch.number})
            for share in range(of):
                self.encode(batch.number, share, of, threads)
        self.call("stitch", {})

    @property
    def result(self) -> bytes:
        """The finished file."""
        plan = self.job.plan
        return self._store.get(self.job.keys.result(plan.container))
