"""The simulated cloud has the limits of `stacks.quotas`, and tries again as the stack does."""

from __future__ import annotations

import json

from mu.simulation import CLOUD
from stacks.quotas import QUOTAS
from stacks.states_language import retry_rule
from tests.infra.golden import GOLDEN


def test_limits_are_those_of_the_page() -> None:
    """docs/limits.md and the simulator have different limits of AWS."""
    quotas = {one.name: one.most for one in QUOTAS}
    assert quotas["functions at the same time"] == CLOUD.concurrency
    assert quotas["new environments of one function in ten seconds"] == CLOUD.ramp * 10
    assert quotas["new environments of one function in ten seconds"] == CLOUD.ramp_burst
    asked = "calls a second, ten for each that may run at the same time"
    assert quotas[asked] == CLOUD.concurrency * CLOUD.calls_of_concurrency
    assert quotas["time of a call"] == CLOUD.timeout_s
    assert quotas["state transitions a second"] == CLOUD.transitions == CLOUD.transitions_burst
    assert quotas["children that a map starts in a second"] == CLOUD.standard_children
    assert quotas["children of a map run at the same time"] == CLOUD.most_children
    assert quotas["iterations of an inline map at the same time"] == CLOUD.most_iterations
    assert quotas["history of an execution"] == CLOUD.most_events
    assert quotas["input or output of a state or an execution"] == CLOUD.most_bytes
    assert quotas["reads a second from a prefix"] == CLOUD.read_rate
    assert quotas["writes a second to a prefix"] == CLOUD.write_rate


def test_calls_are_tried_again_as_by_the_stack() -> None:
    """The stack's pauses after a refused call have changed, and the simulator's have not."""
    task = json.loads(GOLDEN.read_text())["States"]["index"]
    busy, died = ({**retry_rule(rule), "ErrorEquals": None} for rule in (CLOUD.busy, CLOUD.died))
    assert [{**one, "ErrorEquals": None} for one in task["Retry"][-2:]] == [busy, died]
    assert task["Retry"][-2]["ErrorEquals"] == list(CLOUD.busy.errors)
    assert set(CLOUD.died.errors) <= set(task["Retry"][-1]["ErrorEquals"])
