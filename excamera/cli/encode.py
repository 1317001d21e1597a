"""`excamera encode`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from excamera.cli.cloud import json_option, print_json
from excamera.cli.displays import progress_observer
from excamera.cli.dry_run import dry_run_option, on_this_machine, refuse, show
from excamera.cli.help import OUTPUT, RUNNING, a_file, command, option
from excamera.cli.options import encode_options, given, progress_options, work_dir_option
from excamera.errors import OptionError
from excamera.job.options import EncodeOptions
from excamera.local import EncodeResult, encode_file
from excamera.media.container.output import OUTPUT_CONTAINERS
from excamera.media.words import SOUND, counted
from excamera.places import check_output
from excamera.work import usual_parent


@command(
    examples=[
        ("excamera encode film.mp4 film.webm", "Encodes a film with the defaults, on all CPUs."),
        ("excamera encode --crf 18 --effort 4 film.mp4 film.webm",
         "Better quality; slower, and better compressed."),
        ("excamera encode --fps 23.976 'frames/frame_%04d.png' film.webm",
         "Numbered pictures become a film."),
        ("excamera encode --preset h264-web --dry-run film.mp4 film-web.mp4",
         "Says how a film would be cut for H.264, and about how long that would take."),
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
@dry_run_option
@option("--keep-job", section=RUNNING, type=click.Path(path_type=Path, file_okay=False),
        help="Keep the job's objects in this directory, and for good.")  # fmt: skip
@work_dir_option
@progress_options(verbose=True)
@option("--timeline", section=OUTPUT, type=click.Path(path_type=Path),
        help="Write what each worker did to this .html file, even on failure.")  # fmt: skip
@option("--report", section=OUTPUT, type=click.Path(path_type=Path),
        help="Write what happened, frame by frame, to this .html file.")  # fmt: skip
@json_option
def encode(
    source: str,
    output: Path,
    workers: int | None,
    overwrite: bool,
    dry_run: bool,
    keep_job: Path | None,
    work_dir: Path | None,
    timeline: Path | None,
    report: Path | None,
    progress: str,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Encode INPUT to OUTPUT (.webm, .mkv, .mp4 or .ivf; with --ladder .mpd or .m3u8).

    INPUT is any video, or - for standard input; or a folder of numbered pictures, or a name that
    stands for them, such as 'frames/frame_%04d.png'.

    If an encode is interrupted, the same command goes on from what is finished.
    """
    chosen = EncodeOptions().with_values(given(options))
    if workers is not None and not 1 <= workers <= 1024:
        raise OptionError(f"workers must be 1 to 1024, not {workers}")
    if quiet and verbose:
        raise OptionError("--quiet says nothing, --verbose explains: give one")
    if dry_run:
        refuse(keep_job=keep_job, timeline=timeline, report=report)
        container = check_output(output, overwrite, source)
        with progress_observer(progress, quiet=quiet, verbose=verbose) as observer:
            foreseen, estimate = on_this_machine(source, chosen, container, workers, observer)
        show(foreseen, estimate, as_json=as_json, notes=not quiet)
        return
    # A variable may name the other folder, too.
    work_dir = None if keep_job is not None else work_dir or usual_parent()
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
            report=report,
            observer=observer,
            say=observer.say,
        )
        observer.close()
        for note in result.notes:
            observer.note(note)
    if as_json:
        files = [str(path) for path in result.files]
        print_json({**asdict(result), "path": str(result.path), "files": files})
    elif not quiet:
        click.echo(summary(result))


def summary(result: EncodeResult) -> str:
    """One line about the result: its place, size, duration, rate, frames, and the target."""
    duration = max(result.duration_s, 1e-9)
    sound = {
        "none": "no sound",
        "copied": "sound copied",
        "encoded": "sound encoded",
        "mixed": "sound partly copied, partly encoded",
    }
    ending = result.path.suffix.lower().removeprefix(".")
    if result.files:
        listed = ", ".join(path.name for path in result.files[:-1])
        return (
            f"{result.path}: {result.size:,} bytes in {len(result.files)} files with {listed}; "
            f"{result.duration_s:.3f} s, {result.frames} frames, key frames at "
            f"{counted(result.key_frames, 'place')}, {sound[result.sound]}"
        )
    container = OUTPUT_CONTAINERS[ending]()
    if container.holds_sound:
        for manner in ("encoded", "mixed"):
            sound[manner] += f" to {SOUND[container.sound_codec]}"
    else:
        sound["none"] = f"no sound ({container.name.upper()} holds none)"
    return (
        f"{result.path}: {result.size:,} bytes, {result.duration_s:.3f} s, "
        f"{result.size * 8 / duration / 1000:,.1f} kbit/s, {result.frames} frames, "
        f"{result.key_frames} key frame{'s' if result.key_frames != 1 else ''}, "
        f"{sound[result.sound]}" + (f"; {result.reached.text}" if result.reached else "")
    )
