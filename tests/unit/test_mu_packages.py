"""Declared packages: how archives are made, read and unpacked, and what is refused."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mu
from mu.engines.stack.packages import Stored, fetch, upload
from mu.engines.stack.share import ShareCall, read_share, write_share
from mu.packages.archive import modules_of, unpack, zip_folder
from mu.packages.declared import Declared, Package, check_here, collect
from tests.support.packages import make_wheel

Making = Callable[..., Path]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder of a pure package, with what does not belong to it."""
    folder = tmp_path / "ours"
    (folder / "data").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    (folder / "__init__.py").write_text("from ours.deep import ANSWER\n")
    (folder / "deep.py").write_text("ANSWER = 42\n")
    (folder / "data" / "table.txt").write_text("1 2\n")
    (folder / "tool.sh").write_text("#!/bin/sh\n")
    (folder / "tool.sh").chmod(0o755)
    (folder / "__pycache__" / "deep.cpython-311.pyc").write_bytes(b"x")
    (folder / ".hidden").write_text("x")
    return folder


def needs_no_index(
    folder: Path, entries: list[str | Path], there: dict[str, str] | None = None
) -> list[Package]:
    """Collects packages for workers."""
    folder.mkdir()
    return collect(entries, folder, architecture="arm64", python="3.14", there=there or {})


# ---- archives ----


def test_a_folder_gives_the_same_bytes_whenever_it_was_written(
    package: Path, tmp_path: Path
) -> None:
    """If this fails, a folder that has not changed is stored again by each job."""
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    zip_folder(package, first)
    for path in package.rglob("*"):
        os.utime(path, (1, 1))
    (package / "deep.py").chmod(0o600)
    zip_folder(package, second)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == [
            "ours/__init__.py", "ours/data/table.txt", "ours/deep.py", "ours/tool.sh",
        ]  # fmt: skip
    (package / "deep.py").write_text("ANSWER = 43\n")
    zip_folder(package, second)
    assert first.read_bytes() != second.read_bytes()


def test_a_folder_arrives_as_it_was(package: Path, tmp_path: Path) -> None:
    """If this fails, a package lacks its data on workers, or its programs do not run."""
    zip_folder(package, tmp_path / "ours.zip")
    unpack(tmp_path / "ours.zip", tmp_path / "there")
    there = tmp_path / "there" / "ours"
    assert (there / "data" / "table.txt").read_text() == "1 2\n"
    assert os.access(there / "tool.sh", os.X_OK)
    assert not os.access(there / "deep.py", os.X_OK)


@pytest.mark.parametrize("name", ["../evil.py", "/tmp/evil.py", "a/../../evil.py", "a\\..\\b.py"])
def test_no_archive_writes_outside(tmp_path: Path, name: str) -> None:
    """If this fails, a wheel changes files of the worker that are not its own."""
    with zipfile.ZipFile(tmp_path / "evil.whl", "w") as archive:
        archive.writestr(name, "x")
    with pytest.raises(mu.PackageError, match="outside"):
        unpack(tmp_path / "evil.whl", tmp_path / "there")
    assert list(tmp_path.rglob("evil.py")) == []


