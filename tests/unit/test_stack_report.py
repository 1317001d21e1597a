"""The report of a stack's job of which little is left, and which somebody has written into."""

from __future__ import annotations

import json

from excamera.job.objects import Keys
from excamera.report.in_the_cloud import Place, made
from mu import MemoryStore, TaskRecord

HOSTILE = "<script>window.ran = 1</script>\u202egpj.txt"
PLACE = Place("eu-north-1", "arm64", 5307, "1.2.3", "s3://out", 890.0)
LINE = {
    "time": 1.5, "level": "ERROR", "message": HOSTILE, "step": "index", "span": None,
    "batch": 3, "share": None, "exception": "Traceback:\n  boom",
}  # fmt: skip
JOB = {
    "id": "film-1", "state": "failed", "source": f"s3://in/{HOSTILE}", "output": "s3://out/a.webm",
    "options": {"crf": 30}, "result": None, "cost": None, "seconds": {}, "predicted": None,
    "actual": {"seconds": 15.0, "usd": 0.25, "bytes": None},
    "failure": {"error": "TruncatedSource", "message": HOSTILE},
}  # fmt: skip


def test_what_is_known_is_told_and_what_others_wrote_is_only_shown() -> None:
    """If this fails, a job that failed early has no report, or runs what its user has written."""
    store, keys = MemoryStore(), Keys("film-1")
    record = TaskRecord("index", 0, {}, 1.0, finished=2.0, worker="w", error="TruncatedSource")
    store.put(
        f"{keys.timeline}/index/1-1000ms-TruncatedSource.json",
        json.dumps(record.to_json()).encode(),
    )
    memory_mb = {"index": 1769, "encode": 5307}
    request = {"job": JOB, "results": [], "memory_mb": memory_mb, "log": [LINE], "died": 0}
    page, told = made(store, keys, request, PLACE)
    assert HOSTILE not in page
    assert "\u202e" not in page
    assert told["made_with"]["ExCamera"] == "1.2.3"
    assert told["made_with"]["Machine"] == "AWS Lambda, arm64, 5,307 MB, 3.00 CPUs, eu-north-1"
    [run] = told["runs"]
    assert run["log"] == [
        f"TruncatedSource: {HOSTILE}",
        f"1970-01-01T00:00:01.500+00:00  ERROR  index/3  {HOSTILE}", "Traceback:", "  boom",
    ]  # fmt: skip
    assert run["facts"]["Functions"] == "arm64, eu-north-1; encode 5,307 MB; index 1,769 MB"
    assert run["facts"]["State"] == "failed"
    assert [one["error"] for one in run["tasks"]] == ["TruncatedSource"]
    assert "there is no plan, or it has expired" in run["notes"][-1]
