"""Jobs whose records lie side by side in a store: how they are written, listed and read.

Below one place of a store each job has a name. Its tasks' records lie below that name, as
`mu.timeline` says. What is known of the job as a whole is one object more, its `JobRecord`. The
keys of these count the time of the beginning backwards, so that a list has the latest job first.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args
from urllib.parse import quote

from mu.errors import NoSuchKey, StoreError
from mu.records import TaskRecord
from mu.store.protocol import Store, at_once
from mu.timeline import attempts

STACK_PLACE = "mu-timelines"
"""Where the jobs of a stack's executors are in its work bucket."""

State = Literal["running", "succeeded", "failed", "stopped"]
RUNNING: State = "running"
SUCCEEDED: State = "succeeded"
FAILED: State = "failed"
STOPPED: State = "stopped"

_JOBS = ".jobs"
_LAST_MS = 9_999_999_999_999
_KEY = re.compile(r"\d{13}-(?P<name>[^/\x00-\x1f\x7f]+)")
_LONGEST_PART, _LONGEST_ERROR = 100, 2000  # characters
_LAST_RECORDS_S = 10.0
"""How long the end of a job that was stopped waits for records on their way."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is known of a whole job.

    Attributes:
        name: tells it from others of its place.
        state: how it ended. A job whose process was killed stays "running".
        began: Unix time in seconds.
        ended: likewise; None before.
        error: why it failed.
        lost: how many records of tasks could not be stored.
    """

    name: str
    state: State
    began: float
    ended: float | None = None
    error: str = ""
    lost: int = 0


class TimelineWriter:
    """Stores the records of one job while it runs."""

    def __init__(self, store: Store, prefix: str, requests_at_once: int = 0) -> None:
        """Begins a job; an older one of the same name is not listed any more.

        Args:
            store: where the records go.
            prefix: of the job's keys: its place and its name.
            requests_at_once: in the background, for stores that answer late; 0 to wait for each.

        Raises:
            StoreError: the store takes no records.
        """
        self._store = store
        self._prefix = prefix
        self._lock = threading.Lock()
        self._ended = False
        self._under_way: set[Future[None]] = set()
        self._requests = (
            ThreadPoolExecutor(requests_at_once, thread_name_prefix="mu timeline")
            if requests_at_once
            else None
        )
        place, _, name = prefix.rpartition("/")
        jobs = Timelines(store, place)
        self._job = JobRecord(name, RUNNING, time.time())
        store.delete_all(jobs.keys_of(name))
        self._key = jobs.key_of(self._job)
        self._put_job()

    def add(self, record: TaskRecord) -> None:
        """Store the record of an attempt that has ended.

        Raises:
            StoreError: the store does not take it, and this waits for it. In the background it is
                counted as lost.
        """
        task = f"{_part(record.name)}-{record.number}"
        attempt = replace(record, error=record.error and _part(record.error)).attempt(task)
        key, data = attempt.key(self._prefix), json.dumps(record.to_json()).encode()
        if self._requests is None:
            self._store.put(key, data)
            return
        with self._lock:
            if self._ended:
                return
            request = self._requests.submit(self._put, key, data)
            self._under_way.add(request)
        request.add_done_callback(self._under_way.discard)

    def try_add(self, record: TaskRecord) -> None:
        """Store a record, or count it as lost: calls do not fail because nobody can see them."""
        try:
            self.add(record)
        except (StoreError, OSError, TypeError, ValueError):
            self._lose(1)

    def end(self, state: State, error: str = "") -> None:
        """Note how the job has ended, when all records are stored; once.

        Args:
            state: see `JobRecord`.
            error: likewise.
        """
        with self._lock:
            if self._ended:
                return
            self._ended = True
            left = list(self._under_way)
        if self._requests is not None:
            until = time.monotonic() + _LAST_RECORDS_S
            for request in left:
                # Whoever has stopped a job does not want to wait for all that it has done.
                limit = max(0.0, until - time.monotonic()) if state == STOPPED else None
                with contextlib.suppress(Exception):
                    request.result(limit)
            self._requests.shutdown(wait=False, cancel_futures=True)
        self._lose(sum(one.cancelled() or not one.done() for one in left))
        with self._lock:
            self._job = replace(
                self._job, state=state, ended=time.time(), error=error[:_LONGEST_ERROR]
            )
        with contextlib.suppress(StoreError, OSError):
            self._put_job()

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._store.put(key, data)
        except Exception:
            self._lose(1)

    def _lose(self, count: int) -> None:
        with self._lock:
            self._job = replace(self._job, lost=self._job.lost + count)

    def _put_job(self) -> None:
        self._store.put(self._key, json.dumps(asdict(self._job)).encode())


