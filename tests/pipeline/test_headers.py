"""What results say about themselves: chapters, the light of HDR pictures, places to seek to."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from excamera.cli import main
from excamera.job.geometry import Light
from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from excamera.media.container import ebml
from excamera.media.source.media import open_media
from excamera.media.source.picture import geometry_of
from excamera.media.source.streams import tags_of
from tests.pipeline.clips import Clip

LIGHT = Light((34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450), (10**7, 50), (1000, 400))
X265 = (
    "log-level=none:hdr10=1:colorprim=9:transfer=16:colormatrix=9:max-cll=1000,400:"
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
)


# One lies behind the end of every clip here.
CHAPTERS: list[Any] = [
    {
        "id": number,
        "start": start,
        "end": end,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title} if title else {},
    }
    for number, (start, end, title) in enumerate(
        [(0, 700, "Anfang & <mehr>"), (700, 1250, ""), (1250, 9000, "Ende ü"), (9000, 9500, "no")],
        start=1,
    )
]


def chapters_of(path: Path) -> list[tuple[Fraction, Fraction, str]]:
    """The chapters that FFmpeg finds: begin and end in seconds, and title."""
    with av.open(str(path)) as container:
        return [
            (one["start"] * one["time_base"], one["end"] * one["time_base"],
             one["metadata"].get("title", ""))
            for one in container.chapters()
        ]  # fmt: skip


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "vp8"), ("a.mp4", "vp9")])
def test_chapters_are_kept(
    name: str, codec: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If this fails, chapters are lost, moved, or said to be left out."""
    source = Clip(frames=50, sound="aac", chapters=CHAPTERS).write(tmp_path / "source.mkv")
    output = tmp_path / name
    assert main(["encode", str(source), str(output), "--codec", codec]) == 0
    assert "chapter" not in capfd.readouterr().err
    assert chapters_of(output) == [
        (0, Fraction(7, 10), "Anfang & <mehr>"),
        (Fraction(7, 10), Fraction(5, 4), ""),
        (Fraction(5, 4), pytest.approx(2, abs=0.05), "Ende ü"),
    ]


def test_ivf_says_that_it_has_no_chapters(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """If this fails, chapters vanish without a word."""
    source = Clip(frames=10, chapters=CHAPTERS).write(tmp_path / "a.mkv")
    assert main(["encode", str(source), str(tmp_path / "a.ivf")]) == 0
    assert "note: left out: 4 chapters" in capfd.readouterr().err


def test_chapters_follow_the_start_of_the_film(tmp_path: Path) -> None:
    """If this fails, chapters of a film whose clock begins late point behind their scenes."""
    source = Clip(frames=50, chapters=CHAPTERS).write(tmp_path / "a.mkv")
    with open_media(str(source), "a") as opened:
        found = tags_of(opened, [], Fraction(3, 4), Fraction(1)).chapters
    titles = [(one.begin_ns, one.end_ns, one.title) for one in found]
    assert titles == [(0, 500_000_000, ""), (500_000_000, 10**9, "Ende ü")]


@pytest.fixture(scope="module")
def hdr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 10 bits in PQ that says what light it has."""
    clip = Clip(frames=6, encoder="libx265", pix_fmt="yuv420p10le", options={"x265-params": X265},
                chapters=CHAPTERS)  # fmt: skip
    return clip.write(tmp_path_factory.mktemp("hdr") / "hdr.mkv")


def test_the_light_of_a_source_is_read(hdr: Path) -> None:
    """If this fails, a numbers of a source's light are taken for others, or not found."""
    with av.open(str(hdr)) as container:
        frame = next(container.decode(video=0))
    assert geometry_of(frame, (1, 1)).light == LIGHT
    plain = av.VideoFrame(16, 16, "yuv420p")
    assert geometry_of(plain, (1, 1)).light == Light()


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "vp8"), ("a.mkv", "vp9"), ("a.mp4", "vp9")])
def test_light_and_colour_are_kept(name: str, codec: str, hdr: Path, tmp_path: Path) -> None:
    """If this fails, an HDR picture is shown too dark or too bright."""
    output = tmp_path / name
    encode_file(str(hdr), output, EncodeOptions(codec=codec), workers=1)
    with av.open(str(output)) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (9, 16, 9)
        assert context.color_range == 1  # limited
        frame = next(container.decode(video=0))
        assert geometry_of(frame, (1, 1)).light == LIGHT


