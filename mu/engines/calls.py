"""Runs a call of a Python function wherever it has arrived: in a process or in a cloud function."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import traceback
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mu.errors import FlowError, MessageError, NotEnoughConcurrency
from mu.packing import apart, joined, pack, unpack
from mu.store.protocol import Buffer, Store

_MOST_FUNCTIONS = 64
_functions: OrderedDict[str, Callable[..., Any]] = OrderedDict()
"""What this process has unpickled so far, by digest: the used last is last."""


def function_of(packed_function: Buffer) -> Callable[..., Any]:
    """The function, unpickled once in each process."""
    digest = hashlib.sha256(packed_function).hexdigest()
    if digest in _functions:
        _functions.move_to_end(digest)
    else:
        found = unpack(packed_function)
        if not callable(found):
            raise FlowError(f"{found!r} is not callable")
        _functions[digest] = found
        if len(_functions) > _MOST_FUNCTIONS:
            _functions.popitem(last=False)
    return _functions[digest]


@dataclass(frozen=True, slots=True)
class Failure:
    """What a function raised.

    Attributes:
        error: the exception's class name.
        message: what it said.
        details: traceback text.
        exception: the exception, packed; empty if it cannot be packed.
    """

    error: str
    message: str
    details: str
    exception: bytes

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """A failure, from within its `except` block."""
        try:
            packed = joined(pack(error))
        except Exception:
            packed = b""
        return cls(type(error).__name__, str(error), traceback.format_exc(), packed)


Outcomes = tuple[list[Any], dict[int, Failure]]
"""What each call returned, None if it failed; and the failures, by the number of the call."""


def run_python(
    call: dict[str, Any], body: memoryview, store: Store
) -> tuple[dict[str, Any], list[Buffer]]:
    """Call a function a few times; a failure ends its own call only.

    Args:
        call: `function_bytes` says how much of the body is the packed function. The rest is a
            packed pair: the positional arguments of each call, and the named ones of all of them. A
            member of a gang also has its `gang`, `rank` and `size`, its `job`, the URL of the
            `channel`, and `roll_call_s` if not all of them may have begun.
        body: see there.
        store: for large messages of a gang.

    Returns:
        The answer's head, and packed `Outcomes`.
    """
    try:
        function = function_of(body[: call["function_bytes"]])
        calls, named = unpack(body[call["function_bytes"] :])
    except BaseException as error:
        return _not_begun(error)
    try:
        outcomes = (
            _outcomes_of_a_member(function, calls, named, call, store)
            if "gang" in call
            else _outcomes(function, calls, named)
        )
    except (MessageError, NotEnoughConcurrency) as error:
        return _not_begun(error)
    try:
        packed = pack(outcomes)
    except Exception:
        packed = pack(_packable(outcomes))
    failures = outcomes[1]
    return ({"failed": [one.error for one in failures.values()]} if failures else {}), packed


def _not_begun(error: BaseException) -> tuple[dict[str, Any], list[Buffer]]:
    """The answer if no call has begun, from within the error's `except` block."""
    failure = Failure.of(error)
    return {
        "error": failure.error, "message": failure.message, "details": failure.details
    }, []  # fmt: skip


def _outcomes_of_a_member(
    function: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    named: dict[str, Any],
    call: dict[str, Any],
    store: Store,
) -> Outcomes:
    from mu.messages.comm import Comm  # only gangs need them
    from mu.messages.opening import open_channel

    opened = open_channel(call["channel"], store, call["job"], call["gang"])
    with contextlib.closing(opened) as channel:
        comm = Comm(channel, store, call["gang"], call["rank"], call["size"])
        if "roll_call_s" in call:
            comm.roll_call(call["roll_call_s"])
        return _outcomes(functools.partial(function, comm), calls, named)


def _outcomes(
    function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], named: dict[str, Any]
) -> Outcomes:
    results: list[Any] = []
    failures: dict[int, Failure] = {}
    for positional in calls:
        try:
            results.append(apart(function(*positional, **named)))
        except BaseException as error:
            failures[len(results)] = Failure.of(error)
            results.append(None)
    return results, failures


def _packable(outcomes: Outcomes) -> Outcomes:
    """The same outcomes, with the reason in place of each result that cannot be packed."""
    results, failures = list(outcomes[0]), dict(outcomes[1])
    for number, result in enumerate(results):
        try:
            pack(result)
        except Exception as error:
            failures[number] = Failure.of(error)
            results[number] = None
    return results, failures
