"""The jobs of a folder as they are stored: a folder for each, with a record as JSON.

FOLDER/jobs/ID
├── job.json      the record
├── source.*      the uploaded film, under a name that means nothing to the pipeline
├── parts/        what is known of the parts of an upload
├── objects/      the job's objects while it runs, then what its report is made of
├── report.*      the report once somebody has asked for it, .html, and its facts, .json
├── log.jsonl     what its program said
└── result.*      the result; of a ladder the folder result/ with its files
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from excamera.api.answers import State
from excamera.api.requests import JOB_ID
from excamera.job.codecs import MANIFESTS, is_manifest
from excamera.job.objects import Job, Keys
from excamera.lifecycle.admission import USUAL_PRIORITY
from excamera.work import JOB
from mu import DirectoryStore, NoSuchKey
from mu.whole import whole_file

_RECORD, _OBJECTS = "job.json", "objects"
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}")


@dataclass(slots=True)
class Record:
    """A job.

    Attributes:
        id: its name.
        state: in the API's words.
        created: Unix time of the request.
        name: of the film.
        size: of the film, in bytes.
        source_of: name of the job whose upload is the source; its own, if it has one.
        options: all, as `EncodeOptions.from_json` takes them.
        output: name of the result.
        priority: see `excamera.lifecycle.admission`.
        tag: of the request.
        request: what was asked for, to tell another request with the same key.
        started: Unix time when its program began; None before.
        ended: Unix time of its end.
        planned: the summary of its plan.
        predicted: what was expected of it then.
        failure: why it failed.
        result: what its program said of the result.
    """

    id: str
    state: State
    created: float
    name: str
    size: int
    source_of: str
    options: dict[str, Any]
    output: str
    priority: int = USUAL_PRIORITY
    tag: Any = None
    request: dict[str, Any] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    planned: dict[str, Any] | None = None
    predicted: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    result: dict[str, Any] | None = None

    @property
    def container(self) -> str:
        """The name and ending of the result's container."""
        return self.output.rpartition(".")[2]


class Records:
    """The jobs of one folder; a record changes only within `changing`.

    Args:
        folder: that holds them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "jobs"
        self._lock = threading.RLock()
        self._known: dict[str, Record] = {}
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.glob(f"*/{_RECORD}")):
            record = _read(path)
            if record is not None and record.id == path.parent.name:
                self._known[record.id] = record

    @property
    def folder(self) -> Path:
        """Where the jobs' folders are."""
        return self._folder

    def find(self, job: str) -> Record | None:
        """A job, or None."""
        return self._known.get(job)

    def latest_first(self) -> list[Record]:
        """All jobs."""
        with self._lock:
            return sorted(self._known.values(), key=lambda one: (-one.created, one.id))

    def waiting(self) -> list[Record]:
        """Jobs that wait for their turn, the next one first."""
        queued = [one for one in self.latest_first() if one.state == "queued"]
        return sorted(queued, key=lambda one: (-one.priority, one.created, one.id))

    def add(self, record: Record) -> None:
        """Store a new job."""
        assert re.match(JOB_ID, record.id)
        with self._lock:
            self.path(record.id).mkdir(parents=True, exist_ok=True)
            self._store(record)
            self._known[record.id] = record

    def change(self, record: Record, **changed: Any) -> None:
        """Change a job, and store it."""
        with self._lock:
            # The state last: whoever sees that a job has ended sees the rest of it, too.
            for name in sorted(changed, key=lambda one: one == "state"):
                setattr(record, name, changed[name])
            self._store(record)

    def change_from(self, before: State, record: Record, /, **changed: Any) -> bool:
        """Change a job if it is in this state; returns whether it was."""
        with self._lock:
            if record.state != before:
                return False
            self.change(record, **changed)
            return True

    # ---- what lies beside a record ----

    def path(self, job: str) -> Path:
        """A job's folder."""
        return self._folder / job

    def source(self, record: Record) -> Path:
        """Where the source of a job is, or will be."""
        ending = _ENDING.fullmatch(Path(record.name).suffix)
        return self.path(record.source_of) / f"source{ending[0] if ending else ''}"

    def result(self, record: Record) -> Path:
        """Where the result of a job is, or will be; of a ladder the manifest.

        A manifest names the files beside it, so these have the names that the user saves.
        """
        if record.container in MANIFESTS:
            return self.path(record.id) / "result" / record.output
        return self.path(record.id) / f"result.{record.container}"

    def files(self, record: Record) -> list[Path]:
        """The files of a ladder that was made, the manifest last; else none."""
        names = (record.result or {}).get("files", ())
        return [self.result(record).with_name(name) for name in names]

    def drop_result(self, record: Record) -> None:
        """Remove what there may be of a result."""
        if record.container in MANIFESTS:
            shutil.rmtree(self.result(record).parent, ignore_errors=True)
        else:
            self.result(record).unlink(missing_ok=True)

    def parts(self, job: str) -> Path:
        """The folder of what is known of the parts of an upload."""
        return self.path(job) / "parts"

    def objects(self, job: str) -> Path:
        """The folder of a job's objects."""
        return self.path(job) / _OBJECTS

    def log(self, job: str) -> Path:
        """The file with what a job's program said."""
        return self.path(job) / "log.jsonl"

    def store(self, job: str) -> DirectoryStore:
        """A job's objects."""
        return DirectoryStore(self.objects(job))

    def report(self, job: str) -> Path:
        """Where the report of a job is, or will be."""
        return self.path(job) / "report.html"

    def keep_records_only(self, record: Record) -> None:
        """Remove the objects of a job that has ended, but what its report is made of.

        These are records, and how its source is read. Results stand there as links.
        """
        store, keys = self.store(record.id), Keys(JOB)
        needed: set[Path] = set()
        with contextlib.suppress(NoSuchKey, ValueError, KeyError, TypeError):
            source = Job.load(store, JOB).plan.source
            names = (source.packets, source.pictures, source.key)
            needed = {store.path(name) for name in names if name is not None}
        objects = self.objects(record.id)
        for path in sorted(objects.rglob("*"), reverse=True):
            if path.is_dir():
                with contextlib.suppress(OSError):  # it is not empty
                    path.rmdir()
            elif path.suffix != ".json" and path not in needed:
                path.unlink(missing_ok=True)
        results = {keys.result(record.container): self.result(record)}
        if record.container in MANIFESTS:
            parts = [path for path in self.files(record) if not is_manifest(path.name)]
            results = {keys.file(at): path for at, path in enumerate(parts)}
        for key, result in results.items():
            if result.is_file() and objects.is_dir():
                link = store.path(key)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(os.path.relpath(result, link.parent))

    def _store(self, record: Record) -> None:
        with whole_file(self.path(record.id) / _RECORD) as part:
            part.write_text(json.dumps(asdict(record), indent=1))


def logged(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; one that was cut short is left out."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found


def _read(path: Path) -> Record | None:
    known = {one.name for one in fields(Record)}
    try:
        data = json.loads(path.read_text())
        return Record(**{name: value for name, value in data.items() if name in known})
    except (OSError, ValueError, TypeError):
        return None
