"""Uses of the stack, by which tests see whether the rights of its roles are enough."""

from __future__ import annotations

from tests.aws.uses.api import UsesOfTheApi
from tests.aws.uses.cancelled import UsesThatCancel
from tests.aws.uses.jobs import UsesOfJobs
from tests.aws.uses.queue import UsesOfTheQueue

WORKERS = ("survey", "plan", "probe", "anchors", "encode", "audio", "stitch", "spread")

# What each scenario must return, in the order in which they run.
AS_IT_SHOULD_BE = {
    "encodes": ["SUCCEEDED", "SUCCEEDED"],
    "rebases": ["SUCCEEDED"],
    "surveys": ["SUCCEEDED", "2", "SUCCEEDED", "2"],
    "aims": ["SUCCEEDED", "size"],
    "sends_parts": ["SUCCEEDED"],
    "fails": ["OutputExists", "True", "SUCCEEDED", "False"],
    "starts": ["SUCCEEDED"],
    "ends": ["succeeded", "stopped"],
    "watches": ["1"],
    "fits": ["997"],
    "queues": ["1", "urgent usual", "0", "0"],
    "catches": ["stopped", "stopped"],
    "makes_room": ["SUCCEEDED"],
    "remembers": ["200"],
    "reconciles": ["[]"],
    "learns": ["200", "1", "True", "200"],
    "warms": ["SUCCEEDED", "audio 1, plan 1, spread 1, stitch 1"],
    "chooses_sizes": 2 * ["SUCCEEDED by encode10240, warmed", "SUCCEEDED by encode1769, warmed"],
    "warms_batches": ["SUCCEEDED", "anchors 1, encode 5"],
    "tags": ["paid for"],
    "shows_mu": ["200", "calls running", "divided"],
    "awaits": ["SUCCEEDED", "False", "SUCCEEDED"],
    "forgets_ends": ["forgotten"],
    "asks": ["succeeded", "200", "True", "gone", "True", "there is no"],
    "reports": ["made", "200", "True"],
    "sends": ["1", "succeeded"],
    "cancels": ["stopped", "0", "stopped", "False"],
    "sweeps_again": ["0", "False"],
    **{f"forgets_{step}": ["0"] for step in ("index", *WORKERS)},
}


class Scenarios(UsesOfJobs, UsesOfTheQueue, UsesOfTheApi, UsesThatCancel):
    """All uses of the stack, by their names."""

    def see(self, name: str) -> list[str]:
        """Runs the scenario of that name; returns its outcome."""
        of_step = name.partition("forgets_")[2]
        if of_step and not hasattr(self, name):
            return self.forgets(of_step)
        found: list[str] = getattr(self, name)()
        return found
