"""Runs a call of a Python function wherever it has arrived: in a process or in a cloud function."""

from __future__ import annotations

import hashlib
import traceback
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from mu.errors import FlowError
from mu.packing import pack, unpack
from mu.store.protocol import Buffer
from mu.task import Context

_MOST_FUNCTIONS = 64
_functions: OrderedDict[str, Callable[..., Any]] = OrderedDict()
"""What this process has unpickled so far, by digest: the used last is last."""


def digest_of(packed_function: Buffer) -> str:
    """What a function is called by, from its packed form."""
    return hashlib.sha256(packed_function).hexdigest()


def function_of(packed_function: Buffer) -> Callable[..., Any]:
    """The function, unpickled once in each process."""
    digest = digest_of(packed_function)
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


def run_python(
    call: dict[str, Any], body: memoryview, context: Context
) -> tuple[dict[str, Any], list[Buffer]]:
    """Call a function with packed arguments.

    Args:
        call: `function_bytes` says how much of the body is the packed function. The rest is the
            packed list of its calls' arguments, each positional and named.
        body: see there.
        context: the surroundings.

    Returns:
        The answer's head, and the packed list of results, or the packed exception if it can be
        packed.
    """
    try:
        function = function_of(body[: call["function_bytes"]])
        calls = unpack(body[call["function_bytes"] :])
        results = [function(*positional, **named) for positional, named in calls]
        return {"marks": context.marks}, pack(results)
    except BaseException as error:
        try:
            packed = pack(error)
        except Exception:
            packed = []
        return {
            "error": type(error).__name__,
            "message": str(error),
            "details": traceback.format_exc(),
        }, packed