class Timelines:
    """The jobs of one place.

    Args:
        store: in which they are.
        place: how all their keys begin, without a slash at its end; "" for the whole store.
    """

    def __init__(self, store: Store, place: str = "") -> None:
        self._store = store
        self._place = f"{place}/" if place else ""

    def key_of(self, job: JobRecord) -> str:
        """The key of what is known of a job."""
        return f"{self._jobs}{_LAST_MS - int(1000 * job.began):013d}-{job.name}.json"

    def keys_of(self, name: str) -> list[str]:
        """The keys of jobs of this name, of which there is one at most, the latest first."""
        return [key for key in self._store.list(self._jobs) if self._name_in(key) == name]

    def page(self, after: str = "", limit: int | None = None) -> tuple[list[JobRecord], str]:
        """Some jobs, those that began last first.

        Args:
            after: what this has returned with the page before.
            limit: the most jobs.

        Returns:
            The jobs, and what the next page comes after; "" if there is none.

        Raises:
            ValueError: `after` was not returned with a page.
        """
        if after and not _KEY.fullmatch(after):
            raise ValueError(f"{after!r} is not of this list")
        keys = self._store.list(
            self._jobs,
            after=f"{self._jobs}{after}.json" if after else "",
            limit=None if limit is None else limit + 1,
        )
        some = keys[:limit]
        found = [job for job in at_once(self._read, some) if job is not None]
        more = len(keys) > len(some) and some
        return found, some[-1].removeprefix(self._jobs).removesuffix(".json") if more else ""

    def job(self, name: str) -> JobRecord | None:
        """What is known of a job; None without one of this name."""
        for key in self.keys_of(name):
            found = self._read(key)
            if found is not None:
                return found
        return None

    def records(
        self, name: str, after: str = "", limit: int | None = None
    ) -> tuple[list[TaskRecord], str]:
        """Some records of a job, in the order of their keys; see `page`."""
        prefix = f"{self._place}{name}"
        if after and not list(attempts("", [after])):
            raise ValueError(f"{after!r} is not of this job")
        keys = self._store.list(
            f"{prefix}/",
            after=f"{prefix}/{after}" if after else "",
            limit=None if limit is None else limit + 1,
        )
        some = keys[:limit]
        wanted = [key for key in some if list(attempts(prefix, [key]))]
        found = [one for one in at_once(self._read_task, wanted) if one is not None]
        more = len(keys) > len(some) and wanted
        return found, wanted[-1].removeprefix(f"{prefix}/") if more else ""

    @property
    def _jobs(self) -> str:
        return f"{self._place}{_JOBS}/"

    def _name_in(self, key: str) -> str:
        found = _KEY.fullmatch(key.removeprefix(self._jobs).removesuffix(".json"))
        return found["name"] if found else ""

    def _read(self, key: str) -> JobRecord | None:
        try:
            told = json.loads(self._store.get(key))
            names = {one.name for one in fields(JobRecord)}
            job = JobRecord(**{name: value for name, value in told.items() if name in names})
            known = job.state in get_args(State) and isinstance(job.error, str)
            return job if known and _is_time(job.began) and _is_time(job.ended or 0) else None
        except (NoSuchKey, ValueError, TypeError, AttributeError):  # not ours, or gone
            return None

    def _read_task(self, key: str) -> TaskRecord | None:
        try:
            return TaskRecord.from_json(self._store.get(key))
        except (NoSuchKey, ValueError, TypeError, AttributeError):
            return None


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= _LAST_MS / 1000


def _part(text: Any) -> str:
    """A name as a part of a key that every store can hold."""
    return quote(str(text), safe="", errors="replace")[:_LONGEST_PART]
