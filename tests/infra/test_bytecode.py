"""What compiles the functions' modules, and what happens where nothing does."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import layers
from layers import bytecode
from layers.builder import say_on_stderr
from layers.bytecode import Native, Pyodide, compiler
from stacks.code import function_code

HERE = f"3.{sys.version_info.minor}"
MODULE = "VALUE = 1\n\ndef fail():\n    raise ValueError\n"


def a_layer() -> layers.Layer:
    """A layer of one module."""

    def make(_target: layers.Target, out: Path) -> None:
        (out / "python" / "toys").mkdir(parents=True)
        (out / "python" / "toys" / "__init__.py").write_text("")
        (out / "python" / "toys" / "toy.py").write_text(MODULE)

    return layers.Layer("toy", (), make)


def build(cache: Path, python: str = HERE) -> Path:
    return layers.build(a_layer(), architecture="arm64", python=python, cache=cache)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run(script: str, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *options, "-S", "-P", "-c", script],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_functions_need_not_compile(tmp_path: Path) -> None:
    """If this fails, Python passes the compiled files by, and each cold start compiles again."""
    layer = build(tmp_path) / "python"
    done = run("import toys.toy", layer, "-v")
    assert done.returncode == 0, done.stderr
    assert "toy.py: matches" not in done.stderr  # as that of a file with a time
    assert f"__pycache__/toy.cpython-{HERE.replace('.', '')}.pyc" in done.stderr
    # It is used although its source has another time, as in an archive of the CDK.
    (layer / "toys" / "toy.py").chmod(0o644)
    os.utime(layer / "toys" / "toy.py", (1, 1))
    (layer / "toys" / "toy.py").write_text("VALUE = 2\n")
    assert run("import toys.toy; print(toys.toy.VALUE)", layer).stdout == "1\n"


def test_the_same_compiler_makes_the_same_bytes(tmp_path: Path) -> None:
    """If this fails, every deployment replaces the layers needlessly."""
    assert digests(build(tmp_path / "a")) == digests(build(tmp_path / "b"))


def test_compiled_code_names_the_functions_folder(tmp_path: Path) -> None:
    """If this fails, layers depend on where they were built."""
    [compiled] = (build(tmp_path) / "python" / "toys" / "__pycache__").glob("toy.*")
    assert b"/opt/python/toys/toy.py" in compiled.read_bytes()
    assert str(tmp_path).encode() not in compiled.read_bytes()


def test_this_python_compiles_for_itself() -> None:
    """If this fails, the emulator's functions, or those of an older runtime, are not compiled."""
    found = compiler(HERE)
    assert isinstance(found, Native)
    assert found.version == ".".join(map(str, sys.version_info[:3]))


def test_an_unknown_python_is_done_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a stack for a Python that nothing here can compile for is not built."""
    assert compiler("3.99") is None
    layer = build(tmp_path, "3.99")
    assert sorted(digests(layer)) == ["python/toys/__init__.py", "python/toys/toy.py"]
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("modules are not compiled, as there is no Python 3.99")
    assert len(told) == 3


@pytest.mark.parametrize("why", ["registry", "archive"])
def test_what_cannot_be_got_is_done_without(
    tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, no stack is built without npm, or one is compiled by a changed program."""
    known = replace(bytecode.PYODIDES["3.14"], home=tmp_path / "pyodide")
    said = "npm cannot get it"
    if why == "registry":
        monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
        monkeypatch.setenv("npm_config_fetch_retry_mintimeout", "1")
    else:
        said = "not the one that layers/bytecode.py names"
        monkeypatch.setattr(bytecode.tools, "run", lambda command, *_, **__: archive(command))
    monkeypatch.setattr("layers.builder.compiler", lambda _: known)
    layer = build(tmp_path / "layers", "3.14")
    assert not list(layer.rglob("*.pyc"))
    told = capsys.readouterr().err
    assert said in told
    assert "modules are not compiled" in told
    assert not known.ready(say_on_stderr)


def archive(command: list[str]) -> None:
    """Writes what npm would, but not the right one."""
    folder = Path(command[command.index("--pack-destination") + 1])
    (folder / f"pyodide-{bytecode.PYODIDES['3.14'].version}.tgz").write_bytes(b"something else")


def test_a_module_that_is_none_ends_the_build(tmp_path: Path) -> None:
    """If this fails, a broken module is deployed, and found by a function."""

    def make(_target: Any, out: Path) -> None:
        (out / "broken.py").write_text("def\n")

    with pytest.raises(layers.CommandFailed, match=r"cannot compile.*(?s:.*)broken\.py"):
        layers.build(
            layers.Layer("toy", (), make), architecture="arm64", python=HERE, cache=tmp_path
        )


def test_the_functions_own_code_is_compiled(tmp_path: Path) -> None:
    """If this fails, each cold start compiles a hundred modules of ours."""
    code = function_code(HERE, tmp_path)
    modules = list(code.rglob("*.py"))
    compiled = list(code.rglob("*.pyc"))
    assert len(modules) == len(compiled) > 100
    again = function_code(HERE, tmp_path / "again")
    assert again.name == code.name
    assert digests(again) == digests(code)


@pytest.mark.slow
def test_pyodide_compiles_as_that_python_does(tmp_path: Path) -> None:
    """If this fails, functions with the newest runtime do not find their modules compiled."""
    pyodide = bytecode.PYODIDES["3.14"]
    if not pyodide.ready(say_on_stderr):
        pytest.skip("npm does not give Pyodide here")
    assert isinstance(pyodide, Pyodide)
    for folder in ("one", "two"):
        (tmp_path / folder / "python").mkdir(parents=True)
        (tmp_path / folder / "python" / "toy.py").write_text(MODULE)
        pyodide.compile(tmp_path / folder, "/opt")
    [compiled] = (tmp_path / "one").rglob("*.pyc")
    assert compiled.name == "toy.cpython-314.pyc"
    assert compiled.read_bytes()[:8] == (3627).to_bytes(2, "little") + b"\r\n\1\0\0\0"
    assert b"/opt/python/toy.py" in compiled.read_bytes()
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
