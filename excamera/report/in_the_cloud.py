"""Makes the report of a stack's job in a function of the stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from excamera.job.objects import Job, Keys
from excamera.job.steps import cpus_of
from excamera.report.effort import sampled
from excamera.report.job import stored_records
from excamera.report.making import report_of
from excamera.report.of_stack import log_lines, stack_facts, with_source
from excamera.report.page import report_page
from mu import NoSuchKey, Store
from mu.store.url import ObjectUrl


@dataclass(frozen=True, slots=True)
class Place:
    """The function that makes a report, and what it has.

    Attributes:
        region: of AWS.
        architecture: "arm64" or "x86_64".
        memory_mb: of the function.
        version: of ExCamera.
        output: the URL of the store with results.
        seconds: that are left to it.
    """

    region: str
    architecture: str
    memory_mb: int
    version: str
    output: str
    seconds: float

    @property
    def cpus(self) -> float:
        """Processors, which come with memory."""
        return cpus_of(self.memory_mb)

    @property
    def told(self) -> dict[str, str]:
        """What a report says of it."""
        return {
            "ExCamera": self.version,
            "Machine": f"AWS Lambda, {self.architecture}, {self.memory_mb:,} MB, "
            f"{self.cpus:.2f} CPUs, {self.region}",
        }


def made(
    store: Store, keys: Keys, request: Mapping[str, Any], place: Place
) -> tuple[str, dict[str, Any]]:
    """The page, and its facts as JSON.

    Args:
        store: the jobs'.
        keys: of the job.
        request: `job`, as the API describes it; `results`, the keys of its files that have
            pictures or sound, see `excamera.lifecycle.reports.results_of`; `log`, its log lines as
            the API tells them; `memory_mb`, of its functions; `died`, how many attempts before this
            one ended without a word.
        place: where this runs.

    Raises:
        InputError: the source or the result cannot be read.
        StoreError: an object cannot be read.
    """
    described = request["job"]
    job, note = None, ""
    try:
        job = Job.load(store, keys.job)
    except NoSuchKey:
        note = "chunks, seams, roles and quality are not known: there is no plan, or it has expired"
    bucket = place.output.removeprefix("s3://")
    memory = [f"{step} {mb:,} MB" for step, mb in sorted(request["memory_mb"].items())]
    sides = stack_facts(
        described,
        stored_records(store, keys),
        job,
        [key and str(ObjectUrl(bucket, key)) for key in request["results"]],
        log=list(log_lines(request["log"])),
        facts={"Functions": "; ".join([f"{place.architecture}, {place.region}", *memory])},
        note=note,
    )
    if job is not None:
        plan = job.plan
        pixels = [one.run.width * one.run.height for one in sides if one.result is not None]
        every = sampled(
            plan.frame_count, plan.geometry.source_width * plan.geometry.source_height, pixels,
            len(plan.batches), seconds=place.seconds, cpus=place.cpus, died=request["died"],
        )  # fmt: skip
        sides = with_source(sides, job, every)
    report = report_of(
        sides,
        # Without a source there are pictures of the result alone, which has to be decoded, too.
        measure=any(one.source is not None for one in sides),
        workers=max(1, round(place.cpus)),
        threads=True,
        made_with=place.told,
    )
    return report_page(report), report.report.to_json()
