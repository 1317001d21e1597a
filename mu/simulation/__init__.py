"""Runs a flow in simulated time, against the published rates and limits of the cloud.

`simulate` interprets the same `mu.flow` that engines run. It calls nothing: a callback says what a
task would have to do (`Work`), and `Cloud` says what the services add. One seed gives one result.
"""

from mu.simulation.calls import Call
from mu.simulation.cloud import CLOUD, Cloud, Fanout
from mu.simulation.result import Result
from mu.simulation.run import simulate
from mu.simulation.work import Ahead, Function, Shared, Work

__all__ = [
    "CLOUD", "Ahead", "Call", "Cloud", "Fanout", "Function", "Result", "Shared", "Work", "simulate",
]  # fmt: skip
