"""`excamera estimate`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import click

from excamera.cli.cloud import (
    Cloud,
    cloud_command,
    encode_options,
    given_options,
    json_option,
    print_fields,
    print_json,
)
from excamera.estimate import DEFAULT_MEMORY_MB, Estimate, Film, Pace, Workers
from excamera.estimate import estimate as estimated
from excamera.flow import STEPS
from excamera.job import check_input
from excamera.options import EncodeOptions


@click.command()
@click.argument("source", metavar="INPUT")
@encode_options
@click.option("--encode-memory", type=click.IntRange(128, 10240),
              help="Memory of the encode function, in MB.")  # fmt: skip
@click.option("--rebase-memory", type=click.IntRange(128, 10240),
              help="Memory of the rebase function, in MB.")  # fmt: skip
@click.option("--architecture", type=click.Choice(["arm64", "x86_64"]), default="arm64",
              show_default=True, help="Of the functions.")  # fmt: skip
@click.option("--concurrency", type=click.IntRange(2), default=1000, show_default=True,
              help="Functions that the account runs at a time.")  # fmt: skip
@click.option("--like", metavar="JOB", help="Take the pace from a job of a deployed stack.")
@json_option
@cloud_command
def estimate(
    cloud: Cloud,
    source: str,
    encode_memory: int | None,
    rebase_memory: int | None,
    architecture: str,
    concurrency: int,
    like: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Tell what INPUT would take in the cloud: time, size and dollars at list prices.

    Times are a model of one CPU of one machine; --like takes them from a job that is done.
    """
    check_input(source)
    chosen = EncodeOptions().with_texts(
        {name.replace("_", "-"): str(value) for name, value in given_options(**options).items()}
    )
    film = look_at(source)
    memory = {**DEFAULT_MEMORY_MB}
    for step, given in (("encode", encode_memory), ("rebase", rebase_memory)):
        memory[step] = given or memory[step]
    workers = Workers(memory, architecture, concurrency=concurrency)
    pace = None if like is None else _pace_of(cloud, like, workers)
    found = estimated(film, chosen, workers, pace)
    if as_json:
        print_json(_report(film, chosen, workers, found))
        return
    shape, bill = found.shape, found.usage.bill(architecture)
    print_fields(
        [
            ("source", f"{film.width}x{film.height}, {film.frames:,} frames, "
             f"{film.duration_s:,.1f} s"),
            ("cut", f"ExCamera[{chosen.chunk_frames},{chosen.batch_chunks}]: {shape.chunks:,} "
             f"chunks in {shape.batches:,} batches, {found.workers:,} at once"),
            ("time", f"about {found.seconds:,.0f} s from the end of the upload"),
            ("size", f"about {found.size / 1e6:,.1f} MB"),
            ("cost", f"about ${found.dollars:.4f}: "
             + ", ".join(f"{name} ${dollars:.4f}" for name, dollars in bill.items())),
            ("Lambda", f"{sum(found.usage.gb_seconds.values()):,.0f} GB-seconds, "
             f"{found.usage.invocations:,} calls, {found.usage.transitions:,} transitions"),
        ]
    )  # fmt: skip


def look_at(source: str) -> Film:
    """What a video is like, without decoding it.

    Raises:
        InputError: it cannot be encoded.
    """
    from excamera.audio import audio_stream
    from excamera.source.index import index_packets
    from excamera.source.media import open_media

    with open_media(source, source) as opened:
        index = index_packets(opened)
        video = opened.video
        sound = audio_stream(opened.container) is not None
        if index is not None:
            frames, seconds = len(index.pts), float(index.end * opened.time_base)
        else:
            # No index: every packet is looked at, which is still much less than decoding.
            frames = max(1, sum(packet.size > 0 for packet in opened.container.demux(video)))
            seconds = frames / float(opened.frame_rate)
        return Film(frames, video.width, video.height, seconds, sound)


def _pace_of(cloud: Cloud, name: str, workers: Workers) -> Pace:
    """The pace of a job in the cloud, with the memory its functions have now."""
    from excamera.cloud.pace import attempts_of, memory_of

    job, attempts, film = attempts_of(cloud.api, name)
    there = replace(workers, memory_mb=memory_of(cloud.account, cloud.stack))
    cpus = {step: there.cpus(step) for step in STEPS}
    pace = Pace.of_job(attempts, film.frames, film.megapixels, cpus)
    crf = job["options"]["crf"]
    return pace.with_size(job["result"]["size"], film, crf) if job["result"] else pace


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
