"""What plain chunks of the other codecs are expected to cost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.common.circumstances import RESULTS
from excamera.job.encoders import H264_PRESETS
from excamera.job.options import EncodeOptions
from excamera.job.packing import Limits
from excamera.job.steps import DEFAULT_MEMORY_MB
from excamera.price.estimate import estimate
from excamera.price.film import Film
from excamera.price.pace import Pace
from excamera.price.plain import COSTS, bits_of, seconds_of
from excamera.price.stages import Stages, equal_batches
from excamera.price.workers import Workers

FILM = Film(2400, 1280, 720, 100.0)
WORKERS = Workers(DEFAULT_MEMORY_MB)
STEPS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "vp9": ("vp9_cpu_used", tuple(range(6))),
    "av1": ("av1_preset", tuple(range(13))),
    "h264": ("h264_preset", H264_PRESETS),
}


@pytest.mark.parametrize("codec", STEPS)
def test_costs_are_those_that_were_measured(codec: str) -> None:
    """If this fails, an estimate is made from other figures than the benchmark's."""
    measured = json.loads((RESULTS / "plain.json").read_text())
    name, steps = STEPS[codec]
    assert tuple(COSTS[codec].steps) == steps
    for step in steps:
        found = measured[f"{codec} {step}"]
        options = EncodeOptions().with_values({"codec": codec, name: step})
        assert seconds_of(options) == pytest.approx(
            found["encode_s"] + COSTS[codec].check_s, rel=0.01
        )
        assert bits_of(options) == pytest.approx(found["bits"], rel=0.01)
    usual = EncodeOptions().with_values({"codec": codec})
    worse, found = replace(usual, crf=usual.crf + 8), measured[f"{codec} crf + 8"]
    assert bits_of(worse) == pytest.approx(found["bits"], rel=0.02)
    expected = found["encode_s"] + COSTS[codec].check_s
    assert seconds_of(worse) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("codec", STEPS)
def test_an_estimate_knows_the_codec(codec: str) -> None:
    """If this fails, a job of another codec is estimated, or stopped, as if it were VP8's."""
    options = EncodeOptions().with_values({"codec": codec})
    found = estimate(FILM, options, WORKERS)
    megapixels = FILM.frames * FILM.megapixels
    assert (found.shape.chunks, found.shape.batches, found.shape.divided) == (10, 10, 0)
    assert found.size * 8 == pytest.approx(bits_of(options) * megapixels, rel=0.2)
    assert not found.shape.anchored
    slower = estimate(FILM, options, WORKERS, replace(Pace(), plain=2.0))
    assert slower.computing_s > found.computing_s
    batches = equal_batches(FILM, options)
    stages = Stages(FILM, options, Pace(), Limits(), batches)
    call = {"batch": 0, "share": 0, "of": 1}
    seconds = Pace().read_s + seconds_of(options)
    assert stages.work("encode", call).cpu_s == pytest.approx(240 * FILM.megapixels * seconds)


def test_a_job_of_another_codec_teaches_nothing_of_vp8() -> None:
    """If this fails, one H.264 job makes the next VP8 job look cheap, or its result large."""
    options = EncodeOptions().with_values({"codec": "h264"})
    pace = Pace.of_job([], FILM, options, WORKERS)
    usual = Pace()
    for name in ("encode_s", "read_s", "lookahead_s", "anchor_s", "between_s", "check_s", "bits"):
        assert getattr(pace, name) == getattr(usual, name)
