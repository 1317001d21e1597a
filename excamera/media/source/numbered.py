"""Numbered pictures: the files that a folder, or a name such as ``frame_%04d.png``, stands for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from excamera.errors import (
    InputIsDirectory,
    InputNotReadable,
    NoSuchInput,
    SeveralSequences,
    SourceChanged,
    SourceUnavailable,
)
from mu import is_object_url

USUAL_RATE = Fraction(25)
"""Pictures a second if nobody says."""

_ENDINGS = frozenset(
    {
        *("png", "jpg", "jpeg", "jpe", "jfif", "jp2", "j2k", "j2c", "jpf", "jls"),
        *("tif", "tiff", "bmp", "webp", "exr", "dpx", "cin", "tga", "hdr", "pfm", "phm", "qoi"),
        *("pnm", "ppm", "pgm", "pbm", "pam", "sgi", "rgb", "pcx", "ras", "sun", "xwd", "dds"),
    }
)
_PATTERN = re.compile(r"(?P<before>(?:[^%]|%%)*)%(?:0(?P<width>\d+))?d(?P<after>(?:[^%]|%%)*)")
_NUMBERED = re.compile(r"(?P<before>.*?)(?P<number>\d+)(?P<after>\D*\.[^.]+)", re.ASCII)
_NAMED = 4
"""So many sequences, or gaps, are named in a message."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    Attributes:
        path: of its file.
        size: of that, in bytes.
        modified_ns: when the file was written.
    """

    path: str
    size: int
    modified_ns: int

    @classmethod
    def find(cls, path: Path) -> Picture:
        """The picture as it is now."""
        status = path.stat()
        return cls(str(path), status.st_size, status.st_mtime_ns)

    def read(self) -> bytes:
        """The file.

        Raises:
            SourceChanged: it is not the one that was found.
            SourceUnavailable: it could not be read.
        """
        path = Path(self.path)
        try:
            if Picture.find(path) != self:
                raise SourceChanged(f"{path}: was replaced after the job began")
            return path.read_bytes()
        except FileNotFoundError as error:
            raise SourceChanged(f"{path}: was removed after the job began") from error
        except PermissionError as error:
            raise InputNotReadable(f"{path}: permission denied") from error
        except OSError as error:
            raise SourceUnavailable(f"{path}: cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class NumberedPictures:
    """Numbered pictures.

    Attributes:
        pictures: in the order of their numbers.
        rate: how many are shown a second.
        missing: what to say of numbers that are missing, or "".
        notes: what else a user should know of them.
    """

    pictures: tuple[Picture, ...]
    rate: Fraction
    missing: str = ""
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the names, sizes and times of the files, in hexadecimal."""
        each = [(Path(one.path).name, one.size, one.modified_ns) for one in self.pictures]
        return hashlib.sha256(json.dumps(each).encode()).hexdigest()


def is_sequence(source: str) -> bool:
    """Whether a source is a folder, or a name with a place for a number, and no file."""
    if source == "-" or is_object_url(source):
        return False
    path = Path(source)
    return path.is_dir() or (has_number(source) and not path.exists())


def has_number(source: str) -> bool:
    """Whether the last part of a path has a place for a number."""
    return _PATTERN.fullmatch(source.rpartition("/")[2]) is not None


def find_pictures(source: str, name: str, rate: Fraction = USUAL_RATE) -> NumberedPictures:
    """The pictures of a folder or of a name with a place for a number.

    Args:
        source: see `is_sequence`.
        name: its name in messages.
        rate: pictures a second.

    Raises:
        NoSuchInput: there is no such folder, or no picture of such a name.
        InputIsDirectory: the folder has no numbered pictures.
        SeveralSequences: it is not clear which pictures belong together.
        InputNotReadable: the folder may not be read.
    """
    path = Path(source)
    if path.is_dir():
        return _in_folder(path, name, rate)
    files = _files(path.parent, name)
    found = _PATTERN.fullmatch(path.name)
    assert found is not None
    before, after = (found[part].replace("%%", "%") for part in ("before", "after"))
    numbered = re.compile(rf"{re.escape(before)}(\d+){re.escape(after)}", re.ASCII)
    width = int(found["width"] or 1)
    group = _Group(before, after)
    for file in files:
        fits = numbered.fullmatch(file)
        if fits and fits[1] == f"{int(fits[1]):0{width}d}":
            group.add(fits[1])
    if not group.numbers:
        others = list(_groups(files)[0].values())
        there = f"; there are {_named(others)}" if others else ""
        raise NoSuchInput(f"{name}: there is no picture of such a name{there}")
    return group.found(path.parent, name, rate)


