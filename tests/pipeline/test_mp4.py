"""MP4 files in runs: what PyAV, MediaInfo and Chromium make of them."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from excamera.errors import ContainerError
from excamera.job.geometry import Light
from excamera.job.tags import Chapter
from excamera.media.aac import AacEncoder, aac_sound, plain_aac
from excamera.media.container import mp4
from excamera.media.container.mp4_boxes import WORD
from excamera.media.container.mp4_run import RunIndex, interleaved, run_of
from excamera.media.container.mp4_tracks import SoundTrack, VideoTrack, configuration_box
from excamera.media.sound import Sound
from tests.support.packets import Coded, coded

ENTRIES = {"h264": "avc1", "vp9": "vp09", "av1": "av01"}
RATE = 48_000


@pytest.fixture(scope="module")
def batches() -> dict[str, list[Coded]]:
    """Two batches of each codec, at one frame a tick."""
    return {
        codec: [coded(codec, range(20)), coded(codec, range(20, 33), first=20)] for codec in ENTRIES
    }


def at_times(batch: Coded, times: Sequence[int]) -> Coded:
    """A batch of `batches` with other times; those are of all batches."""
    return replace(batch, frames=[(times[pts], data) for pts, data in batch.frames])


def track_of(codec: str, batches: Sequence[Coded], end: int, time_base: Fraction) -> VideoTrack:
    """The header of a video track of 96x64 pixels."""
    return VideoTrack(
        entry=ENTRIES[codec],
        configuration=configuration_box(ENTRIES[codec], batches[0].record),
        width=96,
        height=64,
        times=sorted(pts for batch in batches for pts, _ in batch.frames),
        end=end,
        time_base=time_base,
    )


def sound_track(sound: Sound) -> SoundTrack:
    """The header of a sound track."""
    delay = round(sound.track.delay_ns * sound.rate / 1e9)
    return SoundTrack(
        sound.track.private, sound.rate, sound.track.channels, sound.first, delay, sound.samples
    )


def film(
    path: Path, batches: Sequence[Coded], video: VideoTrack, sound: Sound | None = None
) -> Path:
    """A file of these batches, each with the sound of its time, as workers and stitch make it."""
    runs, data = [], b""
    starts = [float(min(pts for pts, _ in batch.frames) * video.time_base) for batch in batches]
    borders = [-1e9, *starts[1:], 1e9]
    for batch, start, begin, end in zip(batches, starts, borders, borders[1:], strict=False):
        run, index = run_of(batch.frames, batch.keys, video.time_base)
        if sound is not None:
            packets = [
                (0, one.time_ms - round(1000 * start), one.data)
                for one in sound.blocks
                if begin <= one.time_ms / 1000 < end
            ]
            run, index = interleaved(run, index, packets)
        runs.append((len(run), RunIndex.from_json(json.loads(json.dumps(index.to_json())))))
        data += run
    head = mp4.front(video, [] if sound is None else [sound_track(sound)], runs)
    path.write_bytes(head + data)
    return path


def tone(seconds: float, first: int = 0) -> tuple[Sound, np.ndarray]:
    """Stereo that begins at a sample of the film's clock, as AAC, and its samples."""
    encoder = AacEncoder("stereo")
    at = np.arange(round(seconds * RATE)) / RATE
    # Louder and louder, so that a shift by a few samples is seen.
    samples = np.stack([at * np.sin(2500 * at), at * np.cos(1700 * at)], axis=1) / seconds
    samples = samples.astype(np.float32) * 0.7
    for piece in np.array_split(samples, 7):
        encoder.add(piece)
    packets = encoder.finish()
    head, channels = encoder.head, encoder.channels
    sound = aac_sound(packets, head, channels, RATE, first - encoder.delay, encoder.delay,
                      encoder.total, copied=False)  # fmt: skip
    return sound, samples


def heard(path: Path) -> tuple[int, np.ndarray]:
    """When the sound that PyAV gives begins, in samples, and the samples."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        begin = round(frames[0].pts * frames[0].time_base * frames[0].sample_rate)
        return begin, np.concatenate([frame.to_ndarray().T for frame in frames])


def boxes(data: bytes, *path: str) -> Iterator[bytes]:
    """The bodies of all boxes of that path."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        if kind.decode("latin-1") == path[0]:
            body = data[at + head : at + size]
            yield from boxes(body, *path[1:]) if path[1:] else [body]
        at += size


