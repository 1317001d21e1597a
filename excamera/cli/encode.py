"""`excamera encode`."""

from __future__ import annotations

from pathlib import Path

import click

from excamera.cli.progress import progress_observer
from excamera.errors import OptionError
from excamera.job.options import DEADLINES, EncodeOptions, VpxSettings
from excamera.local import EncodeResult, encode_file

_DEFAULTS = EncodeOptions()


@click.command()
@click.argument("source", metavar="INPUT")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--chunk-frames", "-n", type=int, default=_DEFAULTS.chunk_frames, show_default=True,
              help="N: frames of a chunk.")  # fmt: skip
@click.option("--batch-chunks", "-x", type=int, default=_DEFAULTS.batch_chunks, show_default=True,
              help="x: chunks that share one key frame; 1 joins nothing.")  # fmt: skip
@click.option("--crf", type=int, default=_DEFAULTS.crf, show_default=True,
              help="Quality, 0 (best) to 63: libvpx's quantiser scale.")  # fmt: skip
@click.option("--deadline", default=_DEFAULTS.vpx.deadline, show_default=True,
              help=f"libvpx's effort: {', '.join(DEADLINES)}.")  # fmt: skip
@click.option("--cpu-used", type=int, default=_DEFAULTS.vpx.cpu_used, show_default=True,
              help="libvpx's speed within the deadline, -16 to 16.")  # fmt: skip
@click.option("--workers", "-j", type=int, help="Processes; one a CPU unless given.")
@click.option("--overwrite", is_flag=True, help="Replace an output that exists.")
@click.option("--keep-job", type=click.Path(path_type=Path, file_okay=False),
              help="Keep the job's objects in this directory.")  # fmt: skip
def encode(
    source: str,
    output: Path,
    chunk_frames: int,
    batch_chunks: int,
    crf: int,
    deadline: str,
    cpu_used: int,
    workers: int | None,
    overwrite: bool,
    keep_job: Path | None,
) -> None:
    """Encode INPUT (any video, or - for standard input) to OUTPUT (.webm or .ivf)."""
    options = EncodeOptions(
        chunk_frames=chunk_frames,
        batch_chunks=batch_chunks,
        crf=crf,
        vpx=VpxSettings(deadline=deadline, cpu_used=cpu_used),
    )
    if workers is not None and not 1 <= workers <= 1024:
        raise OptionError(f"workers must be 1 to 1024, not {workers}")
    with progress_observer() as observer:
        result = encode_file(
            source,
            output,
            options,
            workers=workers,
            overwrite=overwrite,
            keep_job=keep_job,
            observer=observer,
        )
    click.echo(summary(result))


def summary(result: EncodeResult) -> str:
    """What the user is told at the end: where the result is and what it is like."""
    duration = max(result.duration_s, 1e-9)
    sound = {"none": "no sound", "copied": "sound copied", "encoded": "sound encoded to Opus"}
    if result.path.suffix.lower() == ".ivf":
        sound["none"] = "no sound (IVF holds none)"
    return (
        f"{result.path}: {result.size:,} bytes, {result.duration_s:.3f} s, "
        f"{result.size * 8 / duration / 1000:,.1f} kbit/s, {result.frames} frames, "
        f"{result.key_frames} key frame{'s' if result.key_frames != 1 else ''}, "
        f"{sound[result.sound]}"
    )
