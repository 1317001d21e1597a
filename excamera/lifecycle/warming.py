"""Calls that only have environments of functions begin: what is asked, and what is answered."""

from __future__ import annotations

import time

from mu import Event, Json

_HOLD = "warm_s"
_UNTIL = "warm_until"
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


def request_until(moment: float) -> Event:
    """The event of such a call, if the last of several is begun at a moment.

    Args:
        moment: until when the environment is not to take another call, Unix seconds. One that has
            only begun is usually later, and holds nothing.
    """
    return {_UNTIL: moment}


def answer(event: Event, environment: str) -> Json | None:
    """The answer to such a call, or None if the event is another's.

    Args:
        event: of the call.
        environment: a name that no other environment has.
    """
    if _HOLD in event:
        hold_s = event[_HOLD]
    elif _UNTIL in event:
        hold_s = event[_UNTIL] - time.time()
    else:
        return None
    new = not _answered
    _answered[:] = [environment]
    time.sleep(max(0.0, hold_s))
    return {"environment": environment, "new": new}
