"""VP9, AV1 and H.264: plain chunks through the whole pipeline, in each container they fit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from excamera.cli import main
from excamera.cloud.follow import _count_frames
from excamera.errors import (
    ChunkError,
    ConfigMismatch,
    OptionError,
    SeamMismatch,
    UnknownOutputFormat,
    UnsupportedSize,
)
from excamera.job.codecs import CODECS
from excamera.job.cut import SHORTEST_PLAIN, Frames, cut
from excamera.job.geometry import Geometry
from excamera.job.objects import Job, Keys
from excamera.job.options import EncodeOptions
from excamera.job.plan import Plan
from excamera.job.records import BatchRecord
from excamera.local import encode_file
from excamera.media import plain
from excamera.media.codecs import OUTPUT_CODECS
from excamera.media.compare import compare_files
from excamera.media.plain import check_plain, encode_plain, nominal_rate
from excamera.media.quality import summarise
from excamera.media.source.picture import frame_of
from excamera.steps.index import index
from excamera.steps.stitch import stitch
from mu import Context, DirectoryStore, MemoryStore
from tests.pipeline.clips import Clip, decoded_times, in_milliseconds, moving_picture
from tests.support.scenes import HEIGHT, WIDTH, film, page, pan, planes, still, zoom

SCENES = [*pan(1, 30), *still(2, 10), *zoom(3, 34)]
CHUNKS = [0, 30]
"""The second scene is too short for a chunk of its own, so the third is in its chunk."""

PAIRS = [
    (codec, container)
    for codec, choice in CODECS.items()
    for container in choice.containers
    if codec != "vp8"
]


def picture(number: int) -> VideoFrame:
    """A picture of a clip."""
    return frame_of(moving_picture(number, 96, 64))


def chosen(codec: str, **more: Any) -> EncodeOptions:
    """The options of a user who asks for a codec, at a speed that suits tests."""
    fast = {"vp9": {"vp9_cpu_used": 5}, "av1": {"av1_preset": 12}, "h264": {}}
    return EncodeOptions().with_values({"codec": codec, **fast[codec], **more})


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of three scenes."""
    return film(tmp_path_factory.mktemp("plain") / "a.mp4", SCENES)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, source: Path) -> dict[tuple[str, str], Path]:
    """The film in every codec and container, on one process."""
    folder = tmp_path_factory.mktemp("results")
    made = {}
    for codec, container in PAIRS:
        made[codec, container] = folder / f"{codec}.{container}"
        encode_file(str(source), made[codec, container], chosen(codec), workers=1)
    return made


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_every_codec_plays_from_every_container(
    results: dict[tuple[str, str], Path], source: Path, pair: tuple[str, str]
) -> None:
    """If this fails, a result has other frames or times than its source, or does not look alike."""
    codec, container = pair
    result = results[pair]
    with av.open(str(result)) as opened:
        stream = opened.streams.video[0]
        assert stream.codec.canonical_name == codec
        keys = [one.pts * one.time_base for one in opened.demux(stream) if one.is_keyframe]
    shown = decoded_times(source)
    times = decoded_times(result)
    assert in_milliseconds(times) == in_milliseconds(shown)
    assert container != "ivf" or times == shown
    assert in_milliseconds(keys) == in_milliseconds([shown[number] for number in CHUNKS])
    found = summarise(list(compare_files(str(source), str(result))))
    assert found["y"].psnr_db > 32


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_download_is_recognised(
    results: dict[tuple[str, str], Path], pair: tuple[str, str]
) -> None:
    """If this fails, `fetch` calls every result of another codec damaged."""
    assert _count_frames(results[pair]) == (len(SCENES), len(CHUNKS))


@pytest.mark.parametrize("codec", ["vp9", "av1", "h264"])
def test_headers_do_not_depend_on_pictures(codec: str) -> None:
    """If this fails, films of several scenes are refused: one header cannot describe them."""
    kinds = [
        pan(1, 6),
        still(2, 1),
        still(3, 6, noise=60.0),
        [page(number) for number in range(5)],
        [np.full((HEIGHT, WIDTH), 128.0)] * 12,
    ]
    found = set()
    for kind in kinds:
        pictures = (frame_of(planes(one)) for one in kind)
        geometry = Geometry(WIDTH, HEIGHT, matrix=1, transfer=1, primaries=1)
        found.add(encode_plain(pictures, chosen(codec), geometry, Fraction(25)).config)
    assert len(found) == 1


@pytest.mark.parametrize("codec", ["vp9", "av1", "h264"])
def test_two_processes_make_the_same_bytes(
    results: dict[tuple[str, str], Path], source: Path, tmp_path: Path, codec: str
) -> None:
    """If this fails, a result depends on how many processes or threads made it."""
    output = tmp_path / "again.mkv"
    encode_file(str(source), output, chosen(codec), workers=2)
    assert output.read_bytes() == results[codec, "mkv"].read_bytes()


