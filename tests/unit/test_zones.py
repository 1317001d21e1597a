"""Zones: which frames they have, how batches are cut by them, and with which quality."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import pytest

from excamera.errors import OptionError
from excamera.job.batches import Batch
from excamera.job.cut import Frames, cut
from excamera.job.options import EncodeOptions
from excamera.job.zones import ZonedFrames, parse_zones, zoned_frames
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.size import result_bytes
from tests.unit.test_plan import plan


class Cuts:
    """A survey that knows of some cuts, and likes 12 frames."""

    def __init__(self, *cuts: int) -> None:
        self._cuts = list(cuts)

    def cuts(self) -> list[int]:
        """The cuts."""
        return self._cuts

    def chunk_frames(self, first: int, end: int) -> int:
        """N."""
        return 12


def batches(
    count: int, zones: tuple[ZonedFrames, ...], options: EncodeOptions, *cuts: int
) -> list[Batch]:
    """The batches of so many frames."""
    times = list(range(count))
    frames = Frames(times, times, [()] * count, zones=zones)
    return list(cut(frames, options, Cuts(*cuts) if cuts else None))


def borders(made: list[Batch]) -> list[tuple[int, int, float]]:
    """Of each batch the first frame, the end, and what its zone adds."""
    return [(one.pts[0], one.pts[-1] + 1, one.crf_change) for one in made]


def test_a_zone_has_the_frames_that_begin_in_it() -> None:
    """If this fails, a zone is off by a frame, or its last instant belongs to two zones."""
    times = [Fraction(n, 25) for n in range(100)]
    zones = parse_zones("3.5-end=10, 1-2=+8")
    found = zoned_frames(zones, times, Fraction(4), 24.0)
    assert found == (ZonedFrames(25, 50, 8), ZonedFrames(88, 100, -14))
    between = parse_zones("1.001-1.039=5, 2-2.001=6")
    assert zoned_frames(between, times, Fraction(4), 5.0) == (ZonedFrames(50, 51, 1),)


def test_a_zone_behind_the_film_is_an_error_and_one_that_a_trim_removes_is_not() -> None:
    """If this fails, a mistyped time is ignored, or a trim cannot keep the film's zones."""
    times = [Fraction(n, 25) for n in range(50, 75)]
    zones = parse_zones("0-1=5,3-4=6")
    assert zoned_frames(zones, times, Fraction(4), 24.0) == ()
    message = "zones: 9-end=5 begins after the source has ended: it is 4.000 s long"
    with pytest.raises(OptionError, match=re.escape(message)):
        zoned_frames(parse_zones("9-end=5"), times, Fraction(4), 24.0)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_batches_end_where_zones_do(codec: str) -> None:
    """If this fails, a batch has frames of two qualities, or frames are lost at a zone's border."""
    zones = (ZonedFrames(30, 77, 4.0), ZonedFrames(77, 100, -2.0))
    for options, cuts in (
        (EncodeOptions(codec=codec), (60, 150)),
        (EncodeOptions(codec=codec, chunk_frames=12), ()),
    ):
        found = borders(batches(200, zones, options, *cuts))
        assert [first for first, _, _ in found] == [0, *(end for _, end, _ in found[:-1])]
        assert found[-1][1] == 200
        for first, end, change in found:
            run = next(z for z in (*zones, ZonedFrames(0, 30, 0), ZonedFrames(100, 200, 0))
                       if z.first <= first < z.end)  # fmt: skip
            assert end <= run.end
            assert change == run.change
    # Scenes still count where there is room for their key frames.
    scenes = [first for first, _, _ in borders(batches(200, zones, EncodeOptions(), 60, 150))]
    assert {60, 150} <= set(scenes)
    plain = batches(200, zones, EncodeOptions(codec="h264"), 60, 150)
    assert [first for first, _, _ in borders(plain)] == [0, 30, 77, 100, 150]


def test_the_worker_of_a_batch_gets_the_quality_of_its_zone() -> None:
    """If this fails, zones change where key frames are and nothing else."""
    options = EncodeOptions(crf=20, chunk_frames=3, batch_chunks=2)
    cut_at = batches(12, (ZonedFrames(4, 8, 9.0),), options)
    made = plan(options=options, batches=tuple(cut_at))
    crfs = [made.part(batch).batch_options.crf for batch in made.batches]
    assert crfs == [20, 29, 20]
    assert type(made).from_json(made.to_json()) == made
    moved = replace(cut_at[1], crf_change=8.0)
    other = replace(made, batches=(cut_at[0], moved, cut_at[2]))
    assert other.digest != made.digest
    # A target chooses the quality of the film, to which the zone adds.
    aimed = replace(made.part(made.batches[1]), crf=30.5)
    assert aimed.batch_options.exact_crf == 39.5
    # The ends of the scale hold; x264's 0 would be another profile.
    assert EncodeOptions(crf=60).with_crf(60, 9).crf == 63
    assert EncodeOptions(codec="h264").with_crf(5, -9).crf == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"zones": "0-1=20", "bitrate": "2M"}, "give what to add to it, such as +6"),
        ({"zones": "0-1=0", "codec": "h264"}, "crf must be 1 to 51 for h264"),
        ({"zones": "0-1=+2", "codec": "h264", "crf": "0"}, "is lossless"),
    ],
)
def test_what_cannot_be_together_is_refused(given: dict[str, str], message: str) -> None:
    """If this fails, a zone is silently without effect, or a film changes its profile."""
    with pytest.raises(OptionError, match=re.escape(message)):
        EncodeOptions().with_texts(given)


def test_an_estimate_knows_of_zones() -> None:
    """If this fails, a film with cheap credits is estimated as one without."""
    film = Film(1000, 640, 360, 40.0, sound=False)
    whole = result_bytes(film, EncodeOptions(crf=24), Pace())
    worse = result_bytes(film, EncodeOptions(crf=30), Pace())
    half = result_bytes(film, EncodeOptions(crf=24, zones="70-end=30", start="50"), Pace())
    assert half == pytest.approx((whole + worse) / 2, rel=0.01)