def test_a_link_in_an_archive_becomes_a_file(tmp_path: Path) -> None:
    """If this fails, an archive leads what comes after it outside of its folder."""
    with zipfile.ZipFile(tmp_path / "evil.whl", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc")
        archive.writestr("link/passwd", "x")
    with pytest.raises(OSError, match="link"):
        unpack(tmp_path / "evil.whl", tmp_path / "there")
    assert not (tmp_path / "there" / "link").is_symlink()


def test_a_wheels_parts_go_where_pip_puts_them(tmp_path: Path) -> None:
    """If this fails, modules of wheels with a data folder cannot be imported."""
    wheel = make_wheel(
        tmp_path,
        "parts",
        "1.0",
        {
            "parts/__init__.py": "",
            "parts-1.0.data/purelib/pure.py": "",
            "parts-1.0.data/scripts/run-parts": "#!python\n",
            "parts-1.0.data/headers/parts.h": "",
        },
    )
    unpack(wheel, tmp_path / "there")
    found = {p.relative_to(tmp_path / "there").as_posix() for p in (tmp_path / "there").rglob("*")}
    assert {"parts/__init__.py", "pure.py", "bin/run-parts", "parts-1.0.dist-info/METADATA"} < found
    assert not any(name.endswith("parts.h") for name in found)
    program = tmp_path / "there" / "bin" / "run-parts"
    assert program.read_text() == f"#!{sys.executable}\n"
    assert os.access(program, os.X_OK)


def test_modules_are_read_from_the_list_of_files() -> None:
    """If this fails, a project's modules travel by value although they are declared, or not."""
    names = [
        "one/__init__.py", "space/deep/x.py", "two.py", "_three.cpython-314-x86_64-linux-gnu.so",
        "four/_c.abi3.so", "one-1.0.dist-info/METADATA", "one.libs/libx.so.1", "data/only.txt",
        "one-1.0.data/purelib/five.py", "one-1.0.data/scripts/six.py",
    ]  # fmt: skip
    assert modules_of(names) == {"one", "space", "two", "_three", "four", "five"}


# ---- what is declared ----


def test_the_kinds_of_entries_are_told_apart(package: Path, tmp_path: Path) -> None:
    """If this fails, a folder that happens to lie here takes the place of a requirement."""
    wheel = make_wheel(tmp_path, "small", "1.0", {"small.py": ""})
    found = Declared.of([" ours>=1", "x @ https://e.org/x-1-py3-none-any.whl", f"{package}", wheel])
    assert found.requirements == ["ours>=1", "x @ https://e.org/x-1-py3-none-any.whl"]
    assert (found.folders, found.wheels) == ([package], [wheel])


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ("pandas", r"are a list: packages=\['pandas'\]"),
        (["--index-url=x"], "is not a requirement"),
        (["./absent"], "no such folder"),
        (["absent-1-py3-none-any.whl"], "no such wheel"),
    ],
)
def test_wrong_entries_are_named(entries: Any, told: str) -> None:
    """If this fails, a typing error reaches pip as an option, or ends in a traceback."""
    with pytest.raises(mu.PackageError, match=told):
        Declared.of(entries)


def test_folders_that_are_no_pure_packages_are_refused(package: Path, tmp_path: Path) -> None:
    """If this fails, workers get something that they cannot import."""
    (package / "_fast.cpython-311-x86_64-linux-gnu.so").write_bytes(b"x")
    with pytest.raises(mu.PackageError, match=r"not pure Python: it has _fast.*build a wheel"):
        needs_no_index(tmp_path / "1", [package])
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("")
    with pytest.raises(mu.PackageError, match="is a project, not a package"):
        needs_no_index(tmp_path / "2", [project])
    (tmp_path / "empty").mkdir()
    with pytest.raises(mu.PackageError, match="nothing of it could be imported"):
        needs_no_index(tmp_path / "3", [tmp_path / "empty"])


def test_wheels_and_folders_are_collected_without_an_index(package: Path, tmp_path: Path) -> None:
    """If this fails, who has only packages of his own needs a network."""
    wheel = make_wheel(tmp_path, "small", "1.0", {"small.py": ""})
    found = needs_no_index(tmp_path / "archives", [package, wheel, "Cloud_Pickle"], {
        "cloud-pickle": "3"
    })  # fmt: skip
    assert [(one.path.name, one.modules) for one in found] == [
        (wheel.name, {"small"}), ("ours.zip", {"ours"}),
    ]  # fmt: skip
    assert found[0].digest == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert wheel.exists()


