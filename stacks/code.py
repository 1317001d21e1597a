"""The directory that becomes the code of every function."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from layers.builder import may_compile, open_to_readers, say_on_stderr
from layers.bytecode import Compiler, compiler
from layers.repository import WORK, Files, content, package_files, project_files

_LEFT_OUT = ("excamera/cli/", "excamera/cloud/", "excamera/console/", "excamera/_deploy/")
_PAGES = ("console/__init__.py", "console/page.py", "console/page/*", "report/page/*")
"""What of the console the API serves, and what reports are made of; `mu` has the rest of both."""


def function_code(python: str, build: Path = WORK) -> Path:
    """Copy the packages that handlers import, and compile them if possible.

    Args:
        python: version of the functions' Python, such as "3.14".
        build: where the folder is kept.

    Returns:
        The folder; its name is a digest of the files, and of what compiled them.
    """
    found = project_files("functions") | package_files("excamera") | package_files("mu")
    files = {name: path for name, path in found.items() if not name.startswith(_LEFT_OUT)}
    files |= package_files("mu", "page/*")
    for pattern in _PAGES:
        files |= package_files("excamera", pattern)
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
        for name, path in files.items():
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, staged / name)
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


def _digest(files: Files, compiling: Compiler | None) -> str:
    return hashlib.sha256(f"{compiling}\n".encode() + content(files)).hexdigest()[:20]
