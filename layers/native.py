"""The codec layer: Python modules, and the native library cross-compiled with zig."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from layers import tools
from layers.repository import ROOT, codec_modules
from layers.target import Target

TOOLS = ("cmake", "ninja", "ziglang")
_LIBRARY = "libexcamera_codec.so"


def make_codec(target: Target, out: Path) -> None:
    """Write the codec for a target into `out`, the root of a layer."""
    package = out / "python" / "codec"
    (package / "_native").mkdir(parents=True)
    for module in codec_modules():
        shutil.copyfile(module, package / module.name)
    # Outside `out`, which holds only the layer.
    with tempfile.TemporaryDirectory(prefix=f"{out.name}-", dir=out.parent) as folder:
        shutil.copyfile(_compile(target, Path(folder)), package / "_native" / _LIBRARY)


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
    return build / _LIBRARY
