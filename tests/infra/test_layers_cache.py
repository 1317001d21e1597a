"""When layers are built again, when they are not, and what a failed build leaves."""

from __future__ import annotations

import importlib.util
import os
import re
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import layers
from layers import builder, native, prebuilt, repository, tools, wheels
from layers.elf import strip

TARGET = {"architecture": "arm64", "python": "3.14"}


class NoCompiler:
    """Stands for what compiles modules, which takes seconds."""

    def __str__(self) -> str:
        return "none"

    def ready(self, _say: Any) -> bool:
        return True

    def compile(self, _folder: Path, _shown: str) -> None:
        pass


NO_COMPILER = NoCompiler()


@pytest.fixture(autouse=True)
def nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about the cache; those of compiling are in test_bytecode.py."""
    monkeypatch.setattr(builder, "compiler", lambda _: NO_COMPILER)


def a_layer(make: Callable[[Path], None], *sources: Path) -> layers.Layer:
    """Returns a layer of no packages that `make` fills."""
    named = {path.name: path for path in sources}
    return layers.Layer("toy", (), lambda _, out: make(out), lambda: named)


def write_file(out: Path) -> None:
    """Fills the toy layer."""
    (out / "python").mkdir()
    (out / "python" / "toy.py").write_text("VALUE = 1\n")


def fail(*_: Any, **__: Any) -> Any:
    """Stands for a function that must not be called."""
    raise AssertionError("a process was started")


def leftovers(cache: Path) -> list[str]:
    """Returns what a cache holds besides locks."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def test_built_layers_are_taken_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, every synthesis compiles and downloads again."""
    for kind in layers.ALL:
        digest = builder._digest(kind, layers.Target(**TARGET), NO_COMPILER)
        (tmp_path / f"{kind}-arm64-3.14-{digest}").mkdir()
    monkeypatch.setattr(subprocess, "Popen", fail)
    for kind in layers.ALL:
        assert layers.build(kind, **TARGET, cache=tmp_path).name.startswith(f"{kind}-arm64-3.14-")


def test_a_layer_is_made_once(tmp_path: Path) -> None:
    """If this fails, the cache never serves."""
    calls: list[Path] = []

    def make(out: Path) -> None:
        calls.append(out)
        write_file(out)

    kind = a_layer(make)
    first = layers.build(kind, **TARGET, cache=tmp_path)
    assert layers.build(kind, **TARGET, cache=tmp_path) == first
    assert len(calls) == 1
    assert (first / "python" / "toy.py").read_text() == "VALUE = 1\n"


