"""EBML (RFC 8794): elements of an identifier, a size and a body; the identifiers we use."""

from __future__ import annotations

import struct

EBML = 0x1A45DFA3
EBML_VERSION = 0x4286
EBML_READ_VERSION = 0x42F7
EBML_MAX_ID_LENGTH = 0x42F2
EBML_MAX_SIZE_LENGTH = 0x42F3
DOC_TYPE = 0x4282
DOC_TYPE_VERSION = 0x4287
DOC_TYPE_READ_VERSION = 0x4285
VOID = 0xEC

SEGMENT = 0x18538067
SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
INFO, TIMESTAMP_SCALE, DURATION, TITLE = 0x1549A966, 0x2AD7B1, 0x4489, 0x7BA9
MUXING_APP, WRITING_APP = 0x4D80, 0x5741
TRACKS, TRACK_ENTRY = 0x1654AE6B, 0xAE
TRACK_NUMBER, TRACK_UID, TRACK_TYPE = 0xD7, 0x73C5, 0x83
FLAG_LACING, DEFAULT_DURATION, LANGUAGE = 0x9C, 0x23E383, 0x22B59C
FLAG_DEFAULT, NAME = 0x88, 0x536E
CODEC_ID, CODEC_PRIVATE, CODEC_DELAY, SEEK_PRE_ROLL = 0x86, 0x63A2, 0x56AA, 0x56BB
VIDEO, PIXEL_WIDTH, PIXEL_HEIGHT = 0xE0, 0xB0, 0xBA
DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
COLOUR, MATRIX, COLOUR_RANGE, TRANSFER, PRIMARIES = 0x55B0, 0x55B1, 0x55B9, 0x55BA, 0x55BB
BITS_PER_CHANNEL = 0x55B2
AUDIO, SAMPLING_FREQUENCY, CHANNELS = 0xE1, 0xB5, 0x9F
MAX_CLL, MAX_FALL, MASTERING = 0x55BC, 0x55BD, 0x55D0
CHROMATICITIES = range(0x55D1, 0x55D9)  # x and y of red, green, blue and white
LUMINANCES = range(0x55D9, 0x55DB)  # the most and the least
CHAPTERS, EDITION, CHAPTER = 0x1043A770, 0x45B9, 0xB6
CHAPTER_UID, CHAPTER_BEGIN, CHAPTER_END = 0x73C4, 0x91, 0x92
CHAPTER_DISPLAY, CHAPTER_TITLE, CHAPTER_LANGUAGE = 0x80, 0x85, 0x437C
CLUSTER, TIMESTAMP = 0x1F43B675, 0xE7
SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xA3, 0xA0, 0xA1
BLOCK_DURATION, DISCARD_PADDING = 0x9B, 0x75A2
CUES, CUE_POINT, CUE_TIME = 0x1C53BB6B, 0xBB, 0xB3
CUE_TRACK_POSITIONS, CUE_TRACK, CUE_CLUSTER_POSITION = 0xB7, 0xF7, 0xF1

UNKNOWN_SIZE = -1


def identifier(number: int) -> bytes:
    """An element identifier as bytes."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def size_field(size: int, length: int = 0) -> bytes:
    """A body size as a variable-length integer of `length` bytes, 0 for the shortest."""
    length = length or next(n for n in range(1, 9) if size < (1 << (7 * n)) - 1)
    return (size | 1 << (7 * length)).to_bytes(length, "big")


def element(number: int, *bodies: bytes) -> bytes:
    """An element with its bodies joined."""
    body = b"".join(bodies)
    return identifier(number) + size_field(len(body)) + body


def unsigned(number: int, value: int, length: int = 0) -> bytes:
    """An unsigned integer element, of `length` bytes or the shortest."""
    return element(number, value.to_bytes(length or max(1, (value.bit_length() + 7) // 8), "big"))


def signed(number: int, value: int) -> bytes:
    """A signed integer element."""
    length = value.bit_length() // 8 + 1
    return element(number, value.to_bytes(length, "big", signed=True))


def real(number: int, value: float) -> bytes:
    """A 64-bit floating point element."""
    return element(number, struct.pack(">d", value))


def text(number: int, value: str) -> bytes:
    """A string element."""
    return element(number, value.encode())


def read_element(data: bytes | memoryview, at: int) -> tuple[int, int, int]:
    """Identifier, size and start of the body of the element at `at`.

    Raises:
        IndexError: the data ends within the element's head, or it is malformed.
    """
    number, at = _read_vint(data, at, keep_marker=True)
    size, at = _read_vint(data, at, keep_marker=False)
    return number, size, at


def _read_vint(data: bytes | memoryview, at: int, *, keep_marker: bool) -> tuple[int, int]:
    length = 9 - data[at].bit_length()
    if length > 8 or at + length > len(data):
        raise IndexError(at)
    value = int.from_bytes(data[at : at + length], "big")
    if not keep_marker:
        mask = (1 << (7 * length)) - 1
        value = UNKNOWN_SIZE if value & mask == mask else value & mask
    return value, at + length
