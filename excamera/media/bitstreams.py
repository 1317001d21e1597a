"""What a container has to know of the packets of VP9, AV1 and H.264, read from their headers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from excamera.errors import ChunkError

# H.264 (ITU-T H.264, 7.3.1 and annex B)

_IDR, _SPS, _PPS, _DELIMITER = 5, 7, 8, 9
_PLAIN_PROFILES = (66, 77, 88)  # their records say nothing of the format of pictures


def h264_units(stream: bytes) -> Iterator[bytes]:
    """The NAL units of a stream with start codes."""
    # Within a unit three such bytes cannot occur.
    for part in stream.split(b"\0\0\1")[1:]:
        unit = part.rstrip(b"\0")
        if unit:
            yield unit


def h264_packet(stream: bytes) -> bytes:
    """A picture with start codes as MP4 and Matroska hold it, without parameter sets."""
    units = [one for one in h264_units(stream) if one[0] & 31 not in (_SPS, _PPS, _DELIMITER)]
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units)


def h264_is_key_frame(packet: bytes) -> bool:
    """Whether a picture that `h264_packet` returned is an IDR picture."""
    at = 0
    while at + 4 < len(packet):
        if packet[at + 4] & 31 == _IDR:
            return True
        at += 4 + int.from_bytes(packet[at : at + 4], "big")
    return False


def h264_configuration(headers: bytes, bits: int = 8) -> bytes:
    """The content of an `avcC` box (ISO/IEC 14496-15, 5.3.3).

    Args:
        headers: one sequence and one picture parameter set, with start codes.
        bits: of a sample.

    Raises:
        ChunkError: they are not.
    """
    units = list(h264_units(headers))
    sets = [[one for one in units if one[0] & 31 == kind] for kind in (_SPS, _PPS)]
    if [len(one) for one in sets] != [1, 1] or len(sets[0][0]) < 4:
        raise ChunkError("x264 gave no headers")
    [sps], [pps] = sets
    record = bytes([1, *sps[1:4], 0xFC | 3, 0xE0 | 1])
    record += struct.pack(">H", len(sps)) + sps + bytes([1]) + struct.pack(">H", len(pps)) + pps
    if sps[1] not in _PLAIN_PROFILES:
        depth = 0xF8 | bits - 8
        record += bytes([0xFC | 1, depth, depth, 0])  # 4:2:0
    return record


# AV1 (AV1 bitstream specification, 5.3 to 5.9; AV1 in ISOBMFF, 2.3)

TEMPORAL_DELIMITER = b"\x12\x00"
_SEQUENCE, _TEMPORAL, _FRAME_HEADER, _FRAME = 1, 2, 3, 6


def _av1_units(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """The type, the payload, and all bytes of each open bitstream unit."""
    at = 0
    while at < len(data):
        start, head = at, data[at]
        at += 2 if head & 4 else 1
        size, shift = len(data) - at, 0
        if head & 2:
            size = 0
            while True:
                byte = data[at]
                size |= (byte & 127) << shift
                at, shift = at + 1, shift + 7
                if not byte & 128:
                    break
        yield head >> 3 & 15, data[at : at + size], data[start : at + size]
        at += size


def av1_packet(unit: bytes) -> bytes:
    """A temporal unit as MP4 and Matroska hold it: without its delimiter."""
    return b"".join(whole for kind, _, whole in _av1_units(unit) if kind != _TEMPORAL)


def av1_is_key_frame(packet: bytes) -> bool:
    """Whether a temporal unit begins with a key frame."""
    for kind, payload, _ in _av1_units(packet):
        if kind in (_FRAME, _FRAME_HEADER) and payload:
            return payload[0] & 0b11100000 == 0  # shown from nothing before, of type KEY_FRAME
    return False


def av1_configuration(packet: bytes, bits: int = 8) -> bytes:
    """The content of an `av1C` box.

    Args:
        packet: that begins with a sequence header, of 4:2:0 pictures.
        bits: of a sample, 8 or 10.

    Raises:
        ChunkError: it does not.
    """
    headers = [(body, whole) for kind, body, whole in _av1_units(packet) if kind == _SEQUENCE]
    if len(headers) != 1:
        raise ChunkError("SVT-AV1 gave no sequence header")
    [(body, whole)] = headers
    bits = int.from_bytes(body, "big")
    total = len(body) * 8

    def read(first: int, count: int) -> int:
        return bits >> (total - first - count) & ((1 << count) - 1)

    # Profile, still picture, reduced header, timing; delay, number of points, the first point.
    if read(3, 3) or read(6, 1):
        raise ChunkError("SVT-AV1 gave a sequence header of another kind")
    level = read(24, 5)
    tier = read(29, 1) if level > 7 else 0
    flags = tier << 7 | (bits > 8) << 6 | 0b1100
    return bytes([0x81, read(0, 3) << 5 | level, flags, 0]) + whole


# VP9 (VP9 bitstream specification, 6.2 and annex A; VP codec ISO media file format binding)

_LEVELS = (
    # level, luma samples a second, luma samples of a picture
    (10, 829_440, 36_864),
    (11, 2_764_800, 73_728),
    (20, 4_608_000, 122_880),
    (21, 9_216_000, 245_760),
    (30, 20_736_000, 552_960),
    (31, 36_864_000, 983_040),
    (40, 83_558_400, 2_228_224),
    (41, 160_432_128, 2_228_224),
    (50, 311_951_360, 8_912_896),
    (51, 588_251_136, 8_912_896),
    (52, 1_176_502_272, 8_912_896),
    (60, 1_176_502_272, 35_651_584),
    (61, 2_353_004_544, 35_651_584),
    (62, 4_706_009_088, 35_651_584),
)


def vp9_is_key_frame(packet: bytes) -> bool:
    """Whether a packet begins with a key frame (of profile 0 to 2)."""
    # Frame marker, profile, show_existing_frame, frame_type
    return packet[:1] != b"" and packet[0] & 0b11001100 == 0b10000000


def vp9_configuration(pixels: int, rate: float, colour: Iterable[int]) -> bytes:
    """The content of a `vpcC` box behind its version and flags, of 8-bit 4:2:0 pictures.

    Args:
        pixels: of a picture.
        rate: pictures a second.
        colour: H.273 primaries, transfer characteristics and matrix coefficients.
    """
    fits = (level for level, speed, size in _LEVELS if pixels * rate <= speed and pixels <= size)
    return bytes([0, next(fits, 0), 8 << 4 | 1 << 1, *colour, 0, 0])


# How codecs are named to browsers (RFC 6381, and the bindings of each codec)


def h264_codec_string(config: bytes) -> str:
    """Of the content of an `avcC` box: profile, constraints and level."""
    return f"avc1.{config[1:4].hex().upper()}"


def av1_codec_string(config: bytes) -> str:
    """Of the content of an `av1C` box: profile, level and tier, and the depth, which is 8."""
    profile, level = config[1] >> 5, config[1] & 31
    return f"av01.{profile}.{level:02d}{'H' if config[2] >> 7 else 'M'}.08"


def vp9_codec_string(config: bytes) -> str:
    """Of the content of a `vpcC` box: profile, level and depth; 6.2 for a level not known."""
    profile, level, depth = config[0], config[1] or _LEVELS[-1][0], config[2] >> 4
    return f"vp09.{profile:02d}.{level:02d}.{depth:02d}"


def aac_codec_string(config: bytes) -> str:
    """Of an AudioSpecificConfig: the type of its objects."""
    return f"mp4a.40.{config[0] >> 3}"
