"""What manifests of ladders say: segments, rates, names of codecs, and sizes in an estimate."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree

import m3u8
import pytest

from excamera.cli.estimate import edited
from excamera.errors import ContainerError, OptionError
from excamera.job.framing import rungs_of
from excamera.job.geometry import Geometry
from excamera.job.goal import Goal
from excamera.job.options import EncodeOptions
from excamera.media.container.fragments import fragment, lead_of, segment_index
from excamera.media.manifest.dash import dash_manifest
from excamera.media.manifest.hls import master_playlist, media_playlist
from excamera.media.manifest.representation import (
    Representation,
    Segment,
    codec_string,
    segment_starts,
)
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.size import result_bytes
from excamera.price.stages import equal_batches


def of(lengths: list[str], sizes: list[int]) -> Representation:
    """A file with such segments."""
    segments = []
    at = 100
    for length, size in zip(lengths, sizes, strict=True):
        segments.append(Segment(Fraction(length), at, size))
        at += size
    return Representation(
        "720p", "a <b> & c-720p.mp4", "video/mp4", "avc1.64001F", 80, (80, 20), segments, 1280, 720,
        frame_rate=Fraction(24000, 1001),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lengths", "starts"),
    [
        (["5", "5"], [0, 1]),
        (["0.25", "1.75", "2", "1", "0.5"], [0, 2, 3]),
        (["1", "0.9", "7"], [0]),
        (["0.1"], [0]),
    ],
)
def test_batches_are_put_together_to_segments(lengths: list[str], starts: list[int]) -> None:
    """If this fails, a player asks for every short scene, or waits for very long segments."""
    assert segment_starts([Fraction(one) for one in lengths]) == starts


def test_the_peak_is_that_of_neighbours() -> None:
    """If this fails, players choose sizes that stall, or are kept from sizes that would not."""
    # The short one has 80 kbit/s alone, but nobody has to carry that for long.
    one = of(["4", "0.5", "4", "4"], [8000, 5000, 8000, 20_000])
    assert one.mean_rate == -(-8 * 41_000 * 2 // 25)
    assert one.peak_rate == 40_000
    together = of(["1", "1", "1"], [1000, 3000, 2000])
    assert together.peak_rate == 24_000
    assert of(["3"], [3000]).peak_rate == of(["3"], [3000]).mean_rate == 8000


def test_names_of_files_may_have_any_letters() -> None:
    """If this fails, a manifest of such a film is no XML, or names files that are not there."""
    one = of(["2", "2.5"], [1000, 2000])
    root = ElementTree.fromstring(dash_manifest([one], None, 4.5))
    [name] = root.iter("{urn:mpeg:dash:schema:mpd:2011}BaseURL")
    assert name.text == "a%20%3Cb%3E%20%26%20c-720p.mp4"
    [about] = root.iter("{urn:mpeg:dash:schema:mpd:2011}Representation")
    assert about.get("frameRate") == "24000/1001"
    playlist = m3u8.loads(media_playlist(one).decode())
    assert {segment.uri for segment in playlist.segments} == {name.text}
    assert [segment.byterange for segment in playlist.segments] == ["1000@100", "2000@1100"]
    assert playlist.target_duration == 3
    master = m3u8.loads(master_playlist([(one, "a b.m3u8")], None).decode())
    [listed] = master.playlists
    assert (listed.uri, listed.stream_info.codecs) == ("a%20b.m3u8", "avc1.64001F")
    assert not master.media


@pytest.mark.parametrize(
    ("codec", "config", "name"),
    [
        ("h264", "01640028", "avc1.640028"),
        ("av1", "81080c00", "av01.0.08M.08"),
        ("av1", "81298c00", "av01.1.09H.08"),
        ("vp9", "001f8201010100", "vp09.00.31.08"),
        ("vp9", "00008201010100", "vp09.00.62.08"),
        ("aac", "1190", "mp4a.40.2"),
        ("vp8", "", "vp8"),
        ("opus", "", "opus"),
    ],
)
def test_codecs_are_named_as_browsers_know_them(codec: str, config: str, name: str) -> None:
    """If this fails, browsers say that they cannot play a size which they can."""
    assert codec_string(codec, bytes.fromhex(config)) == name


def test_a_codec_without_its_configuration_has_no_name() -> None:
    """If this fails, a manifest says something of a profile that nobody knows."""
    with pytest.raises(ContainerError, match="h264"):
        codec_string("h264", b"")


def test_frames_are_not_shown_before_they_are_decoded() -> None:
    """If this fails, a film with pauses has frames that are shown late, or a broken fragment."""
    assert lead_of([0, 1, 2, 10, 11], 2) == 9
    assert lead_of([0, 1], 2) == 0
    assert lead_of([0, 5, 6], 0) == 0
    with pytest.raises(ContainerError, match="after it is shown"):
        fragment(1, 0, [(1, 4, 0, -1)], b"abcd")
    with pytest.raises(ContainerError, match="too large"):
        segment_index(1000, 0, [(1 << 31, 1000)])


@pytest.mark.parametrize(
    ("size", "ladder", "names", "note"),
    [
        ((1920, 1080), "480p,1080p", ["1080p", "480p"], ""),
        ((1080, 1920), "1080p,540p", ["1080p", "540p"], ""),
        ((1280, 720), "1080p,720p", ["720p"], "1080p: larger than the pictures, left out"),
        ((641, 361), "2160p,1080p,180p", ["360p", "180p"],
         "2160p and 1080p: larger than the pictures, left out; 360p instead"),
    ],
)  # fmt: skip
def test_sizes_follow_the_shorter_side(
    size: tuple[int, int], ladder: str, names: list[str], note: str
) -> None:
    """If this fails, upright films get tiny or enlarged sizes, or sizes vanish unsaid."""
    rungs, said = rungs_of(Geometry(*size), EncodeOptions(ladder=ladder))
    assert ([one.name for one in rungs], said) == (names, note)
    for one in rungs:
        assert min(one.size) == int(one.name[:-1])
        shape = Fraction(*one.sample_aspect) * Fraction(*one.size)
        assert shape == Fraction(*size)


def test_an_estimate_counts_all_sizes() -> None:
    """If this fails, an estimate takes a ladder for one size, or two for none."""
    film = Film(1000, 1920, 1080, 40.0)
    options = EncodeOptions(ladder="1080p,540p")
    ladder = edited(film, options)
    assert ladder == replace(film, sizes=1.25, rungs=2)
    one, all_sizes = (result_bytes(each, options, Pace()) for each in (film, ladder))
    assert one < all_sizes < 1.26 * one
    plain = EncodeOptions(codec="vp9")
    large = Film(1000, 7680, 4320, 40.0)
    assert len(equal_batches(replace(large, sizes=2.0), plain)) > len(equal_batches(large, plain))


def test_a_goal_is_for_one_file() -> None:
    """If this fails, a time or a price is promised for a ladder as for its largest size."""
    with pytest.raises(OptionError, match="ladder"):
        Goal(within_s=60).check(EncodeOptions(ladder="720p"))
