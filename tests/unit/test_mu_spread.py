"""Maps whose calls one function begins: its workers, and how it ends."""

from __future__ import annotations

import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from mu import DISCARD, Each, MemoryStore, Retry, Sequence, Task, TaskFailed
from mu.copies import few
from mu.engines.call import CallFailed
from mu.engines.stack.direct import DirectWorkers, lambda_invoke
from mu.engines.stack.spread import SPARE_S, SpreadStopped, map_of, run_spread
from mu.errors import FlowError, StackError
from mu.retries import BUSY, DIED, tried_again

FUNCTIONS = {"anchors": ["arn:anchors"], "encode": ["arn:encode", "arn:large"]}
Answer = Callable[[dict[str, Any], int], Any]
RULE = Retry(("Again",), attempts=1, interval_s=0)


def batches(most: int | None = None) -> Each:
    """Returns a map of batches: a call for each, then one for each of its shares."""
    ahead = Task("ahead", "anchors", {"batch": "$.batch"}, DISCARD)
    share = Task("share", "encode", {"batch": "$.batch", "share": "$.share"}, DISCARD,
                 retry=(RULE,), size="$.size")  # fmt: skip
    shares = Each("shares", "$.shares", share,
                  {"batch": "$.batch", "share": "$item", "size": "$.size"}, DISCARD)  # fmt: skip
    item = {"batch": "$item.batch", "shares": "$item.shares", "size": "$.size"}
    return Each(
        "batches", "$.key", Sequence("batch", (ahead, shares)), item, DISCARD, distributed=True,
        items_in_store=True, way="$.way", concurrency=most,
    )  # fmt: skip


def store_of(*shares: int) -> MemoryStore:
    """Returns a store with a list of batches of so many shares."""
    items = [{"batch": n, "shares": list(range(count))} for n, count in enumerate(shares)]
    store = MemoryStore()
    store.put("items", json.dumps(items).encode())
    return store


EVENT = {"key": "items", "size": 1, "way": "spread"}


class Functions:
    """Stands for the stack's functions, and remembers their calls."""

    def __init__(self, answer: Answer = lambda _event, _same: {}) -> None:
        """Takes what a call answers, from its event and how many there were for the same."""
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._answer = answer
        self._lock = threading.Lock()

    def __call__(self, function: str, payload: bytes) -> Any:
        """Answers a call."""
        given = json.loads(payload)
        with self._lock:
            same = [one for _, one in self.calls if one["event"] == given["event"]]
            self.calls.append((function, given))
        return self._answer(given["event"], len(same))

    def counts(self) -> Counter[str]:
        """Returns how often each function was called."""
        return Counter(function for function, _ in self.calls)


def run(
    functions: Functions,
    store: MemoryStore,
    *,
    size: int = 50,
    hedge: float = 0.0,
    wanted: Callable[[], bool] = lambda: True,
    seconds: float = 60.0,
) -> tuple[dict[str, Any], DirectWorkers]:
    """Runs the map to its end."""
    workers = DirectWorkers(FUNCTIONS, store, functions, size=size, hedge=hedge)
    found = run_spread(batches(), EVENT, workers, wanted=wanted,
                       deadline=time.time() + seconds + SPARE_S)  # fmt: skip
    return found, workers


def test_functions_are_called_as_a_state_machine_calls_them() -> None:
    """If this fails, records of a spread job differ from others, or another size of one is used."""
    functions = Functions()
    found, _ = run(functions, store_of(2, 1))
    assert found == {"copies": 0, "looked": 1}
    assert functions.counts() == {"arn:anchors": 2, "arn:large": 3}
    by_place = {(name, one["event"]["batch"], one["event"].get("share")): one
                for name, one in functions.calls}  # fmt: skip
    one = by_place["arn:large", 0, 1]
    assert one["event"] == {"batch": 0, "share": 1}
    entered = one["state"].pop("entered")
    assert one["state"] == {"name": "share", "retries": 0}
    assert entered.endswith("+00:00")
    # The shares of a batch come after what is ahead of them.
    order = [(name, one["event"]["batch"]) for name, one in functions.calls]
    for batch in (0, 1):
        assert order.index(("arn:anchors", batch)) < order.index(("arn:large", batch))


def test_no_more_calls_are_under_way_than_there_is_room_for() -> None:
    """If this fails, one function opens more connections than it may have."""
    running, most, lock = 0, 0, threading.Lock()
    full = threading.Event()

    def answer(_event: dict[str, Any], _same: int) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if running >= 4:
            full.set()
        assert full.wait(30)
        time.sleep(0.01)
        with lock:
            running -= 1
        return {}

    functions = Functions(answer)
    run(functions, store_of(*[3] * 8), size=4)
    assert most == 4
    assert functions.counts() == {"arn:anchors": 8, "arn:large": 24}


def test_failures_are_tried_again_by_their_own_rules() -> None:
    """If this fails, a refused call or a dead worker ends the fast way, or a bug never does."""

    def answer(event: dict[str, Any], same: int) -> Any:
        if "share" not in event:
            if not same:
                raise CallFailed("Lambda.TooManyRequestsException", "busy")
        elif same < 2:
            raise CallFailed("Again" if event["share"] else "Runtime.ExitError", "?")
        return {}

    functions = Functions(answer)
    with pytest.raises(TaskFailed) as caught:
        run(functions, store_of(2))
    assert caught.value.error == "Again"
    retries = {(one["event"].get("share"), one["state"]["retries"]) for _, one in functions.calls}
    assert {(None, 0), (None, 1), (0, 0), (1, 0), (1, 1)} <= retries
    rules = [rule.errors[0] for rule in tried_again(Task("one", "f", retry=(RULE,))).retry]  # type: ignore[union-attr]
    assert rules == ["Again", BUSY.errors[0], DIED.errors[0]]


