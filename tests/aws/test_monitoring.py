"""The dashboard and the alarms show the metrics that the functions write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from emulator.excamera.deployed import Deployed
from emulator.runs import until
from tests.aws.test_cancel import stopped_at
from tests.pipeline.clips import Clip

pytestmark = [pytest.mark.aws, pytest.mark.slow]

FUNCTIONS = (
    "start",
    "index",
    "plan",
    "anchors",
    "encode",
    "audio",
    "stitch",
    "failure",
    "ended",
    "watch",
)
Metric = tuple[str, str]
"""Its name, `service=...`, and the names of its other dimensions."""

_SEARCH = re.compile(r"SEARCH\('\{\"(\w+)\",([\w,]+)\} MetricName=\"(\w+)\"'")


def shown(stack: Deployed) -> tuple[set[Metric], set[str]]:
    """Returns the stack's own metrics that the dashboard and alarms use, and those they search."""
    cloudwatch = stack.client("cloudwatch")
    dashboard = f"{stack.name}-{cloudwatch.meta.region_name}"
    page = json.loads(cloudwatch.get_dashboard(DashboardName=dashboard)["DashboardBody"])
    own, searched = set(), set()
    for widget in page["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if metric[0] == stack.name:
                _, name, dimension, service, *_ = metric
                own.add((name, f"{dimension}={service}"))
    for namespace, dimensions, name in _SEARCH.findall(json.dumps(page).replace('\\"', '"')):
        assert (namespace, dimensions) == (stack.name, "service,error")
        searched.add(name)
    for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
        if alarm.get("Namespace") == stack.name:
            [dimension] = alarm["Dimensions"]
            own.add((alarm["MetricName"], f"{dimension['Name']}={dimension['Value']}"))
    return own, searched


def written(emulator: Emulator, stack: Deployed) -> set[Metric]:
    """Returns the metrics in the functions' logs, in CloudWatch's embedded format."""

    def lines() -> Iterator[dict[str, Any]]:
        for name in FUNCTIONS:
            for line in emulator.logs(stack.function(name)).splitlines():
                if '"_aws"' in line:
                    yield json.loads(line[line.index("{") :])

    found = set()
    for line in lines():
        for one in line["_aws"]["CloudWatchMetrics"]:
            assert one["Namespace"] == stack.name
            for dimensions in one["Dimensions"]:
                more = sorted(set(dimensions) - {"service"})
                place = ",".join([f"service={line['service']}", *more])
                found |= {(metric["Name"], place) for metric in one["Metrics"]}
    return found


def test_everything_that_is_shown_is_written(
    emulator: Emulator, stack: Deployed, tmp_path: Path
) -> None:
    """If this fails, a graph stays empty or an alarm never rings."""
    film = Clip(frames=600).write(tmp_path / "film.mp4")
    # The metric of running jobs is written only while there are any.
    with stopped_at(stack, "stitch"):
        execution = stack.started(stack.upload("monitoring/film.mp4", film))
        stack.client("lambda").invoke(FunctionName=stack.function("watch"))
    stack.ended(execution)
    stack.job(stack.upload("monitoring/broken.mp4", b"no video"))
    own, searched = shown(stack)
    assert ("JobsStalled", "service=watch") in own
    assert searched == {"JobsFailed", "JobCost"}
    needed = own | {(name, "service=ended,error") for name in searched}
    until(lambda: needed <= written(emulator, stack))