STEADY = list(range(33))
UNEVEN = list(itertools.accumulate([0, *random.Random(1).choices((1, 7, 40, 3003), k=32)]))


@pytest.mark.parametrize("codec", ENTRIES)
@pytest.mark.parametrize(
    ("times", "time_base"),
    [
        (STEADY, Fraction(1001, 30000)),
        (UNEVEN, Fraction(1, 90000)),
        ([5000 + one for one in UNEVEN], Fraction(1, 1000)),
    ],
    ids=["ntsc", "uneven", "late"],
)
def test_frames_keep_their_exact_times(
    codec: str,
    times: list[int],
    time_base: Fraction,
    batches: dict[str, list[Coded]],
    tmp_path: Path,
) -> None:
    """If this fails, players show frames at wrong times, in a wrong order, or not at all."""
    some = [at_times(batch, times) for batch in batches[codec]]
    video = track_of(codec, some, times[-1] + 7, time_base)
    path = film(tmp_path / "a.mp4", some, video)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == {"av1": "libdav1d"}.get(codec, codec)
        shown = [frame.pts * frame.time_base for frame in container.decode(stream)]
        assert shown == [pts * time_base for pts in times]
        container.seek(0)
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert [bytes(one) for one in packets] == [data for one in some for _, data in one.frames]
        keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
        assert keys == [0, 20]
        decoding = [packet.dts for packet in packets]
        assert decoding == sorted(decoding)
        assert all(packet.pts >= packet.dts for packet in packets)
        length = times[-1] + 7 - times[0]
        assert stream.duration * stream.time_base == length * time_base
        for key in keys:
            container.seek(round(times[key] / stream.time_base * time_base), stream=stream)
            frame = next(container.decode(stream))
            assert frame.pts * frame.time_base == times[key] * time_base


