"""The directory that becomes the code of every function."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from layers.builder import may_compile, open_to_readers, say_on_stderr
from layers.bytecode import Compiler, compiler

ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("functions", "excamera", "mu")
_LEFT_OUT = ("excamera/cli", "excamera/cloud")


def function_code(python: str, build: Path = ROOT / "build") -> Path:
    """Copy the packages that handlers import, and compile them if possible.

    Args:
        python: version of the functions' Python, such as "3.14".
        build: where the folder is kept.

    Returns:
        The folder; its name is a digest of the files, and of what compiled them.
    """
    files = sorted(
        path.relative_to(ROOT)
        for package in _PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not path.relative_to(ROOT).as_posix().startswith(_LEFT_OUT)
    )
    compiling = compiler(python)
    target = build / "functions" / _digest(files, compiling)
    if not target.is_dir() and not may_compile(compiling, python, say_on_stderr):
        compiling = None
        target = build / "functions" / _digest(files, None)
    if target.is_dir():
        open_to_readers(target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        staged = Path(folder) / "code"
        for file in files:
            (staged / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, staged / file)
        if compiling is not None:
            say_on_stderr(f"functions' code: compiling it with {compiling} ...")
            compiling.compile(staged, "/var/task")
        open_to_readers(staged)
        try:
            staged.rename(target)
        except OSError:  # another synthesis was faster
            if not target.is_dir():
                raise
    return target


def _digest(files: list[Path], compiling: Compiler | None) -> str:
    digest = hashlib.sha256(f"{compiling}\n".encode())
    for file in files:
        digest.update(f"{file.as_posix()}\n".encode() + (ROOT / file).read_bytes())
    return digest.hexdigest()[:20]
