"""Our streams: what `excamera encode` makes in each shape, and our encoder in sequence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import codec
from benchmarks.common.serial import serial_job
from benchmarks.common.y4m import Pictures
from codec import EncodeSettings
from excamera.job.encoders import QI_OF_CRF
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.container import ivf
from excamera.media.lookahead import Lookahead, coded_ahead
from excamera.media.quantizers import Quantizer

SEQUENTIAL = "sequential"
BOOSTED = "sequential, boosted"
ANCHORS = "ExCamera, anchors"
ALONE = "ExCamera[6,1]"
LONG_ALONE = "ExCamera[24,1]"
REBASED = "ExCamera[6,16]"

_REBASED = {ALONE: (6, 1), LONG_ALONE: (24, 1), REBASED: (6, 16)}
_THREADS = 2
_TIME_BASE = Fraction(1, 25)


def options_of(shape: str, crf: int) -> EncodeOptions:
    """Returns the options of `excamera encode` for one of its shapes."""
    if shape == ANCHORS:
        return EncodeOptions(crf=crf, mode="anchors")
    chunk_frames, batch_chunks = _REBASED[shape]
    return EncodeOptions(
        crf=crf, mode="rebase", chunk_frames=chunk_frames, batch_chunks=batch_chunks
    )


def _by_pipeline(shape: str, crf: int, source: Path, target: Path) -> None:
    encode_file(str(source), target, options_of(shape, crf))


def _write(frames: Iterable[bytes], pictures: Pictures, target: Path) -> None:
    head = ivf.header(pictures.width, pictures.height, _TIME_BASE, len(pictures))
    target.write_bytes(head + ivf.frames(enumerate(frames)))


def _sequential(crf: int, source: Path, target: Path) -> None:
    """One key frame, then every frame from all before it, all with one quantizer."""
    pictures = Pictures(source)
    qi = QI_OF_CRF[crf]
    settings = EncodeSettings(effort=EncodeOptions().anchors.effort)

    def frames() -> Iterator[bytes]:
        coded = codec.encode_key_frame(pictures.raster(0), qi, settings, threads=_THREADS)
        yield coded.frame
        for number in range(1, len(pictures)):
            coded = codec.encode_inter_frame(
                coded.state, pictures.raster(number), qi, settings, threads=_THREADS
            )
            yield coded.frame

    _write(frames(), pictures, target)


def _boosted(crf: int, source: Path, target: Path) -> None:
    """In sequence, with the batches, pictures and quantizers of mode anchors.

    The frames that mode anchors codes ahead come in their place here: each is predicted from all
    before it, and stays in golden.
    """
    pictures = Pictures(source)
    with serial_job(source, options_of(ANCHORS, crf)) as job:
        plan = job.plan()
    efforts = plan.options.anchors

    def batch(first: int, lengths: list[int]) -> Iterator[bytes]:
        rasters = [pictures.raster(first + number) for number in range(sum(lengths))]
        ahead = Lookahead(rasters, lengths, crf, _THREADS)
        quantizers = ahead.quantizers(plan.even)
        special: dict[int, tuple[codec.Raster, Quantizer]] = dict(
            zip(
                coded_ahead(lengths),
                zip(ahead.pictures, quantizers.ahead, strict=True),
                strict=True,
            )
        )
        state: codec.State | None = None
        for number, raster in enumerate(rasters):
            picture, quantizer = special.get(number, (raster, Quantizer(quantizers.ordinary, None)))
            is_ahead = number in special
            settings = EncodeSettings(
                segments=quantizer.segments,
                effort=efforts.effort if is_ahead else efforts.ordinary_effort,
                refresh_golden=is_ahead,
            )
            if state is None:
                coded = codec.encode_key_frame(
                    picture, quantizer.y_ac_qi, settings, threads=_THREADS
                )
            else:
                coded = codec.encode_inter_frame(
                    state, picture, quantizer.y_ac_qi, settings, threads=_THREADS
                )
            state = coded.state
            yield coded.frame

    def frames() -> Iterator[bytes]:
        first = 0
        for one in plan.batches:
            lengths = [len(chunk.pts) for chunk in one.chunks]
            yield from batch(first, lengths)
            first += sum(lengths)

    _write(frames(), pictures, target)


def _maker(shape: str) -> Callable[[int, Path, Path], None]:
    def make(crf: int, source: Path, target: Path) -> None:
        _by_pipeline(shape, crf, source, target)

    return make


SHAPES: Mapping[str, Callable[[int, Path, Path], None]] = {
    ANCHORS: _maker(ANCHORS),
    SEQUENTIAL: _sequential,
    BOOSTED: _boosted,
    REBASED: _maker(REBASED),
    ALONE: _maker(ALONE),
    LONG_ALONE: _maker(LONG_ALONE),
}


def encode(shape: str, crf: int, source: Path, source_sha256: str, code: str, cache: Path) -> Path:
    """Returns our IVF for one source; encodes it if the cache lacks it.

    Args:
        shape: one of `SHAPES`.
        crf: quality.
        source: y4m file.
        source_sha256: its digest.
        code: digest of the code that decides the bytes.
        cache: folder of the streams.
    """
    key = hashlib.sha256(f"{code} {source_sha256} {shape} {crf}".encode()).hexdigest()[:24]
    path = cache / f"ours-{key}.ivf"
    if not path.exists():
        partial = path.with_name(f"part-{path.name}")
        SHAPES[shape](crf, source, partial)
        partial.replace(path)
    return path
