"""Builds a layer once, whole or not at all; a digest of its inputs finds it again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from layers.bytecode import Compiler, Say, compiler
from layers.catalogue import Layer
from layers.repository import WORK, content, own_files, pinned
from layers.target import Target

CACHE = WORK / "layers"
"""Where layers are kept."""

# Another synthesis may still be reading a layer that this one no longer needs.
_KEPT_S = 3600


def say_on_stderr(line: str) -> None:
    """Print a line of progress; standard output is for what a synthesis prints."""
    print(line, file=sys.stderr, flush=True)


def build(
    kind: Layer, *, architecture: str, python: str, cache: Path = CACHE, say: Say = say_on_stderr
) -> Path:
    """Return the directory whose contents become the layer's zip, building it if need be.

    Args:
        kind: one of `layers.ALL`.
        architecture: "arm64" or "x86_64".
        python: version of Lambda's Python runtime, such as "3.14".
        cache: where layers are kept.
        say: called with lines of progress, only if the layer has to be built.

    Raises:
        LayerBuildError: the layer cannot be built; the message says what to do.
    """
    target = Target(architecture, python)
    stem = f"{kind}-{target}"
    compiling = compiler(python)
    layer = cache / f"{stem}-{_digest(kind, target, compiling)}"
    if not _use(layer) and not may_compile(compiling, python, say):
        compiling = None
        layer = cache / f"{stem}-{_digest(kind, target, None)}"
    if not _use(layer):
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache / f".{stem}.lock"):
            if not _use(layer):  # another build may have made it in the meantime
                _remove_old(cache, stem)
                name = f"layer {kind} for {architecture}"
                say(f"{name}: {kind.work(target)} ...")
                start = time.monotonic()
                _make(kind, target, layer, compiling)
                say(f"{name}: done in {time.monotonic() - start:.0f} s")
    return layer


def may_compile(compiling: Compiler | None, python: str, say: Say) -> bool:
    """Return whether there is a compiler, and say so if there is none."""
    if compiling is not None and compiling.ready(say):
        return True
    say(
        f"modules are not compiled, as there is no Python {python} to be had here: functions "
        "compile them whenever they start, which takes them longer"
    )
    return False


def _digest(kind: Layer, target: Target, compiling: Compiler | None) -> str:
    digest = hashlib.sha256(f"{kind} {target} {compiling}\n".encode())
    for package in kind.packages:
        digest.update(f"{package}=={pinned(package)}\n".encode())
    digest.update(content(kind.sources() | own_files()))
    return digest.hexdigest()[:20]


def _use(layer: Path) -> bool:
    """Return whether a layer exists, and note that it is in use."""
    try:
        os.utime(layer)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock of a layer; the system releases that of a dead process."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(kind: Layer, target: Target, layer: Path, compiling: Compiler | None) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{layer.name}-", dir=layer.parent) as folder:
        staged = Path(folder) / kind.name
        staged.mkdir()
        kind.make(target, staged)
        if compiling is not None:
            compiling.compile(staged, "/opt")
        open_to_readers(staged)
        staged.rename(layer)


def open_to_readers(folder: Path) -> None:
    """Set the modes so that Lambda's user can read, whatever the builder's umask."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _remove_old(cache: Path, stem: str) -> None:
    """Remove other builds of the same layer; the caller holds the lock."""
    for path in cache.glob(f".{stem}-*"):  # left by builds that died
        shutil.rmtree(path, ignore_errors=True)
    for path in cache.glob(f"{stem}-*"):
        if time.time() - path.stat().st_mtime > _KEPT_S:
            shutil.rmtree(path, ignore_errors=True)