def test_bytes_do_not_depend_on_what_lies_in_memory(tmp_path: Path) -> None:
    """If this fails, an encoder reads memory that it did not write: each run has other bytes."""
    # x264's kernels for AVX-512 do so with pictures of this size.
    clip = Clip(frames=26).write(tmp_path / "a.mp4")
    program = (
        "import hashlib, sys; from fractions import Fraction; import av;"
        "from excamera.job.options import EncodeOptions; from excamera.job.plan import Geometry;"
        "from excamera.media.plain import encode_plain\n"
        "for codec in ('vp9', 'av1', 'h264'):\n"
        "    with av.open(sys.argv[1]) as film:\n"
        "        pictures = film.decode(video=0)\n"
        "        made = encode_plain(pictures, EncodeOptions(codec=codec),"
        " Geometry(96, 64), Fraction(25))\n"
        "    print(hashlib.sha256(b''.join(made.frames)).hexdigest())\n"
    )
    found = set()
    for filling in ("1", "85", "200"):  # with which the C library fills what it gives
        done = subprocess.run(
            [sys.executable, "-c", program, clip],
            env={**os.environ, "MALLOC_PERTURB_": filling},
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        assert len(done.stdout.split()) == 3
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.skipif(not plain._X264_KERNELS, reason="x264's kernels are chosen on x86 only")
def test_x264_gives_what_its_plain_code_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If this fails, H.264 of one kind of processor has other bytes than that of another."""
    clip = Clip(frames=24, width=352, height=288).write(tmp_path / "clip.mp4")

    def coded() -> list[bytes]:
        options = EncodeOptions(codec="h264")
        with av.open(str(clip)) as film:
            pictures = film.decode(video=0)
            return plain.encode_plain(pictures, options, Geometry(352, 288), Fraction(25)).frames

    with_kernels = coded()
    monkeypatch.setattr(plain, "_X264_KERNELS", ":asm=0")
    assert coded() == with_kernels
    monkeypatch.setattr(plain, "_X264_KERNELS", ":asm=SSSE3")
    assert coded() != with_kernels, "other kernels are as good now"


@pytest.mark.parametrize("pair", [one for one in PAIRS if one[1] != "ivf"], ids="-".join)
def test_players_can_seek_to_each_chunk(
    results: dict[tuple[str, str], Path], pair: tuple[str, str]
) -> None:
    """If this fails, a chunk has no cue, or cannot be decoded from its beginning."""
    shown = decoded_times(results[pair])
    for number in CHUNKS:
        with av.open(str(results[pair])) as opened:
            stream = opened.streams.video[0]
            opened.seek(round(shown[number] / stream.time_base), stream=stream)
            frames = [one.pts * one.time_base for one in opened.decode(stream)]
            assert frames == shown[number:]


@pytest.mark.parametrize("pair", [one for one in PAIRS if one[1] != "ivf"], ids="-".join)
def test_mkvtoolnix_reads_results_without_a_warning(
    results: dict[tuple[str, str], Path], pair: tuple[str, str], tmp_path: Path
) -> None:
    """If this fails, a result breaks the rules of Matroska as the reference tools know them."""
    if shutil.which("mkvmerge") is None:
        pytest.skip("mkvtoolnix is not installed")
    told = subprocess.run(
        ["mkvmerge", "-o", tmp_path / "again.mkv", results[pair]],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout  # 1 if there are warnings


def test_sound_stays_beside_reordered_pictures(tmp_path: Path) -> None:
    """If this fails, H.264 in Matroska loses its sound, or the end of its picture."""
    source = Clip(frames=50, sound="aac").write(tmp_path / "a.mp4")
    main(["encode", str(source), str(tmp_path / "a.mkv"), "--codec", "h264", "-n", "30", "-j", "1"])
    with av.open(str(tmp_path / "a.mkv")) as opened:
        assert [stream.type for stream in opened.streams] == ["video", "audio"]
        order = [one.pts for one in opened.demux(video=0) if one.size]
        assert order != sorted(order)
        assert opened.duration is not None
        assert opened.duration / 1e6 == pytest.approx(2.0, abs=0.05)
    assert in_milliseconds(decoded_times(tmp_path / "a.mkv")) == [40 * n for n in range(50)]


def test_chunks_end_where_scenes_do() -> None:
    """If this fails, chunks are too short or too long, or a scene is split into unequal ones."""

    class Cuts:
        def cuts(self) -> list[int]:
            return [10, 40, 50, 700, 1000 - SHORTEST_PLAIN + 1]

        def chunk_frames(self, first: int, end: int) -> int:
            raise AssertionError("a plain chunk is a scene or an equal part of one")

    times = list(range(1000))
    frames = Frames(times, times, [()] * 1000)
    made = list(cut(frames, EncodeOptions(codec="vp9"), Cuts()))
    assert [batch.chunks[0].first_frame for batch in made] == [0, 40, 260, 480, 700, 850]
    assert all(len(batch.chunks) == 1 and batch.mode == "plain" for batch in made)
    large = [len(one.pts) for one in cut(frames, EncodeOptions(codec="av1"), None, 7680 * 4320)]
    assert large == [60] * 16 + [40]
    fixed = list(cut(frames, EncodeOptions(codec="vp9", chunk_frames=300), None))
    assert [len(batch.pts) for batch in fixed] == [300, 300, 300, 100]


def test_a_codec_comes_with_its_own_quality() -> None:
    """If this fails, who asks only for a codec gets the quality of another codec's scale."""
    mine = EncodeOptions(crf=30)
    assert mine.with_values({"codec": "h264"}).crf == 23
    assert mine.with_texts({"codec": "av1"}).crf == 35
    assert mine.with_values({"codec": "vp9", "crf": 20}).crf == 20
    assert EncodeOptions(codec="vp9").crf == 32
    assert EncodeOptions.from_json(EncodeOptions(codec="h264").to_json()).crf == 23


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"codec": "h264", "crf": 52}, "crf must be 0 to 51 for h264, not 52"),
        ({"codec": "h264", "mode": "auto"}, "mode is for vp8: leave it out for h264"),
        ({"codec": "av1", "batch_chunks": 4}, "batch-chunks is for vp8"),
        ({"codec": "vp9", "effort": 2}, "effort is for vp8"),
        ({"codec": "vp9", "deadline": "good"}, "deadline is for vp8"),
        ({"codec": "vp9", "av1_preset": 5}, "av1-preset is for av1"),
        ({"h264_preset": "slow"}, "h264-preset is for h264: leave it out for vp8"),
        ({"codec": "h264", "container": "webm"}, "container must be mp4 or mkv for h264, not webm"),
        ({"codec": "h265"}, "codec must be one of vp8, vp9, av1, h264"),
    ],
)
def test_options_of_another_codec_are_refused(given: dict[str, Any], message: str) -> None:
    """If this fails, an option does nothing, and its user does not hear of it."""
    with pytest.raises(OptionError, match=message):
        EncodeOptions().with_values(given)