class _Group:
    """Names of files that differ in a number."""

    def __init__(self, before: str, after: str) -> None:
        self._before, self._after = before, after
        self.numbers: dict[int, list[str]] = {}
        self._files: dict[str, str] = {}

    def add(self, number: str, file: str = "") -> None:
        """Add a file: its number as it is written, and its name."""
        self.numbers.setdefault(int(number), []).append(number)
        self._files[number] = file or f"{self._before}{number}{self._after}"

    def found(
        self, folder: Path, name: str, rate: Fraction, notes: Iterable[str] = ()
    ) -> NumberedPictures:
        """The pictures in the order of their numbers."""
        for texts in self.numbers.values():
            if len(texts) > 1:
                twice = " and ".join(self._files[text] for text in sorted(texts))
                raise SeveralSequences(f"{name}: {twice} have the same number")
        files = [folder / self._files[self.numbers[number][0]] for number in sorted(self.numbers)]
        try:
            pictures = tuple(Picture.find(file) for file in files)
        except OSError as error:
            raise SourceUnavailable(f"{name}: cannot be read: {error.strerror}") from error
        return NumberedPictures(pictures, rate, _gaps(sorted(self.numbers)), tuple(notes))

    def __str__(self) -> str:
        """A name that stands for the files, and how many there are."""
        texts = [text for found in self.numbers.values() for text in found]
        width = min(map(len, texts))
        padded = width > 1 and any(text.startswith("0") for text in texts)
        before, after = (part.replace("%", "%%") for part in (self._before, self._after))
        return f"{before}%{f'0{width}' if padded else ''}d{after} ({len(texts)})"


def _in_folder(folder: Path, name: str, rate: Fraction) -> NumberedPictures:
    groups, others = _groups(_files(folder, name))
    if not groups:
        raise InputIsDirectory(f"{name}: is a directory without numbered pictures")
    if len(groups) > 1:
        found = list(groups.values())
        raise SeveralSequences(
            f"{name}: holds {len(found)} sequences of pictures: {_named(found)}; name one of them"
        )
    [group] = groups.values()
    return group.found(folder, name, rate, _left_out(others))


def _left_out(others: int) -> Iterator[str]:
    if others:
        yield f"left out: {others} picture{'s' if others > 1 else ''} without a number"


def _files(folder: Path, name: str) -> list[str]:
    """The names of the files of a folder."""
    try:
        return sorted(file.name for file in folder.iterdir() if file.is_file())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchInput(f"{name}: there is no folder {folder}") from error
    except PermissionError as error:
        raise InputNotReadable(f"{name}: permission denied") from error
    except OSError as error:
        raise SourceUnavailable(f"{name}: cannot be read: {error.strerror}") from error


def _groups(files: Sequence[str]) -> tuple[dict[tuple[str, str], _Group], int]:
    """The pictures whose names differ in their last number, and how many have none."""
    groups: dict[tuple[str, str], _Group] = {}
    others = 0
    for file in files:
        if file.startswith(".") or file.rpartition(".")[2].lower() not in _ENDINGS:
            continue
        found = _NUMBERED.fullmatch(file)
        if found is None:
            others += 1
            continue
        what = found["before"], found["after"].lower()
        groups.setdefault(what, _Group(found["before"], found["after"])).add(found["number"], file)
    return groups, others


def _named(groups: Sequence[_Group]) -> str:
    shown = ", ".join(map(str, groups[:_NAMED]))
    return f"{shown} and others" if len(groups) > _NAMED else shown


def _gaps(numbers: Sequence[int]) -> str:
    """A line about the numbers that are missing, if some are."""
    gaps = [(a + 1, b - 1) for a, b in pairwise(numbers) if b > a + 1]
    if not gaps:
        return ""
    count = sum(last - first + 1 for first, last in gaps)
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in gaps[:_NAMED]]
    shown += ["others"] if len(gaps) > _NAMED else []
    which = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    pictures = "1 picture is" if count == 1 else f"{count} pictures are"
    return f"{pictures} missing (number {which}): the film goes on without a pause"
