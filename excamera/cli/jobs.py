"""`excamera status`, `jobs`, `cancel`, `fetch`, `timeline`: jobs of a deployed stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from excamera.cli.bytes_progress import bytes_progress
from excamera.cli.cloud import (
    Cloud,
    cloud_command,
    json_option,
    print_fields,
    print_json,
    print_table,
    when,
)
from excamera.cli.help import OUTPUT, command, option
from excamera.cli.outcome import outcomes
from excamera.errors import OptionError
from excamera.job.target import Reached
from excamera.media.words import counted
from excamera.places import check_output, check_timeline, write_page

if TYPE_CHECKING:
    from excamera.cloud.api import Api

_STATES = ("uploading", "queued", "running", "succeeded", "failed", "stopped", "timed_out")


@command(examples=[("excamera status JOB", "How far a job is, and what it has cost.")])
@click.argument("job")
@json_option
@cloud_command
def status(cloud: Cloud, job: str, as_json: bool) -> None:
    """Show the progress of JOB, its cost, and the reason if it failed."""
    found = cloud.api.get(f"/jobs/{job}")
    if as_json:
        print_json(found)
        return
    cost, failure, result = found["cost"], found["failure"], found["result"]
    print_fields(
        [
            ("job", found["id"]),
            ("state", found["state"]),
            ("place", found["place"] and _place(found["place"])),
            ("phase", None if found["phase"] in ("queued", "ended") else found["phase"]),
            ("source", found["source"]),
            ("size", None if found["size"] is None else f"{found['size']:,} bytes"),
            ("output", found["output"]),
            ("created", when(found["created"])),
            ("ended", when(found["ended"])),
            ("goal", found.get("goal") and _goal(found["goal"])),
            ("chosen", found.get("planned") and _chosen(found["planned"])),
            ("why", found.get("planned") and found["planned"]["why"]),
            ("chunks", found["chunks"] and f"{found['chunks']:,}"),
            ("shares", _of(found["shares"])),
            ("batches", _of(found["batches"])),
            ("retries", found["retries"] or None),
            ("at once", found["workers_at_once"] and f"{found['workers_at_once']} workers"),
            (
                "account",
                found["account_concurrency"]
                and f"at most {found['account_concurrency']} functions for all jobs",
            ),
            ("cost", cost and _cost(cost, found["phase"])),
            *outcomes(found),
            ("failed", failure and f"{failure['error']}: {failure['message']}"),
            ("result", result and result_line(found, None)),
            *(("note", note) for note in (result["notes"] if result else ())),
            ("priority", found["priority"] or None),
            ("tag", None if found["tag"] is None else json.dumps(found["tag"])),
        ]
    )


def _goal(goal: dict[str, Any]) -> str:
    if goal["within_s"] is None:
        return f"at most ${goal['budget_usd']:g}"
    return f"within {goal['within_s']:g} s"


def _chosen(planned: dict[str, Any]) -> str:
    chosen = planned["chosen"]
    return (
        f"ExCamera[{chosen['chunk_frames'] or 'N'},{chosen['batch_chunks']}], "
        f"{counted(chosen['workers'], 'worker')} of {chosen['memory_mb']:,} MB; expected "
        f"{chosen['seconds']:,.0f} s, at most {chosen['late_s']:,.0f} s, ${chosen['usd']:.4f}"
    )


def _place(place: int) -> str:
    return "next" if place == 1 else f"{place - 1} before it"


def _cost(cost: dict[str, Any], phase: str) -> str:
    so_far = "" if phase == "ended" else " so far"
    expected = cost["estimated_usd"]
    return f"${cost['so_far_usd']:.4f}{so_far}" + (
        f", ${expected:.4f} expected" if expected else ""
    )


def _of(count: dict[str, int] | None) -> str | None:
    return f"{count['done']} of {count['total']}" if count else None


def result_line(job: dict[str, Any], output: Path | None) -> str:
    """One line about a result: its place, size, duration, rate, frames and cost."""
    result = job["result"]
    where = output or f"s3://{result['bucket']}/{result['key']}"
    duration = max(result["duration_s"], 1e-9)
    keys = result["key_frames"]
    reached = Reached.from_json(result.get("target"))
    cost = f", ${job['cost']['so_far_usd']:.4f}" if job["cost"] else ""
    return (
        f"{where}: {result['size']:,} bytes, {result['duration_s']:.3f} s, "
        f"{result['size'] * 8 / duration / 1000:,.1f} kbit/s, {result['frames']} frames, "
        f"{keys} key frame{'s' if keys != 1 else ''}{cost}"
        + (f"; {reached.text}" if reached else "")
    )


@command(
    examples=[
        ("excamera jobs --state failed", "The last jobs that failed."),
        ("excamera jobs --day 2026-05-01 -l 500", "All jobs of a day."),
    ]
)
@option("--state", section=OUTPUT, type=click.Choice(_STATES), help="Only jobs in this state.")
@option(
    "--day",
    section=OUTPUT,
    metavar="YYYY-MM-DD",
    help="Only ended jobs that began on this day (UTC), however long ago.",
)
@option("--limit", "-l", section=OUTPUT, type=click.IntRange(1), default=20, show_default=True,
        help="Largest number of jobs.")  # fmt: skip
@json_option
@cloud_command
def jobs(cloud: Cloud, state: str | None, day: str | None, limit: int, as_json: bool) -> None:
    """List jobs, latest first."""
    found: list[dict[str, Any]] = []
    more = None
    while len(found) < limit:
        wanted = min(100, limit - len(found))
        page = cloud.api.get("/jobs", state=state, day=day, limit=wanted, next=more)
        found += page["jobs"]
        more = page["next"]
        if more is None:
            break
    if as_json:
        print_json(found)
        return
    print_table(
        ("job", "state", "created", "ended", "bytes", "source"),
        [
            (
                job["id"],
                _state(job),
                when(job["created"]),
                when(job["ended"]) or "",
                "" if job["size"] is None else f"{job['size']:,}",
                (job["source"] or "").rpartition("/")[2],
            )
            for job in found
        ],
    )


def _state(job: dict[str, Any]) -> str:
    return f"{job['state']} ({_place(job['place'])})" if job["place"] else str(job["state"])


@command(examples=[("excamera cancel JOB", "Stops it; what it has cost stays.")])
@click.argument("job")
@json_option
@cloud_command
def cancel(cloud: Cloud, job: str, as_json: bool) -> None:
    """Stop JOB and remove its intermediates; the source and a finished result stay.

    The stack removes them after the answer, which for a long film takes a minute or two.
    """
    cancelled = cloud.api.delete(f"/jobs/{job}")
    if as_json:
        print_json(cancelled)
    else:
        click.echo(f"{job}: {cancelled['state']}; its intermediates are being removed")


@command(examples=[("excamera fetch -o film.webm JOB", "Downloads the result once more.")])
@click.argument("job")
@option("-o", "--output", section=OUTPUT, type=click.Path(path_type=Path),
        help="A file with the result's ending; by default named like the source.")  # fmt: skip
@option("--overwrite", section=OUTPUT, is_flag=True, help="Replace an output that exists.")
@json_option
@cloud_command
def fetch(cloud: Cloud, job: str, output: Path | None, overwrite: bool, as_json: bool) -> None:
    """Download the result of JOB and check that it is complete."""
    found = cloud.api.get(f"/jobs/{job}")
    path = output or Path(found["output"].rpartition("/")[2])
    check_output(path, overwrite, "-")
    check_ending(found, path)
    fetch_result(cloud.api, found, path)
    if as_json:
        print_json({**found["result"], "path": str(path)})
    else:
        click.echo(result_line(found, path))


def check_ending(job: dict[str, Any], output: Path) -> None:
    """Refuse to download a result to a file that says something else of itself.

    Raises:
        OptionError: its ending is not that of the result.
    """
    ending = job["output"].rpartition(".")[2]
    if output.suffix.lower() != f".{ending}":
        raise OptionError(
            f"{output}: the result of {job['id']} is a .{ending} file: name the output so"
        )


def fetch_result(api: Api, job: dict[str, Any], output: Path, *, shown: bool = True) -> None:
    """Download a result, with a line of progress if that is `shown`."""
    from excamera.cloud.follow import fetch as download

    size = job["result"]["size"] if job["result"] else 0
    with bytes_progress("downloading", size, shown=shown) as got:
        download(api, job, output, got)


@command(examples=[("excamera timeline -o job.html JOB", "A page for a browser.")])
@click.argument("job")
@option("-o", "--output", section=OUTPUT, type=click.Path(path_type=Path),
        help="An .html file, which is replaced; by default named like the job.")  # fmt: skip
@cloud_command
def timeline(cloud: Cloud, job: str, output: Path | None) -> None:
    """Write what each worker of JOB did, so far or until it ended, to one HTML page."""
    from excamera.cloud.timeline import records

    path = output or Path(f"{job}.html")
    check_timeline(path)
    described = cloud.api.get(f"/jobs/{job}")
    found = records(cloud.api, described)
    if not found:
        click.echo(f"no task of {job} has ended yet", err=True)
        return
    lines = [f"{name}: {text}" for name, text in outcomes(described) if text is not None]
    write_page(path, found, title=job, lines=lines)
    click.echo(f"{path}: {len(found):,} attempts")
