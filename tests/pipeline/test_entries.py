"""Places where decoding can start are those where it has been seen to start well."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from excamera.cli import main
from excamera.media.source.media import open_media
from excamera.media.source.recorded import RecordedPackets
from excamera.media.source.recording import Recording
from tests.pipeline.clips import Clip, check_plays_alike, mean_error, moving_picture

B_FRAMES = {"crf": "10", "bf": "3", "g": "24", "keyint_min": "24", "sc_threshold": "0"}
OPEN_GOP = {**B_FRAMES, "x264-params": "open-gop=1:b-adapt=0:scenecut=0"}


def flagged(source: Path, flag: bool) -> Path:
    """A copy in a container that is not trusted, with all packets (or none) called key frames."""
    target = source.with_suffix(".nut")
    with av.open(str(source)) as a, av.open(str(target), "w") as b:
        stream = b.add_stream_from_template(a.streams.video[0])
        for packet in a.demux(video=0):
            if packet.size:
                packet.is_keyframe = flag
                packet.stream = stream
                b.mux(packet)
    return target


def recorded(source: Path, folder: Path) -> Recording:
    """The recording of a source, whose object is written to a folder."""
    with open_media(str(source), source.name) as opened:
        recording = Recording(opened, None, lambda _: None)
        (folder / "packets").write_bytes(b"".join(recording.parts()))
    return recording


@pytest.mark.parametrize("options", [B_FRAMES, OPEN_GOP], ids=["closed", "open"])
def test_entries_are_the_real_key_frames(options: dict[str, str], tmp_path: Path) -> None:
    """If this fails, workers decode a film from its start, or from a wrong place."""
    source = Clip(frames=120, options=options).write(tmp_path / "a.ts")
    recording = recorded(source, tmp_path)
    assert [entry.frame for entry in recording.entries] == [24, 48, 72, 96]
    with RecordedPackets.open(str(tmp_path / "packets")) as packets:
        assert packets.entries == list(recording.entries)
        assert packets.entry(23) is None
        assert packets.entry(24) == recording.entries[0]
        assert packets.entry(95) == recording.entries[2]
        count = sum(1 for _ in packets.packets(recording.entries[3].offset, lambda: None))
        assert count == 24


@pytest.mark.slow
@pytest.mark.parametrize("flag", [True, False], ids=["all", "none"])
def test_flags_that_lie_do_no_harm(flag: bool, tmp_path: Path) -> None:
    """If this fails, a container that calls every packet a key frame makes garbage."""
    options = {"qmin": "1", "qmax": "3", "g": "30"}
    whole = Clip(frames=60, encoder="mpeg4", options=options).write(tmp_path / "a.avi")
    source = flagged(whole, flag)
    assert {entry.frame for entry in recorded(source, tmp_path).entries} <= {30}
    output = tmp_path / "result.webm"
    assert main(["encode", str(source), str(output), "--crf", "8", "-n", "4", "-x", "3"]) == 0
    pictures = check_plays_alike(output)
    assert len(pictures) == 60
    for number, picture in enumerate(pictures):
        assert mean_error(picture, moving_picture(number)) < 3.5, f"frame {number}"


def test_a_palette_is_recorded(tmp_path: Path) -> None:
    """If this fails, old animations have wrong colours from the second chunk on."""
    source = Clip(frames=12, encoder="rawvideo", pix_fmt="pal8", options={}).write(
        tmp_path / "a.avi"
    )
    output = tmp_path / "result.webm"
    assert main(["encode", str(source), str(output), "--crf", "4", "-n", "3", "-x", "2"]) == 0
    with av.open(str(source)) as container:
        wanted = [frame.reformat(format="yuv420p") for frame in container.decode(video=0)]
    assert len(check_plays_alike(output)) == len(wanted) == 12
