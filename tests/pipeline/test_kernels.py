"""Encoders give equal bytes with the kernels of older processors, as far as these can be masked."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from av.video.frame import VideoFrame

from excamera.job.geometry import Geometry
from excamera.job.options import EncodeOptions
from excamera.media import plain
from excamera.media.source.picture import frame_of

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="masks are known for x86-64 only"
)

WIDTH, HEIGHT, FRAMES = 352, 288, 16


def pictures(bits: int) -> Iterator[VideoFrame]:
    """A texture that moves, with grain."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    for number in range(FRAMES):
        waves = np.sin((x + 3 * number) / 5) * np.cos((y + 2 * number) / 11)
        luma = 500 + 250 * waves + rng.normal(0, 12, (HEIGHT, WIDTH))
        planes = [luma, luma[::2, ::2], 1000 - luma[1::2, 1::2]]
        if bits == 8:
            kept = [(plane / 4).astype(np.uint8) for plane in planes]
        else:
            kept = [plane.astype(np.uint16) for plane in planes]
        yield frame_of((kept[0], kept[1], kept[2]))


def digest(codec: str, bits: int = 8) -> str:
    """SHA-256 of an encode."""
    options = EncodeOptions(codec=codec, depth=str(bits))
    geometry = Geometry(WIDTH, HEIGHT, bits=bits)
    chunk = plain.encode_plain(pictures(bits), options, geometry, Fraction(25))
    return hashlib.sha256(b"".join(chunk.frames)).hexdigest()


@pytest.mark.parametrize("bits", [8, 10])
def test_svt_av1_gives_what_its_plain_code_gives(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, AV1 of one kind of processor has other bytes than that of another."""
    found = {digest("av1", bits)}
    encoder = plain._ENCODERS["av1"]
    for kernels in ("avx2", "ssse3", "c"):

        def masked(options: EncodeOptions, kernels: str = kernels) -> dict[str, str]:
            usual = encoder.options(options)
            return usual | {"svtav1-params": f"{usual['svtav1-params']}:asm={kernels}"}

        monkeypatch.setitem(plain._ENCODERS, "av1", replace(encoder, options=masked))
        found.add(digest("av1", bits))
    assert len(found) == 1


def test_x264_gives_what_its_plain_code_gives_with_ten_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, High 10 of one kind of processor has other bytes than that of another."""
    with_kernels = digest("h264", 10)
    monkeypatch.setattr(plain, "_X264_KERNELS", ":asm=0")
    assert digest("h264", 10) == with_kernels


def test_libvpx_gives_the_same_without_newer_kernels() -> None:
    """If this fails, VP9 of one kind of processor has other bytes than that of another."""
    found = set()
    for mask in (None, "0x3f", "0x0"):  # all; up to SSE4.1; the SSE2 of every x86-64
        environment: dict[str, Any] = {**os.environ}
        environment |= {} if mask is None else {"VPX_SIMD_CAPS": mask}
        done = subprocess.run(
            [sys.executable, "-c", f"from {__name__} import digest; print(digest('vp9'))"],
            env=environment, capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        found.add(done.stdout)
    assert len(found) == 1
