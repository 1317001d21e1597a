"""What programs do with `import excamera`: encode, look at a file, compare two.

Errors are those of `excamera.errors`, raised; nothing is printed. docs/python.md has an example.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from excamera.errors import ExCameraError, OptionError
from excamera.job.options import OFFERED, EncodeOptions
from excamera.job.rules import Value
from excamera.local import EncodeResult, encode_file
from excamera.media.compare import compare_files
from excamera.media.info import FileInfo, info_of
from excamera.media.quality import FrameQuality, Quality, summarise
from excamera.places import check_input
from excamera.progress import Cell, Following

__all__ = [
    "Comparison", "EncodeResult", "ExCameraError", "FileInfo", "OptionError", "Progress",
    "compare", "encode", "info",
]  # fmt: skip

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an encode is.

    Attributes:
        phase: what it does, in words.
        frames: of the result; 0 before it is planned.
        frames_done: how many are encoded.
        batches: of the result; 0 before it is planned.
        batches_done: how many are finished.
        fps: frames a second of the last ten seconds; 0 if not known.
        left_s: seconds until all frames are encoded; None if not known.
    """

    phase: str
    frames: int
    frames_done: int
    batches: int
    batches_done: int
    fps: float
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far a video is from another.

    Attributes:
        frames: each frame's mean squared error and SSIM, in order.
        mean: PSNR and SSIM of the whole, of the planes "y", "u", "v", and "all", which weighs them
            by their sizes.
    """

    frames: Sequence[FrameQuality]
    mean: Mapping[str, Quality]


def encode(
    source: AnyPath,
    output: AnyPath,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
    work_dir: AnyPath | None = None,
    **options: Value | float,
) -> EncodeResult:
    """Encode a video into one file; the output appears only when it is complete.

    Args:
        source: a path; of numbered pictures the folder, or a name such as "frame_%04d.png".
        output: a path whose ending says which container it is.
        workers: number of processes; None for one per CPU.
        overwrite: whether an existing output may be replaced.
        progress: is called in another thread when a phase begins and when more is encoded. If it
            raises, the encode ends, and its exception is raised here.
        work_dir: parent of a folder that goes only if the encode succeeds, so that the same encode
            can resume; None for a temporary one.
        options: those of `excamera encode` by the API's names, such as `crf=30`, `preset="fast"`.

    Raises:
        OptionError: there is no such option, or a value is not allowed.
        ExCameraError: the class says why.
        mu.TaskFailed: a task failed for a reason that has no class of its own.
    """
    chosen = EncodeOptions().with_values(_values(options))
    if workers is not None and (type(workers) is not int or workers < 1):
        raise OptionError(f"workers must be at least 1, not {workers!r}")
    return encode_file(
        os.fspath(source),
        Path(output),
        chosen,
        workers=workers,
        overwrite=overwrite,
        work_dir=None if work_dir is None else Path(work_dir),
        observer=None if progress is None else _Telling(progress),
    )


def info(path: AnyPath, *, frames: bool = False) -> FileInfo:
    """Look at a file: its streams, key frames, chapters.

    Args:
        path: of any video.
        frames: whether to list the frames, too, and decode them if that tells their types.

    Raises:
        InputError: it is no media file, or cannot be read.
    """
    check_input(os.fspath(path))
    return info_of(os.fspath(path), frames=frames)


def compare(reference: AnyPath, distorted: AnyPath) -> Comparison:
    """Compare two videos, frame by frame number.

    Args:
        reference: path of the original.
        distorted: path of the result.

    Raises:
        FrameSizeDiffers: the pictures differ in size.
        FrameCountDiffers: one video has more frames.
        InputError: one of them cannot be read.
    """
    for path in (reference, distorted):
        check_input(os.fspath(path), takes_sequences=True)
    found = list(compare_files(os.fspath(reference), os.fspath(distorted)))
    return Comparison(found, summarise(found))


class _Telling(Following):
    """Tells a function how far an encode is."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        super().__init__()
        self._tell = tell

    def entered(self) -> None:
        self.moved()

    def moved(self) -> None:
        self._tell(
            Progress(
                phase=self.phase,
                frames=self.frames,
                frames_done=self.frames_done,
                batches=len(self.batches),
                batches_done=self.count(Cell.DONE),
                fps=self.fps,
                left_s=self.left_s,
            )
        )


def _values(given: Mapping[str, Value | float]) -> dict[str, Value]:
    """Options as the table has them: those that are texts may be numbers, such as `fps=24`."""
    texts = {one.field for one in OFFERED if one.rule.form}
    in_cloud = {one.field for one in OFFERED if not one.rule.local}
    found: dict[str, Value] = {}
    for name, value in given.items():
        if name in in_cloud:
            raise OptionError(f"{name} is for the cloud: here the output's ending says it")
        if isinstance(value, float) or (type(value) is int and name in texts):
            if name not in texts:
                raise OptionError(f"{name} must be a whole number, not {value!r}")
            found[name] = str(value)
        else:
            found[name] = value
    return found
