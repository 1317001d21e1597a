"""`excamera encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from excamera.cli.help import OUTPUT, RUNNING, a_file, command, option
from excamera.cli.options import encode_options, given, progress_options, work_dir_option
from excamera.cli.progress import progress_observer
from excamera.errors import OptionError
from excamera.job.options import EncodeOptions
from excamera.local import EncodeResult, encode_file
from excamera.work import usual_parent


@command(
    examples=[
        ("excamera encode film.mp4 film.webm", "Encodes a film with the defaults, on all CPUs."),
        ("excamera encode --crf 18 --effort 4 film.mp4 film.webm",
         "Better quality; slower, and better compressed."),
        ("excamera encode --fps 23.976 'frames/frame_%04d.png' film.webm",
         "Numbered pictures become a film."),
        ("curl -s https://example.org/film.mp4 | excamera encode - film.webm",
         "Reads standard input."),
    ]
)  # fmt: skip
@click.argument("source", metavar="INPUT", shell_complete=a_file)
@click.argument("output", type=click.Path(path_type=Path))
@encode_options(local=True)
@option(
    "--workers",
    "-j",
    section=RUNNING,
    type=int,
    show_default="one per CPU",
    help="Number of processes.",
)
@option("--overwrite", section=OUTPUT, is_flag=True, help="Replace an output that exists.")
@option("--keep-job", section=RUNNING, type=click.Path(path_type=Path, file_okay=False),
        help="Keep the job's objects in this directory, and for good.")  # fmt: skip
@work_dir_option
@progress_options(verbose=True)
@option("--timeline", section=OUTPUT, type=click.Path(path_type=Path),
        help="Write what each worker did to this .html file, even on failure.")  # fmt: skip
def encode(
    source: str,
    output: Path,
    workers: int | None,
    overwrite: bool,
    keep_job: Path | None,
    work_dir: Path | None,
    timeline: Path | None,
    progress: str,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Encode INPUT to OUTPUT (.webm, .mkv, .mp4 or .ivf).

    INPUT is any video, or - for standard input; or a folder of numbered pictures, or a name that
    stands for them, such as 'frames/frame_%04d.png'.

    If an encode is interrupted, the same command goes on from what is finished.
    """
    chosen = EncodeOptions().with_values(given(options))
    if workers is not None and not 1 <= workers <= 1024:
        raise OptionError(f"workers must be 1 to 1024, not {workers}")
    # A variable may name the other folder, too.
    work_dir = None if keep_job is not None else work_dir or usual_parent()
    if quiet and verbose:
        raise OptionError("--quiet says nothing, --verbose explains: give one")
    with progress_observer(progress, quiet=quiet, verbose=verbose) as observer:
        result = encode_file(
            source,
            output,
            chosen,
            workers=workers,
            overwrite=overwrite,
            keep_job=keep_job,
            work_dir=work_dir,
            timeline=timeline,
            observer=observer,
            say=observer.say,
        )
        observer.close()
        for note in result.notes:
            observer.note(note)
    if not quiet:
        click.echo(summary(result))


def summary(result: EncodeResult) -> str:
    """One line about the result: its place, size, duration, rate, frames, and the target."""
    duration = max(result.duration_s, 1e-9)
    sound = {"none": "no sound", "copied": "sound copied", "encoded": "sound encoded to Opus"}
    if result.path.suffix.lower() == ".ivf":
        sound["none"] = "no sound (IVF holds none)"
    return (
        f"{result.path}: {result.size:,} bytes, {result.duration_s:.3f} s, "
        f"{result.size * 8 / duration / 1000:,.1f} kbit/s, {result.frames} frames, "
        f"{result.key_frames} key frame{'s' if result.key_frames != 1 else ''}, "
        f"{sound[result.sound]}" + (f"; {result.reached.text}" if result.reached else "")
    )
