"""ExCamera from Python: its flow, an encode on this machine, and when each task ran.

python -m examples.encode_film film.mp4 film.webm -n 12 -x 2
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

import mu
from examples.common import run
from examples.films import look_at
from excamera.errors import ExCameraError
from excamera.job.flow import excamera_flow
from excamera.job.options import EncodeOptions
from excamera.local import encode_file

COLUMNS = 60


def outline(node: mu.Node, depth: int = 0) -> Iterator[str]:
    """A flow as indented lines: the very description that a process pool or AWS runs."""
    match node:
        case mu.Task():
            yield f"{'  ' * depth}{node.name}"
        case mu.Sequence():
            yield f"{'  ' * depth}{node.name}: one after the other"
            for step in node.steps:
                yield from outline(step, depth + 1)
        case mu.Parallel():
            yield f"{'  ' * depth}{node.name}: at the same time"
            for branch in node.branches.values():
                yield from outline(branch, depth + 1)
        case mu.Each():
            yield f"{'  ' * depth}{node.name}: for each of {node.items}, at the same time"
            yield from outline(node.body, depth + 1)


class Diary(mu.Observer):
    """Keeps the record of every task that ended."""

    def __init__(self) -> None:
        self.records: list[mu.TaskRecord] = []

    def finished(self, record: mu.TaskRecord) -> None:
        """A task ended."""
        self.records.append(record)


def chart(records: list[mu.TaskRecord]) -> Iterator[str]:
    """A line for each task, with a bar from its beginning to its end."""
    ended = [(record, record.finished) for record in records if record.finished is not None]
    begin, end = min(one.started for one, _ in ended), max(finished for _, finished in ended)
    column_s = max(end - begin, 1e-9) / COLUMNS
    for record, finished in sorted(ended, key=lambda one: one[0].started):
        first = min(COLUMNS - 1, int((record.started - begin) / column_s))
        length = max(1, round((finished - record.started) / column_s))
        which = "/".join(
            str(record.event[key]) for key in ("batch", "share") if key in record.event
        )
        bar = (" " * first + "#" * min(length, COLUMNS - first)).ljust(COLUMNS)
        yield f"{record.name:8}{which:>8} |{bar}| {finished - record.started:6.2f} s"


@click.command()
@click.argument("film")
@click.argument("output", type=click.Path(path_type=Path))
@click.option("-n", "--chunk-frames", default=0, help="Frames of a chunk; 0 chooses.")
@click.option("-x", "--batch-chunks", default=16, help="Chunks that share a key frame.")
@click.option("--crf", default=24, show_default=True, help="Quality, 0 is the best.")
@click.option("--workers", type=click.IntRange(1, 1024), help="By default one for each CPU.")
def main(
    film: str, output: Path, chunk_frames: int, batch_chunks: int, crf: int, workers: int | None
) -> None:
    """Encode FILM to OUTPUT (.webm, .mkv or .ivf)."""
    options = EncodeOptions(chunk_frames=chunk_frames, batch_chunks=batch_chunks, crf=crf)
    diary = Diary()
    result = encode_file(film, output, options, workers=workers, overwrite=True, observer=diary)
    for line in (*outline(excamera_flow()), "", *chart(diary.records), ""):
        click.echo(line)
    click.echo(f"{result.frames} frames, {result.key_frames} key frames, {result.size:,} bytes")
    if look_at(film).times_ms != look_at(str(output)).times_ms:
        raise click.ClickException(f"{output}: frames are not where those of {film} are")
    click.echo("FFmpeg decodes every frame, at its time")


if __name__ == "__main__":
    run(main, ExCameraError)
