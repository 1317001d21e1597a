"""The pipeline's steps, one task after another in this process, to see what each of them costs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common.timing import Spent
from excamera.job.batches import Batch
from excamera.job.flow import FUNCTIONS
from excamera.job.objects import Job
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from mu import Context, DirectoryStore, Event
from mu.task import resolve

JOB = "serial"


class SerialJob:
    """A job that runs its tasks here.

    Attributes:
        spent: time by step.
    """

    def __init__(self, source: Path, options: EncodeOptions, directory: Path) -> None:
        """Prepares the job of a source; its objects go below a directory."""
        self._store = DirectoryStore(directory)
        self._start: Event = {
            "job": JOB,
            "input": {"name": source.name, "path": str(source.resolve())},
            "container": "ivf",
            "options": options.to_json(),
            "index": "auto",
        }
        self.spent: dict[str, Spent] = {}

    def plan(self) -> Plan:
        """Runs the steps up to the plan and returns what they made."""
        indexed = self._call("index", self._start)
        for span in indexed["spans"]:
            self._call("survey", {"job": JOB, "span": span, "threads": 0})
        self._call("plan", {"job": JOB, "limits": indexed["limits"]})
        return Job.load(self._store, JOB).plan

    def run(self) -> None:
        """Runs all steps but the sound's and the last, which have little to do for y4m files."""
        for batch in self.plan().batches:
            self.encode(batch, 1)

    def encode(self, batch: Batch, shares: int) -> None:
        """Encodes a batch in so many shares, with a thread for each call."""
        place: Event = {"job": JOB, "batch": batch.number}
        if shares > 1 and batch.is_anchored:
            self._call("anchors", place)
        for share in range(shares):
            self._call("encode", {**place, "share": share, "of": shares, "threads": 1})

    def _call(self, step: str, event: Event) -> Event:
        function = resolve(FUNCTIONS[step])
        with self.spent.setdefault(step, Spent()).more():
            result: Event = function(event, Context(self._store, step))
        return result


@contextlib.contextmanager
def serial_job(source: Path, options: EncodeOptions) -> Iterator[SerialJob]:
    """A job whose objects are removed at the end."""
    with tempfile.TemporaryDirectory() as directory:
        yield SerialJob(source, options, Path(directory))