def test_a_wheel_of_another_platform_says_what_to_do(tmp_path: Path) -> None:
    """If this fails, calls fail on workers with an error of the loader."""
    wheel = make_wheel(
        tmp_path, "small", "1.0", {"small.py": ""}, tag="cp314-cp314-macosx_11_0_arm64"
    )
    with pytest.raises(mu.PackageError, match=r"aarch64 and Python 3.14. Declare versions(.|\n)*"):
        needs_no_index(tmp_path / "archives", [wheel])


# ---- on this machine ----


def test_an_executor_here_takes_what_is_installed() -> None:
    """If this fails, a program with packages runs on a stack only."""
    with mu.Executor(workers=1, packages=["cloudpickle>=3", "numpy"]) as ex:
        assert ex.submit(abs, -1).result(60) == 1


def test_an_executor_here_names_what_is_not_installed(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, each call fails, instead of the executor with a reason."""
    with pytest.raises(mu.PackageError, match="which lacks some of no-such-package"):
        mu.Executor(packages=["no-such-package"])
    with pytest.raises(mu.PackageError, match=r"cloudpickle==0\.1"):
        mu.Executor(packages=["cloudpickle==0.1"])
    with pytest.raises(mu.PackageError, match="first on PYTHONPATH"):
        mu.Executor(packages=[package])
    monkeypatch.setattr(sys, "path", [str(package.parent), *sys.path])
    check_here([package])


# ---- through the store ----


@dataclass
class _Dated(mu.MemoryStore):  # type: ignore[misc]
    """A store that knows when its objects were stored."""

    dates: dict[str, datetime] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def put_file(self, key: str, path: Any) -> None:
        super().put_file(key, path)
        self.puts.append(key)
        self.dates[key] = datetime.now(UTC)

    def look_up(self, key: str) -> Any:
        return SimpleNamespace(data=super().look_up(key).data, modified=self.dates[key])


def test_packages_are_stored_once_and_again_before_they_expire(tmp_path: Path) -> None:
    """If this fails, each job uploads its packages, or finds that they have expired."""
    store = _Dated()

    def stored() -> list[Stored]:
        wheel = make_wheel(tmp_path, "small", "1.0", {"small.py": "VERSION = 1\n"})
        return upload(store, [Package.of(wheel)], kept_days=7)

    (one,) = stored()
    assert stored() == [one]
    assert store.puts == [f"mu-packages/{one.digest}/small-1.0-py3-none-any.whl"]
    store.dates[one.key] -= timedelta(days=3)
    stored()
    assert len(store.puts) == 1
    store.dates[one.key] -= timedelta(days=1)
    stored()
    assert len(store.puts) == 2
    fetch(store, [one], tmp_path / "job" / "packages")
    assert (tmp_path / "job" / "packages" / "small.py").read_text() == "VERSION = 1\n"
    assert [path.name for path in (tmp_path / "job").iterdir()] == ["packages"]


def test_a_package_that_is_gone_or_another_is_named(tmp_path: Path) -> None:
    """If this fails, a job whose packages have expired fails for no reason that anyone can see."""
    store, one = mu.MemoryStore(), Stored("0" * 64, "small-1.0-py3-none-any.whl")
    with pytest.raises(mu.PackageError, match=r"small-1.0-py3-none-any.whl is no longer in the"):
        fetch(store, [one], tmp_path / "1" / "packages")
    store.put(one.key, b"something else")
    with pytest.raises(mu.PackageError, match="is not the one of this job"):
        fetch(store, [one], tmp_path / "2" / "packages")


def test_shares_name_the_packages_of_their_job() -> None:
    """If this fails, workers do not know what to fetch."""
    packages = [Stored("ab", "a.whl"), Stored("cd", "c.zip")]
    data = b"".join(map(bytes, write_share([ShareCall(7, {"task": "t"}, "f", [b"xyz"])], packages)))
    calls, found = read_share(data)
    assert found == packages
    assert [(one.number, bytes(one.body[0])) for one in calls] == [(7, b"xyz")]
