"""What a user declares, as archives for the workers' platform; or checked to be on this machine."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mu.errors import PackageError
from mu.packages.archive import modules_of, names_in, zip_folder
from mu.packages.platforms import MACHINES, platform_tags

Entry = str | os.PathLike[str]
"""A requirement, the path of a wheel, or the folder of a package."""

_SHOWN_LINES = 8
_FOLDERS = {os.curdir, os.pardir}
_NAME = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")
_QUIET = ["-qq", "--no-input", "--disable-pip-version-check"]


@dataclass(frozen=True, slots=True)
class Package:
    """An archive that workers unpack.

    Attributes:
        path: where it lies here.
        digest: SHA-256 of its bytes.
        modules: what can be imported once it is unpacked.
    """

    path: Path
    digest: str
    modules: frozenset[str]

    @classmethod
    def of(cls, path: Path) -> Package:
        """An archive of this machine.

        Raises:
            PackageError: it is none.
        """
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path, digest, modules_of(names_in(path)))


@dataclass(slots=True)
class Declared:
    """What a user has declared, by its kind."""

    requirements: list[str] = field(default_factory=list)
    wheels: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Declared:
        """Tell the kinds apart as pip does: text is a path if it has a slash or ends in `.whl`.

        Raises:
            PackageError: an entry is of no kind, or there is no such file.
        """
        if isinstance(entries, str):
            raise PackageError(f"packages are a list: packages=[{entries!r}]")
        found = cls()
        for entry in entries:
            path = Path(entry)
            text = os.fspath(entry)
            is_path = not isinstance(entry, str) or os.sep in text or text in _FOLDERS
            is_url = "://" in text  # "name @ https://..."
            if path.suffix == ".whl" and not is_url:
                if not path.is_file():
                    raise PackageError(f"{path}: there is no such wheel")
                _name_and_version(path)
                found.wheels.append(path)
            elif is_path and not is_url:
                if not path.is_dir():
                    raise PackageError(f"{path}: there is no such folder of a package")
                found.folders.append(path)
            elif _NAME.match(text):
                found.requirements.append(text.strip())
            else:
                raise PackageError(
                    f"{text!r} is not a requirement, the path of a wheel or the folder of a package"
                )
        return found


def collect(
    entries: Sequence[Entry],
    folder: Path,
    *,
    architecture: str,
    python: str,
    there: Mapping[str, str],
) -> list[Package]:
    """Find or make what workers need, in the order in which they are to unpack it.

    Args:
        entries: what is declared.
        folder: an empty one, for archives.
        architecture: of the workers.
        python: version of their Python, such as "3.14".
        there: versions of distributions that they have, by name; "" if nobody knows which.

    Raises:
        PackageError: there is no wheel for the workers, or an entry is wrong.
    """
    declared = Declared.of(entries)
    packages: list[Package] = []
    declared.requirements = [
        one for one in declared.requirements if _says_more(one) or _normal(_name(one)) not in there
    ]
    if declared.requirements or declared.wheels:
        _download(declared, folder, architecture, python, there)
        given = {wheel.name for wheel in declared.wheels}
        asked = {_normal(_name(one)) for one in declared.requirements if _says_more(one)}
        for wheel in sorted(folder.glob("*.whl")):
            name, version = _name_and_version(wheel)
            has = there.get(name)
            if wheel.name in given or has is None or (has != version and (has or name in asked)):
                packages.append(Package.of(wheel))
    for package in declared.folders:
        archive = folder / f"{package.resolve().name}.zip"
        if archive.exists():
            raise PackageError(f"two folders are called {package.resolve().name}")
        zip_folder(package, archive)
        packages.append(Package.of(archive))
    return packages


def _download(
    declared: Declared, folder: Path, architecture: str, python: str, there: Mapping[str, str]
) -> None:
    names = {_normal(_name(one)) for one in declared.requirements}
    names |= {_name_and_version(wheel)[0] for wheel in declared.wheels}
    # What others depend on is to be what workers have, unless the user asks for another.
    had = folder / "there.txt"
    had.write_text(
        "".join(f"{name}=={is_}\n" for name, is_ in there.items() if is_ and name not in names)
    )
    platforms = [option for tag in platform_tags(architecture) for option in ("--platform", tag)]
    wanted = [*declared.requirements, *(str(wheel.resolve()) for wheel in declared.wheels)]
    _pip(
        [
            "download", *_QUIET, "--progress-bar", "off", "--only-binary=:all:",
            "--implementation", "cp", "--python-version", python, *platforms,
            "--constraint", str(had), "--dest", str(folder), "--", *wanted,
        ],
        f"pip finds no wheels of {', '.join(wanted)}, and of what they need, for workers with "
        f"Linux on {MACHINES[architecture]} and Python {python}. Declare versions that have such "
        f"wheels, or build them and declare their paths; pip's last lines:",
    )  # fmt: skip


def check_here(entries: Sequence[Entry]) -> None:
    """Refuse what functions on this machine could not import.

    Raises:
        PackageError: something declared is not there, or in another version.
    """
    declared = Declared.of(entries)
    wanted = list(declared.requirements)
    for wheel in declared.wheels:
        name, version = _name_and_version(wheel)
        wanted.append(f"{name}=={version}")
    if wanted:
        # Without any place where it could find others, pip only looks at what is installed.
        _pip(
            ["install", *_QUIET, "--dry-run", "--no-index", "--", *wanted],
            f"executors of this machine use what is installed beside {sys.executable}, which lacks "
            f"some of {', '.join(wanted)}: pip install them; pip's last lines:",
            {
                **{name: is_ for name, is_ in os.environ.items() if not name.startswith("PIP_")},
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_BREAK_SYSTEM_PACKAGES": "1",  # it changes nothing
            },
        )
    for folder in declared.folders:
        _check_folder(folder.resolve())


def _check_folder(folder: Path) -> None:
    found = importlib.util.find_spec(folder.name) if folder.name.isidentifier() else None
    places = found.submodule_search_locations if found is not None else None
    if folder not in {Path(place).resolve() for place in places or ()}:
        other = f", but {found.origin} can" if found is not None else ""
        raise PackageError(
            f"the package in {folder} cannot be imported here{other}: put {folder.parent} first "
            "on PYTHONPATH"
        )


def _pip(
    arguments: Sequence[str], what_to_do: str, environment: Mapping[str, str] | None = None
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    if not done.returncode:
        return
    lines = [line for line in done.stdout.splitlines() if line.strip()][-_SHOWN_LINES:]
    if any("No module named pip" in line for line in lines):
        raise PackageError(
            f"packages are found by pip, which {sys.executable} lacks: "
            f"{sys.executable} -m ensurepip"
        )
    raise PackageError("\n  ".join([what_to_do, *lines]))


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    assert found is not None
    return found[1]


def _says_more(requirement: str) -> bool:
    """Whether it asks for a version or for extras, not only for a package."""
    return _name(requirement) != requirement.partition(";")[0].strip()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _name_and_version(wheel: Path) -> tuple[str, str]:
    """The normal name and the version that a wheel's name tells."""
    parts = wheel.name.removesuffix(".whl").split("-")
    if len(parts) not in (5, 6):
        raise PackageError(f"{wheel.name}: is not the name of a wheel")
    return _normal(parts[0]), parts[1]
