"""Places where decoding can start are those where it has been seen to start well."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from excamera.cli import main
from excamera.media.source.decoder import counted
from excamera.media.source.media import open_media
from excamera.media.source.reader import with_palette
from excamera.media.source.recorded import RecordedPackets
from excamera.media.source.recording import Recording
from tests.pipeline.clips import Clip, check_plays_alike, i420, mean_error, moving_picture

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
        recording = Recording(opened, [], lambda _: None)
        (folder / "packets").write_bytes(b"".join(recording.parts()))
    return recording


@pytest.mark.parametrize("options", [B_FRAMES, OPEN_GOP], ids=["closed", "open"])
def test_entries_are_the_real_key_frames(options: dict[str, str], tmp_path: Path) -> None:
    """If this fails, workers decode a film from its start, or from a wrong place."""
    source = Clip(frames=120, options=options).write(tmp_path / "a.ts")
    recording = recorded(source, tmp_path)
    found = [entry.frame for entry in recording.entries]
    # Too near the start to be tried: of an open group, the first is decoded before its pictures.
    assert found[-3:] == [48, 72, 96]
    assert found[:-3] in ([24], [])
    with RecordedPackets.open(str(tmp_path / "packets")) as packets:
        assert packets.entries == list(recording.entries)
        assert packets.entry(23) is None
        assert packets.entry(71) == recording.entries[-3]
        assert packets.entry(72) == packets.entry(95) == recording.entries[-2]
        count = sum(1 for _ in packets.packets(recording.entries[-1].offset, lambda: None))
        assert 24 <= count <= 27


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


@pytest.mark.parametrize(
    ("encoder", "options"),
    [
        ("mpeg4", {"g": "20", "qmax": "3"}),
        ("mpeg2video", {"g": "12", "bf": "2"}),
        ("libx264", {"bf": "2", "g": "12"}),
        ("msmpeg4", {"g": "12"}),
        ("mjpeg", {}),
    ],
)
def test_recorded_packets_decode_as_those_of_the_container(
    encoder: str, options: dict[str, str], tmp_path: Path
) -> None:
    """If this fails, pictures depend on what lies in memory behind a packet."""
    pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
    clip = Clip(frames=60, encoder=encoder, options=options, pix_fmt=pix_fmt)
    source = clip.write(tmp_path / "a.mkv")
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        wanted = [i420(frame) for frame in container.decode(stream)]
    recorded(source, tmp_path)
    for _ in range(3):
        with (
            open_media(str(source), "a") as opened,
            RecordedPackets.open(str(tmp_path / "packets")) as packets,
        ):
            context = opened.video.codec_context
            again = counted(context, packets.packets(0, lambda: None), None)
            assert [i420(frame) for frame in again] == wanted


def test_a_palette_is_recorded(tmp_path: Path) -> None:
    """If this fails, old animations have wrong colours from the second chunk on."""
    source = tmp_path / "a.avi"
    palette = np.zeros((256, 4), np.uint8)
    palette[:, 0] = 255
    palette[:, 1] = np.arange(256)
    palette[:, 2] = 255 - np.arange(256)
    y, x = np.mgrid[0:64, 0:96]
    with av.open(str(source), "w") as out:
        video = out.add_stream("rawvideo", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "pal8"
        for number in range(60):
            indexes = ((x + y + 3 * number) % 256).astype(np.uint8)
            frame = VideoFrame.from_ndarray((indexes, palette), format="pal8")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    recorded(source, tmp_path)
    with (
        av.open(str(source)) as container,
        open_media(str(source), "a") as opened,
        RecordedPackets.open(str(tmp_path / "packets")) as packets,
    ):
        context = opened.video.codec_context
        again = counted(context, packets.packets(0, lambda: with_palette(opened)), None)
        for number, (frame, wanted) in enumerate(
            zip(again, container.decode(video=0), strict=True)
        ):
            assert frame.pts == number
            assert np.array_equal(
                frame.to_ndarray(format="rgb24"), wanted.to_ndarray(format="rgb24")
            )
    output = tmp_path / "result.webm"
    assert main(["encode", str(source), str(output), "-n", "7", "-x", "2"]) == 0
    assert len(check_plays_alike(output)) == 60
