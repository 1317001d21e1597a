"""Runs one operation on a few frames, while callgrind counts.

    python -m benchmarks.speed.profile_child OPERATION STREAM OTHER Y4M Y_AC_QI MARKS

OPERATION is decode, rebase or encode; STREAM is the IVF file it works on; the first frame of OTHER
starts the chain that is rebased onto; Y_AC_QI is the quantizer of an encode; MARKS is the library
that starts and stops the counting, after everything else is prepared. Prints the instruction set
that the codec chose.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path

import codec
from benchmarks.common.y4m import Pictures
from excamera.media.container import ivf

ENCODED_FRAMES = 1


def _frames(path: str) -> list[bytes]:
    return [frame.data for frame in ivf.parse(Path(path).read_bytes()).frames]


def prepared(
    operation: str, frames: list[bytes], other: bytes, y4m: Path, qi: int
) -> Callable[[], object]:
    """Returns the operation, with everything it needs in memory.

    Raises:
        ValueError: there is no such operation.
    """
    pictures = Pictures(y4m)
    pictures.raster(0)  # The first use loads the library: that must not be counted.
    if operation == "decode":
        return lambda: codec.decode_chunk(None, frames)
    if operation == "rebase":
        made_for = [decoded.state.basis() for decoded in codec.decode_chunk(None, frames)]
        rasters = [pictures.raster(number) for number in range(1, len(frames))]
        onto = codec.decode_chunk(None, [other])[0].state
        return lambda: codec.rebase_chunk(onto, rasters, frames[1:], made_for[:-1])
    if operation == "encode":
        state = codec.decode_chunk(None, frames[:1])[0].state
        rasters = [pictures.raster(number) for number in range(1, 1 + ENCODED_FRAMES)]
        return lambda: [codec.encode_inter_frame(state, raster, qi) for raster in rasters]
    raise ValueError(operation)


def main() -> int:
    """Runs the operation."""
    operation, stream, other, y4m, qi, marks = sys.argv[1:]
    run = prepared(operation, _frames(stream), _frames(other)[0], Path(y4m), int(qi))
    counter = ctypes.CDLL(marks)
    gc.collect()
    gc.disable()
    counter.begin_counting()
    result = run()
    counter.end_counting()
    del result
    print(codec.simd_level())
    return 0


if __name__ == "__main__":
    sys.exit(main())
