"""The build backend: scikit-build-core, plus a compiler if the machine has none.

PEP 517 asks a backend what it needs besides the static list in pyproject.toml.
If no C++ compiler is found, the answer includes the PyPI package `ziglang`,
which `zig.cmake` then uses as the compiler.
"""

import os
import runpy
import shutil
from pathlib import Path

_system = runpy.run_path(str(Path(__file__).parents[3] / "mu" / "system.py"))
_system["refuse_windows"]("ExCamera")

from scikit_build_core import build as _build  # noqa: E402
from scikit_build_core.build import *  # noqa: E402, F403  every other hook is scikit-build-core's own

ZIG_REQUIREMENT = "ziglang==0.17.1"
# The names CMakeLists.txt looks for, after CXX.
HOST_COMPILERS = ("c++", "g++", "clang++")


def _compiler() -> list[str]:
    asked_for = os.environ.get("CXX", "").split()[:1]
    found = any(shutil.which(name) for name in (*asked_for, *HOST_COMPILERS))
    return [] if found else [ZIG_REQUIREMENT]


def get_requires_for_build_wheel(config_settings=None):
    """Adds the compiler to what a wheel needs."""
    return [*_build.get_requires_for_build_wheel(config_settings), *_compiler()]


def get_requires_for_build_editable(config_settings=None):
    """Adds the compiler to what an editable installation needs."""
    return [*_build.get_requires_for_build_editable(config_settings), *_compiler()]
