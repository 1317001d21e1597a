"""Runs a call of a Python function wherever it has arrived: in a process or in a cloud function."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mu.errors import FlowError, NotEnoughConcurrency
from mu.messages.channel import Channel
from mu.messages.comm import Comm
from mu.messages.opening import open_channel
from mu.packing import joined, pack, unpack
from mu.store.protocol import Buffer, Store
from mu.task import Context

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


def run_python(
    call: dict[str, Any], body: memoryview, context: Context
) -> tuple[dict[str, Any], list[Buffer]]:
    """Call a function a few times; a failure ends its own call only.

    Args:
        call: `function_bytes` says how much of the body is the packed function. The rest is the
            packed list of its calls' arguments, each positional and named. A member of a gang also
            has its `gang`, `rank` and `size`, its `job`, and the URL of the `channel`.
        body: see there.
        context: the surroundings.

    Returns:
        The answer's head, and the packed list of outcomes: results in tuples of one, or `Failure`s.
    """
    try:
        function = function_of(body[: call["function_bytes"]])
        calls = unpack(body[call["function_bytes"] :])
    except BaseException as error:
        return _failed(error)
    with contextlib.ExitStack() as stack:
        if "gang" in call:
            channel = stack.enter_context(contextlib.closing(_channel(call, context.store)))
            comm = Comm(channel, context.store, call["gang"], call["rank"], call["size"])
            if "roll_call_s" in call:
                try:
                    comm.roll_call(call["roll_call_s"])
                except NotEnoughConcurrency as error:
                    return _failed(error)
            function = functools.partial(function, comm)
        outcomes = [_outcome(function, positional, named) for positional, named in calls]
    try:
        packed = pack(outcomes)
    except Exception:
        packed = pack([_packable(outcome) for outcome in outcomes])
    failed = [one.error for one in outcomes if isinstance(one, Failure)]
    return {"marks": context.marks, "failed": failed}, packed


def _failed(error: BaseException) -> tuple[dict[str, Any], list[Buffer]]:
    """The answer if no call has begun, from within the error's `except` block."""
    failure = Failure.of(error)
    return {
        "error": failure.error, "message": failure.message, "details": failure.details
    }, []  # fmt: skip


def _channel(call: dict[str, Any], store: Store) -> Channel:
    if "hub" in call:
        return SocketChannel(call["hub"])
    return StoreChannel(store, call["gang"])


def _outcome(
    function: Callable[..., Any], positional: tuple[Any, ...], named: dict[str, Any]
) -> tuple[Any] | Failure:
    try:
        return (function(*positional, **named),)
    except BaseException as error:
        return Failure.of(error)


def _packable(outcome: tuple[Any] | Failure) -> tuple[Any] | Failure:
    """The outcome, or why it cannot be packed."""
    try:
        pack(outcome)
    except Exception as error:
        return Failure.of(error)
    return outcome
