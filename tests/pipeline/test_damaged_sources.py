"""Damage is concealed, counted and said; only `--strict` refuses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.frame import VideoFrame

from excamera.cli import main
from excamera.errors import UnreadableFrame
from excamera.job.objects import Job
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.source.reader import FrameReader
from mu import DirectoryStore
from tests.pipeline.awkward import with_bad_sound, with_damage
from tests.pipeline.clips import (
    Clip,
    check_plays_alike,
    mean_error,
    moving_picture,
    packet_times,
)

pytestmark = pytest.mark.slow  # many encodes, one after another

Capture = pytest.CaptureFixture[str]
_PACKET = 188  # of a transport stream, bytes


def encoded(source: Path, capfd: Capture, *options: str) -> tuple[Path, str]:
    """The result, and what was said on the way."""
    output = source.with_name("result.webm")
    assert main(["encode", str(source), str(output), "--overwrite", "--crf", "10", *options]) == 0
    return output, capfd.readouterr().err


def refused(source: Path, capfd: Capture, *options: str) -> str:
    """What the command says of a source that it refuses; nothing is left."""
    output = source.with_name("refused.webm")
    assert main(["encode", str(source), str(output), *options]) == 2
    assert not output.exists()
    return capfd.readouterr().err.splitlines()[-1]


def damaged_frames(said: str) -> int:
    """The number in the note about damage."""
    found = re.search(r"note: (\d+) frames? damaged or missing", said)
    assert found is not None, said
    return int(found[1])


@pytest.mark.parametrize("bad", [0, 13, 29])
def test_a_damaged_frame_is_left_out_and_said(bad: int, tmp_path: Path, capfd: Capture) -> None:
    """If this fails, one bad frame ends the encode of a film, or nobody hears of it."""
    whole = Clip(frames=30, encoder="ffv1", options={"g": "1"}).write(tmp_path / "a.mkv")
    damaged = with_damage(whole, bad)
    options = ["--damaged"] if bad == 29 else []  # that looks like a file that ends early
    output, said = encoded(damaged, capfd, *options, "-n", "4", "-x", "2")
    assert damaged_frames(said) == 1
    kept = [number for number in range(30) if number != bad]
    assert packet_times(output) == [Fraction(number, 25) for number in kept]
    for number, picture in zip(kept, check_plays_alike(output), strict=True):
        assert mean_error(picture, moving_picture(number)) < 3.5, f"frame {number}"
    assert "1 frame damaged or missing" in refused(damaged, capfd, "--strict", *options)


def lossy(source: Path, lost: set[int], pid: int = 0x100) -> Path:
    """A transport stream without some of the packets that carry a stream."""
    data = source.read_bytes()
    packets = [data[at : at + _PACKET] for at in range(0, len(data), _PACKET)]
    kept, number = [], 0
    for packet in packets:
        if (packet[1] & 0x1F) << 8 | packet[2] == pid:
            number += 1
            if number in lost:
                continue
        kept.append(packet)
    assert len(kept) == len(packets) - len(lost)
    source.write_bytes(b"".join(kept))
    return source


def test_lost_packets_of_a_broadcast_are_concealed(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a recording with one bad moment is refused, or called truncated."""
    options = {"crf": "10", "bf": "2", "g": "25"}
    source = Clip(frames=100, options=options, sound="aac").write(tmp_path / "a.ts")
    lossy(source, {60, 61, 140})
    output, said = encoded(source, capfd, "-n", "6", "-x", "4")
    assert 1 <= damaged_frames(said) < 60
    pictures = check_plays_alike(output)
    assert len(pictures) >= 98
    good = [mean_error(p, moving_picture(n)) < 3.5 for n, p in enumerate(pictures[:30])]
    assert sum(good) > 20
    assert "concealed" in refused(source, capfd, "--strict")


@pytest.mark.parametrize(
    ("name", "container"), [("a.mp4", {"movflags": "faststart"}), ("a.ts", {}), ("a.mkv", {})]
)
def test_a_file_that_ends_early(
    name: str, container: dict[str, str], tmp_path: Path, capfd: Capture
) -> None:
    """If this fails, half a film passes for a whole one, or cannot be had at all."""
    source = Clip(frames=60, options={"crf": "10", "bf": "0"}, container_options=container).write(
        tmp_path / name
    )
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) * 6 // 10])
    assert "truncated" in (line := refused(source, capfd))
    assert "--damaged" in line
    output, said = encoded(source, capfd, "--damaged")
    assert "note: ends early, after" in said
    pictures = check_plays_alike(output)
    assert 15 < len(pictures) < 58
    for number, picture in enumerate(pictures[:-2]):
        assert mean_error(picture, moving_picture(number)) < 3.5, f"frame {number}"


