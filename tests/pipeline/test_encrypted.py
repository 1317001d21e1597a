"""Encrypted sources are called so, by name; no others are."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from excamera.cli import main
from excamera.errors import EncryptedSource
from excamera.local import encode_file
from excamera.media.container import ebml
from excamera.media.source.media import open_media
from tests.pipeline.clips import Clip
from tests.pipeline.test_sources import OPTIONS
from tests.support.shared import SHARED

pytestmark = pytest.mark.slow  # many encodes, one after another

Bytes = bytearray
KEY = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "00112233445566778899aabbccddeeff",
    "encryption_kid": "0123456789abcdef0123456789abcdef",
}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
ASF_ENCRYPTION = "fbb3112223bdd211b4b700a0c955fc6e"
ASF_ENCRYPTION_2 = "14e68a292226174cb935dae07ee9289c"


def written(folder: Path, ending: str, options: dict[str, str] | None = None) -> Path:
    """A second of picture and sound in a container, packets as they were encoded."""
    encoder, sound = {
        "vob": ("mpeg2video", "ac3"),
        "mpg": ("mpeg2video", "mp2"),
        "asf": ("wmv2", "mp2"),
        "webm": ("libvpx", "libopus"),
    }.get(ending, ("libx264", "aac"))
    clip = Clip(frames=25, encoder=encoder, options={}, sound=sound)
    source = clip.write(folder / f"plain.{'nut' if ending == 'asf' else 'mkv'}")
    path = folder / f"a.{ending}"
    with av.open(str(source)) as a, av.open(str(path), "w", options=options or {}) as b:
        streams = [b.add_stream_from_template(stream) for stream in a.streams]
        for packet in a.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                b.mux(packet)
    return path


def scrambled(data: Bytes, start: int, end: int) -> None:
    """Replace bytes as a cipher would."""
    data[start:end] = random.Random(start).randbytes(max(0, end - start))


def cenc(folder: Path, **options: str) -> Path:
    """Common Encryption of picture and sound."""
    return written(folder, "mp4", KEY | options)


def not_protected(folder: Path) -> Path:
    """An MP4 that is ready for Common Encryption, whose samples are in the clear."""
    path = renamed(folder, avc1="encv")
    data = Bytes(path.read_bytes())
    tenc = bytes.fromhex("0000002074656e63") + bytes(24)
    sinf = (8 + len(tenc)).to_bytes(4, "big") + b"schi" + tenc
    sinf = bytes.fromhex("0000000c66726d6161766331") + sinf
    sinf = (8 + len(sinf)).to_bytes(4, "big") + b"sinf" + sinf
    entry = data.index(b"encv") - 4
    at = entry + int.from_bytes(data[entry : entry + 4], "big")
    data[at:at] = sinf
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"encv"):
        place = data.rindex(kind, 0, entry + 9) - 4
        size = int.from_bytes(data[place : place + 4], "big") + len(sinf)
        data[place : place + 4] = size.to_bytes(4, "big")
    path.write_bytes(data)
    return path


def renamed(folder: Path, **names: str) -> Path:
    """An MP4 with other names for its sample entries."""
    path = written(folder, "mp4")
    data = Bytes(path.read_bytes())
    for old, new in names.items():
        at = data.index(old.encode(), data.index(b"stsd"))
        data[at : at + 4] = new.encode()
    path.write_bytes(data)
    return path


def transport(folder: Path, *streams: int, ending: str = "ts", part: float = 1.0) -> Path:
    """A transport stream with scrambled packets of some streams."""
    path = written(folder, "ts")
    data = Bytes(path.read_bytes())
    chance = random.Random(1)
    for at in range(0, len(data), 188):
        number = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
        if number - 256 in streams and data[at + 3] & 0x10 and chance.random() < part:
            data[at + 3] |= 0x80
            scrambled(data, at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0), at + 188)
    path.write_bytes(data)
    return path


def program(folder: Path, *codes: int) -> Path:
    """A DVD's file with scrambled parts of some streams."""
    path = written(folder, "vob")
    data = Bytes(path.read_bytes())
    for at in range(len(data) - 9):
        if data[at : at + 3] == b"\0\0\1" and data[at + 3] in codes and data[at + 6] >> 6 == 2:
            data[at + 6] |= 0x30
            end = at + 6 + int.from_bytes(data[at + 4 : at + 6], "big")
            scrambled(data, min(at + 128, end), end)
    path.write_bytes(data)
    return path


