"""The state of a VP8 decoder as a value."""

from __future__ import annotations

import ctypes
import hashlib
import struct
import weakref

from codec._library import Pointer, StateInfo, check, library, take_buffer
from codec.errors import StateCorrupt, StateVersionError
from codec.raster import Raster

# Magic, version, payload size; then the payload's SHA-256, then the payload.
_HEADER = struct.Struct("<8sIQ32s")
_MAGIC = b"XCVP8ST\n"
_VERSION = 1
_LAST, _GOLDEN, _ALTREF = 1, 2, 3


class Basis:
    """The part of a state that rebase() needs to read a frame made for it.

    Instead of the three references it keeps their fingerprints, so that rebase() sees
    whether they are the same. Has a thousandth of a state's size.
    """

    __slots__ = ("__weakref__", "_handle")

    def __init__(self, handle: Pointer) -> None:
        """Takes over a native handle; callers use State.basis()."""
        self._handle = handle
        weakref.finalize(self, library().xc_basis_free, handle)


class State:
    """Everything a VP8 decoder carries from one frame to the next.

    That is three reference rasters and their sign biases, the entropy coder's
    probabilities, segmentation and its map, the loop-filter deltas, and what the
    last key frame said about size and colour. Immutable. Equal states decode every
    frame alike, and their bytes and digests are equal on every machine.

    Attributes:
        width: display width in pixels.
        height: display height in pixels.
        horizontal_scale: the upscaling that players are asked for, 0 to 3 (RFC 6386, 9.1).
        vertical_scale: likewise.
        color_space: the bit of RFC 6386, 9.2.
        clamping_type: likewise; decoding always clamps.
    """

    __slots__ = (
        "__weakref__",
        "_digest",
        "_handle",
        "clamping_type",
        "color_space",
        "height",
        "horizontal_scale",
        "vertical_scale",
        "width",
    )

    def __init__(self, handle: Pointer) -> None:
        """Takes over a native handle; callers use decode() or from_bytes()."""
        native = library()
        self._handle = handle
        self._digest: str | None = None
        weakref.finalize(self, native.xc_state_free, handle)
        info = StateInfo()
        native.xc_state_get_info(handle, ctypes.byref(info))
        self.width: int = info.width
        self.height: int = info.height
        self.horizontal_scale: int = info.horizontal_scale
        self.vertical_scale: int = info.vertical_scale
        self.color_space: int = info.color_space
        self.clamping_type: int = info.clamping_type

    def _reference(self, index: int) -> Raster:
        handle = library().xc_state_reference(self._handle, index)
        if not handle:
            raise MemoryError
        return Raster(ctypes.c_void_p(handle))

    @property
    def last(self) -> Raster:
        """The last-frame reference."""
        return self._reference(_LAST)

    @property
    def golden(self) -> Raster:
        """The golden reference."""
        return self._reference(_GOLDEN)

    @property
    def altref(self) -> Raster:
        """The altref reference."""
        return self._reference(_ALTREF)

    def basis(self) -> Basis:
        """What rebase() needs to know about this state to read frames made for it."""
        handle = ctypes.c_void_p()
        check(library().xc_state_basis(self._handle, ctypes.byref(handle)))
        return Basis(handle)

    def _payload(self) -> bytes:
        buffer = ctypes.c_void_p()
        check(library().xc_state_serialize(self._handle, ctypes.byref(buffer)))
        return take_buffer(buffer)

    def to_bytes(self) -> bytes:
        """The state as bytes: versioned and checksummed, with equal references stored once."""
        payload = self._payload()
        checksum = hashlib.sha256(payload)
        self._digest = checksum.hexdigest()
        return _HEADER.pack(_MAGIC, _VERSION, len(payload), checksum.digest()) + payload

    @classmethod
    def from_bytes(cls, data: bytes) -> State:
        """The state that to_bytes() wrote.

        Raises:
            StateVersionError: not a state, or a state of another version.
            StateCorrupt: cut short, changed, or impossible.
        """
        if data[: len(_MAGIC)] != _MAGIC[: len(data)] or not data:
            raise StateVersionError("these bytes are not a VP8 state")
        if len(data) < _HEADER.size:
            raise StateCorrupt(f"a state of {len(data)} bytes ends within its header")
        _, version, size, checksum = _HEADER.unpack_from(data)
        if version != _VERSION:
            raise StateVersionError(f"this state is of version {version}, not {_VERSION}")
        payload = data[_HEADER.size :]
        if len(payload) != size:
            raise StateCorrupt(f"a state announces {size} bytes but has {len(payload)}")
        if hashlib.sha256(payload).digest() != checksum:
            raise StateCorrupt("the state's checksum does not match its bytes")
        handle = ctypes.c_void_p()
        check(library().xc_state_deserialize(payload, len(payload), ctypes.byref(handle)))
        return cls(handle)

    def digest(self) -> str:
        """SHA-256 of the state, as hexadecimal digits."""
        if self._digest is None:
            self._digest = hashlib.sha256(self._payload()).hexdigest()
        return self._digest

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        return bool(library().xc_state_equal(self._handle, other._handle))

    def __hash__(self) -> int:
        return hash(self.digest())

    def __reduce__(self) -> tuple[object, tuple[bytes]]:
        return State.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"State({self.width}x{self.height}, {self.digest()[:12]})"