def test_what_a_container_loses_without_a_word_is_counted(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a film with a hole in it passes for a whole one."""
    source = Clip(frames=60, encoder="libvpx", options={"g": "1"}).write(tmp_path / "a.mkv")
    holes = tmp_path / "b.mkv"
    with av.open(str(source)) as a, av.open(str(holes), "w") as b:
        stream = b.add_stream_from_template(a.streams.video[0])
        for number, packet in enumerate(p for p in a.demux(video=0) if p.size):
            if number not in (20, 21, 40):
                packet.stream = stream
                b.mux(packet)
    output, said = encoded(holes, capfd)
    assert damaged_frames(said) == 3
    assert len(check_plays_alike(output)) == 57
    assert "3 frames damaged or missing" in refused(holes, capfd, "--strict")


def test_matroska_whose_last_third_is_lost(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a film passes for a whole one because its file is as long as it should be."""
    source = Clip(frames=150, options={"crf": "10", "bf": "0"}).write(tmp_path / "a.mkv")
    data = bytearray(source.read_bytes())
    data[len(data) * 6 // 10 :] = bytes(len(data) - len(data) * 6 // 10)
    source.write_bytes(data)
    assert "truncated" in refused(source, capfd)
    output, said = encoded(source, capfd, "--damaged")
    assert "note: ends early, after" in said
    assert 50 < len(check_plays_alike(output)) < 120


def test_a_stream_that_appears_in_the_middle_is_passed_over(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a stray packet of another kind ends the reading of a recording."""
    source = Clip(frames=60, options={"crf": "10", "bf": "0"}).write(tmp_path / "a.flv")
    data, at = source.read_bytes(), 13
    for _ in range(30):  # tags: kind, size, time, stream; content; size of the tag
        at += 11 + int.from_bytes(data[at + 1 : at + 4], "big") + 4
    body = b"\xaf\x00\x12\x08"
    head = b"\x08" + len(body).to_bytes(3, "big") + data[at + 4 : at + 8] + bytes(3)
    tag = head + body + (len(head) + len(body)).to_bytes(4, "big")
    source.write_bytes(data[:at] + tag + data[at:])
    output, _ = encoded(source, capfd)
    assert len(check_plays_alike(output)) == 60


def test_nothing_is_made_of_nothing(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, a file of which nothing can be decoded has an empty result."""
    source = Clip(frames=30).write(tmp_path / "a.mp4")  # its index is at its end
    source.write_bytes(source.read_bytes()[:-2000])
    assert "0 frames" in refused(source, capfd, "--damaged")


def test_all_sound_that_cannot_be_decoded_is_silence(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, an error of a sound decoder ends the encode, or the sound ends early."""
    source = Clip(frames=50, sound="flac").write(tmp_path / "a.mkv")
    damaged = with_bad_sound(source, 0.0, 2.0)
    output, said = encoded(damaged, capfd)
    assert "of sound could not be decoded: silence stands in" in said
    with av.open(str(output)) as container:
        seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    assert abs(seconds - 2) < 0.1
    assert "sound" in refused(damaged, capfd, "--strict")


def test_whatever_a_decoder_raises_is_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, a decoder that says "not permitted" makes a job try again for nothing."""
    source = Clip(frames=10).write(tmp_path / "a.mkv")
    encode_file(str(source), tmp_path / "a.webm", EncodeOptions(), keep_job=tmp_path / "job")
    store = DirectoryStore(str(tmp_path / "job"))
    plan = Job.load(store, "local").plan

    def refusing(*_: object) -> Iterator[VideoFrame]:
        raise av.error.PermissionError(1, "Operation not permitted")
        yield

    monkeypatch.setattr(FrameReader, "_sought", refusing)
    with FrameReader.for_plan(plan, store) as reader, pytest.raises(UnreadableFrame):
        next(reader.read(plan.batches[0].chunks[0]))
