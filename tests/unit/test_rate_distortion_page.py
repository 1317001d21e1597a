"""docs/rate-distortion.md is what the results render to, and its figures mean what it says."""

import json
from pathlib import Path

import numpy as np
import pytest

import codec
from benchmarks.quality import cpu, ours, peers
from benchmarks.quality.bits import AHEAD, DESCRIPTION, KEY, ORDINARY, RESIDUE, bits_by_role
from benchmarks.quality.finishing import MEASURED, MODELLED, our_points
from benchmarks.quality.report import (
    best_peer,
    crf_offsets,
    curve,
    difference,
    pulse_ratios,
    render,
)

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
NAMES = ("rate-distortion", "speed")


def test_page_is_what_the_results_give():
    """The docs would hold a figure that no command reproduces."""
    quality, speed = (json.loads((RESULTS / f"{name}.json").read_text()) for name in NAMES)
    assert (ROOT / "docs" / "rate-distortion.md").read_text() == render(quality, speed)


def test_the_figure_shows_our_own_points():
    """The figure would compare everybody but what it is about."""
    quality, speed = (json.loads((RESULTS / f"{name}.json").read_text()) for name in NAMES)
    found = {point.name: point.kind for point in our_points(quality, speed)}
    assert found["anchors, 2 threads"] == MEASURED
    assert found["anchors, 6 threads"] == MODELLED


def points(scale, offset_db=0.0, pulse=1.0):
    """A curve in which every doubling of the bits gains 3 dB."""
    return [
        {
            "level": 60 - 10 * step,
            "bytes": scale * 2**step,
            "ssim_y_db": 10 + 3 * step + offset_db,
            "psnr_y_db": 30 + 3 * step + offset_db,
            "pulse_mean_db": pulse,
            "pulse_most_db": 2 * pulse,
        }
        for step in range(5)
    ]


def test_the_best_peer_needs_the_fewest_bits():
    """We would be compared with a setting that is easy to beat."""
    curves = {
        peers.GOOD: points(1000),
        peers.BEST: points(900),
        peers.ONE_QUANTIZER: points(1100),
        ours.ANCHORS: points(810),
    }
    assert best_peer(curves, "ssim_y_db") == peers.BEST
    assert difference(curves, ours.ANCHORS, peers.BEST, "ssim_y_db") == pytest.approx(-0.1)


def test_a_level_without_use_is_left_out():
    """An encoder that wastes bits at its best level would have no curve at all."""
    found = points(1000)
    found.append({"bytes": 40_000, "ssim_y_db": 21.9})
    assert curve(found, "ssim_y_db") == curve(points(1000), "ssim_y_db")


def test_offsets_and_pulse_are_against_the_right_curves():
    """The page would say that crf means something else than it does."""
    curves = {
        ours.ANCHORS: points(1000, offset_db=0.5, pulse=0.6),
        ours.SEQUENTIAL: points(1000),
        peers.BEST: points(1000, pulse=1.2),
    }
    assert crf_offsets(curves) == pytest.approx([0.5] * 5)
    assert pulse_ratios(curves) == pytest.approx({"pulse_mean_db": 0.5, "pulse_most_db": 0.5})
    assert cpu.nearest(curves[peers.BEST], 17.4)["ssim_y_db"] == 16


def test_every_byte_has_a_role():
    """The table of where the bits go would not add up."""
    random = np.random.default_rng(1)
    raster = codec.Raster.from_i420(
        random.integers(0, 256, 32 * 32 * 3 // 2, np.uint8).tobytes(), 32, 32
    )
    key = codec.encode_key_frame(raster, 20)
    hidden = codec.EncodeSettings(show=False, refresh_last=False, refresh_altref=True)
    ahead = codec.encode_inter_frame(key.state, raster, 10, hidden)
    shows = codec.show_reference(ahead.state, codec.Reference.ALTREF)
    found = bits_by_role([key.frame, ahead.frame, shows.frame])
    for role, frame in ((KEY, key.frame), (AHEAD, ahead.frame), (ORDINARY, shows.frame)):
        assert found[role]["frames"] == 1
        assert found[role][DESCRIPTION] + found[role][RESIDUE] == len(frame)
    assert found[KEY][RESIDUE] > found[KEY][DESCRIPTION]