def test_calls_under_way_are_waited_for_if_one_fails() -> None:
    """If this fails, the distributed map calls functions beside those that do the same."""
    begun = threading.Event()
    ended: set[int] = set()

    def answer(event: dict[str, Any], _same: int) -> Any:
        if event["batch"] == 0:
            begun.wait(10)
            raise CallFailed("NoSuchKey", "gone")
        begun.set()
        time.sleep(0.3)
        ended.add(event["batch"])
        return {}

    functions = Functions(answer)
    with pytest.raises(TaskFailed):
        run(functions, store_of(*[1] * 20), size=2)
    called = {one["event"]["batch"] for _, one in functions.calls}
    assert ended == called - {0}
    # At most one more began before it was known, and none after that.
    assert 2 <= len(called) <= 3


def test_the_slowest_call_is_copied_and_its_late_result_is_harmless() -> None:
    """If this fails, a straggler holds up its job, or confuses it when it ends after all."""
    release, copied = threading.Event(), threading.Event()

    def answer(event: dict[str, Any], same: int) -> Any:
        if (event["batch"], event.get("share")) == (3, 0):
            if not same:
                assert release.wait(30)
                raise CallFailed("TooLate", "after its copy")
            copied.set()
        return {}

    functions = Functions(answer)
    found, workers = run(functions, store_of(*[1] * 20), hedge=0.05)
    assert copied.is_set()
    assert found["copies"] == workers.copies == 1
    copies = [one for _, one in functions.calls if one["event"] == {"batch": 3, "share": 0}]
    assert [one["state"]["retries"] for one in copies] == [0, 1]
    release.set()
    assert workers.drain(time.monotonic() + 10)


def test_of_two_that_do_the_same_one_may_fail() -> None:
    """If this fails, a copy that is refused fails the call that it was to help."""
    refused = threading.Event()

    def answer(event: dict[str, Any], same: int) -> Any:
        if (event["batch"], event.get("share")) == (3, 0):
            if same:
                refused.set()
                raise CallFailed("NoSuchKey", "only the copy")
            assert refused.wait(30)
            time.sleep(0.2)
        return {}

    found, _ = run(Functions(answer), store_of(*[1] * 20), hedge=0.05)
    assert found["copies"] == 1


def test_few_calls_have_no_copies() -> None:
    """If this fails, copies cost a short job more than a few percent."""
    assert [few(0.05, count) for count in (19, 20, 40)] == [0, 1, 2]


def test_nothing_begins_for_a_job_that_nobody_wants() -> None:
    """If this fails, a cancelled job is paid for to its end."""
    functions = Functions()
    with pytest.raises(SpreadStopped, match="cancelled"):
        run(functions, store_of(3), wanted=lambda: False)
    assert not functions.calls


def test_it_gives_up_before_its_time_is_over() -> None:
    """If this fails, Lambda kills the function, and nobody is told why."""
    release = threading.Event()
    functions = Functions(lambda _event, _same: release.wait(30))
    with pytest.raises(SpreadStopped, match="no more time"):
        run(functions, store_of(3, 3), size=1, seconds=0.0)
    release.set()
    assert functions.counts() == {"arn:anchors": 1}


class Client:
    """Stands for the SDK's client."""

    def __init__(self, answer: Any) -> None:
        """Takes what `invoke` returns or raises."""
        self._answer = answer

    def invoke(self, **_given: Any) -> Any:
        """Returns or raises it."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def refusal(code: str, status: int) -> ClientError:
    """Returns an error as the service tells it."""
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "Invoke")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal("TooManyRequestsException", 429), "Lambda.TooManyRequestsException"),
        (refusal("EFSIOException", 502), "Lambda.ServiceException"),
        (refusal("AccessDeniedException", 403), "Lambda.AccessDeniedException"),
        (ReadTimeoutError(endpoint_url="x"), "States.Timeout"),
        (ConnectionClosedError(endpoint_url="x"), "Lambda.SdkClientException"),
        ({"FunctionError": "Unhandled", "Payload": {"errorType": "NoSuchKey"}}, "NoSuchKey"),
        ({"FunctionError": "Unhandled", "Payload": {"errorMessage": "died"}}, "Lambda.Unknown"),
        ({"Payload": {"frames": 3}}, None),
    ],
)
def test_errors_have_the_names_that_step_functions_gives_them(
    monkeypatch: pytest.MonkeyPatch, answer: Any, error: str | None
) -> None:
    """If this fails, retry rules do not know what has happened."""
    if isinstance(answer, dict):
        answer = {**answer, "Payload": io.BytesIO(json.dumps(answer["Payload"]).encode())}
    monkeypatch.setattr(boto3, "client", lambda *_args, **_named: Client(answer))
    invoke = lambda_invoke(1, 60)
    if error is None:
        assert invoke("arn", b"{}") == {"frames": 3}
        return
    with pytest.raises(CallFailed) as caught:
        invoke("arn", b"{}")
    assert caught.value.error == error


def test_these_workers_run_tasks_of_flows_only() -> None:
    """If this fails, an executor is told late that functions of a stack do not take its own."""
    workers = DirectWorkers(FUNCTIONS, MemoryStore(), Functions(), size=1)
    with pytest.raises(StackError):
        workers.check(b"packed")
    with pytest.raises(StackError):
        workers.member("gang", 0, 1)
    with pytest.raises(FlowError, match="no map 'shares of'"):
        map_of(batches(), "shares of")
    assert map_of(Sequence("flow", (batches(),)), "shares").name == "shares"
    workers.close()