def matroska(folder: Path, kinds: set[int], ending: str = "mkv", how: int = 1) -> Path:
    """A Matroska file whose tracks of some kinds have an encoding: 1 is encryption."""
    path = written(folder, ending, {"live": "1"})
    data = path.read_bytes()
    tracks = data.index(ebml.identifier(ebml.TRACKS), data.index(ebml.identifier(ebml.INFO), 100))
    _, size, start = ebml.read_element(data, tracks)
    at, made = start, b""
    while at < start + size:
        kind, length, inside = ebml.read_element(data, at)
        body = data[inside : inside + length]
        of_kind = any(ebml.unsigned(ebml.TRACK_TYPE, one) in body for one in kinds)
        if kind == ebml.TRACK_ENTRY and of_kind:
            encoding = ebml.unsigned(0x5033, how) + ebml.element(
                0x5035 if how else 0x5034, ebml.unsigned(0x47E1 if how else 0x4254, 5 if how else 3)
            )
            body += ebml.element(0x6D80, ebml.element(0x6240, encoding))
        made += ebml.element(kind, body)
        at = inside + length
    path.write_bytes(data[:tracks] + ebml.element(ebml.TRACKS, made) + data[at:])
    return path


def asf(folder: Path, guid: str) -> Path:
    """An ASF file with an object about encryption in its header."""
    path = written(folder, "asf")
    data = Bytes(path.read_bytes())
    size, count = int.from_bytes(data[16:24], "little"), int.from_bytes(data[24:28], "little")
    extra = bytes.fromhex(guid) + (40).to_bytes(8, "little") + bytes(16)
    data[24:28] = (count + 1).to_bytes(4, "little")
    data[16:24] = (size + len(extra)).to_bytes(8, "little")
    data[size:size] = extra
    path.write_bytes(data)
    return path


def blu_ray(folder: Path) -> Path:
    """A stream of a Blu-ray disc whose units are encrypted."""
    path = written(folder, "ts")
    plain = path.read_bytes()
    data = Bytes(b"".join(bytes(4) + plain[at : at + 188] for at in range(0, len(plain), 188)))
    data += bytes(-len(data) % 6144)
    for at in range(0, len(data), 6144):
        data[at] |= 0xC0
        scrambled(data, at + 16, at + 6144)
    path = folder / "00001.m2ts"
    path.write_bytes(data)
    return path


def digital_cinema(folder: Path) -> Path:
    """An MXF file whose first partition names encrypted essence."""
    path = Clip(frames=5, encoder="mpeg2video", options={}).write(folder / "a.mxf")
    data = Bytes(path.read_bytes())
    at = data.index(bytes.fromhex("0d010301"), 64)  # behind the key and the operational pattern
    data[at : at + 8] = bytes.fromhex("0d010301020b0100")
    path.write_bytes(data)
    return path


def playlist(folder: Path, key: str) -> Path:
    """An HLS playlist that names a key."""
    written(folder, "ts")
    path = folder / "a.m3u8"
    path.write_text(
        f"#EXTM3U\n#EXT-X-VERSION:5\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD={key}\n"
        "#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n"
    )
    return path


