"""Where scenes begin, and how far apart anchors may be, by the pictures of a source."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

import codec
from excamera.job.cut import LEAD_IN, Frames, cut
from excamera.job.options import EncodeOptions
from excamera.job.records import SurveyRecord
from excamera.media.scenes import Survey
from excamera.media.surveyor import Surveyor
from tests.support.scenes import (
    HEIGHT,
    WIDTH,
    Luma,
    fade,
    flash,
    pages,
    pan,
    planes,
    still,
    zoom,
)


def span(pictures: Iterable[Luma], first: int = 0) -> SurveyRecord:
    """The survey of a span; what leads in comes before it."""
    made = Surveyor(24, first)
    for picture in pictures:
        made.add(codec.Raster.from_planes(*planes(picture)))
    return made.record()


def survey(pictures: Iterable[Luma]) -> Survey:
    """A survey of these pictures in one piece."""
    return Survey([span(pictures)])


@pytest.mark.parametrize(
    "pictures",
    [
        still(1, 30),
        still(2, 30, noise=6.0),
        pan(3, 40),
        pan(4, 30, step=7),
        zoom(5, 40),
        fade(6, 24),
        flash(8, 30, 13),
        flash(8, 30, 29),
        flash(8, 30, 1),
        [np.full((HEIGHT, WIDTH), 16.0 + number % 2) for number in range(20)],
    ],
    ids=["still", "noise", "pan", "fast pan", "zoom", "fades", "flash", "flash at the end",
         "flash at the start", "black"],
)  # fmt: skip
def test_one_scene_has_no_cuts(pictures: list[Luma]) -> None:
    """If this fails, key frames are spent where nothing begins."""
    assert survey(pictures).cuts() == []


@pytest.mark.parametrize("lengths", [[7] * 6, [17, 23, 11], [6, 6], [40, 9, 31]], ids=str)
@pytest.mark.parametrize("kind", [still, pan, zoom])
def test_every_cut_is_found(lengths: list[int], kind: type) -> None:
    """If this fails, a chunk has to code a new scene from pictures of another."""
    pictures = [one for seed, length in enumerate(lengths) for one in kind(seed, length)]
    assert survey(pictures).cuts() == [int(end) for end in np.cumsum(lengths)[:-1]]


def test_scenes_too_short_for_a_batch_are_passed_over() -> None:
    """If this fails, a strobe costs a key frame for each picture."""
    strobe = [one for seed in range(30) for one in still(seed, 2)]
    assert survey([*pan(50, 20), *strobe, *pan(51, 20)]).cuts() == [80]
    assert survey(strobe).cuts() == []
    # The longer neighbour begins a batch; the few pictures before it are added to the other.
    assert survey([*pan(1, 20), *pan(2, 4), *pan(3, 20)]).cuts() == [24]
    assert survey([*pan(1, 3), *pan(2, 20), *pan(3, 20), *pan(4, 2)]).cuts() == [23]


def test_another_page_of_a_text_is_no_cut() -> None:
    """If this fails, a key frame codes all letters anew whenever a page is turned."""
    film = [*pages([1, 2, 3], 12), *still(7, 12), *pages([4, 5], 12)]
    found = span(film)
    assert found.known == [12, 24, 60]
    assert Survey([found]).cuts() == [36, 48]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_clips_of_a_few_frames(count: int) -> None:
    """If this fails, very short films cannot be planned."""
    few = survey(one for seed in range(count) for one in still(seed, 1))
    assert (few.count, few.cuts()) == (count, [])
    assert few.chunk_frames(0, count) == 12


def test_chunks_are_long_where_pictures_stay_alike() -> None:
    """If this fails, N does not follow the pictures."""
    assert survey(still(1, 96, noise=2.0)).chunk_frames(0, 96) == 24
    restless = [one for seed in range(32) for one in still(seed, 3)]
    calm = survey([*restless, *still(40, 96)])
    assert calm.chunk_frames(96, 192) == 24
    assert survey(zoom(2, 96)).chunk_frames(0, 96) in (6, 12)
    # Too short to know.
    assert calm.chunk_frames(180, 192) == 12


STROBE = [one for seed in range(20, 30) for one in still(seed, 1)]
FILM = [
    *pan(1, 31),
    *still(2, 26, noise=2.0),
    *flash(3, 20, 9),
    *STROBE,
    *zoom(4, 38),
    *still(5, 7),
    *pages([1, 2], 7),
]


@pytest.mark.parametrize(
    "borders",
    [
        [60],
        [24, 48, 72, 96, 120],
        [31, 57],  # at cuts
        [32, 58],
        [33, 59],
        [66, 67, 68],  # around the flash
        [80, 82, 83],  # within the strobe
        [len(FILM) - 8, len(FILM) - 7, len(FILM) - 6],  # around the new page
        [1, 2, 3, 23, 25],
        list(range(1, len(FILM))),
    ],
    ids=str,
)
def test_spans_together_say_what_one_survey_says(borders: list[int]) -> None:
    """If this fails, the bytes of a film depend on how its survey was divided."""
    whole = span(FILM)
    pairs = list(pairwise([0, *borders, len(FILM)]))
    parts = [span(FILM[max(0, first - LEAD_IN) : end], first) for first, end in pairs]
    assert [one for part in parts for one in part.alone] == whole.alone
    assert [one for part in parts for one in part.last] == whole.last
    assert [one for part in parts for one in part.before_last] == whole.before_last
    assert [one for part in parts for one in part.distant] == whole.distant
    assert [one for part in parts for one in part.known] == whole.known == [len(FILM) - 7]
    assert {part.blocks for part in parts} == {whole.blocks}
    assert Survey(parts).cuts() == Survey([whole]).cuts() != []
    frames = Frames(*([list(range(len(FILM)))] * 2), [()] * len(FILM))
    batches = [list(cut(frames, EncodeOptions(), Survey(one))) for one in (parts, [whole])]
    assert batches[0] == batches[1]


def test_a_survey_survives_its_json() -> None:
    """If this fails, what workers saw is lost on the way to the plan."""
    made = span(FILM[: 40 + 60], 0)
    assert SurveyRecord.from_json(made.to_json()) == made
    assert Survey([SurveyRecord.from_json(made.to_json())]).cuts() == Survey([made]).cuts()
