"""Runs the jobs of a folder one after another, each in a program of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import IO, Any

from excamera.console.records import Record, Records
from excamera.console.runner import Order
from excamera.job.options import EncodeOptions
from excamera.price.edits import in_sizes
from excamera.price.film import Film
from excamera.price.machine import machine_seconds
from excamera.price.pace import Pace
from excamera.price.size import result_bytes
from excamera.price.stages import equal_batches
from mu.machine import available_cpus

_RUNNER = "excamera.console.runner"
_END_S = 20.0
"""After so long without an end, a job that was stopped is killed."""
_HELD = "JobInUse"
_HELD_S = 1.0
_MOST_ABOUT_HELD = 30


@dataclass(slots=True)
class Live:
    """What is known of the job that runs.

    Attributes:
        phase: in the words of the steps; "" before the first.
        facts: see `excamera.progress.Following.facts`.
        stopped: whether somebody has stopped it.
        program: that encodes it.
        ended: is set behind its end.
    """

    phase: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    stopped: bool = False
    program: subprocess.Popen[str] | None = None
    ended: threading.Event = field(default_factory=threading.Event)


class Turns:
    """The queue of a folder.

    Args:
        records: the folder's jobs.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._changed = threading.Condition()
        self._closed = False
        self._live: dict[str, Live] = {}
        for record in records.latest_first():
            if record.state == "running":  # by a console that has ended
                records.change(record, state="queued")
        self._thread = threading.Thread(target=self._run, name="turns", daemon=True)

    def open(self) -> None:
        """Begin to run jobs."""
        self._thread.start()

    def close(self) -> None:
        """End the job that runs; it goes on when the folder is next opened."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for live in list(self._live.values()):
            _terminate(live)
        if self._thread.ident is not None:
            self._thread.join(2 * _END_S)

    def wake(self) -> None:
        """A job waits."""
        with self._changed:
            self._changed.notify_all()

    def live(self, job: str) -> Live | None:
        """What is known of a job, if it runs."""
        return self._live.get(job)

    def stop(self, record: Record) -> None:
        """Stop a job that runs, and wait for its end."""
        live = self._live.get(record.id)
        if live is None:
            return
        live.stopped = True
        _terminate(live)
        live.ended.wait(2 * _END_S)

    # ---- inside ----

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not self._records.waiting():
                    self._changed.wait()
                if self._closed:
                    return
            record = next(iter(self._records.waiting()), None)
            if record is not None:
                self._begin(record)

    def _begin(self, record: Record) -> None:
        # Before the job is said to run: whoever stops it then has something to stop.
        live = self._live[record.id] = Live()
        try:
            # It may have been cancelled a moment ago.
            if self._records.change_from("queued", record, state="running", started=time.time()):
                self._encode(record, live)
        finally:
            del self._live[record.id]
            live.ended.set()

    def _encode(self, record: Record, live: Live) -> None:
        failure: dict[str, Any] | None = {}
        for _ in range(_MOST_ABOUT_HELD):
            failure = self._attempt(record, live)
            # The program of a console that was killed notices that, and ends soon.
            if failure is None or failure.get("error") != _HELD:
                break
            time.sleep(_HELD_S)
        self._end(record, live, failure)

    def _end(self, record: Record, live: Live, failure: dict[str, Any] | None) -> None:
        if failure is not None and self._closed and not live.stopped:
            self._records.change(record, state="queued")
            return
        if live.stopped and failure is not None:
            self._records.drop_result(record)
        # What a program that was killed has left may still change for a moment.
        with contextlib.suppress(OSError):
            self._records.keep_records_only(record)
        if failure is None:
            self._records.change(record, state="succeeded", ended=time.time())
        elif live.stopped:
            self._records.change(record, state="stopped", ended=time.time())
        else:
            self._records.change(record, state="failed", ended=time.time(), failure=failure)

    def _attempt(self, record: Record, live: Live) -> dict[str, Any] | None:
        """Run the job's program; returns why it failed, or None if it has made the result."""
        output = self._records.result(record)
        output.parent.mkdir(exist_ok=True)
        order = Order(
            source=str(self._records.source(record)),
            output=str(output),
            objects=str(self._records.objects(record.id)),
            options=record.options,
        )
        failure: dict[str, Any] = {
            "error": "WorkerCrashed",
            "message": "the program that encodes has ended without a word: see the log",
        }
        with self._records.log(record.id).open("a", encoding="utf-8") as log:
            program = subprocess.Popen(
                [sys.executable, "-m", _RUNNER],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, errors="replace", start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )  # fmt: skip
            live.program = program
            assert program.stdin is not None
            assert program.stdout is not None
            assert program.stderr is not None
            errors = threading.Thread(target=_keep_errors, args=(program.stderr, log), daemon=True)
            errors.start()
            with contextlib.suppress(BrokenPipeError):
                program.stdin.write(order.to_json() + "\n")
                program.stdin.flush()
            if live.stopped or self._closed:
                _terminate(live)
            for line in program.stdout:
                told = json.loads(line)
                if told["event"] == "failed":
                    failure = {name: told[name] for name in told
                               if name not in ("event", "time", "exception")}  # fmt: skip
                self._hear(record, live, told)
                if told["event"] != "progress":
                    log.write(line)
                    log.flush()
            with contextlib.suppress(BrokenPipeError):
                program.stdin.close()
            # Its number is not given to another process before it has been waited for.
            os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
            _kill_session(program.pid)
            code = program.wait()
            errors.join()
            program.stdout.close()
            program.stderr.close()
        return None if code == 0 and record.result is not None else failure

    def _hear(self, record: Record, live: Live, told: dict[str, Any]) -> None:
        if told["event"] == "phase":
            live.phase = told["phase"]
        elif told["event"] == "progress":
            live.facts = told
        elif told["event"] == "plan":
            self._records.change(
                record, planned=told["summary"], predicted=_predicted(record, told["summary"])
            )
        elif told["event"] == "result":
            self._records.change(record, result=told)


def _predicted(record: Record, summary: dict[str, Any]) -> dict[str, Any]:
    """What an encode should take from its beginning, by the constants of another machine."""
    film = Film(**{name: summary[name] for name in
                   ("frames", "width", "height", "duration_s", "sound")})  # fmt: skip
    options = EncodeOptions.from_json(record.options)
    film = in_sizes(film, options)
    batches = equal_batches(film, options)
    seconds = machine_seconds(film, options, batches, summary["spans"], available_cpus())
    return {"seconds": round(seconds, 1), "bytes": result_bytes(film, options, Pace())}


def _keep_errors(lines: IO[str], log: IO[str]) -> None:
    """Keep what a program and its libraries write to standard error."""
    for line in lines:
        text = line.rstrip("\n")
        log.write(json.dumps({"event": "error", "time": time.time(), "text": text}) + "\n")
        log.flush()


def _terminate(live: Live) -> None:
    program = live.program
    if program is None or program.poll() is not None:
        return
    program.terminate()

    def insist() -> None:
        if program.poll() is None:
            _kill_session(program.pid)

    timer = threading.Timer(_END_S, insist)
    timer.daemon = True
    timer.start()


def _kill_session(leader: int) -> None:
    """Kill what is left of a program and of the processes that it has begun."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
