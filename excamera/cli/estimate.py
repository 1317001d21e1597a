"""`excamera estimate`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from excamera.cli.cloud import (
    Cloud,
    cloud_command,
    json_option,
    print_fields,
    print_json,
    print_table,
)
from excamera.cli.frontier import HEAD, MARK, picture, row
from excamera.cli.help import OUTPUT, STACK, a_file, command, option
from excamera.cli.model import errors_line
from excamera.cli.options import by_hand, encode_options, given, goal_of, goal_options
from excamera.errors import CloudError, CloudUnavailable
from excamera.job.cut import longest_plain
from excamera.job.options import EncodeOptions
from excamera.job.packing import capacity_of
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.media.words import counted, sized
from excamera.places import check_input, check_picture, written
from excamera.price.choices import Point
from excamera.price.edits import edited
from excamera.price.estimate import Estimate
from excamera.price.estimate import estimate as estimated
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.planner import Planned, planned
from excamera.price.size import guessed_crf
from excamera.price.workers import Workers

CONSTANTS = "the constants of another machine"
"""What an estimate is by if no stack is asked."""


@command(
    examples=[
        ("excamera estimate film.mp4", "Time, size and price, and the ways to encode it."),
        ("excamera estimate --within 2m --plot ways.svg film.mp4",
         "The way that a job with this goal takes, and a picture of all."),
        ("excamera estimate --like JOB film.mp4", "With the pace of a job of the stack."),
    ]
)  # fmt: skip
@click.argument("source", metavar="INPUT", shell_complete=a_file)
@encode_options(local=False)
@goal_options
@option("--plot", section=OUTPUT, type=click.Path(path_type=Path), help="Draw the ways to encode "
        "it, seconds against dollars, to an .svg file, which is replaced.")  # fmt: skip
@option("--encode-memory", section=STACK, type=click.IntRange(128, 10240), multiple=True,
        help="Memory of the encode function, in MB. If given several times, these are the "
        "sizes to choose from; the first is the usual one.")  # fmt: skip
@option("--anchors-memory", section=STACK, type=click.IntRange(128, 10240),
        help="Memory of the anchors function, in MB.")  # fmt: skip
@option("--architecture", section=STACK, type=click.Choice(["arm64", "x86_64"]),
        show_default="arm64", help="Of the functions.")  # fmt: skip
@option("--concurrency", section=STACK, type=click.IntRange(2),
        show_default="1000", help="Functions that the account runs at a time.")  # fmt: skip
@option("--like", section=STACK, metavar="JOB", help="Take the pace from a job of a deployed "
        "stack, and all other defaults from the stack.")  # fmt: skip
@json_option
@cloud_command
def estimate(
    cloud: Cloud,
    source: str,
    plot: Path | None,
    encode_memory: tuple[int, ...],
    anchors_memory: int | None,
    architecture: str | None,
    concurrency: int | None,
    like: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Estimate the time, size and list price of encoding INPUT in the cloud.

    Times come from a model of one CPU of one machine. With --stack, --profile or --region, or the
    variable for the stack, the model is corrected by what that stack has learned, if it is there;
    --like takes the times from one job.

    If you give neither N nor x, a table shows the ways to encode it, by simulation: of these a job
    takes the one that suits its --within or --budget.
    """
    check_input(source)
    if plot is not None:
        check_picture(plot, source)
    goal = goal_of(options)
    chosen = EncodeOptions().with_values(given(options))
    film = edited(look_at(source, chosen.audio), chosen)
    workers, pace, by = pace_of(cloud, like)
    memory = {"encode": (encode_memory or (None,))[0], "anchors": anchors_memory}
    workers = replace(
        workers,
        memory_mb={**workers.memory_mb, **{step: mb for step, mb in memory.items() if mb}},
        architecture=architecture or workers.architecture,
        concurrency=capacity_of(concurrency) if concurrency else workers.concurrency,
        encode_sizes=encode_memory[1:] or workers.encode_sizes,
    )
    if goal is not None:
        goal.check(chosen)
    settled = by_hand(options) or chosen.is_plain or chosen.target is not None
    ways = None if settled else planned(film, chosen, workers, pace, goal)
    if plot is not None and ways is not None:
        with written(plot) as part:
            part.write_text(picture(ways.frontier, ways.chosen, f"Ways to encode {source}"))
    if ways is not None and ways.chosen is not None:
        choice = ways.chosen.choice
        chosen, workers = choice.options(chosen), choice.workers(workers)
    found = estimated(film, chosen, workers, pace)
    if as_json:
        report = _report(film, chosen, workers, found)
        print_json({**report, "pace": asdict(pace), "pace_by": by, **_choices(ways)})
        return
    _print(film, chosen, workers, found, None if ways is None else ways.chosen, by)
    if ways is not None:
        click.echo("\nways to encode it, by simulation:")
        print_table(HEAD, (row(one, chosen=one is ways.chosen) for one in ways.frontier))
        if ways.why:
            click.echo(f"\n{MARK} {ways.why}")


