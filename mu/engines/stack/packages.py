"""Packages on their way to workers: in the store once for all jobs, under their digests."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mu.errors import NoSuchKey, PackageError
from mu.store.protocol import Store, at_once

if TYPE_CHECKING:
    from mu.packages.declared import Package

PREFIX = "mu-packages/"
"""Of the keys of all packages. No job's, so that jobs share them; calls may not read it."""

_READ_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A package in the store.

    Attributes:
        digest: SHA-256 of its bytes.
        file: name of its file.
    """

    digest: str
    file: str

    @property
    def key(self) -> str:
        """Its key."""
        return f"{PREFIX}{self.digest}/{self.file}"


def upload(store: Store, packages: Sequence[Package], kept_days: int) -> list[Stored]:
    """Store what is not there yet; takes the files away.

    What was stored more than half of its time ago is stored again. So a job finds its packages
    for as long as it finds its own objects, up to half of that time, and nobody has to count jobs.

    Args:
        store: of all jobs.
        packages: what a job needs.
        kept_days: after how many days the store forgets them.

    Raises:
        StoreError: the store refuses them.
    """
    fresh = datetime.now(UTC) - timedelta(days=kept_days) / 2

    def stored(package: Package) -> Stored:
        one = Stored(package.digest, package.path.name)
        try:
            modified = store.look_up(one.key).modified
        except NoSuchKey:
            modified = None
        if modified is None or modified < fresh:
            store.put_file(one.key, package.path)
        return one

    return at_once(stored, packages)


def fetch(store: Store, packages: Sequence[Stored], folder: Path) -> None:
    """Unpack packages into a folder, in their order.

    Raises:
        PackageError: one is not in the store, is another, or has no room here.
    """
    from mu.packages.archive import unpack  # environments without packages begin faster

    folder.mkdir(parents=True)
    archives = folder.parent / "archives"
    archives.mkdir()
    try:
        at_once(lambda one: _read(store, one, archives / one.digest), packages)
        for one in packages:
            unpack(archives / one.digest, folder)
            (archives / one.digest).unlink()
    except OSError as error:
        raise PackageError(
            f"packages cannot be unpacked: {error}; the setting mu_scratch_mb gives workers room"
        ) from error
    finally:
        shutil.rmtree(archives, ignore_errors=True)


def _read(store: Store, package: Stored, path: Path) -> None:
    digest = hashlib.sha256()
    try:
        with path.open("wb") as file:
            while True:
                data = store.get_range(package.key, file.tell(), _READ_BYTES)
                digest.update(data)
                file.write(data)
                if len(data) < _READ_BYTES:
                    break
    except NoSuchKey as error:
        raise PackageError(
            f"the package {package.file} is no longer in the store: begin the job again, which "
            "stores it again"
        ) from error
    if digest.hexdigest() != package.digest:
        raise PackageError(f"the package {package.file} in the store is not the one of this job")


def paths_to(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Variables through which programs that calls start find packages, too.

    Args:
        folder: where they are unpacked.
        variables: as they are without.
    """
    return {
        name: ":".join(filter(None, [str(place), variables.get(name)]))
        for name, place in (("PYTHONPATH", folder), ("PATH", folder / "bin"))
    }
