"""The jobs of a folder as the API describes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from excamera.api.answers import (
    Count,
    Failure,
    Film,
    Job,
    Outcome,
    Phase,
    Reached,
    Result,
    ResultFile,
)
from excamera.api.logs import LogLine
from excamera.console.parts import Parts
from excamera.console.records import Record, Records
from excamera.console.turns import Turns
from excamera.console.urls import SignedPaths
from excamera.job.codecs import rung_of
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.job.steps import STEPS
from excamera.job.tally import Tally
from excamera.work import JOB
from mu.timeline import attempts

SCHEME = "upload://"
"""Begins the source of a job: `upload://JOB/NAME`, the job with which it was uploaded."""

_PHASES: dict[str, Phase] = {"anchors": "anchoring", "encode": "encoding", "stitch": "stitching"}


class Descriptions:
    """Descriptions of the jobs of one folder.

    Args:
        records: the folder's jobs.
        turns: its queue.
        parts: its uploads.
        paths: signs the addresses of results.
    """

    def __init__(self, records: Records, turns: Turns, parts: Parts, paths: SignedPaths) -> None:
        self._records = records
        self._turns = turns
        self._parts = parts
        self._paths = paths

    def summary(self, record: Record) -> dict[str, Any]:
        """What a list has of a job."""
        names = [one.id for one in self._records.waiting()] if record.state == "queued" else []
        return {
            "id": record.id,
            "state": record.state,
            "created": iso(record.created),
            "ended": None if record.ended is None else iso(record.ended),
            "place": 1 + names.index(record.id) if record.id in names else None,
            "source": f"{SCHEME}{record.source_of}/{quote(record.name, safe='')}",
            "size": record.size,
        }

    def job(self, record: Record) -> Job:
        """All of a job."""
        live, planned = self._turns.live(record.id), record.planned
        facts = live.facts if live else {}
        seconds, retries = self._took(record)
        frames = planned["frames"] if planned else None
        ended = record.state == "succeeded"
        return Job(
            **self.summary(record),
            phase=self._phase(record),
            output=record.output,
            options=record.options,
            given={
                **EncodeOptions.from_json(record.options).offered(),
                "container": record.container,
            },
            priority=record.priority,
            tag=record.tag,
            frames=frames,
            frames_done=frames if ended else facts.get("frames_done"),
            left_s=facts.get("seconds_left"),
            film=Film(**{name: planned[name] for name in Film.model_fields}) if planned else None,
            chunks=planned["chunks"] if planned else None,
            batches=Count(
                done=planned["batches"] if ended else facts.get("batches_done", 0),
                total=planned["batches"],
            )
            if planned
            else None,
            seconds=seconds,
            retries=retries,
            predicted=Outcome(**record.predicted) if record.predicted else None,
            actual=_actual(record),
            failure=Failure(**record.failure) if record.failure else None,
            result=self._result(record),
            upload=self._parts.describe(record) if record.state == "uploading" else None,
        )

    def _phase(self, record: Record) -> Phase:
        if record.state in ("uploading", "queued"):
            return "uploading" if record.state == "uploading" else "queued"
        live = self._turns.live(record.id)
        if record.state != "running" or live is None:
            return "ended" if record.state != "running" else "planning"
        steps = [step.name for step in STEPS if step.phase and step.phase == live.phase]
        return _PHASES.get(steps[0], "planning") if steps else "planning"

    def _took(self, record: Record) -> tuple[dict[str, float], int]:
        prefix = Keys(JOB).timeline
        tally = Tally.of(list(attempts(prefix, self._records.store(record.id).list(f"{prefix}/"))))
        return {step: round(total, 3) for step, total in tally.seconds.items()}, tally.retries

    def _result(self, record: Record) -> Result | None:
        found = record.result
        if record.state != "succeeded" or found is None:
            return None
        there = self._records.result(record).is_file()
        return Result(
            bucket=str(self._records.path(record.id)),
            key=record.output,
            **{name: found[name] for name in
               ("size", "frames", "key_frames", "duration_s", "sound", "notes")},
            target=Reached(**found["reached"]) if found["reached"] else None,
            files=list(self._files(record)),
            url=self._paths.sign("GET", f"/results/{record.id}") if there else None,
            expires=self._paths.expires() if there else None,
        )  # fmt: skip

    def _files(self, record: Record) -> Iterator[ResultFile]:
        for path in self._records.files(record):
            name, there = path.name, path.is_file()
            yield ResultFile(
                name=name,
                rung=rung_of(name),
                key=name,
                size=path.stat().st_size if there else 0,
                url=self._paths.sign("GET", f"/results/{record.id}/{name}") if there else None,
            )


def iso(moment: float) -> str:
    """A moment of Unix time as ISO 8601."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def log_line(told: dict[str, Any]) -> LogLine:
    """A line of a job's log, from an event of its program."""
    event = str(told.get("event"))
    text = told.get("text") or told.get("message") or ""
    if event == "phase":
        text = told["phase"]
    elif event == "plan":
        summary = told["summary"]
        text = f"{summary['frames']} frames in {summary['batches']} batches"
    elif event == "result":
        text = f"{told['frames']} frames, {told['size']} bytes"
    levels = {"failed": "ERROR", "error": "ERROR", "note": "WARNING"}
    numbers = {name: told.get(name) for name in ("step", "span", "batch", "share", "exception")}
    return LogLine(
        time=told.get("time", 0.0), level=levels.get(event, "INFO"), message=str(text), **numbers
    )


def _actual(record: Record) -> Outcome | None:
    if record.ended is None or record.started is None:
        return None
    size = record.result["size"] if record.state == "succeeded" and record.result else None
    return Outcome(seconds=round(record.ended - record.started, 3), bytes=size)
