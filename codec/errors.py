"""What can go wrong in the codec.

CodecError
├── BitstreamError               the frame's bytes are wrong
│   ├── TruncatedBitstream       they end before the frame does
│   ├── InvalidBitstream         they contradict RFC 6386
│   └── UnsupportedBitstream     no VP8 decoder plays them
├── StateError                   the state is wrong
│   ├── StateMismatch            it cannot precede this frame, or differs in size
│   ├── StateVersionError        its bytes are not a state, or another version's
│   └── StateCorrupt             its bytes were changed or cut
├── FrameArgumentError           the caller's frame or raster (also a ValueError)
└── CodecLibraryError            the compiled library is missing or failed
"""

from __future__ import annotations


class CodecError(Exception):
    """Base of everything the codec raises on purpose."""


class BitstreamError(CodecError):
    """A frame's bytes cannot be decoded."""


class TruncatedBitstream(BitstreamError):
    """The bytes end before the frame does."""


class InvalidBitstream(BitstreamError):
    """The bytes contradict RFC 6386."""


class UnsupportedBitstream(BitstreamError):
    """The bytes ask for something no VP8 decoder plays."""


class StateError(CodecError):
    """A state cannot be used."""


class StateMismatch(StateError):
    """The state cannot precede this frame, or has another size."""


class StateVersionError(StateError):
    """The bytes are no state, or one of another version."""


class StateCorrupt(StateError):
    """The bytes of a state were changed or cut."""


class FrameArgumentError(CodecError, ValueError):
    """A raster or an option given by the caller is unusable."""


class CodecLibraryError(CodecError):
    """The compiled library is missing or failed by itself."""
