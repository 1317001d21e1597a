"""Which streams of a source are encrypted, from what its container says.

Nothing is taken for encrypted because it cannot be decoded: each container has marks for it. Only
headers and a few samples are read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from av.container import InputContainer

from excamera.media.container import ebml
from excamera.media.source.boxes import Box, children, top_boxes
from excamera.media.source.guard import GuardedFile

_WINDOW = 1 << 18
"""Of streams without a header, so many bytes are read in each of a few places."""

_HEADER = 1 << 20
"""Headers are read as far as this."""

# MP4: sample entries that are none of a codec's own. The first four are Common Encryption's,
# the others Apple's.
_PROTECTED_ENTRIES = frozenset({b"encv", b"enca", b"encs", b"enct", b"drmi", b"drms"})
_SAMPLE_ENTRIES = (b"mdia", b"minf", b"stbl", b"stsd")

# Matroska
_CONTENT_ENCODINGS, _CONTENT_ENCODING, _CONTENT_ENCODING_TYPE = 0x6D80, 0x6240, 0x5033
_STREAM_TYPES = frozenset({1, 2, 0x11, 0x21})  # of tracks that FFmpeg makes streams of

# MPEG
_SYNC, _PACKET_SIZES = 0x47, (188, 192, 204)
_PACK, _SYSTEM_HEADER, _PRIVATE = 0xBA, 0xBB, 0xBD
_AACS_UNIT, _AACS_PACKET = 6144, 192

# ASF
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_ENCRYPTION = frozenset(
    {
        bytes.fromhex("fbb31122 23bd d211 b4b7 00a0c955fc6e"),
        bytes.fromhex("14e68a29 2226 174c b935 dae07ee9289c"),
    }
)

# HLS: one attribute of a tag.
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')

# MXF: the label of essence that is wrapped in encrypted triplets (SMPTE 429-6).
_MXF_ENCRYPTED = bytes.fromhex("0d010301020b")


def encrypted_streams(file: GuardedFile | None, container: InputContainer) -> frozenset[int]:
    """The indices of the streams that are encrypted.

    Args:
        file: the container's; nothing is known without it.
        container: what FFmpeg made of it.
    """
    if file is None:
        return frozenset()
    formats = set(container.format.name.split(","))
    streams = list(container.streams)
    everything = frozenset(stream.index for stream in streams)
    if "mov" in formats:
        numbers = set(_protected_tracks(file))
        return frozenset(stream.index for stream in streams if stream.id in numbers)
    if "matroska" in formats:
        # FFmpeg makes a stream of each track, in their order.
        return frozenset(_encrypted_tracks(file)) & everything
    if formats & {"mpegts", "mpeg"}:
        count = _scrambled_packets if "mpegts" in formats else _scrambled_parts
        scrambled: Counter[int] = Counter()
        clear: Counter[int] = Counter()
        for data in _samples(file):
            for number, is_scrambled in count(data):
                (scrambled if is_scrambled else clear)[number] += 1
        return frozenset(
            stream.index
            for stream in streams
            if scrambled[stream.id & _mask(formats)] > clear[stream.id & _mask(formats)]
        )
    if "asf" in formats and _has_drm(file):
        return everything
    if "hls" in formats and any(kind != "identity" for _, kind in _keys_of_playlist(file)):
        return everything  # with other keys FFmpeg has decrypted it
    if "mxf" in formats and _MXF_ENCRYPTED in file.read_at(0, 1024):
        return everything
    return frozenset()


def _mask(formats: set[str]) -> int:
    # FFmpeg's number of a stream in a program stream is its start code, 0x1E0 and so on.
    return 0x1FFF if "mpegts" in formats else 0xFF


def _protected_tracks(file: GuardedFile) -> Iterator[int]:
    """The numbers of the tracks of an MP4 or MOV file that have a protected sample entry."""
    for movie in top_boxes(file):
        if movie.kind != b"moov":
            continue
        for track in children(file, movie, b"trak"):
            number = 0
            for head in children(file, track, b"tkhd"):
                at = 20 if file.read_at(head.inside, 1) == b"\1" else 12
                number = int.from_bytes(file.read_at(head.inside + at, 4), "big")
            inner = [track]
            for kind in _SAMPLE_ENTRIES:
                inner = [box for outer in inner for box in children(file, outer, kind)]
            for table in inner:
                entries = Box(table.kind, table.inside + 8, table.end)
                if any(_is_protected(file, entry) for entry in children(file, entries)):
                    yield number


def _is_protected(file: GuardedFile, entry: Box) -> bool:
    if entry.kind not in _PROTECTED_ENTRIES:
        return False
    data = file.read_at(entry.inside, min(entry.end - entry.inside, 1 << 16))
    at = data.find(b"tenc")
    # A protected entry may say that samples are not encrypted unless said otherwise.
    return at < 0 or len(data) < at + 11 or data[at + 10] != 0


def _encrypted_tracks(file: GuardedFile) -> Iterator[int]:
    """The numbers, from 0, of the encrypted tracks of a Matroska file among its streams."""
    number = 0
    for kind, body in _elements(_tracks(file)):
        if kind != ebml.TRACK_ENTRY:
            continue
        fields = dict(_elements(body))
        if int.from_bytes(fields.get(ebml.TRACK_TYPE, b""), "big") not in _STREAM_TYPES:
            continue
        for encoding, inner in _elements(fields.get(_CONTENT_ENCODINGS, b"")):
            how = dict(_elements(inner)).get(_CONTENT_ENCODING_TYPE, b"")
            if encoding == _CONTENT_ENCODING and int.from_bytes(how, "big") == 1:
                yield number
        number += 1


def _tracks(file: GuardedFile) -> bytes:
    """The body of a Matroska file's tracks, if it lies before the pictures."""
    at = 0
    while head := file.read_at(at, 12):
        try:
            kind, size, start = ebml.read_element(head, 0)
        except IndexError:
            break
        if kind == ebml.TRACKS:
            return file.read_at(at + start, min(max(0, size), _HEADER))
        if kind == ebml.SEGMENT:
            at += start
        elif kind == ebml.CLUSTER or size == ebml.UNKNOWN_SIZE:
            break
        else:
            at += start + size
    return b""


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        try:
            kind, size, start = ebml.read_element(data, at)
        except IndexError:
            return
        if size == ebml.UNKNOWN_SIZE:
            return
        yield kind, data[start : start + size]
        at = start + size


