"""AAC of transport streams: copied without its headers, and decoded to the same samples."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.aac import plain_aac
from excamera.media.adts import split
from excamera.media.audio import read_sound
from excamera.media.sound import Sound
from excamera.media.source.clock import Clock
from tests.pipeline.clips import RATE, Clip

VIDEO = {"frames": 50, "options": {"crf": "40"}}
HEADER = 7  # bytes


def film(path: Path, channels: str = "stereo") -> Path:
    """A transport stream with AAC."""
    return Clip(**VIDEO, sound="aac", channels=channels).write(path)


def packets_of(path: Path) -> list[bytes]:
    """All packets of sound."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def samples_of(path: Path) -> np.ndarray:
    """What FFmpeg's decoder makes of each packet: (packets, channels, samples)."""
    with av.open(str(path)) as container:
        context = container.streams.audio[0].codec_context
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        frames = [frame for packet in packets for frame in context.decode(av.Packet(bytes(packet)))]
    return np.stack([frame.to_ndarray() for frame in frames])


def sound_of(path: Path) -> Sound:
    """The sound as AAC for MP4."""
    sound = read_sound(str(path), "a", 1, Fraction(0), Clock(), codec="aac")
    assert sound is not None
    return sound


@pytest.mark.parametrize("channels", ["mono", "stereo", "5.1"])
def test_the_result_decodes_to_the_samples_of_the_source(channels: str, tmp_path: Path) -> None:
    """If this fails, broadcasts lose quality for nothing, or channels are exchanged."""
    source, output = film(tmp_path / "a.ts", channels), tmp_path / "a.mp4"
    options = EncodeOptions(codec="h264", chunk_frames=25)
    assert encode_file(str(source), output, options, workers=1).sound == "copied"
    before, after = samples_of(source), samples_of(output)
    assert np.abs(before).max() > 0.1
    assert np.array_equal(before[-len(after) :], after)
    # Silence before the picture goes, but for what a decoder starts with.
    assert len(before) - len(after) < 3


def test_a_header_says_what_the_packet_is(tmp_path: Path) -> None:
    """If this fails, a configuration is made up, or bytes of a header stay in the result."""
    for packet in packets_of(film(tmp_path / "a.ts")):
        found = split(packet)
        assert found is not None
        header, block = found
        plain = plain_aac(header.configuration)
        assert plain is not None
        assert (plain.rate, plain.channels, block) == (RATE, 2, packet[HEADER:])
    assert split(packet[:-1]) is None  # it says that it is longer
    assert split(packet + b"\0") is None
    assert split(b"") is None
    assert split(packet[HEADER:]) is None
    without_check = bytes([packet[0], packet[1] | 1, *packet[2:6]])
    several = without_check + bytes([packet[6] | 1]) + packet[HEADER:]
    assert split(several) is None  # two blocks
    longer = len(packet) + 2
    size = bytes(
        [packet[3] & 0xFC | longer >> 11, longer >> 3 & 0xFF, longer << 5 & 0xE0 | packet[5] & 31]
    )
    checked = bytes([packet[0], packet[1] & 0xFE, packet[2]]) + size + packet[6:7] + b"??"
    assert split(checked + packet[HEADER:]) == (header, packet[HEADER:])


def _lose(data: bytearray, packets: list[bytes]) -> None:
    at = data.index(packets[len(packets) // 2][:20])
    at -= at % 188
    del data[at : at + 188]


def _damage(data: bytearray, packets: list[bytes]) -> None:
    at = data.index(packets[len(packets) // 2][:20])
    data[at + HEADER + 1 : at + 20] = b"\xff" * (13 - 1)


@pytest.mark.parametrize("harm", [_lose, _damage], ids=["a lost packet", "lost bits"])
def test_damaged_sound_is_encoded_again(
    harm: Callable[[bytearray, list[bytes]], None], tmp_path: Path
) -> None:
    """If this fails, players hear a broadcast's damage, which silence should stand in for."""
    path = film(tmp_path / "a.ts")
    assert sound_of(path).copied
    data = bytearray(path.read_bytes())
    harm(data, packets_of(path))
    harmed = tmp_path / "b.ts"
    harmed.write_bytes(data)
    sound = sound_of(harmed)
    assert not sound.copied
    assert sound.samples == pytest.approx(2 * RATE, abs=3000)
