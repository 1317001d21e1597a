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
from layers.repository import ROOT, codec_modules, content, native_files, own_files, pinned
from layers.target import Target

TOOLS = ("cmake", "ninja", "ziglang")
LIBRARY = "libexcamera_codec.so"
"""Its name in the package `codec`."""

PREBUILT = ROOT / "prebuilt"
"""Where a released package has its libraries; a clone has none."""


def make_codec(target: Target, out: Path) -> None:
    """Write the codec for a target into `out`, the root of a layer."""
    package = out / "python" / "codec"
    (package / "_native").mkdir(parents=True)
    for module in codec_modules().values():
        shutil.copyfile(module, package / module.name)
    # Outside `out`, which holds only the layer.
    with tempfile.TemporaryDirectory(prefix=f"{out.name}-", dir=out.parent) as folder:
        prebuilt = PREBUILT / library_name(target)
        library = prebuilt if prebuilt.is_file() else _compile(target, Path(folder))
        shutil.copyfile(library, package / "_native" / LIBRARY)


def work(target: Target) -> str:
    """What making the layer for a target is, for those who wait."""
    if (PREBUILT / library_name(target)).is_file():
        return "copying the library that came with the package"
    return "compiling, which takes a minute or two"


def library_name(target: Target) -> str:
    """The name of a library among the prebuilt ones: its target, and a digest of its inputs."""
    digest = hashlib.sha256(f"{target.zig_target}\n".encode())
    for tool in TOOLS:
        digest.update(f"{tool}=={pinned(tool)}\n".encode())
    digest.update(content(native_files() | own_files()))
    return f"{target.zig_target}-{digest.hexdigest()[:20]}.so"


def _compile(target: Target, build: Path) -> Path:
    tools.require(*TOOLS)
    cmake = tools.script("cmake")
    native = ROOT / "codec" / "native"
    failed = f"the codec cannot be compiled for {target.zig_target}; the compiler's last lines:"
    tools.run(
        [
            cmake, "-G", "Ninja", "-S", str(native), "-B", str(build),
            f"-DCMAKE_MAKE_PROGRAM={tools.script('ninja')}",
            f"-DCMAKE_TOOLCHAIN_FILE={native / 'cmake' / 'zig.cmake'}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DEXCAMERA_ZIG_TARGET={target.zig_target}",
            "-DCMAKE_BUILD_TYPE=Release",
        ],
        failed,
    )  # fmt: skip
    tools.run([cmake, "--build", str(build), "--target", "excamera_codec"], failed)
    return build / LIBRARY
