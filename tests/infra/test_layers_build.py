"""The layers as deployed: their content, and that it works with nothing else around."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import layers
import layers.__main__
from emulator.excamera.synthesis import HOST_CONTEXT
from layers.bytecode import compiler

pytestmark = pytest.mark.slow  # with an empty cache: compiles, and fetches 50 MB of wheels

TARGETS = [layers.Target(**HOST_CONTEXT), layers.Target("arm64", "3.14")]
MACHINES = {"arm64": 183, "x86_64": 62}
"""ELF's numbers of the processors."""

# Lambda's limit is 250 MB for function and layers together. 50 MB are left for our own code and
# for a growing PyAV or numpy: an update should fail here before its deployment fails.
MOST_BYTES = 200_000_000

TOGETHER = pytest.mark.parametrize("target", TARGETS, ids=str, indirect=True)


def built(kind: layers.Layer, target: layers.Target) -> Path:
    """Returns the layer from the project's own cache."""
    return layers.build(kind, architecture=target.architecture, python=target.python)


def files(layer: Path) -> list[Path]:
    """Returns the files of a layer."""
    return sorted(path for path in layer.rglob("*") if path.is_file())


@pytest.fixture
def target(request: pytest.FixtureRequest) -> layers.Target:
    chosen: layers.Target = request.param
    return chosen


@TOGETHER
def test_layers_fit_into_lambda(target: layers.Target) -> None:
    """If this fails, the stack cannot be deployed, or soon will not be."""
    sizes = {str(kind): layers.size_bytes(built(kind, target)) for kind in layers.ALL}
    assert sum(sizes.values()) < MOST_BYTES, sizes


@TOGETHER
def test_programs_are_for_the_target_and_loadable(target: layers.Target) -> None:
    """If this fails, functions do not start: a library is another processor's, or damaged."""
    for kind in layers.ALL:
        programs = [
            (path, data)
            for path in files(built(kind, target))
            if (data := path.read_bytes()).startswith(b"\x7fELF")
        ]
        # Workers of both architectures have the same layer.
        assert bool(programs) == (kind is not layers.EXECUTOR), f"{kind} has no native code"
        for path, data in programs:
            assert struct.unpack_from("<H", data, 18)[0] == MACHINES[target.architecture], path
            for offset, vaddr, size, align in loadable_segments(data):
                assert (offset - vaddr) % align == 0, path
                assert offset + size <= len(data), path


def loadable_segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yields offset, address, size in the file and alignment, as in the ELF specification."""
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for index in range(count):
        kind, _, offset, vaddr, _, filesz, _, align = struct.unpack_from(
            "<IIQQQQQQ", data, table + index * size
        )
        if kind == 1:
            yield offset, vaddr, filesz, align


@TOGETHER
def test_nothing_is_inside_that_no_function_reads(target: layers.Target) -> None:
    """If this fails, layers carry tests or stubs, or hide Lambda's own boto3."""
    unwanted = {".pyi", ".pyx", ".pxd", ".h", ".c", ".a", ".o"}
    for kind in layers.ALL:
        layer = built(kind, target)
        assert [path.name for path in layer.iterdir()] == ["python"]
        for path in files(layer):
            assert path.suffix not in unwanted, path
            assert "tests" not in path.parts, path
        top = {path.name for path in (layer / "python").iterdir()}
        assert not top & {"boto3", "botocore", "bin", "f2py"}


@TOGETHER
def test_every_module_is_compiled_for_the_functions_python(target: layers.Target) -> None:
    """If this fails, every new environment of a function compiles numpy and the rest again."""
    if compiler(target.python) is None:
        pytest.skip(f"there is no Python {target.python} to be had here")
    tag = f"cpython-{target.python.replace('.', '')}"
    for kind in layers.ALL:
        paths = files(built(kind, target))
        compiled = {path for path in paths if path.suffix == ".pyc"}
        assert compiled == {
            path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc"
            for path in paths
            if path.suffix == ".py"
        }
        for path in compiled:
            magic, flags = struct.unpack_from("<HxxI", path.read_bytes())
            # From Python's importlib: each minor version has one number, once it is released.
            assert magic == {"3.11": 3495, "3.12": 3531, "3.13": 3571, "3.14": 3627}[target.python]
            assert flags == 1, "a hash that is not checked: neither times nor sources are read"


@TOGETHER
def test_lambdas_user_can_read_everything(target: layers.Target) -> None:
    """If this fails, a strict umask where layers are built breaks every function."""
    for kind in layers.ALL:
        layer = built(kind, target)
        for path in [layer, *layer.rglob("*")]:
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


CODEC_SCRIPT = """
import codec
picture = codec.Raster.from_i420(bytes(range(96)) * 36, 48, 48)
frame, state = codec.encode_key_frame(picture, 20)
decoded = codec.decode(None, frame)
assert decoded.state == state
inter, after = codec.encode_inter_frame(state, picture, 30)
assert codec.decode(state, inter).state == after
print(codec.__file__)
print(codec._library._candidates()[0])
"""