def test_only_a_build_that_is_needed_reports_progress(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a first `cdk ls` is silent for minutes, or prints more than names."""
    layers.build(a_layer(write_file), **TARGET, cache=tmp_path)
    printed = capsys.readouterr()
    assert printed.out == ""
    started, done = printed.err.splitlines()
    assert started == "layer toy for arm64: making it ..."
    assert re.fullmatch(r"layer toy for arm64: done in \d+ s", done)
    layers.build(a_layer(write_file), **TARGET, cache=tmp_path)
    assert capsys.readouterr() == ("", "")


def test_progress_names_what_is_got_and_what_takes_long() -> None:
    """If this fails, those who wait do not know for what."""
    target = layers.Target(**TARGET)
    assert re.fullmatch(r"getting av [\d.]+, numpy [\d.]+", layers.MEDIA.work(target))
    assert layers.CODEC.work(target).startswith("compiling")


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    """If this fails, half a layer is deployed after an interrupted build."""

    def half(out: Path) -> None:
        write_file(out)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        layers.build(a_layer(half), **TARGET, cache=tmp_path)
    assert not leftovers(tmp_path)


def test_what_a_killed_build_left_is_never_taken(tmp_path: Path) -> None:
    """If this fails, half a layer is deployed after a crash, or half-built layers pile up."""
    kind = a_layer(write_file)
    name = layers.build(kind, **TARGET, cache=tmp_path / "other").name
    half = tmp_path / f".{name}-killed" / "toy"
    half.mkdir(parents=True)
    layer = layers.build(kind, **TARGET, cache=tmp_path)
    assert (layer / "python" / "toy.py").exists()
    assert leftovers(tmp_path) == ["other", name]


def test_builds_at_the_same_time_wait_for_one(tmp_path: Path) -> None:
    """If this fails, two syntheses at once break each other's layers."""
    calls: list[Path] = []

    def slowly(out: Path) -> None:
        calls.append(out)
        time.sleep(0.2)
        write_file(out)

    kind, results = a_layer(slowly), []
    threads = [
        threading.Thread(
            target=lambda: results.append(layers.build(kind, **TARGET, cache=tmp_path))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results)) == len(calls) == 1


def test_any_input_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, an old layer is deployed with new code."""
    source = tmp_path / "codec.cc"
    source.write_text("1")
    own = tmp_path / "builder.py"
    own.write_text("1")
    monkeypatch.setattr(builder, "own_files", lambda: {own.name: own})
    monkeypatch.setattr(builder, "pinned", lambda _: "1")
    kind = layers.Layer("toy", ("av",), lambda *_: None, lambda: {source.name: source})
    seen = {builder._digest(kind, layers.Target(**TARGET), NO_COMPILER)}
    seen.add(builder._digest(kind, layers.Target("x86_64", "3.14"), NO_COMPILER))
    seen.add(builder._digest(kind, layers.Target("arm64", "3.13"), NO_COMPILER))
    source.write_text("2")
    seen.add(builder._digest(kind, layers.Target(**TARGET), NO_COMPILER))
    own.write_text("2")
    seen.add(builder._digest(kind, layers.Target(**TARGET), NO_COMPILER))
    monkeypatch.setattr(builder, "pinned", lambda _: "2")
    seen.add(builder._digest(kind, layers.Target(**TARGET), NO_COMPILER))
    seen.add(builder._digest(kind, layers.Target(**TARGET), None))
    assert len(seen) == 7


def test_the_codec_layer_depends_on_all_that_it_is_made_from() -> None:
    """If this fails, a change in the codec does not reach the functions."""
    names = set(layers.CODEC.sources())
    assert {
        "codec/__init__.py",
        "codec/_library.py",
        "codec/native/CMakeLists.txt",
        "codec/native/cmake/zig.cmake",
        "codec/native/src/c_api.cc",
        "codec/native/src/c_api.h",
    } <= names
    assert any(name.startswith("codec/native/src/kernels/") for name in names)


def test_old_builds_go_and_those_in_use_stay(tmp_path: Path) -> None:
    """If this fails, the disk fills, or a synthesis loses the layer that it is reading."""
    for name, age_s in (("toy-arm64-3.14-old", 7200), ("toy-arm64-3.14-new", 60)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age_s,) * 2)
    other = tmp_path / "toy-arm64-3.13-old"
    other.mkdir()
    os.utime(other, (0, 0))
    layer = layers.build(a_layer(write_file), **TARGET, cache=tmp_path)
    assert leftovers(tmp_path) == sorted([layer.name, "toy-arm64-3.14-new", other.name])


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If this fails, users without zig see a compiler's error instead of what to install."""
    monkeypatch.setattr(tools, "_installed", lambda _: None)
    monkeypatch.setattr(native, "COMPILED", tmp_path / "libraries")
    with pytest.raises(layers.ToolMissing, match=r"pip install -c \S*constraints.txt .*ziglang"):
        layers.build(layers.CODEC, **TARGET, cache=tmp_path)
    assert not leftovers(tmp_path)


def test_an_unreachable_index_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If this fails, users without a network see a traceback instead of pip's own words."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(layers.CommandFailed, match=r"(?s)index is reachable.*No matching dist"):
        layers.build(layers.MEDIA, **TARGET, cache=tmp_path / "cache")
    assert not leftovers(tmp_path / "cache")


@pytest.mark.parametrize(("architecture", "python"), [("aarch64", "3.14"), ("arm64", "python3.14")])
def test_a_wrong_target_is_refused(architecture: str, python: str) -> None:
    """If this fails, a typing error is reported late, by pip or by a compiler."""
    with pytest.raises(layers.LayerInputError):
        layers.build(layers.MEDIA, architecture=architecture, python=python)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("av/container/core.abi3.so", True),
        ("numpy/__init__.pyi", False),
        ("numpy/_core/tests/test_dtype.py", False),
        ("numpy/_core/_simd.cpython-314-x86_64-linux-gnu.so", False),
        ("numpy/_core/_multiarray_umath.cpython-314-x86_64-linux-gnu.so", True),
        ("numpy-2.4.6.dist-info/licenses/numpy/_core/include/numpy/libdivide/LICENSE.txt", True),
        ("numpy-2.4.6.dist-info/RECORD", False),
        ("jmespath-1.1.0.data/scripts/jp.py", False),
        ("aws_lambda_powertools/utilities/parser/models/sqs.py", False),
        ("aws_lambda_powertools/utilities/data_classes/common.py", True),
        ("aws_lambda_powertools/utilities/__init__.py", True),
        ("aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui.min.css", False),
        ("aws_lambda_powertools/event_handler/openapi/swagger_ui/html.py", True),
    ],
)
def test_which_files_of_a_wheel_are_kept(name: str, kept: bool) -> None:
    """If this fails, layers lose files that they need, or licences, or keep unused files."""
    assert wheels.is_needed(name) is kept


