"""`excamera submit`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from excamera.cli.bytes_progress import bytes_progress
from excamera.cli.cloud import (
    Cloud,
    cloud_command,
    json_option,
    print_json,
)
from excamera.cli.displays import progress_observer
from excamera.cli.dry_run import dry_run_option, on_a_stack, show
from excamera.cli.help import GOAL, OUTPUT, RUNNING, a_file, command, option
from excamera.cli.jobs import check_ending, fetch_result, result_line
from excamera.cli.options import encode_options, given, goal_of, goal_options, progress_options
from excamera.cli.outcome import outcomes
from excamera.errors import OptionError
from excamera.job.codecs import AUTO, VP8, check_ladder, check_pair, container_for
from excamera.job.goal import OR_FAIL, WITHIN
from excamera.job.options import EncodeOptions
from excamera.job.rules import Value
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.lifecycle.admission import HIGHEST_PRIORITY, USUAL_PRIORITY
from excamera.media.source.location import sequence_refused, stands_for_pictures
from excamera.places import check_input, check_output
from excamera.price.workers import Workers
from mu import is_object_url


@command(
    examples=[
        ("excamera submit film.mp4 -o film.webm", "Uploads, follows the job, downloads."),
        (
            "excamera submit --within 2m film.mp4 --wait",
            "The cheapest way that takes 2 minutes.",
        ),
        ("excamera submit --budget 0.40 --crf 30 film.mp4", "The fastest way for 40 cents."),
        (
            "excamera submit --dry-run --preset web-720p film.mp4",
            "Says how it would be cut, and what it would take and cost.",
        ),
        ("excamera submit s3://bucket/film.mp4", "Starts a job for what is in a bucket already."),
    ]
)
@click.argument("source", metavar="INPUT", shell_complete=a_file)
@encode_options(local=False)
@goal_options
@option(f"--{OR_FAIL}", section=GOAL, is_flag=True, help=f"With --{WITHIN}: fail if the job should "
        "not end in that time, instead of being as fast as possible.")  # fmt: skip
@dry_run_option
@option("--wait", section=RUNNING, is_flag=True, help="Follow the job to its end.")
@option("-o", "--output", section=OUTPUT, type=click.Path(path_type=Path),
        help="Follow it, and download the result; the ending says what it is.")  # fmt: skip
@option("--overwrite", section=OUTPUT, is_flag=True, help="Replace an output that exists.")
@option(
    "--priority",
    section=RUNNING,
    type=click.IntRange(-HIGHEST_PRIORITY, HIGHEST_PRIORITY),
    default=USUAL_PRIORITY,
    show_default=True,
    help="Jobs of a higher priority start before others that wait.",
)
@option("--tag", section=RUNNING, help="JSON or text that all notices of the job repeat.")
@option(
    "--again",
    section=RUNNING,
    is_flag=True,
    help="Make a new job even if the same one was submitted before.",
)
@progress_options(verbose=False)
@json_option
@cloud_command
def submit(
    cloud: Cloud,
    source: str,
    dry_run: bool,
    wait: bool,
    output: Path | None,
    overwrite: bool,
    priority: int,
    tag: str | None,
    again: bool,
    as_json: bool,
    progress: str,
    quiet: bool,
    **options: Any,
) -> None:
    """Encode INPUT, a file or an s3:// URL, with a deployed stack.

    If you run the same command again, it resumes: it sends only the parts of the file that did
    not arrive, and follows the job that it made before.
    """
    from excamera.cloud.follow import check_succeeded, follow
    from excamera.cloud.upload import upload_file

    goal = goal_of(options)
    request: dict[str, Any] = {
        "options": given(options), "priority": priority, "tag": _parsed(tag)
    }  # fmt: skip
    if goal is not None:
        request |= goal.to_json()
    file = None if is_object_url(source) else Path(source)
    if file is None:
        if stands_for_pictures(source):
            raise sequence_refused(source)
        request["source"] = source
    else:
        check_input(source)
        request |= {"upload": True, "name": file.name, "size": file.stat().st_size}
    if output is not None:
        ending = check_output(output, overwrite, source if file else "-")
        ask_for(request["options"], ending)
        wait = True
    if dry_run:
        if file is None:
            raise OptionError(f"--dry-run plans on this machine: it needs a file, not {source}")
        chosen = EncodeOptions().with_values(request["options"])
        container = chosen.output_container
        with progress_observer(progress, quiet=quiet) as observer:
            planned, estimate = on_a_stack(cloud, source, chosen, container, goal, observer)
        show(planned, estimate, as_json=as_json, notes=not quiet)
        return
    shown = progress == "auto" and not quiet
    with progress_observer(progress, quiet=quiet) as observer:
        job = _make(cloud, request, file, again, observer.say)
        if output is not None:
            check_ending(job, output)
        if job["state"] == "uploading" and file is not None:
            with bytes_progress("uploading", file.stat().st_size, shown=shown) as sent:
                upload_file(file, job, cloud.api, sent)
        if not (as_json or quiet):
            click.echo(f"job {job['id']}")
        if wait:
            job = follow(cloud.api, job["id"], observer, lambda place: observer.say(_place(place)))
            observer.close()
            _say_if_small(job, observer.say)
            for note in job["result"]["notes"] if job["state"] == "succeeded" else ():
                observer.note(note)
    if output is not None:
        check_succeeded(job)
        fetch_result(cloud.api, job, output, shown=shown)
    if as_json:
        print_json(cloud.api.get(f"/jobs/{job['id']}"))
    elif wait and job["state"] == "succeeded" and not quiet:
        click.echo(result_line(job, output))
        for name, text in outcomes(job):
            if text is not None:
                click.echo(f"{name}: {text}")
    if wait:
        check_succeeded(job)


def ask_for(options: dict[str, Value], ending: str) -> None:
    """Ask for the container that an output's name says, unless it is the usual one anyway.

    Raises:
        OptionError: the user asks for another one, too.
        UnknownOutputFormat: it does not hold the codec.
    """
    codec = str(options.get("codec", VP8))
    ladder = str(options.get("ladder", ""))
    if ladder:
        check_ladder(ending, ladder)
    if "codec" in options:
        check_pair(ending, codec)
    if options.get("container", AUTO) not in (AUTO, ending):
        raise OptionError(f"container is {options['container']}, but the output ends in .{ending}")
    if ending != container_for(codec, ladder=ladder):
        options["container"] = ending


def _make(
    cloud: Cloud,
    request: dict[str, Any],
    file: Path | None,
    again: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The job for this file and these options: a new one, or the one that exists already.

    It makes a new job if the old one did not succeed, or if its result is gone.
    """
    what = json.dumps(request, sort_keys=True)
    if file is not None:
        status = file.stat()
        what += f"\n{file.resolve()}\n{status.st_mtime_ns}"
    number = 0
    while True:
        token = hashlib.sha256(f"{what}\n{number}".encode()).hexdigest()
        job, new = cloud.api.post("/jobs", request, idempotency_key=token)
        found: dict[str, Any] = job
        if new:
            return found
        usable = job["state"] in ("uploading", "queued", "running") or (
            job["state"] == "succeeded" and job["result"] and job["result"]["url"]
        )
        if usable and not again:
            say(f"submitted before: {job['id']} is {job['state']}")
            return found
        number += 1


def _say_if_small(job: dict[str, Any], say: Callable[[str], None]) -> None:
    """Say so if the account, not the stack, limited the number of workers."""
    limit, useful = job["account_concurrency"], job["workers_useful"]
    if limit is None or not useful or job["workers_at_once"] >= useful:
        return
    if limit < Workers(DEFAULT_MEMORY_MB).concurrency:
        say(
            f"this account leaves jobs {limit} functions at a time, so at most "
            f"{job['workers_at_once']} workers of {useful} encoded it at once; a higher "
            "quota is free (docs/operations.md, quotas)"
        )


def _place(place: int) -> str:
    """How many jobs start before the one that is followed."""
    others = f"{place - 1} job{'s' if place != 2 else ''}"
    return f"queued: {others} before it" if place > 1 else "queued: it is next"


def _parsed(tag: str | None) -> Any:
    try:
        return None if tag is None else json.loads(tag)
    except ValueError:
        return tag
