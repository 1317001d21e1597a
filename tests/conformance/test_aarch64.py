"""The library that Lambda's arm64 functions load, on the WebM project's standard test streams.

It is the very file of the layer. On another processor it runs under QEMU's user mode, which
needs an aarch64 C library: Debian's packages qemu-user and libc6-arm64-cross.
"""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import layers
from tests.support.levels import REFERENCE, VARIABLE
from tests.support.shared import ROOT, SHARED, VECTORS, expected_md5s
from tests.support.streams import md5

SYSROOT = Path(os.environ.get("QEMU_LD_PREFIX", "/usr/aarch64-linux-gnu"))
NATIVE = platform.system() == "Linux" and platform.machine() == "aarch64"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not VECTORS, reason=f"there are no test vectors in {SHARED / 'vectors'}"),
    pytest.mark.skipif(
        not NATIVE and not shutil.which("qemu-aarch64"),
        reason="qemu-aarch64 is not installed: apt-get install qemu-user",
    ),
    pytest.mark.skipif(
        not NATIVE and not (SYSROOT / "lib" / "ld-linux-aarch64.so.1").exists(),
        reason=f"{SYSROOT} has no aarch64 C library: apt-get install libc6-arm64-cross",
    ),
]


@pytest.fixture(scope="session")
def library() -> Path:
    """The codec layer's native library."""
    layer = layers.build(layers.CODEC, architecture="arm64", python="3.14")
    return layer / "python" / "codec" / "_native" / "libexcamera_codec.so"


@pytest.fixture(scope="session")
def player(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that decodes an IVF file with a library on aarch64."""
    program = tmp_path_factory.mktemp("aarch64") / "play_ivf"
    subprocess.run(
        [
            sys.executable, "-m", "ziglang", "cc", "-O1",
            f"--target={layers.Target('arm64', '3.14').zig_target}",
            "-I", str(ROOT / "codec" / "native" / "src"),
            str(ROOT / "tests" / "native" / "play_ivf.c"), "-o", str(program), "-ldl",
        ],
        check=True,
    )  # fmt: skip
    return [str(program)] if NATIVE else ["qemu-aarch64", "-L", str(SYSROOT), str(program)]


def frames(output: bytes) -> list[bytes]:
    """Returns the frames that the player has written."""
    found, position = [], 0
    while position < len(output):
        (size,) = struct.unpack_from("<I", output, position)
        found.append(output[position + 4 : position + 4 + size])
        position += 4 + size
    return found


def played(
    vector: Path, library: Path, player: list[str], level: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Plays a vector at a SIMD level, by default the best."""
    return subprocess.run(
        [*player, str(library), str(vector)],
        capture_output=True,
        timeout=600,
        check=False,
        env={**os.environ, VARIABLE: level},
    )


def assert_matches(vector: Path, done: subprocess.CompletedProcess[bytes]) -> None:
    """Checks that the played frames have the MD5s published with the vector."""
    assert done.returncode == 0, done.stderr.decode()
    assert [md5(frame) for frame in frames(done.stdout)] == expected_md5s(vector)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_every_frame_matches_its_md5(vector: Path, library: Path, player: list[str]) -> None:
    """Functions on arm64 would not decode as RFC 6386 describes."""
    assert_matches(vector, played(vector, library, player))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_every_frame_matches_its_md5_without_neon(
    vector: Path, library: Path, player: list[str]
) -> None:
    """The plain kernels, by which NEON's are judged, would be wrong on arm64 themselves."""
    assert_matches(vector, played(vector, library, player, REFERENCE))


def test_neon_and_the_reference_are_the_levels(library: Path, player: list[str]) -> None:
    """The tests above would both run the same kernels."""
    done = played(VECTORS[0], library, player, "none-such")
    assert done.returncode != 0
    assert f"one of {REFERENCE}, neon on this machine" in done.stderr.decode()
