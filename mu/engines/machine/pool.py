"""A pool of worker processes that any thread may use, and that knows which call each one runs."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from mu.engines.call import Answer, Call, CallFailed, Cancelled
from mu.engines.machine import wire
from mu.engines.machine.child import Child, Entry, Waiting
from mu.engines.machine.processes import processes

_MOST_AHEAD = 4
"""How many calls a worker is sent while it runs another, so that it need not wait for the next."""


class WorkerPool:
    """Runs calls on at most `size` processes, each started when first needed."""

    def __init__(self, size: int, first: dict[str, Any], modules: Sequence[str] = ()) -> None:
        """Starts a pool.

        Args:
            size: number of processes.
            first: what every worker is told before its first call.
            modules: what every worker will import.
        """
        self.size = size
        self._first = first
        self._processes = processes(modules)
        self._numbers = itertools.count()
        self._entries: dict[Call, Entry] = {}
        self._lock = threading.Lock()
        self._waiting: list[Waiting] = []
        self._idle: list[Child] = []
        self._all: set[Child] = set()
        self._ahead = 0
        self._closed = False
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._wakes_at: float | None = None
        self._thread = threading.Thread(target=self._serve, name="mu pool", daemon=True)
        self._thread.start()

    def submit(self, *calls: Call) -> None:
        """Run a call on some worker, as soon as there is one.

        Several calls begin together, as soon as there are enough workers, at most `size`; calls
        that came later wait for them.
        """
        assert len(calls) <= self.size
        entries = []
        for call in calls:
            number = next(self._numbers)
            packet = wire.packet_of(number, call.head, call.body) if call.short else None
            entries.append(Entry(call, number, packet))
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            wanted = [entry for entry in entries if not entry.call.over]  # not cancelled meanwhile
            waiting = Waiting(calls[0].priority, next(self._numbers), wanted)
            for entry in wanted:
                entry.waiting = waiting
                self._entries[entry.call] = entry
            heapq.heappush(self._waiting, waiting)
            if any(
                one.ahead and waiting.priority < one.ahead[-1].call.priority for one in self._all
            ):
                self._take_back_all()
            begun = self._assign()
        self._send(begun)

    def cancel(self, call: Call) -> None:
        """End a call, which may wait or run; no harm if it has ended."""
        with self._lock:
            if call.over:
                return
            begun: list[tuple[Child, Entry]] = []
            entry = self._entries.get(call)
            if entry is None:
                call.over = True  # it is still to be submitted
            else:
                self._cancel(entry)
                begun = self._assign()
        call.ended(Cancelled())
        self._send(begun)

    def close(self) -> None:
        """Kill every worker and cancel every call; nothing is left running when this returns."""
        with self._lock:
            self._closed = True
            left = list(self._entries.values())
            for entry in left:
                self._note_end(entry)
            self._waiting.clear()
            workers = list(self._all)
            for worker in workers:
                self._forget(worker)
            self._processes.close()
            for worker in workers:
                worker.stop()
        self._wake_up()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        for entry in left:
            entry.call.ended(Cancelled())

    # ---- in any thread, with the lock ----

    def _note_end(self, entry: Entry) -> None:
        """Note that a call's end is told; nothing that it holds is kept any longer."""
        entry.call.over = True
        entry.waiting = None
        del self._entries[entry.call]

    def _cancel(self, entry: Entry) -> None:
        waiting, worker = entry.waiting, entry.worker
        self._note_end(entry)
        if worker is not None:
            self._take_back(worker)
        if entry.worker is None:
            if waiting is not None:
                waiting.entries.remove(entry)
        elif entry.worker.entry is entry and not entry.worker.ahead:
            self._remove(entry.worker)
        # Otherwise its worker has taken it, or the next, a moment ago: `_go_on` sees to it.

    def _assign(self) -> list[tuple[Child, Entry]]:
        """Give waiting calls to workers.

        Returns:
            What is still to be sent, and to which worker.
        """
        begun: list[tuple[Child, Entry]] = []
        while True:
            self._assign_in_order(begun)
            # What waits behind another call is not to wait while a worker has nothing to do.
            if not (self._idle and self._ahead and self._take_back_all()):
                return begun

    def _assign_in_order(self, begun: list[tuple[Child, Entry]]) -> None:
        while self._waiting:
            waiting = self._waiting[0]
            room = self.size - len(self._all) + len(self._idle)
            if not waiting.entries:  # cancelled while they waited
                heapq.heappop(self._waiting)
            elif len(waiting.entries) <= room:
                heapq.heappop(self._waiting)
                for entry in waiting.entries:
                    worker = self._idle.pop() if self._idle else self._new_worker()
                    self._run(worker, entry)
                    if entry.packet is None or not worker.post(entry):
                        entry.packet = None
                        begun.append((worker, entry))
            elif not self._send_ahead(waiting):
                return

    def _send_ahead(self, waiting: Waiting) -> bool:
        """Send the first call that waits to a worker that runs another, if both may."""
        entry = waiting.entries[0]
        if len(waiting.entries) > 1 or entry.packet is None:
            return False
        best: Child | None = None
        for worker in self._all:
            most = _MOST_AHEAD if best is None else len(best.ahead)
            runs = worker.entry
            if runs is not None and runs.packet is not None and len(worker.ahead) < most:
                best = worker
        if best is None or best.pid is None or not best.post(entry):
            return False
        heapq.heappop(self._waiting)
        best.ahead.append(entry)
        self._ahead += 1
        entry.worker = best
        return True

    def _take_back_all(self) -> bool:
        """Let all that no worker has begun wait again; returns whether there was any."""
        before = self._ahead
        for worker in self._all:
            if worker.ahead:
                self._take_back(worker)
        return self._ahead < before

    def _take_back(self, worker: Child, *, dead: bool = False) -> None:
        """Let the calls wait again that a worker has not begun.

        If some are still ahead of it, it has begun these: then it has ended the call that it runs,
        and its answer is on its way.
        """
        numbers = worker.take_back()
        if not numbers or worker.entry is None:
            return
        sent = [worker.entry, *worker.ahead]
        begun = [entry for entry in sent if entry.number not in numbers]
        if not begun and not (dead and worker.pid is not None and worker.entry.packet is not None):
            # It starts, or is about to begin the call. Or it could not start.
            begun = [worker.entry]
            worker.post(worker.entry)
        for entry in sent:
            if entry not in begun:
                entry.worker = None
                if entry.waiting is not None:
                    heapq.heappush(self._waiting, entry.waiting)
        self._ahead -= len(worker.ahead)
        worker.ahead = deque(begun[1:])
        self._ahead += len(worker.ahead)
        if not begun:
            worker.rest()
        elif begun[0] is not worker.entry:
            self._run(worker, begun[0])

    def _run(self, worker: Child, entry: Entry) -> None:
        """Note that a worker runs a call from now on, or as soon as it has started."""
        worker.entry, entry.worker, worker.until = entry, worker, None
        if worker.pid is not None:
            self._started(worker, entry)

    def _started(self, worker: Child, entry: Entry) -> None:
        entry.call.started(worker.name)
        if entry.call.timeout_s is not None:
            worker.until = time.monotonic() + entry.call.timeout_s
            if self._wakes_at is None or worker.until < self._wakes_at:
                self._wake_up()

    def _new_worker(self) -> Child:
        worker = Child(self._processes, self._first)
        self._all.add(worker)
        self._selector.register(worker, selectors.EVENT_READ, worker)
        self._wake_up()
        return worker

    def _remove(self, worker: Child) -> None:
        self._forget(worker)
        worker.stop()

    def _forget(self, worker: Child) -> None:
        self._all.discard(worker)
        self._selector.unregister(worker)

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send(b"\0")

    # ---- in any thread, without the lock ----

    def _send(self, begun: list[tuple[Child, Entry]]) -> None:
        for worker, entry in begun:
            worker.send(entry)

    # ---- in the pool's own thread ----

    def _serve(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select(self._until_the_next_limit()):
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        self._woken.recv(1 << 10)
                else:
                    self._read(key.data)
            if self._wakes_at is not None:
                self._end_late_calls()
        with self._lock:  # `close` still takes workers out of it
            self._selector.close()
        self._wake.close()
        self._woken.close()

    def _read(self, worker: Child) -> None:
        try:
            messages = worker.receive()
        except (OSError, EOFError):
            self._end(worker, worker.obituary())
            return
        ended: list[tuple[Entry, Answer | CallFailed]] = []
        begun: list[tuple[Child, Entry]] = []
        with self._lock:
            for head, body in messages:
                if worker not in self._all:  # cancelled meanwhile
                    break
                entry = worker.entry
                if "ready" in head:
                    worker.pid = head["ready"]
                    if entry is not None:
                        self._started(worker, entry)
                elif entry is None:
                    continue
                elif "report" in head:
                    entry.call.reported(head["report"])
                else:
                    if not entry.call.over:
                        self._note_end(entry)
                        ended.append((entry, _outcome(head, body)))
                    self._go_on(worker)
            # The next calls begin before anybody looks at the results of these.
            begun = self._assign()
        self._send(begun)
        for entry, outcome in ended:
            entry.call.ended(outcome)

    def _go_on(self, worker: Child) -> None:
        """A worker has answered: it runs the next of the calls that it was sent."""
        worker.rest()
        if not worker.ahead:
            self._idle.append(worker)
            return
        entry = worker.ahead.popleft()
        self._ahead -= 1
        self._run(worker, entry)
        if entry.call.over:  # cancelled just after it had begun
            self._take_back(worker)
            if worker.entry is entry and not worker.ahead:
                self._remove(worker)

    def _end(self, worker: Child, outcome: CallFailed) -> None:
        """A worker has ended, or is to be ended, with the call that it runs."""
        late = outcome.error == "TaskTimeout"
        with self._lock:
            if worker not in self._all:  # cancelled meanwhile
                return
            entry = worker.entry
            self._take_back(worker, dead=not late)
            if late and (worker.entry is not entry or worker.ahead):
                return  # it has just ended that call, and we shall read the answer
            entry = worker.entry
            if worker in self._idle:
                self._idle.remove(worker)
            self._remove(worker)
            if entry is not None and entry.call.over:
                entry = None
            elif entry is not None:
                self._note_end(entry)
            begun = self._assign()
        self._send(begun)
        if entry is not None:
            entry.call.ended(outcome)

    def _until_the_next_limit(self) -> float | None:
        with self._lock:
            limits = [worker.until for worker in self._all if worker.until is not None]
            self._wakes_at = min(limits, default=None)
        return None if self._wakes_at is None else max(0.0, self._wakes_at - time.monotonic())

    def _end_late_calls(self) -> None:
        now = time.monotonic()
        with self._lock:
            late = [one for one in self._all if one.until is not None and one.until <= now]
        for worker in late:
            entry = worker.entry
            if entry is not None:
                failure = CallFailed("TaskTimeout", f"took longer than {entry.call.timeout_s:g} s")
                self._end(worker, failure)


def _outcome(head: dict[str, Any], body: memoryview) -> Answer | CallFailed:
    if "error" in head:
        return CallFailed(head["error"], head["message"], head["details"])
    return Answer(head, body)
