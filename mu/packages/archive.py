"""Archives of packages: wheels, and zips of folders; what they hold, and how they are unpacked."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from mu.errors import PackageError

_NATIVE = {".so", ".pyd", ".dylib"}
_LEFT_OUT = {"__pycache__"}
_COMPILED = {".pyc", ".pyo"}

_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The date of files in zips: the same files give the same bytes, whenever they were written."""

_LIBRARIES = {"purelib", "platlib"}


def modules_of(names: Iterable[str]) -> frozenset[str]:
    """The top-level modules that an archive brings.

    Args:
        names: of its files.
    """
    found = set()
    for name in names:
        place = _placed(name)
        if place is None or _is_script(name) or place.suffix not in {".py", *_NATIVE}:
            continue
        top = place.parts[0]
        if len(place.parts) == 1:
            top = top.partition(".")[0]  # name.cpython-314-x86_64-linux-gnu.so
        if top.isidentifier():
            found.add(top)
    return frozenset(found)


def _placed(name: str) -> PurePosixPath | None:
    """Where a wheel's file belongs, below a folder of packages; None if nobody imports or runs it.

    Raises:
        PackageError: it is outside.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise PackageError(f"{name!r} is outside of the archive that has it")
    if not path.parts[0].endswith(".data"):
        return path
    kind, rest = path.parts[1:2], path.parts[2:]
    if rest and kind[0] in _LIBRARIES:
        return PurePosixPath(*rest)
    if rest and kind[0] == "scripts":
        return PurePosixPath("bin", *rest)
    return None


def _is_script(name: str) -> bool:
    """Whether a wheel's file is a program, which whoever unpacks it makes one."""
    top, *rest = PurePosixPath(name).parts
    return top.endswith(".data") and rest[:1] == ["scripts"]


def unpack(archive: Path, folder: Path) -> None:
    """Write an archive's files below a folder, executables as such.

    Raises:
        PackageError: it is no archive, or has a file outside of itself.
        OSError: there is no room.
    """
    root = folder.resolve()
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                place = None if member.is_dir() else _placed(member.filename)
                if place is None:
                    continue
                path = folder / place
                path.parent.mkdir(parents=True, exist_ok=True)
                # No archive makes links, so what is there of others cannot lead outside either.
                if not path.resolve().is_relative_to(root):
                    raise PackageError(f"{archive.name} has a file outside: {member.filename}")
                runs = bool((member.external_attr >> 16) & 0o111)
                with opened.open(member) as source, path.open("wb") as target:
                    if _is_script(member.filename):
                        runs = True
                        first = source.readline()
                        if first.startswith(b"#!python"):
                            first = f"#!{sys.executable}\n".encode()
                        target.write(first)
                    shutil.copyfileobj(source, target, 1 << 20)
                path.chmod(0o755 if runs else 0o644)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise PackageError(f"{archive.name} is not an archive that can be read: {error}") from error


def names_in(archive: Path) -> list[str]:
    """The names of an archive's files.

    Raises:
        PackageError: it is no archive.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            return opened.namelist()
    except zipfile.BadZipFile as error:
        raise PackageError(f"{archive} is not a wheel: {error}") from error


def zip_folder(folder: Path, out: Path) -> None:
    """Write a package of pure Python as an archive; the same files always give the same bytes.

    Args:
        folder: the package; its name is the module's.
        out: the archive.

    Raises:
        PackageError: the folder is no such package.
    """
    name = folder.resolve().name
    files = sorted(_files(folder))
    paths = {path.relative_to(folder).as_posix(): path for path in files}
    if "__init__.py" not in paths and {"pyproject.toml", "setup.py"} & set(paths):
        raise PackageError(
            f"{folder} is a project, not a package: declare the folder in it that has "
            "__init__.py, or a wheel of it (pip wheel --no-deps)"
        )
    if not name.isidentifier() or not any(path.suffix == ".py" for path in files):
        raise PackageError(f"{folder} is not a package: nothing of it could be imported")
    native = [path for path in files if path.suffix in _NATIVE]
    if native:
        raise PackageError(
            f"{folder} is not pure Python: it has {native[0].name}; build a wheel for the workers' "
            "platform and declare its path"
        )
    # Not compressed, since versions of zlib differ in what they make.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for place in sorted(paths):
            entry = zipfile.ZipInfo(f"{name}/{place}", _OLDEST)
            runs = paths[place].stat().st_mode & 0o100
            entry.create_system = 3  # Unix, or the mode means nothing
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            archive.writestr(entry, paths[place].read_bytes())


def _files(folder: Path) -> Iterator[Path]:
    """What belongs to a package: neither hidden files nor compiled ones."""
    for where, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one not in _LEFT_OUT and not one.startswith(".")]
        for name in names:
            path = Path(where, name)
            if not name.startswith(".") and path.suffix not in _COMPILED and path.is_file():
                yield path
