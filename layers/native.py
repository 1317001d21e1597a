"""The codec layer: Python modules, and the native library, cross-compiled with zig.

A released package brings the libraries of both architectures along. Their names are digests of all
that they are made from, so a library of other sources or of another compiler is never taken.
`layers.prebuilt` writes them.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

from layers import tools
from layers.repository import ROOT, WORK, codec_modules, content, native_files, own_files, pinned
from layers.target import Target

TOOLS = ("cmake", "ninja", "ziglang")
LIBRARY = "libexcamera_codec.so"
"""Its name in the package `codec`."""

PREBUILT = ROOT / "prebuilt"
"""Where a released package has its libraries; a clone has none."""

COMPILED = WORK / "libraries"
"""Where those are kept that were compiled here."""


def make_codec(target: Target, out: Path) -> None:
    """Write the codec for a target into `out`, the root of a layer."""
    package = out / "python" / "codec"
    (package / "_native").mkdir(parents=True)
    for module in codec_modules().values():
        shutil.copyfile(module, package / module.name)
    shutil.copyfile(library(target.zig_target), package / "_native" / LIBRARY)


def work(target: Target) -> str:
    """What making the layer for a target is, for those who wait."""
    if (PREBUILT / library_name(target.zig_target)).is_file():
        return "copying the library that came with the package"
    return "compiling, which takes a minute or two"


def library_name(zig_target: str) -> str:
    """The name of a library among others: its target, and a digest of its inputs."""
    digest = hashlib.sha256(f"{zig_target}\n".encode())
    for tool in TOOLS:
        digest.update(f"{tool}=={pinned(tool)}\n".encode())
    digest.update(content(native_files() | own_files()))
    return f"{zig_target}-{digest.hexdigest()[:20]}.so"


def library(zig_target: str) -> Path:
    """The library for a target: one that came with the package, or one that is compiled once.

    Args:
        zig_target: see `codec/native/cmake/zig.cmake`.

    Raises:
        LayerBuildError: the tools are missing, or fail.
    """
    name = library_name(zig_target)
    prebuilt, kept = PREBUILT / name, COMPILED / name
    if prebuilt.is_file():
        return prebuilt
    if not kept.is_file():
        tools.require(*TOOLS)
        COMPILED.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=COMPILED) as folder:
            made = _compile(zig_target, Path(folder))
            for old in COMPILED.glob(f"{zig_target}-*.so"):
                old.unlink(missing_ok=True)
            made.replace(kept)
    return kept


def _compile(zig_target: str, build: Path) -> Path:
    cmake = tools.script("cmake")
    native = ROOT / "codec" / "native"
    failed = f"the codec cannot be compiled for {zig_target}; the compiler's last lines:"
    tools.run(
        [
            cmake, "-G", "Ninja", "-S", str(native), "-B", str(build),
            f"-DCMAKE_MAKE_PROGRAM={tools.script('ninja')}",
            f"-DCMAKE_TOOLCHAIN_FILE={native / 'cmake' / 'zig.cmake'}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DEXCAMERA_ZIG_TARGET={zig_target}",
            "-DCMAKE_BUILD_TYPE=Release",
        ],
        failed,
    )  # fmt: skip
    tools.run([cmake, "--build", str(build), "--target", "excamera_codec"], failed)
    return build / LIBRARY