def _samples(file: GuardedFile) -> Iterator[bytes]:
    """The start, and parts of the middle and the end."""
    starts = {0, max(0, file.size // 2), max(0, file.size - _WINDOW)}
    for start in sorted(starts):
        yield file.read_at(start, _WINDOW)


def _scrambled_packets(data: bytes) -> Iterator[tuple[int, bool]]:
    """Of each packet of a transport stream with content: its PID, and whether it is scrambled."""
    at, size = _synchronised(data)
    while size and at + 4 <= len(data) and data[at] == _SYNC:
        if data[at + 3] & 0x10:
            yield int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF, data[at + 3] >= 0x80
        at += size


def _synchronised(data: bytes) -> tuple[int, int]:
    """Where the first packet begins, and how large all are; 0 if there are none."""
    for start in range(max(_PACKET_SIZES)):
        for size in _PACKET_SIZES:
            marks = data[start : start + 8 * size : size]
            if len(marks) >= 5 and set(marks) == {_SYNC}:
                return start, size
    return 0, 0


def _scrambled_parts(data: bytes) -> Iterator[tuple[int, bool]]:
    """Of each part of a program stream's packs: its stream, and whether it is scrambled."""
    pack = data.find(b"\0\0\1\xba")
    while pack >= 0 and pack + 14 <= len(data):
        at = pack + 14 + (data[pack + 13] & 7)
        # MPEG-1, whose packs are shorter, knows no scrambling.
        while data[pack + 4] & 0xC0 == 0x40 and data[at : at + 3] == b"\0\0\1":
            part = data[at : at + 9]
            if len(part) < 9 or part[3] == _PACK:
                break
            code = part[3]
            if code == _PRIVATE or 0xC0 <= code <= 0xEF:
                if part[6] & 0xC0 != 0x80:
                    break
                inside = at + 9 + part[8]
                number = data[inside] if code == _PRIVATE and inside < len(data) else code
                yield number, bool(part[6] & 0x30)
            elif code < _SYSTEM_HEADER:
                break
            at += 6 + int.from_bytes(part[4:6], "big")
        pack = data.find(b"\0\0\1\xba", pack + 14)


def _has_drm(file: GuardedFile) -> bool:
    """Whether the header of an ASF file has an object about encryption."""
    if file.read_at(0, 16) != _ASF_HEADER:
        return False
    end = min(file.size, int.from_bytes(file.read_at(16, 8), "little"))
    at = 30
    while at + 24 <= end:
        head = file.read_at(at, 24)
        size = int.from_bytes(head[16:24], "little")
        if head[:16] in _ASF_ENCRYPTION:
            return True
        if size < 24:
            break
        at += size
    return False


def _keys_of_playlist(file: GuardedFile) -> Iterator[tuple[str, str]]:
    """Method and format of the keys that an HLS playlist names; it may be longer than is read."""
    text = file.read_at(0, _HEADER).decode(errors="replace")
    for line in text.splitlines() if text.startswith("#EXTM3U") else []:
        if line.startswith(("#EXT-X-KEY:", "#EXT-X-SESSION-KEY:")):
            fields = dict(_ATTRIBUTE.findall(line.partition(":")[2]))
            method = fields.get("METHOD", "NONE")
            if method != "NONE":
                yield method, fields.get("KEYFORMAT", '"identity"').strip('"')


def may_be_encrypted(file: GuardedFile) -> bool:
    """Whether encryption is why FFmpeg cannot open a file."""
    return any(_keys_of_playlist(file)) or _is_encrypted_disc(file) or _has_drm(file)


def _is_encrypted_disc(file: GuardedFile) -> bool:
    """Whether a file is a stream from a Blu-ray disc, encrypted by AACS.

    Of each unit of 32 packets the first 16 bytes are in the clear. They say that the rest is not.
    """
    count = min(8, file.size // _AACS_UNIT)
    for unit in range(count):
        head = file.read_at(unit * _AACS_UNIT, _AACS_PACKET + 5)
        if head[0] >> 6 != 3 or head[4] != _SYNC or head[_AACS_PACKET + 4] == _SYNC:
            return False
    return count >= 4
