"""Ladders: several sizes of one read, whose key frames lie at the same times, and manifests."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import av
import m3u8
import pytest

from excamera.cli import main
from excamera.errors import OptionError, OutputExists, UnknownOutputFormat
from excamera.job.objects import Keys
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.container import ebml
from excamera.media.source.reader import FrameReader
from excamera.work import JOB
from mu import MemoryStore
from tests.pipeline.by_hand import JobByHand
from tests.pipeline.clips import Clip, check_plays_alike

FRAMES, RATE = 100, 25
HEIGHTS = {"96p": 96, "48p": 48}
FAST = {
    "vp8": {"anchors_effort": 0},
    "vp9": {"vp9_cpu_used": 5},
    "av1": {"av1_preset": 12},
    "h264": {"h264_preset": "veryfast"},
}
KINDS = [("vp9", "mpd"), ("vp8", "mpd"), ("h264", "m3u8"), ("av1", "m3u8"), ("h264", "mpd")]
"""A codec and a manifest."""

MPD = "{urn:mpeg:dash:schema:mpd:2011}"


class Packet(NamedTuple):
    """A packet of a file: its time in seconds, whether it is a key frame, and its bytes."""

    time: Fraction
    is_key: bool
    data: bytes


def options(codec: str, **more: Any) -> EncodeOptions:
    """Options of a user, at a speed that suits tests; every chunk, or batch, has 25 frames."""
    cut = {"chunk_frames": 5, "batch_chunks": 5} if codec == "vp8" else {"chunk_frames": 25}
    fast = {} if codec == "vp8" else FAST[codec]
    return EncodeOptions().with_values({"codec": codec, **cut, **fast, **more})


def packets(path: Path, kind: str = "video") -> list[Packet]:
    """The packets of a file's one track."""
    with av.open(str(path)) as container:
        assert [one.type for one in container.streams] == [kind]
        return [
            Packet(one.pts * one.time_base, one.is_keyframe, bytes(one))
            for one in container.demux(container.streams[0])
            if one.size
        ]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds with sound."""
    clip = Clip(frames=FRAMES, width=160, height=96, options={"crf": "20"}, sound="aac")
    return clip.write(tmp_path_factory.mktemp("source") / "a.mkv")


@pytest.fixture(scope="module")
def ladders(tmp_path_factory: pytest.TempPathFactory, source: Path) -> dict[Any, Path]:
    """The manifests of all kinds, each in a folder of its own."""
    made = {}
    for codec, manifest in KINDS:
        path = tmp_path_factory.mktemp(f"{codec}-{manifest}") / f"a film.{manifest}"
        result = encode_file(str(source), path, options(codec, ladder="48p,96p"), workers=2)
        assert {one.name for one in path.parent.iterdir()} == {one.name for one in result.files}
        assert result.size == sum(one.stat().st_size for one in result.files)
        assert result.files[-1] == path
        made[codec, manifest] = path
    return made


def files(manifest: Path, codec: str) -> dict[str, Path]:
    """The media files of a ladder by their sizes."""
    ending = "webm" if manifest.suffix == ".mpd" and codec != "h264" else "mp4"
    return {name: manifest.with_name(f"{manifest.stem}-{name}.{ending}")
            for name in (*HEIGHTS, "audio")}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_all_sizes_have_the_same_frames_and_key_frames(
    ladders: dict[Any, Path], source: Path, kind: tuple[str, str]
) -> None:
    """If this fails, a player that changes the size shows a jump, or waits for a key frame."""
    times = set()
    for name, path in files(ladders[kind], kind[0]).items():
        if name == "audio":
            continue
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert (stream.height, stream.codec.canonical_name) == (HEIGHTS[name], kind[0])
            shown = [one.pts * one.time_base for one in container.decode(stream)]
        keys = [one.time for one in packets(path) if one.is_key]
        assert [round(key * RATE) for key in keys] == [0, 25, 50, 75]
        times.add((tuple(shown), tuple(keys)))
    [(shown_times, _)] = times
    assert [round(time * RATE) for time in shown_times] == list(range(FRAMES))


@pytest.mark.parametrize("codec", ["vp9", "h264", "vp8"])
def test_a_size_is_what_an_encode_of_it_alone_is(
    ladders: dict[Any, Path], source: Path, tmp_path: Path, codec: str
) -> None:
    """If this fails, sizes of a ladder disturb each other, or are made of other pictures."""
    manifest = ladders[codec, "m3u8" if codec == "h264" else "mpd"]
    container = "mp4" if codec == "h264" else "webm"
    for name, path in files(manifest, codec).items():
        if name == "audio":
            continue
        alone = tmp_path / f"{name}.{container}"
        chosen = options(codec, scale=f"{HEIGHTS[name]}p", audio="none")
        encode_file(str(source), alone, chosen, workers=2)
        found, expected = packets(path), packets(alone)
        assert [one.data for one in found] == [one.data for one in expected]
        late = {round((a.time - b.time) * 1000) for a, b in zip(found, expected, strict=True)}
        assert late == {0}


@pytest.mark.parametrize(("kind", "container"), [(KINDS[0], "webm"), (KINDS[2], "mp4")])
def test_the_sound_is_that_of_one_file(
    ladders: dict[Any, Path], source: Path, tmp_path: Path, kind: tuple[str, str], container: str
) -> None:
    """If this fails, the sound of a ladder is another one, or is not heard with its pictures."""
    whole = tmp_path / f"whole.{container}"
    encode_file(str(source), whole, options(kind[0], scale="96p"), workers=2)
    alone = files(ladders[kind], kind[0])["audio"]
    with av.open(str(whole)) as opened:
        expected = [(round(one.pts * one.time_base * 1000), bytes(one))
                    for one in opened.demux(audio=0) if one.size]  # fmt: skip
    found = [(round(one.time * 1000), one.data) for one in packets(alone, "audio")]
    assert [data for _, data in found] == [data for _, data in expected]
    assert max(abs(a - b) for (a, _), (b, _) in zip(found, expected, strict=True)) <= 1
    with av.open(str(alone)) as opened:
        heard_s = sum(one.samples / one.sample_rate for one in opened.decode(audio=0))
    assert heard_s == pytest.approx(4, abs=0.05)


def test_dash_names_what_lies_in_the_files(ladders: dict[Any, Path]) -> None:
    """If this fails, players of DASH cannot set up decoders, find segments, or choose a size."""
    for kind in (one for one in KINDS if one[1] == "mpd"):
        root = ElementTree.parse(ladders[kind]).getroot()
        # The last packet of AAC that is copied is a little longer than the film.
        assert 4 <= float(root.get("mediaPresentationDuration", "")[2:-1]) < 4.02
        found = root.findall(f".//{MPD}Representation")
        assert [one.get("id") for one in found] == [*HEIGHTS, "audio"]
        rates = [int(one.get("bandwidth", "0")) for one in found]
        assert rates[0] > rates[1] > 0
        for one in found:
            path = files(ladders[kind], kind[0])[one.get("id", "")]
            assert one.findtext(f"{MPD}BaseURL") == path.name.replace(" ", "%20")
            [base] = one.iter(f"{MPD}SegmentBase")
            [head] = one.iter(f"{MPD}Initialization")
            first, last = map(int, base.get("indexRange", "").split("-"))
            assert head.get("range") == f"0-{first - 1}"
            data = path.read_bytes()
            if path.suffix == ".mp4":
                assert data[first + 4 : first + 8] == b"sidx"
                assert int.from_bytes(data[first : first + 4], "big") == last - first + 1
                assert data[last + 5 : last + 9] == b"moof"
            else:
                number, size, body = ebml.read_element(data, first)
                assert (number, body + size) == (ebml.CUES, last + 1)
                assert data[last + 1 : last + 5] == ebml.identifier(ebml.CLUSTER)


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_hls_names_what_lies_in_the_files(ladders: dict[Any, Path], codec: str) -> None:
    """If this fails, players of HLS get half a segment, stall, or choose too large a size."""
    manifest = ladders[codec, "m3u8"]
    master = m3u8.loads(manifest.read_text())
    lists = [one.uri for one in master.playlists]
    assert lists == [f"a%20film-{name}.m3u8" for name in HEIGHTS]
    [sound] = master.media
    assert (sound.type, sound.uri) == ("AUDIO", "a%20film-audio.m3u8")
    heard, heard_mean = _measured(manifest, sound.uri)
    for one, name in zip(master.playlists, HEIGHTS, strict=True):
        peak, mean = _measured(manifest, one.uri)
        about = one.stream_info
        assert about.resolution == (HEIGHTS[name] * 160 // 96, HEIGHTS[name])
        assert about.frame_rate == RATE
        assert about.bandwidth == peak + heard
        assert about.average_bandwidth == mean + heard_mean
        with av.open(str(files(manifest, codec)[name])) as container:
            context = container.streams.video[0].codec_context
            if codec == "h264":
                level = (context.extradata or b"")[1:4].hex().upper()
                assert about.codecs == f"avc1.{level},mp4a.40.2"
            else:
                assert about.codecs == "av01.0.00M.08,mp4a.40.2"


def _measured(manifest: Path, name: str) -> tuple[int, int]:
    """The peak rate and the mean one of a playlist's file, of which each segment is decoded."""
    playlist = m3u8.loads((manifest.with_name(name.replace("%20", " "))).read_text())
    file = manifest.with_name(playlist.segments[0].uri.replace("%20", " "))
    data = file.read_bytes()
    parts = [_range(one.byterange) for one in playlist.segments]
    [head] = {one.init_section.byterange for one in playlist.segments}
    first, size = _range(head)
    assert (first, data[size + 4 : size + 8]) == (0, b"sidx")
    assert parts[0][0] == size + int.from_bytes(data[size : size + 4], "big")
    assert all(a + size == b for (a, size), (b, _) in itertools.pairwise(parts))
    assert sum(parts[-1]) == len(data)
    lengths = [Fraction(str(one.duration)) for one in playlist.segments]
    assert 4 <= sum(lengths) < 4 + Fraction(1, 50)
    assert playlist.target_duration == round(max(lengths))
    sizes = [size for _, size in parts]
    rates = [
        8 * sum(sizes[a:b]) / sum(lengths[a:b])
        for a, b in itertools.combinations(range(len(sizes) + 1), 2)
        if max(lengths) / 2 <= sum(lengths[a:b]) <= max(lengths) * 3 / 2
    ]
    for at, size in parts:
        alone = file.with_name("segment.mp4")
        alone.write_bytes(data[: _range(head)[1]] + data[at : at + size])
        with av.open(str(alone)) as container:
            stream = container.streams[0]
            assert next(iter(container.demux(stream))).is_keyframe
        alone.unlink()
    return -(-max(rates) // 1), -(-8 * sum(sizes) // sum(lengths))


def _range(text: str) -> tuple[int, int]:
    size, _, first = text.partition("@")
    return int(first), int(size)


def test_vp8_of_a_ladder_plays_in_every_decoder(ladders: dict[Any, Path]) -> None:
    """If this fails, the joined batches of a size do not fit each other."""
    for name, path in files(ladders["vp8", "mpd"], "vp8").items():
        if name != "audio":
            assert len(check_plays_alike(path)) == FRAMES


@pytest.mark.parametrize("codec", ["vp9", "vp8"])
def test_a_batch_is_read_once(source: Path, monkeypatch: pytest.MonkeyPatch, codec: str) -> None:
    """If this fails, each size decodes the source again."""
    read = []
    real = FrameReader._next
    monkeypatch.setattr(FrameReader, "_next", lambda self: read.append(1) or real(self))
    store = MemoryStore()
    job = JobByHand(source, options(codec, ladder="96p,64p,48p"), store, "mpd")
    read.clear()
    job.run(shares=1)
    assert len(read) == FRAMES


def test_shares_and_threads_do_not_change_a_ladder(source: Path) -> None:
    """If this fails, a ladder in the cloud is another one than on one machine."""
    made = set()
    for shares, threads in ((1, 1), (3, 2)):
        store = MemoryStore()
        JobByHand(source, options("vp8", ladder="64p,48p"), store, "mpd").run(shares, threads)
        keys = store.list("jobs/j/files/")
        assert len(keys) == 4
        made.add(tuple(store.get(key) for key in keys))
    assert len(made) == 1


def test_a_ladder_goes_on_from_what_is_left(source: Path, tmp_path: Path) -> None:
    """If this fails, one missing piece of one size costs the whole ladder again, or spoils it."""
    chosen = options("vp9", ladder="96p,64p")
    first, kept = tmp_path / "first.mpd", tmp_path / "kept"
    encode_file(str(source), first, chosen, workers=1, keep_job=kept)
    keys = Keys(JOB, "64p")
    lost = kept / keys.cluster(2)
    others = kept / Keys(JOB, "96p").cluster(2)
    before = others.stat().st_mtime_ns
    lost.unlink()
    made = {one.name: one.read_bytes() for one in tmp_path.glob("first*")}
    encode_file(str(source), first, chosen, workers=1, keep_job=kept, overwrite=True)
    assert {one.name: one.read_bytes() for one in tmp_path.glob("first*")} == made
    assert lost.exists()
    assert others.stat().st_mtime_ns == before
    other = tmp_path / "other.mpd"
    encode_file(str(source), other, chosen, workers=1, keep_job=kept)
    assert (tmp_path / "other-64p.webm").read_bytes() == made["first-64p.webm"]
    assert "other-64p.webm" in other.read_text()


def test_files_of_before_are_kept(source: Path, tmp_path: Path) -> None:
    """If this fails, a ladder replaces files that nobody said it may, or leaves half of itself."""
    there = tmp_path / "a-96p.webm"
    there.write_text("mine")
    with pytest.raises(OutputExists, match="a-96p"):
        encode_file(str(source), tmp_path / "a.mpd", options("vp9", ladder="96p"), workers=1)
    # A size that only the source knows is noticed at the end.
    small = Clip(frames=4, width=64, height=48).write(tmp_path / "b.mkv")
    own = tmp_path / "c-48p.webm"
    own.write_text("mine")
    with pytest.raises(OutputExists, match="c-48p"):
        encode_file(str(small), tmp_path / "c.mpd", options("vp9", ladder="96p,32p"), workers=1)
    assert {one.name for one in tmp_path.iterdir()} == {there.name, small.name, own.name}
    assert (there.read_text(), own.read_text()) == ("mine", "mine")


def test_sizes_that_the_source_does_not_have(tmp_path: Path) -> None:
    """If this fails, pictures are enlarged, or the best size of a small source is lost."""
    small = Clip(frames=4, width=98, height=66).write(tmp_path / "a.mkv")
    chosen = options("vp9", ladder="1080p,720p,32p")
    result = encode_file(str(small), tmp_path / "a.mpd", chosen, workers=1)
    assert [one.name for one in result.files] == ["a-66p.webm", "a-32p.webm", "a.mpd"]
    assert "1080p and 720p: larger than the pictures, left out; 66p instead" in result.notes
    turned = Clip(frames=4, width=98, height=66, rotation=90).write(tmp_path / "b.mp4")
    result = encode_file(str(turned), tmp_path / "b.m3u8", options("h264", ladder="1080p"))
    with av.open(str(tmp_path / "b-66p.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (66, 98)


def test_wrong_ladders_are_refused(source: Path, tmp_path: Path) -> None:
    """If this fails, somebody waits for an encode that cannot become what was asked for."""
    for name, wrong in {
        "ladder must be sizes": "1080",
        "a size twice": "96p,97p",
        "at most 10": ",".join(f"{n}p" for n in range(100, 122, 2)),
    }.items():
        with pytest.raises(OptionError, match=name):
            options("vp9", ladder=wrong)
    for more in ({"scale": "96p"}, {"bitrate": "1M"}):
        with pytest.raises(OptionError, match="ladder"):
            options("vp9", ladder="96p", **more)
    for name, chosen in {
        "a.webm": options("vp9", ladder="96p"),
        "a.mpd": options("vp9"),
        "a.m3u8": options("vp8", ladder="96p"),
    }.items():
        with pytest.raises(UnknownOutputFormat):
            encode_file(str(source), tmp_path / name, chosen)
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_a_ladder_is_made_of(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, users of the command do not learn which files there are, or will be."""
    ladder = ["--codec", "vp9", "--vp9-cpu-used", "5", "--ladder", "96p,64p"]
    output = tmp_path / "a.mpd"
    assert main(["encode", str(source), str(output), *ladder, "--dry-run", "-q"]) == 0
    assert "160x96, 106x64" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert main(["encode", str(source), str(output), *ladder]) == 0
    assert "4 files with a-96p.webm, a-64p.webm, a-audio.webm" in capsys.readouterr().out
