"""Whole encodes on arm64 and on this machine: the same bytes, whatever encodes, filters or scales.

FFmpeg's decoders, filters and scaler, libvpx, SVT-AV1 and x264 come from PyAV's packages, which
have other kernels for each kind of processor. Sound is left out: Opus is coded in floating point.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from tests.pipeline.clips import Clip
from tests.support.arm64 import interpreter, needs_arm64

pytestmark = [pytest.mark.slow, needs_arm64]

ENCODES: dict[str, dict[str, str]] = {
    "anchors.webm": {"vf": "unsharp", "scale": "120:-2", "fps": "30", "start": "0.2"},
    "rebase.webm": {"mode": "rebase", "crop": "128:64:16:16"},
    "plain.webm": {"codec": "vp9", "vf": "bwdif=mode=send_frame,hflip"},
    "plain.mkv": {"codec": "av1", "depth": "10"},
    "plain.mp4": {"codec": "h264", "h264-preset": "medium"},
}
_ENCODE = """
import json, sys
from pathlib import Path
sys.executable, source, folder = sys.argv[1:4]
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
for name, texts in json.loads(sys.argv[4]).items():
    encode_file(source, Path(folder) / name, EncodeOptions().with_texts(texts), workers=1)
"""
_LIMIT_S = 300


def test_arm64_makes_the_same_bytes(tmp_path: Path) -> None:
    """If this fails, a stack whose functions are of arm64 makes other films than this machine."""
    program = interpreter()
    source = Clip(frames=36, width=160, height=96).write(tmp_path / "film.mp4")
    wanted = {name: {"audio": "none", **texts} for name, texts in ENCODES.items()}
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    done = subprocess.run(
        [program, "-c", _ENCODE, program, source, there, json.dumps(wanted)],
        capture_output=True, text=True, timeout=_LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name, texts in wanted.items():
        encode_file(str(source), here / name, EncodeOptions().with_texts(texts), workers=1)
        assert (there / name).read_bytes() == (here / name).read_bytes(), name
