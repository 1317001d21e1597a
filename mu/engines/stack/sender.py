"""Sending calls to the functions of a stack: cut into shares, and handed to the state machine."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from mu.engines.call import Call
from mu.engines.stack.deployment import Deployment, client, explained
from mu.engines.stack.packages import Stored
from mu.engines.stack.share import Keys, ShareCall, write_share
from mu.packing import pieces, size_of
from mu.store.protocol import Store

SPARE_S = 60.0
"""How much of a function's time no call is planned for."""

_INLINE = 40
"""The most shares of an inline map, which Step Functions begins at once."""

_SHARE_CALLS = 256
_SHARE_BYTES = 64 << 20
_ROUNDS = 4
"""Shares for each worker, so that those who are done early take over from others."""


class Sender:
    """Sends the calls of one job."""

    def __init__(
        self,
        deployment: Deployment,
        keys: Keys,
        bucket: Store,
        requests: Executor,
        *,
        architecture: str,
        memory_mb: int,
        size: int,
        per_worker: int,
        packages: Sequence[Stored],
    ) -> None:
        """Makes a sender.

        Args:
            deployment: the stack.
            keys: of the job.
            bucket: where they are.
            requests: runs requests beside each other.
            architecture: of the functions.
            memory_mb: what a call has that asks for no more.
            size: how many functions run at once.
            per_worker: how many calls share one.
            packages: of the job.
        """
        self._deployment = deployment
        self._keys = keys
        self._bucket = bucket
        self._requests = requests
        self._architecture = architecture
        self._memory_mb = memory_mb
        self._size = size
        self._per_worker = per_worker
        self._packages = packages
        self._waves = itertools.count()
        self._turn = itertools.count()
        self._digests: dict[int, tuple[Any, str]] = {}
        self._stored: set[str] = set()

    def send(self, calls: Mapping[int, Call], *, alone: bool) -> tuple[str, dict[str, list[int]]]:
        """Send calls as one execution.

        Args:
            calls: by their numbers; members of a gang are always alone in their shares.
            alone: whether each is alone in its share.

        Returns:
            The execution's ARN, and the numbers of the calls in each share.

        Raises:
            StackError: AWS does not answer.
            StoreError: a share cannot be stored.
        """
        wave = next(self._waves)
        alone = alone or any("gang" in call.head for call in calls.values())
        shares = {
            f"{wave:05d}-{count:05d}": numbers
            for count, numbers in enumerate(self._cut(calls, alone=alone))
        }
        self._store_functions(calls.values())
        list(self._requests.map(lambda one: self._store_share(calls, *one), shares.items()))
        return self._execute(wave, shares, calls), shares

    def _cut(self, sent: Mapping[int, Call], *, alone: bool) -> Iterable[list[int]]:
        """The calls of each share."""
        by_size: defaultdict[int, list[int]] = defaultdict(list)
        for number, call in sent.items():
            by_size[self._size_of(call)].append(number)
        for numbers in by_size.values():
            most = 1
            if not alone:
                workers = self._size * self._per_worker
                if len(numbers) > self._size:
                    most = min(_SHARE_CALLS, -(-len(numbers) // (workers * _ROUNDS)))
                most = max(most, self._per_worker)
            share: list[int] = []
            size = seconds = 0.0
            for number in numbers:
                call = sent[number]
                more = size_of(call.body[1:])
                longer = (call.timeout_s or 0.0) / self._per_worker
                full = len(share) >= most or size + more > _SHARE_BYTES
                if share and (full or seconds + longer > self._deployment.timeout_s - SPARE_S):
                    yield share
                    share, size, seconds = [], 0.0, 0.0
                share.append(number)
                size += more
                seconds += longer
            yield share

    def _size_of(self, call: Call) -> int:
        return self._deployment.fitting(self._architecture, call.memory_mb or self._memory_mb)

    def _digest_of(self, call: Call) -> str:
        """The digest of a call's packed function; "" if it goes by its name."""
        if "function_bytes" not in call.head:
            return ""
        # Calls of one function share its bytes, which may be many.
        function = call.body[0]
        known = self._digests.get(id(function))
        if known is None or known[0] is not function:
            known = (function, hashlib.sha256(function).hexdigest())
            self._digests[id(function)] = known
        return known[1]

    def _store_functions(self, calls: Iterable[Call]) -> None:
        for call in calls:
            digest = self._digest_of(call)
            if digest and digest not in self._stored:
                self._bucket.concat(self._keys.function(digest), pieces(call.body[:1]))
                self._stored.add(digest)

    def _store_share(self, sent: Mapping[int, Call], share: str, numbers: Sequence[int]) -> None:
        calls = [
            ShareCall(
                number,
                {
                    "task": call.task,
                    "attempt": call.attempt,
                    **{key: value for key, value in call.head.items() if key != "function_bytes"},
                },
                self._digest_of(call),
                call.body[1:],
                call.timeout_s,
            )
            for number in numbers
            for call in (sent[number],)
        ]
        self._bucket.concat(self._keys.share(share), pieces(write_share(calls, self._packages)))

    def _execute(
        self, number: int, shares: Mapping[str, Sequence[int]], sent: Mapping[int, Call]
    ) -> str:
        """Start the execution of a wave; returns its ARN."""
        items = []
        for share, numbers in shares.items():
            names = self._deployment.functions[self._architecture][self._size_of(sent[numbers[0]])]
            # Lambda starts environments only so fast for each name.
            items.append({"share": share, "function": names[next(self._turn) % len(names)]})
        event: dict[str, Any] = {
            "job": self._keys.job, "slots": self._per_worker, "concurrency": self._size
        }  # fmt: skip
        if len(items) <= _INLINE:
            event["shares"] = items
        else:
            event["items"] = self._keys.items(number)
            self._bucket.put(event["items"], json.dumps(items).encode())
        with explained("states:StartExecution"):
            started = client("stepfunctions").start_execution(
                stateMachineArn=self._deployment.machine,
                name=f"{self._keys.job}-{number}",
                input=json.dumps(event),
            )
        return str(started["executionArn"])
