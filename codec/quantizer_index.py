"""The quantizer index of a frame, from its header alone (RFC 6386, 9.3 to 9.6 and 19.2)."""

from __future__ import annotations

from codec.errors import InvalidBitstream
from codec.frame_start import is_key_frame

_TAG_BYTES, _KEY_START_BYTES = 3, 7
_EVEN = 128
"""The probability of a flag and of each bit of a number in a frame's header."""


def y_ac_qi(frame: bytes) -> int:
    """The index of the luma's AC quantizer, 0 to 127: that of macroblocks without a segment.

    Raises:
        InvalidBitstream: the frame is too short for a header.
    """
    key = is_key_frame(frame)
    start = _TAG_BYTES + (_KEY_START_BYTES if key else 0)
    if len(frame) < start + 2:
        raise InvalidBitstream(f"a frame of {len(frame)} bytes has no header")
    header = _Header(frame[start:])
    if key:
        header.skip(2)  # colour space and clamping type
    if header.flag():
        _skip_segmentation(header)
    header.skip(1 + 6 + 3)  # the loop filter's type, level and sharpness
    # Changes of the loop filter's level for references and modes.
    if header.flag() and header.flag():
        header.skip_optional(8, 6 + 1)
    header.skip(2)  # how many partitions the coefficients have
    return header.number(7)


def _skip_segmentation(header: _Header) -> None:
    new_map, new_values = header.flag(), header.flag()
    if new_values:
        header.skip(1)  # whether they are differences
        header.skip_optional(4, 7 + 1)
        header.skip_optional(4, 6 + 1)
    if new_map:
        header.skip_optional(3, 8)


class _Header:
    """A boolean decoder (RFC 6386, 7.3) for bits that are all equally likely."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = int.from_bytes(data[:2], "big")
        self._next = 2
        self._range = 255
        self._shifted = 0

    def flag(self) -> bool:
        split = 1 + (((self._range - 1) * _EVEN) >> 8)
        bit = self._value >= split << 8
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifted += 1
            if self._shifted == 8:
                self._shifted = 0
                # Behind the end of the data a decoder reads zeros.
                self._value |= self._data[self._next] if self._next < len(self._data) else 0
                self._next += 1
        return bit

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self.flag()
        return value

    def skip(self, bits: int) -> None:
        for _ in range(bits):
            self.flag()

    def skip_optional(self, fields: int, bits: int) -> None:
        """Skip fields that each follow a flag which says whether they are there."""
        for _ in range(fields):
            if self.flag():
                self.skip(bits)