def test_the_command_line_refuses_what_does_not_fit(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, a wrong pair of codec and container costs work before it is refused."""
    output = tmp_path / "a.webm"
    assert main(["encode", str(source), str(output), "--codec", "h264"]) == 2
    assert "a .webm file does not hold h264: name the output .mp4" in capsys.readouterr().err
    assert main(["encode", str(source), str(output), "--codec", "av1", "--effort", "2"]) == 2
    assert "effort is for vp8: leave it out for av1" in capsys.readouterr().err
    assert main(["encode", str(source), str(output), "--container", "webm"]) == 2
    assert "No such option" in capsys.readouterr().err
    assert main(["estimate", str(source), "--codec", "vp9", "--within", "1m"]) == 2
    assert "within is for vp8 only: leave it out for vp9" in capsys.readouterr().err
    with pytest.raises(UnknownOutputFormat):
        encode_file(str(source), tmp_path / "a.ivf", EncodeOptions(codec="h264"))


def test_a_result_keeps_the_name_that_its_job_began_with(source: Path, tmp_path: Path) -> None:
    """If this fails, options of a source's metadata put Matroska under a name of WebM."""
    event = {
        "job": "j",
        "input": {"name": source.name, "path": str(source)},
        "output": {"store": str(tmp_path), "key": "a.webm"},
        "container": "webm",
        "options": EncodeOptions(codec="h264").to_json(),
        "index": "auto",
    }
    with pytest.raises(OptionError, match=r"ask for a \.mp4 result, but its name is a\.webm"):
        index(event, Context(MemoryStore()))


def test_odd_sizes(tmp_path: Path) -> None:
    """If this fails, a codec that can hold odd sizes refuses them, or H.264 fails half-way."""
    source = Clip(frames=3, width=97, height=63, encoder="ffv1").write(tmp_path / "odd.mkv")
    for codec in ("vp9", "av1"):
        encode_file(str(source), tmp_path / f"{codec}.webm", chosen(codec), workers=1)
        with av.open(str(tmp_path / f"{codec}.webm")) as opened:
            sizes = {(one.width, one.height) for one in opened.decode(video=0)}
        assert sizes == {(97, 63)}
    with pytest.raises(UnsupportedSize, match=r"97x63 pixels; H\.264 needs an even width"):
        encode_file(str(source), tmp_path / "h264.mkv", chosen("h264"), workers=1)


def test_what_was_joined_is_decoded_and_counted() -> None:
    """If this fails, a chunk that lost a frame or was damaged becomes a part of the result."""
    for codec in ("vp9", "av1", "h264"):
        pictures = [picture(number) for number in range(8)]
        made = encode_plain(pictures, chosen(codec), Geometry(96, 64), Fraction(25))
        check_plain(made, codec, 8, 1)
        with pytest.raises(SeamMismatch, match="frames of 9"):
            check_plain(made, codec, 9, 1)
        with pytest.raises(SeamMismatch, match="does not begin with a key frame"):
            check_plain(replace(made, frames=made.frames[1:], order=made.order[1:]), codec, 7, 1)
        cut_short = replace(made, frames=[*made.frames[:-1], made.frames[-1][:6]])
        with pytest.raises(SeamMismatch):
            check_plain(cut_short, codec, 8, 1)


def test_an_encoder_that_adds_key_frames_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a chunk with other key frames than its first goes on to the join."""
    encoder = plain._ENCODERS["h264"]

    def with_many_keys(given: EncodeOptions) -> dict[str, str]:
        return {**encoder.options(given), "x264-params": "keyint=2:scenecut=0:threads=1"}

    monkeypatch.setitem(plain._ENCODERS, "h264", replace(encoder, options=with_many_keys))
    pictures = [picture(number) for number in range(4)]
    with pytest.raises(ChunkError, match="the h264 encoder gave 4 frames for 4, key frames at"):
        encode_plain(pictures, chosen("h264"), Geometry(96, 64), Fraction(25))


def test_chunks_with_other_headers_are_refused(source: Path, tmp_path: Path) -> None:
    """If this fails, a file says of all its chunks what is true of the first only."""
    kept = tmp_path / "job"
    encode_file(str(source), tmp_path / "a.mkv", chosen("h264"), workers=1, keep_job=kept)
    store = DirectoryStore(kept)
    [name] = [path.name for path in (kept / "jobs").iterdir()]
    job = Job.load(store, name)
    key = Keys.record(job.keys.cluster(1))
    record = BatchRecord.from_json(store.get(key))
    assert record.config
    store.put(key, replace(record, config="00" + record.config[2:]).to_json())
    for one in list(store.list(job.keys.assembly(job.plan.digest))):
        store.delete(one)
    with pytest.raises(ConfigMismatch, match="batch 1"):
        stitch({"job": name}, Context(store))


def test_a_plan_keeps_its_codec_and_rate(source: Path, tmp_path: Path) -> None:
    """If this fails, workers encode for another codec or frame rate than was planned."""
    kept = tmp_path / "job"
    encode_file(str(source), tmp_path / "a.ivf", chosen("vp9"), workers=1, keep_job=kept)
    [name] = [path.name for path in (kept / "jobs").iterdir()]
    plan = Job.load(DirectoryStore(kept), name).plan
    assert (plan.options.codec, plan.rate) == ("vp9", 25)
    assert Plan.from_json(plan.to_json()).digest == plan.digest
    assert replace(plan, rate=Fraction(24)).digest != plan.digest
    assert nominal_rate(Fraction(90_000)) == 30
    assert nominal_rate(Fraction(24_000, 1001)) == Fraction(24_000, 1001)


@pytest.mark.skipif(
    not hasattr(os, "sched_getscheduler") or os.geteuid() != 0,
    reason="only root may have real-time threads, on Linux",
)
@pytest.mark.parametrize("codec", [name for name in CODECS if name != "vp8"])
def test_no_encoder_takes_the_processors_for_itself(codec: str) -> None:
    """If this fails, an encode as root stops everything else on its machine, perhaps for ever."""
    seen: set[int] = set()

    def watched() -> Iterator[VideoFrame]:
        for number in range(30):
            threads = Path("/proc/self/task").iterdir()
            seen.update(os.sched_getscheduler(int(one.name)) for one in threads)
            yield frame_of(planes(page(number)))

    options = EncodeOptions(codec=codec)
    encode_plain(watched(), options, Geometry(WIDTH, HEIGHT), Fraction(25))
    assert seen == {os.SCHED_OTHER}


def test_the_encoders_of_all_codecs_are_there() -> None:
    """If this fails, a user can choose a codec that nothing encodes, or that no container knows."""
    assert set(CODECS) == set(OUTPUT_CODECS) == {*plain._ENCODERS, "vp8"}
    for codec in plain._ENCODERS:
        av.codec.Codec(plain._ENCODERS[codec].name, "w")
        av.codec.Codec(plain._ENCODERS[codec].decoder, "r")