@pytest.mark.parametrize("start", [0, 30_000])
@pytest.mark.parametrize("seconds", [0.01, 1.5, 3.2])
def test_sound_begins_and_ends_at_the_sample(
    seconds: float, start: int, batches: dict[str, list[Coded]], tmp_path: Path
) -> None:
    """If this fails, sound is late by an encoder's delay, or clicks at its start or end."""
    sound, samples = tone(seconds, start)
    some = batches["h264"]
    path = film(tmp_path / "a.mp4", some, track_of("h264", some, 33, Fraction(1, 20)), sound)
    begin, found = heard(path)
    assert begin == start
    # FFmpeg's libraries give the last packet whole; its duration and the edit say where it ends.
    assert 0 <= len(found) - len(samples) < 1024
    found = found[: len(samples)]
    assert np.square(found - samples).mean() < np.square(samples).mean() / 100
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 33
        container.seek(0)
        stream = container.streams.audio[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert [one.data for one in sound.blocks] == [bytes(packet) for packet in packets]
        assert sum(packet.duration or 0 for packet in packets) == len(samples) + 1024
    data = path.read_bytes()
    edits = list(boxes(data, "moov", "trak", "edts", "elst"))[-1]
    scale = struct.unpack_from(">I", next(boxes(data, "moov", "mvhd")), 12)[0]
    rows = list(struct.iter_unpack(">IiI", edits[8:]))
    *pause, (length, media, _) = rows
    assert Fraction(length, scale) == Fraction(len(samples), RATE)
    assert media == 1024
    assert [Fraction(row[0], scale) for row in pause] == [Fraction(start, RATE)] * bool(start)


def fake(sizes: Sequence[int], sound: Sequence[int] = ()) -> tuple[int, RunIndex]:
    """A run of frames and packets of these sizes, all in one second."""
    index = RunIndex(sizes, [0] * len(sizes), [0], [sound], [(0, len(sizes), len(sound))])
    return sum(sizes) + sum(sound), index


def plain_track(times: Sequence[int], end: int, time_base: Fraction) -> VideoTrack:
    """The header of a track without real frames."""
    return VideoTrack("av01", configuration_box("av01", b"\x81\0\0\0"), 96, 64,
                          times, end, time_base)  # fmt: skip


@pytest.mark.parametrize("beyond", [False, True])
def test_places_behind_four_gigabytes_have_64_bits(*, beyond: bool) -> None:
    """If this fails, the second half of a large film cannot be read, or a small one is larger."""
    most = WORD - 2000 if not beyond else WORD - 100
    sizes = [most // 2, most - most // 2]
    data = mp4.front(
        plain_track([0, 1], 2, Fraction(1, 25)), [], [fake(sizes[:1]), fake(sizes[1:])]
    )
    kind, row = ("co64", ">Q") if beyond else ("stco", ">I")
    (table,) = boxes(data, "moov", "trak", "mdia", "minf", "stbl", kind)
    offsets = [one for (one,) in struct.iter_unpack(row, table[8:])]
    assert offsets == [len(data), len(data) + sizes[0]]
    assert data[-8:] == struct.pack(">I4s", most + 8, b"mdat")
    huge = [WORD, WORD]
    data = mp4.front(plain_track([0, 1], 2, Fraction(1, 25)), [], [fake(huge)])
    assert data[-16:] == struct.pack(">I4sQ", 1, b"mdat", 2 * WORD + 16)


@pytest.mark.parametrize(
    ("times", "end", "time_base", "scale", "last"),
    [
        ([7], 8, Fraction(1, 25), 25, 1),
        ([7], 7, Fraction(1, 25), 25, 1),  # a frame without a duration
        ([0, 1001], 2002, Fraction(1, 30000), 30000, 1001),
        ([0, 1], 2, Fraction(1001, 30000), 30000, 1001),
        ([0, 10**9 // 3], 10**9, Fraction(1, 10**9), 10**9, 10**9 - 10**9 // 3),
        ([0, 10**9], 6 * 10**9, Fraction(1, 10**9), 10**6, 5 * 10**6),
        ([0, 5], 5 + 10**6, Fraction(1), 1, 10**6),
        ([0, 1], 2, Fraction(1, 10**12), 10**6, 0),
        ([0, 1], 1 + 10**16, Fraction(1, 10**12), 1000, 10**7),
    ],
)  # fmt: skip
def test_the_clock_is_the_films_own_if_it_fits(
    times: list[int], end: int, time_base: Fraction, scale: int, last: int
) -> None:
    """If this fails, times are rounded without need, or overflow their 32 bits."""
    data = mp4.front(plain_track(times, end, time_base), [], [fake([10] * len(times))])
    (head,) = boxes(data, "moov", "trak", "mdia", "mdhd")
    assert struct.unpack_from(">I", head, 12) == (scale,)
    (table,) = boxes(data, "moov", "trak", "mdia", "minf", "stbl", "stts")
    assert struct.unpack(">I", table[-4:]) == (last,)


def test_a_film_of_centuries_has_headers_of_64_bits() -> None:
    """If this fails, the duration of a long time lapse wraps around."""
    times = [0, 2**31 - 1, 2**32 - 2, 3 * 2**31]
    data = mp4.front(plain_track(times, times[-1] + 1, Fraction(1)), [], [fake([10] * 4)])
    (head,) = boxes(data, "moov", "mvhd")
    assert (head[0], struct.unpack_from(">Q", head, 24)[0]) == (1, times[-1] + 1)
    (head,) = boxes(data, "moov", "trak", "tkhd")
    assert (head[0], struct.unpack_from(">Q", head, 28)[0]) == (1, times[-1] + 1)


def test_what_does_not_fit_is_refused() -> None:
    """If this fails, a wrong index is written instead of an error."""
    track = plain_track([0, 1], 2, Fraction(1, 25))
    for bad in (
        [fake([5])],  # a frame is missing
        [fake([5, 6, 7])],  # a frame is hidden
        [(12, fake([5, 6])[1])],  # bytes that no sample has
    ):
        with pytest.raises(ContainerError):
            mp4.front(track, [], bad)
    with pytest.raises(ContainerError, match="70000x64"):
        mp4.front(replace(track, width=70_000), [], [fake([5, 6])])
    for first, delay, samples in ((-2048, 1024, 1024), (0, 1024, 1025), (0, 0, 1024)):
        sound = SoundTrack(b"\x11\x90", RATE, 2, first, delay, samples)
        with pytest.raises(ContainerError, match="2 packets of AAC"):
            mp4.front(track, [sound], [fake([5, 6], [3, 3])])


def test_what_travels_beside_three_hours_is_small() -> None:
    """If this fails, stitch reads many megabytes about a long film before it can begin."""
    rng = random.Random(1)
    size = 0
    for _ in range(18):
        sizes = [int(rng.lognormvariate(9, 1)) for _ in range(600)]
        moved = [(3, -1, 1, -3)[n % 4] if n % 4 in (0, 3) else 0 for n in range(600)]
        sound = [rng.randrange(300, 500) for _ in range(470)]
        index = RunIndex(sizes, moved, [0], [sound], [(n, 60, 47) for n in range(10)])
        note = index.to_json()
        assert RunIndex.from_json(json.loads(json.dumps(note))) == index
        size += len(json.dumps(note))
    assert size * 60 < 5_000_000


def test_sound_far_from_the_picture_lies_in_its_own_seconds(
    batches: dict[str, list[Coded]], tmp_path: Path
) -> None:
    """If this fails, sound before or behind the picture is lost, or wrecks the index."""
    sound, samples = tone(6.0)
    times = [40 + n for n in range(33)]  # from 2.0 s to 3.65 s
    some = [at_times(batch, times) for batch in batches["vp9"]]
    video = track_of("vp9", some, times[-1] + 1, Fraction(1, 20))
    path = film(tmp_path / "a.mp4", some, video, sound)
    with av.open(str(path)) as container:
        assert container.duration == 6_000_000
        frames = [frame.pts * frame.time_base for frame in container.decode(video=0)]
        assert frames == [Fraction(n, 20) for n in times]
    begin, found = heard(path)
    assert begin == 0
    assert np.square(found[: len(samples)] - samples).mean() < np.square(samples).mean() / 100


@pytest.mark.parametrize("codec", ENTRIES)
def test_mediainfo_reads_what_the_header_says(
    codec: str, batches: dict[str, list[Coded]], tmp_path: Path
) -> None:
    """If this fails, players see a wrong shape, colour, language, title or light."""
    if shutil.which("mediainfo") is None:
        pytest.skip("mediainfo is not installed")
    some = batches[codec]
    light = Light((34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450), (10**7, 50), (1000, 400))
    video = replace(
        track_of(codec, some, 33, Fraction(1001, 24000)), sample_aspect=(4, 3), language="nld",
        primaries=9, transfer=16, matrix=9, light=light
    )  # fmt: skip
    sound, _ = tone(1.0)
    runs, data = [], b""
    for batch in some:
        run, index = run_of(batch.frames, batch.keys, video.time_base)
        packets = [(0, one.time_ms, one.data) for one in sound.blocks] if not runs else []
        run, index = interleaved(run, index, packets)
        runs.append((len(run), index))
        data += run
    chapters = [Chapter(0, 10**9 // 2, "One"), Chapter(10**9 // 2, 10**9, "Zwei ä")]
    heard_as = replace(sound_track(sound), language="deu")
    path = tmp_path / "a.mp4"
    path.write_bytes(mp4.front(video, [heard_as], runs, "Ein <Film> é", chapters) + data)
    done = subprocess.run(
        ["mediainfo", "--Output=JSON", path], capture_output=True, check=True, timeout=60
    )
    general, seen, heard_track, text, nero = json.loads(done.stdout)["media"]["track"]
    assert (general["Format"], general["Title"]) == ("MPEG-4", "Ein <Film> é")
    assert general["IsStreamable"] == "Yes"  # the index is in front
    assert "ConformanceErrors" not in done.stdout.decode()
    assert (seen["Width"], seen["Height"], seen["PixelAspectRatio"]) == ("96", "64", "1.333")
    assert (seen["FrameCount"], seen["FrameRate"], seen["Language"]) == ("33", "23.976", "nl")
    assert (seen["colour_primaries"], seen["transfer_characteristics"]) == ("BT.2020", "PQ")
    assert (seen["colour_range"], seen["matrix_coefficients"][:7]) == ("Limited", "BT.2020")
    assert (seen["MaxCLL"], seen["MaxFALL"]) == ("1000 cd/m2", "400 cd/m2")
    assert seen["MasteringDisplay_ColorPrimaries"] == "Display P3"
    assert (heard_track["Format"], heard_track["Language"]) == ("AAC", "de")
    assert heard_track["Format_AdditionalFeatures"] == "LC"
    for menu in (text, nero):
        assert menu["@type"] == "Menu"
        assert {"One", "Zwei ä"} <= set(menu["extra"].values())
    assert (text["CodecID"], text["extra"]["Menu_For"]) == ("text", "1")
    with av.open(str(path)) as container:
        begun = [one["start"] * one["time_base"] for one in container.chapters()]
        assert begun == [0, Fraction(1, 2)]


@pytest.mark.parametrize("begin_ns", [0, 7 * 10**8])
def test_apples_players_find_chapters_in_a_text_track(begin_ns: int, tmp_path: Path) -> None:
    """If this fails, QuickTime and iOS show no chapters, wrong ones, or them as subtitles."""
    chapters = [
        Chapter(begin_ns, 10**9, "Erstes"),
        Chapter(10**9, 10**9, ""),  # as long as nothing, which no sample is
        Chapter(10**9, 2 * 10**9, "x" * 300),
    ]
    sound = SoundTrack(b"\x11\x90", RATE, 2, 0, 0, 2048, language="deu")
    size, run = fake([10] * 50, [30, 30])
    video_track = plain_track(range(50), 50, Fraction(1, 25))
    front = mp4.front(video_track, [sound], [(size, run)], "", chapters)
    path = tmp_path / "a.mp4"
    path.write_bytes(front + bytes(size))
    video, _, text = boxes(front, "moov", "trak")
    (number,) = struct.unpack(">I", *boxes(video, "tref", "chap"))
    (head,) = boxes(text, "tkhd")
    assert struct.unpack_from(">I", head, 12) == (number,)
    assert head[:4] == b"\0\0\0\2"  # in the movie, not enabled
    (kind,) = boxes(text, "mdia", "hdlr")
    assert kind[8:12] == b"text"
    (media,) = boxes(text, "mdia", "mdhd")
    (table,) = boxes(text, "mdia", "minf", "stbl")
    (offset,) = struct.unpack(">I", next(boxes(table, "stco"))[8:])
    sizes = struct.unpack(">3I", next(boxes(table, "stsz"))[12:])
    times = list(struct.iter_unpack(">II", next(boxes(table, "stts"))[8:]))
    scale = struct.unpack_from(">I", media, 12)[0]
    first = round((1 - begin_ns / 10**9) * scale)
    assert times == [(1, first), (1, 1), (1, scale - 1)]
    titles = []
    for one in sizes:
        (length,) = struct.unpack_from(">H", front, offset)
        titles.append(front[offset + 2 : offset + 2 + length].decode())
        offset += one
    assert titles == ["Erstes", "", "x" * 255]
    assert offset == len(front)  # the first samples of the media data, before all others
    with av.open(str(path)) as container:
        found = [one["start"] * one["time_base"] for one in container.chapters()]
        assert container.streams.subtitles == ()
    assert found == pytest.approx([begin_ns / 1e9, 1, 1], abs=1e-4)


def test_only_plain_aac_is_copied() -> None:
    """If this fails, sound that few players know is copied, with a wrong length or rate."""
    assert plain_aac(AacEncoder("stereo").head) is not None
    for head, known in (
        ("1190", (48000, 2)), ("1210", (44100, 2)), ("1008", (96000, 1)), ("11b0", (48000, 6)),
        ("1780ac4410", (88200, 2)), ("2b92", None), ("1194", None), ("1180", None), ("0990", None),
        ("", None),
    ):  # fmt: skip
        found = plain_aac(bytes.fromhex(head))
        assert (None if found is None else (found.rate, found.channels)) == known


@pytest.mark.parametrize("codec", ENTRIES)
def test_mkvmerge_reads_the_same_film(
    codec: str, batches: dict[str, list[Coded]], tmp_path: Path
) -> None:
    """If this fails, a reader that is not FFmpeg's finds other frames, times or sound."""
    if shutil.which("mkvmerge") is None:
        pytest.skip("mkvtoolnix is not installed")
    times = [500 + one for one in UNEVEN]
    some = [at_times(batch, times) for batch in batches[codec]]
    sound, _ = tone(3.0)
    time_base = Fraction(1, 1000)
    path = film(tmp_path / "a.mp4", some, track_of(codec, some, times[-1] + 40, time_base), sound)
    done = subprocess.run(
        ["mkvmerge", "--ui-language", "en_US", "-o", tmp_path / "a.mkv", path],
        capture_output=True, text=True, timeout=60
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    with av.open(str(tmp_path / "a.mkv")) as container:
        shown = [frame.pts for frame in container.decode(video=0)]
    # It keeps the decoder's start-up, 1024 samples, and begins at 0 with it.
    assert shown == pytest.approx([1024 / 48 + pts for pts in times], abs=1)
    with av.open(str(tmp_path / "a.mkv")) as container:
        heard_packets = [packet for packet in container.demux(audio=0) if packet.size]
    assert [bytes(one) for one in heard_packets] == [one.data for one in sound.blocks]
