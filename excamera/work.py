"""Where the objects of an encode on this machine lie, and what of them outlives it.

A **work folder** belongs to one source, one output and one set of options: the same command finds
it again and goes on from what it holds. It goes when the encode succeeds. The folder's name does
not depend on what the source contains: the plan's digest does, and no piece of another plan counts.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import codec
import mu
from excamera.errors import InputError, JobInUse, OptionError, OutputNotWritable
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.media.source.numbered import find_pictures, is_sequence
from excamera.places import full
from mu.whole import NO_ROOM, TEMPORARY, destination

JOB = "local"
"""The name of every job of this machine."""

VARIABLE = "EXCAMERA_WORK_DIR"
"""The variable that names the folder of work folders, as `--work-dir` does."""

TMPDIR_ADVICE = "set the variable TMPDIR to a folder that has more"

_NAME = re.compile(r"encode-[0-9a-f]{16}(?P<gone>\.gone)?")
_ABOUT, _LOCK, _PART = "about.json", ".lock", "part"
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS})


@dataclass(frozen=True, slots=True)
class Work:
    """The folder of one encode while it runs.

    Attributes:
        path: the folder.
        named: the folder that the user knows, which decides about the disk.
        advice: what to do if that is full.
        resumable: whether it stays if the encode does not succeed.
        resumes: whether an earlier run has left pieces in it.
    """

    path: Path
    named: Path
    advice: str
    resumable: bool = False
    resumes: bool = False

    def note_parts(self, parts: Iterable[Path]) -> None:
        """Remember files that are not whole, in case this process is killed before their end."""
        with contextlib.suppress(OSError):
            (self.path / _PART).write_text("\0".join(str(part.absolute()) for part in parts))

    def stays(self, error: BaseException) -> bool:
        """Whether the same encode can go on from here after an error."""
        # A source that is at fault is another one when it is mended.
        at_fault = isinstance(error, (InputError, OptionError))
        return self.resumable and not at_fault and _has_pieces(self.path)


def usual_parent() -> Path | None:
    """The folder of work folders if nobody names one; None if there can be none."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    try:
        # The convention ignores a relative path.
        cache = Path(given) if given.startswith("/") else Path.home() / ".cache"
        parent = cache / "excamera"
        parent.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    return parent if os.access(parent, os.W_OK | os.X_OK) else None


def mark_of(source: str) -> str:
    """A digest that is another one if a source may have been changed, or the program was.

    It is made of what the file system knows of the source: where it lies, its size, and when its
    content and its status changed. No program can set the last. So it also tells a source apart
    that has the same size and the same time of change as before.
    """
    if is_sequence(source):
        paths = [Path(one.path) for one in find_pictures(source, source).pictures]
    else:
        paths = [Path(source)]
    return _digest([_status(paths), _program()])


