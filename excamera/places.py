"""Where inputs are and outputs go, and what becomes of those that cannot be."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from excamera.errors import (
    DiskFull,
    NoOutputFolder,
    NoSuchInput,
    OutputExists,
    OutputIsDirectory,
    OutputIsInput,
    OutputLinkBroken,
    OutputNotWritable,
    SeveralSequences,
    UnknownOutputFormat,
)
from excamera.job.page import check_page, write_timeline
from excamera.media.container.output import ENDINGS, OUTPUT_CONTAINERS
from excamera.media.source.location import sequence_refused
from excamera.media.source.numbered import find_pictures, is_sequence
from mu import TaskRecord
from mu.streams import STDOUT
from mu.whole import NO_ROOM, destination, is_special, whole_file


def check_input(source: str, *, takes_sequences: bool = False) -> None:
    """Refuse a source that does not exist.

    Args:
        source: a path, or "-".
        takes_sequences: whether it may be numbered pictures.

    Raises:
        NoSuchInput: there is no such file.
        InputIsDirectory: it is a directory without numbered pictures.
        SeveralSequences: it is not clear which pictures are meant.
        SequenceRefused: it is a sequence of these.
    """
    if source == "-":
        return
    path = Path(source)
    if is_sequence(source) and takes_sequences:
        find_pictures(source, source)
    elif is_sequence(source):
        with contextlib.suppress(SeveralSequences):
            find_pictures(source, source)
        raise sequence_refused(source)
    elif not path.exists():
        raise NoSuchInput(f"{source}: no such file")


def check_output(output: Path, overwrite: bool, source: str = "-") -> str:
    """Refuse a result that cannot be written, before any work is done.

    Returns:
        The container that the extension names.

    Raises:
        OutputError: the class says why.
    """
    check_place(output)
    container = output.suffix.lower().removeprefix(".")
    if container not in OUTPUT_CONTAINERS:
        raise UnknownOutputFormat(f"{output}: the output must end in {ENDINGS}")
    check_place(output, overwrite=overwrite, source=source)
    return container


def check_timeline(page: Path, source: str = "-") -> None:
    """Refuse a page that cannot be written, before any work is done.

    Raises:
        OutputError: the class says why.
    """
    check_page(page)
    # The ending protects films, also from a link.
    check_page(check_place(page, source=source))


def check_report(page: Path, *sources: str) -> None:
    """Refuse a page that cannot be written, before any work is done.

    Raises:
        OutputError: the class says why.
    """
    check_page(page, "report")
    for source in sources or ("-",):
        check_page(check_place(page, source=source), "report")


def check_picture(picture: Path, source: str = "-") -> None:
    """Refuse a picture that cannot be written, before any work is done.

    Raises:
        OutputError: the class says why.
    """
    if check_place(picture, source=source).suffix.lower() != ".svg":
        raise UnknownOutputFormat(f"{picture}: the picture must end in .svg")


def check_place(output: Path, *, overwrite: bool = True, source: str = "-") -> Path:
    """Refuse a file that cannot be written, before any work is done.

    Args:
        output: its path.
        overwrite: whether a file of before may be replaced.
        source: a path that must not be replaced; "-" for none.

    Returns:
        The path of the file itself, if `output` is a symbolic link to it.

    Raises:
        OutputError: the class says why.
    """
    try:
        target = destination(output)
    except OSError as error:
        raise _unwritable(output, error) from error
    if target.is_dir():
        raise OutputIsDirectory(f"{output}: is a directory")
    if not target.parent.is_dir():
        raise NoOutputFolder(f"{output}: there is no folder {target.parent}")
    if source != "-" and _is_same(target, Path(source)):
        raise OutputIsInput(f"{output}: is the input itself")
    if not overwrite:
        _check_new(target, output)
    if is_special(target):
        if not os.access(target, os.W_OK):
            raise OutputNotWritable(f"{output}: is not writable")
    elif not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputNotWritable(f"{output}: the folder {target.parent} is not writable")
    return target


def _is_same(target: Path, source: Path) -> bool:
    return target.exists() and source.exists() and target.samefile(source)


def _check_new(target: Path, output: Path) -> None:
    if target.exists():
        raise OutputExists(f"{output}: exists already (--overwrite replaces it)")


@contextlib.contextmanager
def written(output: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """A path to write an output to, which appears only when it is whole; see `whole_file`.

    Raises:
        DiskFull: its folder takes no more.
        OutputError: it cannot be written for another reason.
    """
    try:
        with whole_file(output) as part:
            yield part
            if not overwrite:
                _check_new(destination(output), output)
    except OSError as error:
        if error.filename == STDOUT:
            raise
        raise _unwritable(output, error) from error


def write_page(
    page: Path, records: Sequence[TaskRecord], *, title: str, lines: Sequence[str] = ()
) -> None:
    """Write a timeline; see `write_timeline`.

    Raises:
        DiskFull: its folder takes no more.
        OutputNotWritable: it cannot be written for another reason.
    """
    try:
        write_timeline(page, records, title=title, lines=lines)
    except OutputNotWritable as error:
        if isinstance(error.__cause__, OSError):
            raise _unwritable(page, error.__cause__) from error
        raise


def _unwritable(output: Path, error: OSError) -> OutputLinkBroken | OutputNotWritable | DiskFull:
    if error.errno in NO_ROOM:
        return full(output.absolute().parent, error, "choose another folder for the output")
    if output.is_symlink() and error.errno in (errno.ELOOP, errno.ENOENT, errno.ENOTDIR):
        return OutputLinkBroken(f"{output}: {error.strerror}")
    return OutputNotWritable(f"{output}: {error.strerror}")


def full(folder: Path, reason: object, advice: str) -> DiskFull:
    """The error that says that a folder takes no more.

    Args:
        folder: which one.
        reason: what the system says.
        advice: what to do if no room can be made there.
    """
    said = reason.strerror if isinstance(reason, OSError) else reason
    return DiskFull(f"{folder}: {said}: {advice}")
