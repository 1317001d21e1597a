"""A Python for arm64 on a machine that is none: Debian's, under QEMU's user mode."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import layers

ROOT = Path(__file__).resolve().parents[2]
_BUILD = ROOT / "build" / "arm64"
_LIMIT_S = 300
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PACKAGES = (
    f"{_PYTHON}-minimal", f"lib{_PYTHON}-minimal", f"lib{_PYTHON}-stdlib", "libc6", "libexpat1",
    "zlib1g", "libssl3", "libffi8", "libbz2-1.0", "liblzma5", "libstdc++6", "libgcc-s1", "libuuid1",
    "libsqlite3-0", "libcrypt1", "libtirpc3", "libnsl2",
)  # fmt: skip
_WHEELS = ("av", "click", "numpy", "rich")
"""What an encode on one machine imports."""

needs_arm64 = pytest.mark.skipif(
    not (shutil.which("qemu-aarch64") and shutil.which("apt-get") and shutil.which("dpkg-deb"))
    or platform.machine() == "aarch64",
    reason="needs qemu-aarch64 (Debian: qemu-user), Debian's apt-get, and another processor",
)


def interpreter() -> Path:
    """A program that is Python for arm64, and imports this checkout.

    It is made once of Debian's packages and of wheels. A machine that reaches neither, or has
    another release of Debian than its own Python is from, skips the test.
    """
    pinned = (ROOT / "constraints.txt").read_bytes()
    mark = hashlib.sha256(repr((_PACKAGES, _WHEELS)).encode() + pinned).hexdigest()[:16]
    made = _BUILD / mark
    if not made.exists():
        part = _BUILD / f"{mark}.{os.getpid()}"
        try:
            _debian(part)
            _wheels(part)
            if not made.exists():
                part.rename(made)
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"there is no Python for arm64 to be had: {error}")
        finally:
            shutil.rmtree(part, ignore_errors=True)
    layer = layers.build(layers.CODEC, architecture="arm64", python="3.14")
    program = made / "python"
    program.write_text(
        "#!/bin/sh\n"
        f"export PYTHONPATH={made / 'site'}:{ROOT}\n"
        f"export EXCAMERA_CODEC_LIBRARY={layer}/python/codec/_native/libexcamera_codec.so\n"
        f'exec qemu-aarch64 -L {made / "root"} {made / "root" / "usr" / "bin" / _PYTHON} "$@"\n'
    )
    program.chmod(0o755)
    return program


def _run(command: Sequence[str | Path], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_LIMIT_S)


def _debian(part: Path) -> None:
    """Unpack Debian's packages, without asking for rights or changing this machine's lists."""
    apt, packages = part / "apt", part / "packages"
    for folder in (apt / "state" / "lists" / "partial", apt / "cache" / "archives" / "partial",
                   packages, part / "root"):  # fmt: skip
        folder.mkdir(parents=True)
    (apt / "status").touch()
    apt_get = [
        "apt-get", "-qq", "-o", f"Dir::State={apt / 'state'}", "-o", f"Dir::Cache={apt / 'cache'}",
        "-o", f"Dir::State::status={apt / 'status'}", "-o", "APT::Architecture=arm64",
        "-o", "APT::Architectures=arm64", "-o", "APT::Sandbox::User=",
    ]  # fmt: skip
    _run([*apt_get, "update"], packages)
    _run([*apt_get, "download", *_PACKAGES], packages)
    for package in packages.glob("*.deb"):
        _run(["dpkg-deb", "--extract", package, part / "root"], packages)
    shutil.rmtree(apt)
    shutil.rmtree(packages)


def _wheels(part: Path) -> None:
    tags = [f"manylinux_2_{glibc}_aarch64" for glibc in (28, 27, 17)]
    pip = [
        sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--target",
        part / "site", "--python-version", f"{sys.version_info.major}.{sys.version_info.minor}",
        "-c", ROOT / "constraints.txt",
    ]  # fmt: skip
    _run([*pip, *(f"--platform={tag}" for tag in tags), *_WHEELS], part)