def _cut(film: Film, options: EncodeOptions) -> str:
    if options.is_plain:
        longest = longest_plain(options, film.width * film.height)
        return f"plain chunks of up to {longest} frames"
    return f"ExCamera[{options.lengths.usual_frames},{options.lengths.usual_chunks}]"


def _print(
    film: Film,
    chosen: EncodeOptions,
    workers: Workers,
    found: Estimate,
    point: Point | None,
    by: str,
) -> None:
    """Print an estimate; what was simulated counts more than arithmetic."""
    took = f"about {found.seconds:,.0f} s"
    if point is not None:
        took = f"about {point.seconds:,.0f} s, at most {point.late_s:,.0f} s"
    shape, bill = found.shape, found.usage.bill(workers.architecture)
    print_fields(
        [
            ("source", f"{film.width}x{film.height}, {film.frames:,} frames, "
             f"{film.duration_s:,.1f} s"),
            ("cut", f"{_cut(film, chosen)}: "
             f"{counted(shape.chunks, 'chunk')} in {counted(shape.batches, 'batch', 'batches')}, "
             f"{counted(shape.shares, 'share')}, {counted(found.workers, 'worker')} at once"),
            ("pace", by),
            ("time", f"{took} from the end of the upload"),
            ("size", f"about {sized(found.size)}"),
            ("cost", f"about ${found.dollars:.4f}: "
             + ", ".join(f"{name} ${dollars:.4f}" for name, dollars in bill.items())),
            ("Lambda", f"{sum(found.usage.gb_seconds.values()):,.0f} GB-seconds, "
             f"{found.usage.invocations:,} calls, {found.usage.transitions:,} transitions"),
        ]
    )  # fmt: skip


def look_at(source: str, audio: str = "") -> Film:
    """The size, length and sound of a video, without decoding it.

    Args:
        source: its path or URL.
        audio: the option of that name.

    Raises:
        InputError: it cannot be encoded.
        OptionError: it has no such sound.
    """
    from excamera.media.source.index import index_packets
    from excamera.media.source.media import demux, open_media
    from excamera.media.tracks import audio_streams

    with open_media(source, source) as opened:
        index = index_packets(opened)
        video = opened.video
        sound = len(audio_streams(opened.container, opened.encrypted, audio))
        if index is not None:
            frames, seconds = len(index.pts), float(index.end * opened.time_base)
        else:
            # No index: every packet is looked at, which is still much less than decoding.
            frames = max(1, sum(packet.size > 0 for packet in demux(opened.container, video)))
            seconds = frames / float(opened.frame_rate)
        pixels = video.format
        bits = max(one.bits for one in pixels.components) if pixels is not None else 8
        return Film(frames, video.width, video.height, seconds, sound, bits)


def pace_of(cloud: Cloud, like: str | None = None) -> tuple[Workers, Pace, str]:
    """The functions of a stack, their pace, and what that is by.

    Args:
        cloud: the stack, which counts only if somebody asked for it.
        like: the name of a job of it from which the pace is taken.
    """
    if like is not None:
        return *_like(cloud, like), f"the job {like}"
    if cloud.chosen:
        return _learned(cloud)
    return Workers(DEFAULT_MEMORY_MB), Pace(), CONSTANTS


def _like(cloud: Cloud, name: str) -> tuple[Workers, Pace]:
    """The workers of a stack and the pace of one of its jobs."""
    from excamera.cloud.pace import attempts_of, workers_of

    job, attempts, film = attempts_of(cloud.api, name)
    workers = workers_of(cloud.account, cloud.stack)
    workers = replace(workers, concurrency=job["account_concurrency"] or workers.concurrency)
    options = EncodeOptions.from_json(job["options"])
    pace = Pace.of_job(attempts, film, options, workers)
    crf = guessed_crf(film, options)
    return workers, pace.with_size(job["result"]["size"], film, crf)


def _learned(cloud: Cloud) -> tuple[Workers, Pace, str]:
    """The functions of a stack, its pace, and what that is by; ours if it does not answer."""
    from excamera.cloud.pace import learned_by

    try:
        found = learned_by(cloud.api)
    except (CloudUnavailable, CloudError) as error:
        click.echo(f"the stack's model is unknown, so {CONSTANTS} count: {error}", err=True)
        return Workers(DEFAULT_MEMORY_MB), Pace(), CONSTANTS
    jobs = f"{found.jobs:,} job{'s' if found.jobs != 1 else ''} of {cloud.stack.name}"
    errors = errors_line(found.errors)
    return found.workers, found.pace, f"{jobs}{f'; off by {errors}' if errors else ''}"


def _choices(ways: Planned | None) -> dict[str, Any]:
    """What may be chosen, for programs."""
    if ways is None:
        return {"frontier": None, "planned": None}
    return {
        "frontier": [one.to_json() for one in ways.frontier],
        "planned": None if ways.chosen is None else ways.to_json(),
    }


def _report(
    film: Film, options: EncodeOptions, workers: Workers, found: Estimate
) -> dict[str, Any]:
    return {
        "source": asdict(film),
        "options": options.to_json(),
        "workers": asdict(workers),
        **asdict(found),
        "bill": found.usage.bill(workers.architecture),
    }