@contextlib.contextmanager
def kept(directory: Path) -> Iterator[Work]:
    """A folder that the user has named and that stays.

    Raises:
        JobInUse: another encode holds it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    busy = (
        f"{directory}: another encode keeps its job there: wait for its end, or name another "
        "directory with --keep-job"
    )
    with _lock(directory, busy):
        yield Work(directory, directory, "name another directory with --keep-job")


@contextlib.contextmanager
def temporary() -> Iterator[Work]:
    """A folder that goes in any case."""
    directory = Path(tempfile.mkdtemp(prefix="excamera-"))
    try:
        yield Work(directory, Path(tempfile.gettempdir()), TMPDIR_ADVICE)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def resumable(
    parent: Path, source: str, output: Path, options: EncodeOptions, **others: object
) -> Iterator[Work]:
    """A folder that goes if the block succeeds, and stays if the same encode can go on from it.

    Args:
        parent: of all work folders.
        source: path of the source.
        output: path of the output.
        options: the options that decide the bytes.
        others: what else decides them.

    Raises:
        OutputNotWritable: there can be no folder in `parent`.
        DiskFull: it takes no more.
        JobInUse: another encode of the same source, output and options runs.
    """
    about = {
        "source": str(Path(source).resolve()),
        "output": str(destination(output).resolve()),
        "options": options.to_json(),
        **{name: str(value) for name, value in others.items()},
    }
    mark = mark_of(source)
    directory = parent / f"encode-{_digest(about)[:16]}"
    busy = f"{output}: another encode of {source} to it runs: wait for its end"
    advice = "name another folder with --work-dir"
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_locked(directory, busy))
            _remove_part(directory)
            if _about(directory).get("mark") != mark:
                # No piece of it would be taken, and all would take room.
                shutil.rmtree(directory / Keys(JOB).prefix, ignore_errors=True)
                (directory / _ABOUT).write_text(json.dumps({**about, "mark": mark}, indent=1))
        except OSError as error:
            if error.errno in NO_ROOM:
                raise full(parent, error, advice) from error
            raise OutputNotWritable(
                f"{error.filename or directory}: {error.strerror}: {advice}"
            ) from error
        work = Work(directory, parent, advice, True, _has_pieces(directory))
        try:
            yield work
        except BaseException as error:
            if not work.stays(error):
                _remove(directory)
            raise
        _remove(directory)


# ---- what is left ----


@dataclass(frozen=True, slots=True)
class Left:
    """A work folder that an encode has left.

    Attributes:
        path: the folder.
        source: of the encode, or "" if it is not known.
        output: likewise.
        size: bytes on the disk.
        age_s: seconds since something was written to it.
        in_use: whether an encode holds it.
    """

    path: Path
    source: str
    output: str
    size: int
    age_s: float
    in_use: bool

    def remove(self) -> bool:
        """Remove it with what its encode has left beside the output; returns False if in use."""
        try:
            with _lock(self.path, ""):
                _remove_part(self.path)
                _remove(self.path)
        except JobInUse:
            return False
        return True


def left_in(parent: Path) -> list[Left]:
    """The work folders in a folder, the oldest first; nothing else there is looked at."""
    found = [
        _left(path)
        for path in (parent.iterdir() if parent.is_dir() else ())
        if _NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
    ]
    return sorted(found, key=lambda one: -one.age_s)


def _left(path: Path) -> Left:
    about = _about(path)
    size, changed = 0, 0.0
    for folder, _, names in os.walk(path):
        for one in (Path(folder), *(Path(folder, name) for name in names)):
            with contextlib.suppress(OSError):
                status = one.lstat()
                size += status.st_blocks * 512
                changed = max(changed, status.st_mtime)
    in_use = False
    try:
        with _lock(path, ""):
            pass
    except JobInUse:
        in_use = True
    age_s = max(0.0, time.time() - changed)
    return Left(path, about.get("source", ""), about.get("output", ""), size, age_s, in_use)


def _about(directory: Path) -> dict[str, Any]:
    """For what encode a folder is; nothing if that is not known."""
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads((directory / _ABOUT).read_text())
        return found
    return {}


def _has_pieces(directory: Path) -> bool:
    """Whether something is finished that the same encode need not do again."""
    keys = Keys(JOB)
    if (directory / Keys.record(keys.audio)).is_file():
        return True
    folders = {Path(key(0)).parent for key in (keys.cluster, keys.survey, keys.anchors)}
    return any(any((directory / folder).glob("*.json")) for folder in folders)


def _remove(directory: Path) -> None:
    """Remove a folder; whoever looks for it meanwhile makes a new one."""
    gone = directory
    if not directory.name.endswith(".gone"):
        gone = directory.with_name(f"{directory.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)  # of a process that was killed here
        with contextlib.suppress(FileNotFoundError):
            directory.replace(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _remove_part(directory: Path) -> None:
    """Remove the files that a killed process was writing beside its output."""
    with contextlib.suppress(OSError, ValueError):
        for name in (directory / _PART).read_text().split("\0"):
            part = Path(name)
            if part.name.startswith(TEMPORARY):
                part.unlink(missing_ok=True)


# ---- holding a folder ----


@contextlib.contextmanager
def _lock(directory: Path, busy: str) -> Iterator[None]:
    """Hold a folder: two encodes in it would take each other's objects for their own."""
    with (directory / _LOCK).open("a") as lock:
        _hold(lock, busy)
        yield


def _locked(directory: Path, busy: str) -> IO[str]:
    """A lock on a folder, which is made if need be; it goes when it is closed."""
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            lock = (directory / _LOCK).open("a")
        except FileNotFoundError:
            continue  # it was removed since
        try:
            _hold(lock, busy)
            if _is_there(lock, directory):
                return lock
        except BaseException:
            lock.close()
            raise
        lock.close()


def _is_there(lock: IO[str], directory: Path) -> bool:
    """Whether a lock is still the one of its folder: another process may have removed both."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), (directory / _LOCK).stat())
    except FileNotFoundError:
        return False


def _hold(lock: IO[str], busy: str) -> None:
    # The lock goes with this process, however it ends. Workers do not inherit it.
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise JobInUse(busy) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise  # otherwise this file system has no locks


# ---- marks ----


def _status(paths: Iterable[Path]) -> list[list[object]]:
    found: list[list[object]] = []
    for path in paths:
        one = path.stat()
        # Without the device: its number may be another one after a restart.
        found.append(
            [str(path.resolve()), one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns]
        )
    return found


@functools.cache
def _program() -> list[list[object]]:
    """What the file system knows of the code that makes the bytes."""
    found: list[list[object]] = []
    for file in (codec.__file__, mu.__file__, __file__):
        folder = Path(file).parent
        for one in sorted(folder.rglob("*")):
            if one.suffix in (".py", ".so", ".dylib"):
                status = one.stat()
                found.append([str(one.relative_to(folder)), status.st_size, status.st_mtime_ns])
    return found


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