ENCRYPTED: dict[str, Callable[[Path], Path]] = {
    "cenc": cenc,
    "cenc in fragments": lambda folder: cenc(folder, **FRAGMENTS),
    "cenc, index in front": lambda folder: cenc(folder, movflags="faststart"),
    "iTunes": lambda folder: renamed(folder, avc1="drmi", mp4a="drms"),
    "Matroska": lambda folder: matroska(folder, {1, 2}),
    "Matroska, picture": lambda folder: matroska(folder, {1}),
    "WebM": lambda folder: matroska(folder, {1, 2}, "webm"),
    "broadcast": lambda folder: transport(folder, 0, 1),
    "broadcast, picture": lambda folder: transport(folder, 0),
    "DVD": lambda folder: program(folder, 0xE0, 0xBD),
    "ASF": lambda folder: asf(folder, ASF_ENCRYPTION),
    "ASF, newer": lambda folder: asf(folder, ASF_ENCRYPTION_2),
    "Blu-ray": blu_ray,
    "digital cinema": digital_cinema,
}
PLAYLISTS = {
    "of a shop": 'SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"',
    "of a site": 'AES-128,URI="https://127.0.0.1:9/key"',
    "without its key": 'AES-128,URI="gone.key"',
}
SOUND_ONLY: dict[str, Callable[[Path], Path]] = {
    "iTunes": lambda folder: renamed(folder, mp4a="drms"),
    "Matroska": lambda folder: matroska(folder, {2}),
    "broadcast": lambda folder: transport(folder, 1),
    "DVD": lambda folder: program(folder, 0xBD),
}
PLAIN: dict[str, Callable[[Path], Path]] = {
    **{
        ending: lambda folder, ending=ending: written(folder, ending)  # type: ignore[misc]
        for ending in ("mp4", "mov", "mkv", "webm", "ts", "m2ts", "vob", "mpg", "asf", "flv")
    },
    "fragments": lambda folder: written(folder, "mp4", FRAGMENTS),
    "samples in the clear": not_protected,
    "a few scrambled packets": lambda folder: transport(folder, 0, 1, part=0.02),
    "playlist": lambda folder: playlist(folder, "NONE"),
    "compressed headers": lambda folder: matroska(folder, {0x11}, how=0),
}


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_an_encrypted_picture_is_named(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a protected film is called damaged, or becomes a film of noise."""
    source = ENCRYPTED[kind](tmp_path)
    assert main(["encode", str(source), str(tmp_path / "out.webm")]) != 0
    assert f"{source}: is encrypted" in capfd.readouterr().err
    assert not (tmp_path / "out.webm").exists()
    with pytest.raises(EncryptedSource), open_media(io.BytesIO(source.read_bytes()), source.name):
        pass


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_an_encrypted_playlist_is_named(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a stream whose key is elsewhere is called no video."""
    source = playlist(tmp_path, PLAYLISTS[kind])
    assert main(["encode", str(source), str(tmp_path / "out.webm")]) != 0
    assert f"{source}: is encrypted" in capfd.readouterr().err


def test_a_playlist_with_its_key_is_read(tmp_path: Path) -> None:
    """If this fails, a stream that FFmpeg can decrypt is refused."""
    key = tmp_path / "key.ts"  # FFmpeg opens no file with another ending from a playlist
    key.write_bytes(bytes(range(16)))
    (tmp_path / "key.info").write_text(f"{key.name}\n{key}\n")
    options = {"hls_key_info_file": str(tmp_path / "key.info"), "hls_list_size": "0"}
    source = written(tmp_path, "m3u8", options)
    assert "METHOD=AES-128" in source.read_text()
    result = encode_file(str(source), tmp_path / "out.webm", OPTIONS, workers=2)
    assert (result.frames, result.sound) == (25, "encoded")


@pytest.mark.parametrize("kind", SOUND_ONLY)
def test_encrypted_sound_is_left_out_and_said(kind: str, tmp_path: Path) -> None:
    """If this fails, noise is the sound of a film, or it is silent without a word."""
    source = SOUND_ONLY[kind](tmp_path)
    result = encode_file(str(source), tmp_path / "out.webm", OPTIONS, workers=2)
    assert (result.frames, result.sound) == (25, "none")
    assert any("1 encrypted sound track" in note for note in result.notes), result.notes


def test_a_track_that_is_not_encrypted_is_taken(tmp_path: Path) -> None:
    """If this fails, one protected programme of a broadcast hides the free ones."""
    source = tmp_path / "a.ts"
    plain = written(tmp_path, "mkv")
    with (
        av.open(str(plain)) as a,
        av.open(str(plain)) as other,
        av.open(str(source), "w") as b,
    ):
        twice = [[b.add_stream_from_template(one) for one in a.streams] for _ in range(2)]
        for first, second in zip(a.demux(), other.demux(), strict=True):
            for packet, streams in zip((first, second), twice, strict=True):
                if packet.size:
                    packet.stream = streams[packet.stream_index]
                    b.mux(packet)
    data = Bytes(source.read_bytes())
    for at in range(0, len(data), 188):
        if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF in (256, 257):
            data[at + 3] |= 0x80
            scrambled(data, at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0), at + 188)
    source.write_bytes(data)
    result = encode_file(str(source), tmp_path / "out.webm", OPTIONS, workers=2)
    assert (result.frames, result.sound) == (25, "encoded")
    [note] = [note for note in result.notes if note.startswith("left out")]
    assert "1 encrypted picture track" in note
    assert "1 encrypted sound track" in note


@pytest.mark.parametrize("kind", PLAIN)
def test_others_are_not_called_encrypted(kind: str, tmp_path: Path) -> None:
    """If this fails, a film is refused that anybody can play."""
    source = PLAIN[kind](tmp_path)
    with open_media(str(source), source.name) as opened:
        assert opened.encrypted == frozenset()


def test_no_shared_case_is_called_encrypted() -> None:
    """If this fails, a damaged film is called encrypted."""
    cases = sorted((SHARED / "cases").glob("*.*")) if SHARED is not None else []
    if not cases:
        pytest.skip("the shared cases are not here")
    for case in cases:
        if case.suffix != ".md":
            with open_media(str(case), case.name) as opened:
                assert opened.encrypted == frozenset(), case.name


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


@pytest.mark.parametrize("ending", ["ts", "vob"])
def test_looking_does_not_read_whole_files(ending: str, tmp_path: Path) -> None:
    """If this fails, opening a long broadcast from S3 reads all of it."""
    data = written(tmp_path, ending).read_bytes() * 1000
    assert len(data) > 19_000_000
    file: Any = Counting(data)
    with open_media(file, f"a.{ending}") as opened:
        assert opened.encrypted == frozenset()
    assert file.count < len(data) / 2