def elements(data: bytes, begin: int, end: int) -> list[tuple[int, int, int]]:
    """Identifier, start and size of the body of each element."""
    found = []
    while begin < end:
        number, size, inside = ebml.read_element(data, begin)
        found.append((number, inside, size))
        begin = inside + size
    return found


def test_the_cues_of_every_key_frame_stand_in_front(tmp_path: Path) -> None:
    """If this fails, players seek to a wrong place, or fetch the end of a file before they can."""
    source, output = Clip(frames=40).write(tmp_path / "a.mkv"), tmp_path / "a.webm"
    encode_file(str(source), output, EncodeOptions(chunk_frames=5, batch_chunks=2), workers=2)
    data = output.read_bytes()
    _, (number, inside, size) = elements(data, 0, len(data))
    assert (number, inside + size) == (ebml.SEGMENT, len(data))
    top = elements(data, inside, len(data))
    kinds = [one for one, _, _ in top]
    clusters = [n for n, one in enumerate(kinds) if one == ebml.CLUSTER]
    assert kinds[: clusters[0]] == [ebml.SEEK_HEAD, ebml.INFO, ebml.TRACKS, ebml.CUES]
    heads = {start - inside: one for one, start in starts(data, inside)}
    for _, at, length in elements(data, top[0][1], top[0][1] + top[0][2]):
        seek = {one: data[a : a + n] for one, a, n in elements(data, at, at + length)}
        position = int.from_bytes(seek[ebml.SEEK_POSITION], "big")
        assert heads[position] == int.from_bytes(seek[ebml.SEEK_ID], "big")
    cues = top[kinds.index(ebml.CUES)]
    points = []
    for _, at, length in elements(data, cues[1], cues[1] + cues[2]):
        (_, a, n), (_, b, m) = elements(data, at, at + length)
        place = {one: data[c : c + k] for one, c, k in elements(data, b, b + m)}
        position = int.from_bytes(place[ebml.CUE_CLUSTER_POSITION], "big")
        assert heads[position] == ebml.CLUSTER
        points.append(int.from_bytes(data[a : a + n], "big"))
    assert points == [0, 400, 800, 1200]
    with av.open(str(output)) as container:
        for ms in points:
            container.seek(ms * 1000)
            assert next(container.decode(video=0)).pts == ms


def starts(data: bytes, inside: int) -> list[tuple[int, int]]:
    """Identifier of each element in a segment, and where it begins."""
    found, at = [], inside
    for number, start, size in elements(data, inside, len(data)):
        found.append((number, at))
        at = start + size
    return found


@pytest.mark.parametrize("name", ["a.webm", "a.mkv"])
def test_mkvtoolnix_reads_what_the_header_says(name: str, hdr: Path, tmp_path: Path) -> None:
    """If this fails, tools beside FFmpeg find errors in results, or do not find what they say."""
    if shutil.which("mkvinfo") is None:
        pytest.skip("mkvtoolnix is not installed")
    output = tmp_path / name
    encode_file(str(hdr), output, EncodeOptions(codec="vp9"), workers=1)

    def said(*command: Any) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    info = said("mkvinfo", "--ui-language", "en_US", "--all", output)
    for line in ("Chapter string: Anfang & <mehr>", "Maximum content light: 1000",
                 "Maximum frame light: 400", "Red color coordinate x: 0.68",
                 "Maximum luminance: 1000", "Minimum luminance: 0.005",
                 "Color range: 1", "Cue cluster position"):  # fmt: skip
        assert line in info, line
    assert "warning" not in said("mkvmerge", "--ui-language", "en_US", "-i", output).lower()


def test_mediaconch_finds_nothing_wrong(tmp_path: Path) -> None:
    """If this fails, a result breaks a rule of Matroska that its conformance checker knows."""
    if shutil.which("mediaconch") is None:
        pytest.skip("mediaconch is not installed")
    # Its rules of 2023 know no place for the light of HDR pictures, so these have none.
    source = Clip(frames=12, sound="aac", chapters=CHAPTERS).write(tmp_path / "source.mkv")
    output = tmp_path / "a.webm"
    encode_file(str(source), output, EncodeOptions(chunk_frames=4, batch_chunks=2), workers=1)
    done = subprocess.run(["mediaconch", output], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("pass!"), done.stdout
