"""The reports of a stack's jobs: who asked for one, and what has become of it.

An attempt is a folder of objects below its job's own, with which it expires. Whoever creates its
request has made the attempt, and whoever creates the note of its begin makes the report: of several
that do the same at the same time, one succeeds. The facts are stored last, so an attempt that has
them is whole. A function that died leaves neither facts nor a failure: once its time is over, the
attempt has failed, and the next one may begin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from excamera.job.codecs import is_manifest
from excamera.job.objects import Keys
from mu import NoSuchKey, Store

WAITS_S = 300
"""How long the call of the function may wait until there is room for it."""

_LATE_S = 60
"""Between the clocks of functions, and until a call that has waited too long is given up."""

_NEVER_BEGAN = (
    "no function was free to make it: all that the account may run were busy; ask for it again"
)
_DIED = (
    "its function ended without a word, out of time or memory; ask for it again: it measures less"
)

State = Literal["making", "made", "failed"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to make a report.

    Attributes:
        keys: of the job.
        number: of the attempt, from 1.
        state: what has become of it.
        message: why it failed.
        died: how many attempts, with this one, ended without a word.
    """

    keys: Keys
    number: int
    state: State
    message: str = ""
    died: int = 0

    @property
    def page(self) -> str:
        """The key of the page."""
        return self.keys.report(self.number) + "page.html"

    @property
    def facts(self) -> str:
        """The key of the facts."""
        return self.keys.report(self.number) + "facts.json"


def results_of(result: Mapping[str, Any] | None) -> list[tuple[str, str] | None]:
    """The files of a result that a report reads: name and key, None of one that is replaced.

    Args:
        result: as the API describes it; None without one.
    """
    if result is None or result["url"] is None:
        return []
    if not result.get("files"):
        return [(PurePath(result["key"]).name, result["key"])]
    return [
        None if one["url"] is None else (one["name"], one["key"])
        for one in result["files"]
        if not is_manifest(one["name"])
    ]


def latest(store: Store, keys: Keys, *, lasts_s: float, now: float) -> Attempt | None:
    """The last attempt to make a report; None without any.

    Args:
        store: the jobs'.
        keys: of the job.
        lasts_s: after which the function has ended.
        now: Unix time.
    """
    found: dict[int, set[str]] = {}
    for key in store.list(keys.reports):
        folder, _, name = key.removeprefix(keys.reports).partition("/")
        found.setdefault(int(folder), set()).add(name)
    asked = [one for one, names in found.items() if "request.json" in names]
    if not asked:
        return None
    number = max(asked)
    request = _read(store, keys.report(number) + "request.json")
    died = int(request.get("died", 0))
    names = found[number]
    if "facts.json" in names:
        return Attempt(keys, number, "made")
    if "failure.json" in names:
        told = _read(store, keys.report(number) + "failure.json")
        return Attempt(keys, number, "failed", str(told.get("message", "")), died)
    if "begun.json" in names:
        began = float(_read(store, keys.report(number) + "begun.json").get("time", 0))
        if now > began + lasts_s + _LATE_S:
            return Attempt(keys, number, "failed", _DIED, died + 1)
    elif now > float(request.get("time", 0)) + WAITS_S + _LATE_S:
        return Attempt(keys, number, "failed", _NEVER_BEGAN, died)
    return Attempt(keys, number, "making", died=died)


def ask(
    store: Store, keys: Keys, before: Attempt | None, told: Mapping[str, Any], *, now: float
) -> Attempt | None:
    """Make an attempt; returns None if somebody else has just made it.

    Args:
        store: the jobs'.
        keys: of the job.
        before: the last attempt.
        told: what the function needs to know of the job, as JSON.
        now: Unix time.
    """
    number = 1 if before is None else before.number + 1
    died = 0 if before is None else before.died
    request = json.dumps({**told, "time": now, "died": died}).encode()
    if not store.put_new(keys.report(number) + "request.json", request):
        return None
    return Attempt(keys, number, "making", died=died)


def begin(store: Store, keys: Keys, number: int, *, now: float) -> dict[str, Any] | None:
    """What was asked for; None if another call makes it, as Lambda may deliver a call twice.

    Raises:
        NoSuchKey: nobody asked for it, or the job was cancelled.
    """
    request = json.loads(store.get(keys.report(number) + "request.json"))
    if not store.put_new(keys.report(number) + "begun.json", json.dumps({"time": now}).encode()):
        return None
    return dict(request)


def finish(store: Store, keys: Keys, number: int, page: str, facts: Mapping[str, Any]) -> None:
    """Store a report."""
    attempt = Attempt(keys, number, "made")
    store.put(attempt.page, page.encode())
    store.put(attempt.facts, json.dumps(facts).encode())


def fail(store: Store, keys: Keys, number: int, message: str) -> None:
    """Store why there is no report."""
    told = json.dumps({"message": message}).encode()
    store.put(keys.report(number) + "failure.json", told)


def _read(store: Store, key: str) -> dict[str, Any]:
    try:
        return dict(json.loads(store.get(key)))
    except (NoSuchKey, ValueError, TypeError):  # it has just been removed
        return {}
