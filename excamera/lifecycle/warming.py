"""Calls that only have environments of functions begin: what is asked, and what is answered."""

from __future__ import annotations

import time

from mu import Event, Json

_HOLD = "warm_s"
_answered: list[str] = []
"""The environment that this process is, once it has answered."""


def request(hold_s: float) -> Event:
    """The event of such a call.

    Args:
        hold_s: how long the environment is not to take another call: calls that come meanwhile
            need environments of their own.
    """
    return {_HOLD: hold_s}


def began_before() -> bool:
    """Whether this environment has answered such a call."""
    return bool(_answered)


def answer(event: Event, environment: str) -> Json | None:
    """The answer to such a call, or None if the event is another's.

    Args:
        event: of the call.
        environment: a name that no other environment has.
    """
    if _HOLD not in event:
        return None
    new = not _answered
    _answered[:] = [environment]
    time.sleep(event[_HOLD])
    return {"environment": environment, "new": new}
