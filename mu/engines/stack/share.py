"""A share: calls that one environment of a cloud function runs, and what became of them.

Both are one object of the store each: the length of a table, the table as JSON, then the bytes that
it counts. So a share is read and written by one request, however many calls it has. Its first entry
names the packages of its job: to know them, an environment needs neither another request nor
another right.
"""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from mu.engines.call import Answer, CallFailed
from mu.engines.stack.packages import Stored
from mu.errors import NoSuchKey, StoreError
from mu.packing import size_of
from mu.records import Facts
from mu.store.protocol import Buffer, Store

_LENGTH = struct.Struct("<I")

_TIMED_OUT = frozenset({"Sandbox.Timedout", "States.Timeout"})


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one job of an executor.

    Attributes:
        job: its name.
    """

    job: str

    @property
    def prefix(self) -> str:
        """All that belongs to the job."""
        return f"mu/{self.job}/"

    @property
    def data(self) -> str:
        """What its calls may read and write: messages, and files that came from elsewhere."""
        return f"mu/{self.job}/data"

    @property
    def messages(self) -> str:
        """What channels take for the job's name: in servers, all keys of mu begin alike."""
        return f"mu/{self.job}"

    @property
    def stop(self) -> str:
        """Which calls nobody wants any more; absent while all are wanted."""
        return f"mu/{self.job}/stop.json"

    @property
    def lease(self) -> str:
        """Until when its calls are wanted, unless it is renewed; see `mu.engines.stack.lease`."""
        return f"mu/{self.job}/lease"

    @property
    def outcomes(self) -> str:
        """What became of calls."""
        return f"mu/{self.job}/outcomes/"

    @property
    def lost(self) -> str:
        """Why shares ended without an answer, written by the state machine."""
        return f"mu/{self.job}/lost/"

    @property
    def records(self) -> str:
        """What is known of each share that has ended; kept when the job has ended."""
        return f"mu/{self.job}/records/"

    def share(self, name: str) -> str:
        """A share."""
        return f"mu/{self.job}/shares/{name}"

    def items(self, wave: int) -> str:
        """The items of a distributed map."""
        return f"mu/{self.job}/items/{wave}.json"

    def function(self, digest: str) -> str:
        """A packed function."""
        return f"mu/{self.job}/functions/{digest}"


@dataclass(frozen=True, slots=True)
class ShareCall:
    """One call of a share.

    Attributes:
        number: tells it from all other calls of the job.
        head: what the worker is told, without the length of the function.
        function: digest of the packed function.
        body: packed arguments.
        timeout_s: seconds after which its process is stopped; None for the environment's limit.
    """

    number: int
    head: dict[str, Any]
    function: str
    body: Sequence[Buffer]
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one call.

    Attributes:
        number: the call's.
        outcome: as the pool of the environment has told it; None if it was not begun.
        facts: what else is known of it.
    """

    number: int
    outcome: Answer | CallFailed | None
    facts: Facts = Facts()  # noqa: RUF009 (it cannot change)


def write_stop(store: Store, keys: Keys, *, everything: bool, calls: Iterable[int] = ()) -> None:
    """Tell the job's environments what nobody wants any more."""
    store.put(keys.stop, json.dumps({"all": everything, "calls": sorted(calls)}).encode())


def read_stop(store: Store, keys: Keys) -> tuple[bool, frozenset[int]]:
    """Whether nobody wants the job any more, and which calls nobody wants."""
    try:
        told = json.loads(store.get(keys.stop))
    except NoSuchKey:
        return False, frozenset()
    return told["all"], frozenset(told["calls"])


def write_share(calls: Sequence[ShareCall], packages: Sequence[Stored] = ()) -> list[Buffer]:
    """A share as the parts of its object.

    Args:
        calls: its calls.
        packages: of its job.
    """
    heads: list[dict[str, Any]] = [{"packages": [astuple(one) for one in packages], "bytes": 0}]
    heads += [
        {
            "number": call.number,
            "head": call.head,
            "function": call.function,
            "bytes": size_of(call.body),
            "timeout_s": call.timeout_s,
        }
        for call in calls
    ]
    return [_table(heads), *(part for call in calls for part in call.body)]


def read_share(data: Buffer) -> tuple[list[ShareCall], list[Stored]]:
    """The calls of a share, and the packages of its job.

    Raises:
        StoreError: the bytes are no share.
    """
    (first, _), *rest = _split(data)
    calls = [
        ShareCall(one["number"], one["head"], one["function"], [body], one["timeout_s"])
        for one, body in rest
    ]
    return calls, [Stored(*one) for one in first["packages"]]


def write_outcomes(outcomes: Sequence[Outcome]) -> list[Buffer]:
    """Outcomes as the parts of their object."""
    heads = []
    bodies: list[Buffer] = []
    for one in outcomes:
        head: dict[str, Any] = {"number": one.number, "facts": astuple(one.facts), "bytes": 0}
        match one.outcome:
            case Answer(answer, body):
                head |= {"answer": answer, "bytes": memoryview(body).nbytes}
                bodies.append(body)
            case CallFailed() as failure:
                head["failure"] = failure.args
        heads.append(head)
    return [_table(heads), *bodies]


def read_outcomes(data: Buffer) -> list[Outcome]:
    """Outcomes from their object.

    Raises:
        StoreError: the bytes are none.
    """
    outcomes = []
    for head, body in _split(data):
        outcome: Answer | CallFailed | None = None
        if "answer" in head:
            outcome = Answer(head["answer"], body)
        elif "failure" in head:
            outcome = CallFailed(*head["failure"])
        outcomes.append(Outcome(head["number"], outcome, Facts(*head["facts"])))
    return outcomes


def read_lost(data: bytes) -> CallFailed:
    """Why a share was lost, as the state machine wrote it."""
    told = json.loads(data)
    if isinstance(told, str):
        told = json.loads(told)
    error, cause = told.get("Error", ""), told.get("Cause", "")
    with contextlib.suppress(ValueError, AttributeError):
        cause = json.loads(cause)["errorMessage"]
    if error in _TIMED_OUT:
        return CallFailed("TaskTimeout", f"the worker's function was ended: {cause}")
    return CallFailed("WorkerDied", f"the worker's function failed with {error}: {cause}")


def _table(heads: list[dict[str, Any]]) -> bytes:
    text = json.dumps(heads, separators=(",", ":")).encode()
    return _LENGTH.pack(len(text)) + text


def _split(data: Buffer) -> list[tuple[dict[str, Any], memoryview]]:
    whole = memoryview(data).cast("B")
    try:
        (length,) = _LENGTH.unpack_from(whole)
        heads = json.loads(bytes(whole[_LENGTH.size : _LENGTH.size + length]))
        end = at = _LENGTH.size + length
        parts = []
        for head in heads:
            end = at + head["bytes"]
            parts.append((head, whole[at:end]))
            at = end
    except (ValueError, TypeError, KeyError, struct.error) as error:
        raise StoreError(f"not a share: {error!r}") from error
    if end != whole.nbytes:
        raise StoreError(f"a share of {whole.nbytes} bytes instead of {end}")
    return parts
