"""`excamera report`."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from excamera.cli.cloud import Cloud, cloud_command, json_option
from excamera.cli.help import OUTPUT, RUNNING, a_file, command, option
from excamera.errors import CloudError, CloudUnavailable, NoSuchInput
from excamera.places import check_input, check_report, written
from mu.store.url import is_object_url

if TYPE_CHECKING:
    from excamera.report.job import JobFacts


@command(
    examples=[
        ("excamera report --reference film.mp4 film.webm", "Bits and quality of each frame."),
        ("excamera report --reference film.mp4 ours.webm theirs.webm -o both.html",
         "Two encodes side by side."),
        ("excamera report --json --no-quality film.webm", "The facts of a file, for programs."),
        ("excamera report JOB", "What happened in a job of a stack, which makes the report."),
        ("excamera report jobs/tonight s3://WORKBUCKET/mu-timelines/JOB -o both.html",
         "Two jobs of mu, begun with timeline=."),
    ]
)  # fmt: skip
@click.argument("runs", metavar="JOB|FOLDER|FILE...", nargs=-1, required=True,
                shell_complete=a_file)  # fmt: skip
@option("--reference", section=OUTPUT, type=click.Path(),
        help="What all are measured against, frame by frame; jobs know their source.")  # fmt: skip
@option("-o", "--output", section=OUTPUT, type=click.Path(path_type=Path),
        help="An .html file, which is replaced; by default named like the first.")  # fmt: skip
@option("--title", section=OUTPUT, default="", help="Title of the page.")
@option("--quality/--no-quality", section=OUTPUT, default=True, show_default=True,
        help="Measure qualities and take pictures.")  # fmt: skip
@option("--workers", "-j", section=RUNNING, type=click.IntRange(1, 1024),
        show_default="one per CPU", help="Number of processes.")  # fmt: skip
@json_option
@cloud_command
def report(
    cloud: Cloud,
    runs: tuple[str, ...],
    reference: str | None,
    output: Path | None,
    title: str,
    quality: bool,
    workers: int | None,
    as_json: bool,
) -> None:
    """Write what happened in encodes to one HTML page, side by side.

    Each of them is a job of a stack, the folder of a job on this machine (as --keep-job leaves
    it), any video, or a job of mu: the folder or s3:// URL where it has stored its records. Of a
    ladder, its sizes stand side by side. With --json the same facts are printed, and no page is
    written unless -o names one. A stack makes the report of its job itself, unless there are
    several things to show, or --reference, --title, --workers or --no-quality is given.
    """
    from excamera.report.making import facts_of, report_of
    from excamera.report.page import write_report

    if reference is not None:
        check_input(reference, takes_sequences=True)
    page = output or (None if as_json else Path(f"{_stem(runs[0])}-report.html"))
    if page is not None:
        check_report(page, *runs, *([reference] if reference else []))

    def say(text: str) -> None:
        if not as_json:
            click.echo(f"{text} ...", err=True)

    if len(runs) == 1 and not Path(runs[0]).exists():
        as_told = reference is None and not title and workers is None and quality
        if as_told and _may_be_job(runs[0]):
            _of_the_stack(cloud, runs[0], page, as_json)
            return
    with contextlib.ExitStack() as kept:
        found = [
            side
            for one in runs
            for side in (
                facts_of(one)
                if Path(one).exists() or is_object_url(one)
                else _in_the_cloud(cloud, one, kept)
            )
        ]
        made = report_of(
            found, reference or "", title=title, measure=quality, workers=workers, say=say
        )
    if page is not None:
        write_report(page, made)
    if as_json:
        # A film has a line for each frame if it is indented.
        click.echo(json.dumps(made.report.to_json()))
    elif page is not None:
        click.echo(f"{page}: {page.stat().st_size:,} bytes")


def _in_the_cloud(cloud: Cloud, job: str, kept: contextlib.ExitStack) -> list[JobFacts]:
    """The facts of a job; copies of what it has made stay until the report is made."""
    if not _may_be_job(job):
        raise NoSuchInput(f"{job}: no such file")
    from excamera.cloud.report import cloud_facts

    folder = kept.enter_context(tempfile.TemporaryDirectory())
    with _as_a_job(job):
        return cloud_facts(cloud.account, cloud.stack, cloud.api, job, Path(folder))


def _of_the_stack(cloud: Cloud, job: str, page: Path | None, as_json: bool) -> None:
    """Write or print the report that a stack makes of its job."""
    from excamera.cloud.made_report import downloaded, made_report

    with _as_a_job(job):
        api = cloud.api
        if not as_json:
            click.echo(f"the stack {cloud.name} makes the report of {job} ...", err=True)
        told = made_report(api, job)
        if page is not None:
            text = downloaded(told["url"])
            with written(page) as part:
                part.write_bytes(text)
        if as_json:
            click.echo(downloaded(told["facts_url"]))
        elif page is not None:
            click.echo(f"{page}: {page.stat().st_size:,} bytes")


def _may_be_job(name: str) -> bool:
    """Whether it may be the name of a job, and not only that of a file."""
    return "/" not in name and not Path(name).suffix


@contextlib.contextmanager
def _as_a_job(job: str) -> Iterator[None]:
    """Say that a name was taken for that of a job."""
    try:
        yield
    except (CloudError, CloudUnavailable) as error:
        raise type(error)(f"{job} is no file here; as a job of a stack: {error}") from error


def _stem(run: str) -> str:
    name = Path(run).resolve()
    return name.name if name.is_dir() else name.stem
