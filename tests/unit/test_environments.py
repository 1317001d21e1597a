"""Environments that a job has made before it needs them."""

from __future__ import annotations

import importlib
import json
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from excamera.job.environments import AT_START, MOST, WORTH_PIXELS, at_start, calls_for, for_batches
from excamera.lifecycle import warming


def test_a_film_in_spans_gets_all_that_its_batches_need() -> None:
    """If this fails, batches of a long film wait for environments, or more are made than needed."""
    found = for_batches(shares=555, ahead=111, spans=178, pixels=10**11, workers=997)
    assert found == {"anchors": 111, "encode": 555}
    assert for_batches(shares=40, ahead=0, spans=12, pixels=10**10, workers=997) == {"encode": 40}


@pytest.mark.parametrize("workers", [1, 2, 7, 97, 997, 9_997])
@pytest.mark.parametrize("spans", [0, 2, 178, 1000])
def test_they_leave_room_for_those_that_work(workers: int, spans: int) -> None:
    """If this fails, surveys are refused because of calls that do nothing."""
    found = for_batches(shares=20_000, ahead=6_000, spans=spans, pixels=10**12, workers=workers)
    # The sound and the plan run beside the surveys.
    assert sum(found.values()) <= max(0, workers - min(spans, workers) - 2)
    assert all(0 < count <= MOST for count in found.values())


def test_a_film_whose_batches_begin_at_once_gets_none() -> None:
    """If this fails, a short film pays for environments that begin after those it waits for."""
    few = {"shares": 3, "ahead": 1, "spans": 0, "workers": 997}
    assert for_batches(**few, pixels=WORTH_PIXELS - 1) == {}
    assert for_batches(**few, pixels=WORTH_PIXELS) == {"anchors": 1, "encode": 3}


def test_a_small_job_makes_none_at_its_start() -> None:
    """If this fails, many small films together call more functions than their turns allow."""
    assert at_start(1 + calls_for(AT_START)) == AT_START
    assert at_start(calls_for(AT_START)) == {}


def test_calls_are_counted() -> None:
    """If this fails, an estimate does not have the calls that make environments."""
    assert calls_for(AT_START) == 5
    assert calls_for({}) == 0


def test_a_call_is_held_until_the_last_one_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, one environment answers several calls, or late ones are paid for waiting."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "time", lambda: 100.0)
    for moment in (100.5, 99.0):
        answer = warming.answer(warming.request_until(moment), "one")
        assert answer is not None
        assert answer["environment"] == "one"
    assert slept == [0.5, 0.0]
    assert warming.answer({"event": {}}, "one") is None


class Lambda:
    """Takes asynchronous calls, but those of functions whose names are refused."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.calls: list[tuple[str, Any]] = []

    def invoke(self, **asked: Any) -> None:
        """See botocore."""
        assert asked["InvocationType"] == "Event"
        if asked["FunctionName"] in self.refused:
            raise ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")
        self.calls.append((asked["FunctionName"], json.loads(asked["Payload"])))


def test_a_job_goes_on_if_no_environments_are_made() -> None:
    """If this fails, a job fails because something that would only be faster is refused."""
    from functions.warming import Warming

    for function, client in (("warm:1", Lambda("warm:1")), ("", Lambda())):
        made = Warming(function)
        made._lambda = client
        made.begin("film", {"encode": 3})
        assert client.calls == []
    client = Lambda()
    made = Warming("warm:1")
    made._lambda = client
    made.begin("film", {})
    made.begin("film", {"encode": 3})
    assert client.calls == [("warm:1", {"job": "film", "environments": {"encode": 3}})]


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The handler of the function."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("WARMED", json.dumps({"encode": "encode:7", "anchors": "anchors:7"}))
    sys.modules.pop("functions.warm.handler", None)
    return importlib.import_module("functions.warm.handler")


def test_the_version_of_each_function_is_called(
    warm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, environments of other code are made, too many, or one refusal stops all."""
    context = SimpleNamespace(
        function_name="warm", memory_limit_in_mb=1769, invoked_function_arn="", aws_request_id=""
    )
    client = Lambda("anchors:7")
    monkeypatch.setattr(warm, "client", client)
    before = time.time()
    wanted = {"anchors": 2, "encode": MOST + 5}
    found = warm.handler({"job": "film", "environments": wanted}, context)
    assert found == {"anchors": 0, "encode": MOST}
    assert {name for name, _ in client.calls} == {"encode:7"}
    [until] = {event["warm_until"] for _, event in client.calls}
    # As long as it takes to make the calls.
    assert until >= before + (MOST + 2) / warm.CALLS_A_SECOND
