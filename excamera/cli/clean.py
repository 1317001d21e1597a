"""`excamera clean`."""

from __future__ import annotations

from pathlib import Path

import click

from excamera.cli.cloud import json_option, print_json, print_table
from excamera.cli.help import RUNNING, command, option
from excamera.cli.options import work_dir_option
from excamera.errors import OptionError
from excamera.job.goal import seconds_of
from excamera.media.words import counted, sized
from excamera.work import Left, left_in, usual_parent

_USUAL_AGE = "7d"


@command(
    examples=[
        ("excamera clean --dry-run --all", "Shows what encodes have left."),
        ("excamera clean", "Removes what nobody has written to for a week."),
        ("excamera clean --all", "Removes all of it."),
    ]
)
@option("--older-than", section=RUNNING, metavar="TIME", show_default=_USUAL_AGE,
        help="Remove only those to which nothing was written for so long: 12h, 30d.")  # fmt: skip
@option("--all", "everything", section=RUNNING, is_flag=True, help="Remove them at any age.")
@option("--dry-run", section=RUNNING, is_flag=True, help="Only say what would be removed.")
@work_dir_option
@json_option
def clean(
    older_than: str | None, everything: bool, dry_run: bool, work_dir: Path | None, as_json: bool
) -> None:
    """Remove the work folders of encodes that did not succeed.

    A folder that an encode is using stays.
    """
    if everything and older_than is not None:
        raise OptionError("--all removes folders of any age: leave out it or --older-than")
    least_s = 0.0 if everything else seconds_of(older_than or _USUAL_AGE, "older-than")
    parent = work_dir or usual_parent()
    found = [] if parent is None else left_in(parent)
    where = parent or "a cache, as there is none"
    rows, freed = [], 0
    for one in found:
        done = _done(one, least_s, dry_run)
        freed += one.size * (done in (_REMOVED, _WOULD))
        rows.append((one, done))
    if as_json:
        print_json([_described(one, done) for one, done in rows])
        return
    if rows:
        print_table(
            ("MB", "hours", "what", "source", "output"),
            [
                (f"{one.size / 1e6:,.1f}", f"{one.age_s / 3600:,.1f}", done, one.source, one.output)
                for one, done in rows
            ],
        )
    would = "would be " if dry_run else ""
    click.echo(
        f"{counted(sum(done in (_REMOVED, _WOULD) for _, done in rows), 'folder')} "
        f"{would}removed, {sized(freed)}, of {counted(len(rows), 'folder')} in {where}"
    )


_IN_USE, _YOUNG, _WOULD, _REMOVED = "in use", "stays", "would go", "removed"


def _done(one: Left, least_s: float, dry_run: bool) -> str:
    """What becomes of a folder."""
    if one.in_use:
        return _IN_USE
    if one.age_s < least_s:
        return _YOUNG
    if dry_run:
        return _WOULD
    return _REMOVED if one.remove() else _IN_USE


def _described(one: Left, done: str) -> dict[str, object]:
    return {
        "path": str(one.path), "source": one.source, "output": one.output, "bytes": one.size,
        "age_s": round(one.age_s, 1), "what": done,
    }  # fmt: skip