def test_a_file_that_cannot_be_stripped_is_kept_as_it_is() -> None:
    """If this fails, a text or an unusual library is damaged on its way into a layer."""
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    no_segments = header + struct.pack("<HHIQQQIHHHHHH", 3, 183, 1, 0, 64, 0, 0, 64, 56, 0, 0, 0, 0)
    for data in (b"", b"print()\n", no_segments):
        assert strip(data) == data


def test_a_library_that_came_with_the_package_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, users need a compiler to deploy, or an outdated library is deployed."""
    target = layers.Target(**TARGET)
    came = tmp_path / "prebuilt"
    came.mkdir()
    monkeypatch.setattr(native, "PREBUILT", came)
    monkeypatch.setattr(tools, "_installed", lambda _: None)
    (came / native.library_name(target.zig_target)).write_bytes(b"a library")
    assert layers.CODEC.work(target).startswith("copying")
    layer = layers.build(layers.CODEC, **TARGET, cache=tmp_path / "cache")
    package = layer / "python" / "codec"
    assert (package / "_native" / native.LIBRARY).read_bytes() == b"a library"
    assert (package / "__init__.py").is_file()

    files = native.native_files()
    changed = tmp_path / "changed.cc"
    changed.write_text("other code")
    monkeypatch.setattr(native, "native_files", lambda: files | {"codec/native/src/a.cc": changed})
    with pytest.raises(layers.ToolMissing):
        layers.build(layers.CODEC, **TARGET, cache=tmp_path / "other")


def test_prebuilt_libraries_are_those_of_the_layers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a wheel has other libraries than layers, or those of older sources as well."""

    def compiled(zig_target: str, build: Path) -> Path:
        library = build / native.LIBRARY
        library.write_text(zig_target)
        return library

    monkeypatch.setattr(native, "COMPILED", tmp_path / "compiled")
    monkeypatch.setattr(native, "_compile", compiled)
    folder = tmp_path / "prebuilt"
    folder.mkdir()
    (folder / "x86_64-linux-gnu.2.28-older.so").touch()
    prebuilt.write(folder, ["aarch64", "x86_64"])
    targets = [layers.Target(architecture, "3.14") for architecture in ("arm64", "x86_64")]
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        native.library_name(target.zig_target): target.zig_target for target in targets
    }
    monkeypatch.delattr(native, "_compile")  # what was compiled once is found again
    prebuilt.write(folder, ["aarch64", "x86_64"])
    out = tmp_path / "layer"
    native.make_codec(targets[0], out)
    [made] = out.rglob(native.LIBRARY)
    assert made.read_text() == targets[0].zig_target


def test_an_environment_without_pip_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, who made an environment without pip sees "No module named pip" only."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(layers.ToolMissing, match=r"needs pip beside .*ensurepip"):
        wheels.make_from_wheels(["av"], layers.Target(**TARGET), tmp_path / "out")


@pytest.mark.parametrize(
    ("platform", "given", "expected"),
    [
        ("linux", "", "home/.cache/excamera"),
        ("linux", "relative", "home/.cache/excamera"),
        ("linux", "/caches", "/caches/excamera"),
        ("darwin", "", "home/Library/Caches/excamera"),
    ],
)
def test_an_installed_package_keeps_layers_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, given: str, expected: str
) -> None:
    """If this fails, layers are written into site-packages, which may be read-only."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert repository._work() == repository.ROOT / "build"
    monkeypatch.setattr(repository, "ROOT", tmp_path)
    assert repository._work() == tmp_path / expected