MEDIA_SCRIPT = """
import io
import av
import numpy as np
out = io.BytesIO()
noise = np.random.default_rng(1)
with av.open(out, "w", format="webm") as container:
    video = container.add_stream("libvpx", rate=25)
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    audio = container.add_stream("libopus", rate=48000)
    for pts in range(5):
        picture = noise.integers(0, 255, (72, 64), np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = pts
        container.mux(video.encode(frame))
    sound = av.AudioFrame.from_ndarray(np.zeros((1, 3840), np.int16), "s16", "stereo")
    sound.sample_rate = 48000
    container.mux(audio.encode(sound))
    for stream in (video, audio):
        container.mux(stream.encode(None))
out.seek(0)
with av.open(out) as container:
    assert [frame.width for frame in container.decode(video=0)] == [64] * 5
out.seek(0)
with av.open(out) as container:
    assert sum(frame.samples for frame in container.decode(audio=0)) >= 1920
for name in ("h264", "hevc", "libdav1d", "vp9", "aac", "mp3", "prores", "mpeg2video", "opus"):
    av.codec.Codec(name, "r")
assert np.linalg.matrix_rank(np.eye(3)) == 3 and np.fft.fft(np.ones(4))[0] == 4
print(av.__file__)
print(np.__file__)
"""

POWERTOOLS_SCRIPT = """
from aws_lambda_powertools import Logger, Metrics, Tracer
import aws_xray_sdk.core
import aws_lambda_powertools.utilities.typing
Metrics(namespace="test", service="test")
Logger(service="test")
@Tracer(service="test").capture_method
def function():
    return 7
assert function() == 7
print(aws_xray_sdk.__file__)
print(aws_lambda_powertools.__file__)
"""


def alone(script: str, path: list[Path], **environment: str) -> list[str]:
    """Runs a script with nothing to import but the standard library and `path`."""
    done = subprocess.run(
        # -S: no site-packages; -P: nothing from this folder; -B: the layers stay as they are.
        [sys.executable, "-S", "-P", "-B", "-c", script],
        env={"PYTHONPATH": os.pathsep.join(map(str, path)), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
def test_codec_layer_encodes_and_decodes(named: bool) -> None:
    """If this fails, functions have no codec: the layer lacks the library or a module."""
    codec, media = (built(kind, TARGETS[0]) / "python" for kind in (layers.CODEC, layers.MEDIA))
    library = codec / "codec" / "_native" / "libexcamera_codec.so"
    environment = {"EXCAMERA_CODEC_LIBRARY": str(library)} if named else {}
    module, used = alone(CODEC_SCRIPT, [codec, media], **environment)
    assert Path(module).is_relative_to(codec)
    assert Path(used) == library


def test_media_layer_encodes_and_decodes() -> None:
    """If this fails, stripping has damaged PyAV or numpy, or removed files that they need."""
    media = built(layers.MEDIA, TARGETS[0]) / "python"
    assert all(Path(file).is_relative_to(media) for file in alone(MEDIA_SCRIPT, [media]))


def test_powertools_layer_works_beside_lambdas_boto3(tmp_path: Path) -> None:
    """If this fails, a dependency of Powertools or of its tracer is in no layer."""
    runtime = ["botocore", "boto3", "s3transfer", "dateutil", "six", "urllib3"]
    for name in runtime:
        found = importlib.util.find_spec(name)
        if not found or not found.origin:
            pytest.skip(f"{name} is not installed: it stands for Lambda's runtime here")
        source = Path(found.origin)
        source = source.parent if source.name == "__init__.py" else source
        (tmp_path / source.name).symlink_to(source)
    layer = built(layers.POWERTOOLS, TARGETS[0]) / "python"
    assert all(
        Path(file).is_relative_to(layer) for file in alone(POWERTOOLS_SCRIPT, [layer, tmp_path])
    )


@pytest.mark.parametrize("kind", layers.ALL, ids=str)
def test_a_second_build_makes_the_same_bytes(kind: layers.Layer, tmp_path: Path) -> None:
    """If this fails, every deployment from another machine replaces the layers needlessly."""
    target = TARGETS[1]
    again = layers.build(
        kind, architecture=target.architecture, python=target.python, cache=tmp_path
    )
    assert digests(again) == digests(built(kind, target))


def digests(layer: Path) -> dict[str, str]:
    """Returns a digest of every file."""
    return {
        str(path.relative_to(layer)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files(layer)
    }


def test_command_line_prints_paths_and_sizes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, `python -m layers` does not print where the layers are."""
    monkeypatch.setattr(sys, "argv", ["layers", "--architecture", "arm64", "--python", "3.14"])
    assert layers.__main__.main() == 0
    printed = capsys.readouterr().out
    for kind in layers.ALL:
        assert str(built(kind, TARGETS[1])) in printed
