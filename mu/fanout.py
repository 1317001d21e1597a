"""How the bodies of an `Each` are begun in the cloud: by one function, or each as an execution.

A distributed map begins a child execution for each body. There may be any number of them, each has
a history of its own, and they last as long as it takes. But to begin them and to gather what became
of them takes seconds. A *spread* map is one call of a function that interprets the map: it calls
the tasks' functions itself and waits for their answers. It gathers nothing, but has one call's
time, and a connection for each call that is under way.
"""

from __future__ import annotations

SPREAD = "spread"
DISTRIBUTED = "distributed"
NOTHING = "nothing"
"""The ways, as `Each.way` finds them in an event: `NOTHING` is for a list without items."""

MOST_AT_ONCE = 1_000
"""Calls that one function has under way. Each takes a thread and a connection, and a function of
Lambda has 1,024 of each ("Lambda quotas")."""

ROUNDS = 4
"""So many bodies one after another are well within a call's time, if each takes minutes."""

UNWANTED_S = 5.0
"""How often a function that runs a map asks whether its results are still wanted."""

CHOICE_EVENTS = 2  # ChoiceStateEntered, -Exited
TASK_EVENTS = 5  # TaskStateEntered, LambdaFunctionScheduled, -Started, -Succeeded, TaskStateExited
RETRY_EVENTS = 3  # LambdaFunctionFailed, -Scheduled, -Started
STATE_EVENTS = 4  # of Map and Parallel: -StateEntered, -Started, -Succeeded, -Exited
ITERATION_EVENTS = 2  # MapIterationStarted, -Succeeded
"""Events that these leave in the history of an execution."""


def way_of(bodies: int, *, at_once: int, width: int, most_calls: int) -> str:
    """How the bodies of a list are begun.

    Args:
        bodies: how many there are.
        at_once: how many of them may run at the same time.
        width: the most calls that one has under way.
        most_calls: under way at once, up to which a map is spread; 0 for never.
    """
    if not bodies:
        return NOTHING
    calls = min(bodies, at_once) * width
    spread = calls <= min(most_calls, MOST_AT_ONCE) and bodies <= ROUNDS * at_once
    return SPREAD if spread else DISTRIBUTED
