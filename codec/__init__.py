"""An explicit-state VP8 codec.

    decode:             (state, frame) -> (state', raster)
    encode_inter_frame: (state, raster, y_ac_qi) -> frame
    rebase:             (state, raster, frame) -> frame'
    recode:             (state, frame) -> frame'

A state is a value: what a decoder carries from one frame to the next. Nothing
here keeps any other memory, so slow work can run in parallel anywhere.
"""

from codec.errors import (
    BitstreamError,
    CodecError,
    CodecLibraryError,
    FrameArgumentError,
    InvalidBitstream,
    StateCorrupt,
    StateError,
    StateMismatch,
    StateVersionError,
    TruncatedBitstream,
    UnsupportedBitstream,
)
from codec.frame_start import FrameHeader, is_key_frame, is_shown, read_header
from codec.operations import (
    USEFUL_THREADS,
    Decoded,
    Encoded,
    Rebased,
    advance,
    decode,
    decode_chunk,
    encode_inter_frame,
    encode_key_frame,
    quantizer_steps,
    rebase,
    rebase_chunk,
    recode,
    show_reference,
    simd_level,
    skim,
)
from codec.quantizer_index import y_ac_qi
from codec.raster import Raster
from codec.settings import BufferCopy, EncodeSettings, Reference, Segments
from codec.sketch import Motion, Sketch, steady
from codec.state import Basis, State

__all__ = [
    "USEFUL_THREADS",
    "Basis",
    "BitstreamError",
    "BufferCopy",
    "CodecError",
    "CodecLibraryError",
    "Decoded",
    "EncodeSettings",
    "Encoded",
    "FrameArgumentError",
    "FrameHeader",
    "InvalidBitstream",
    "Motion",
    "Raster",
    "Rebased",
    "Reference",
    "Segments",
    "Sketch",
    "State",
    "StateCorrupt",
    "StateError",
    "StateMismatch",
    "StateVersionError",
    "TruncatedBitstream",
    "UnsupportedBitstream",
    "advance",
    "decode",
    "decode_chunk",
    "encode_inter_frame",
    "encode_key_frame",
    "is_key_frame",
    "is_shown",
    "quantizer_steps",
    "read_header",
    "rebase",
    "rebase_chunk",
    "recode",
    "show_reference",
    "simd_level",
    "skim",
    "steady",
    "y_ac_qi",
]
