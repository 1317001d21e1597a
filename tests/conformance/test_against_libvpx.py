"""Streams made here with libvpx decode as FFmpeg's and libvpx's decoders do."""

from dataclasses import dataclass, field

import pytest

import codec
from tests.support.pictures import moving_pictures
from tests.support.streams import (
    DECODERS,
    Flag,
    encode_with_libvpx,
    hide,
    play,
    shown_rasters,
    states,
)


@dataclass(frozen=True)
class Case:
    """One stream: what is encoded, and with which settings of libvpx."""

    name: str
    width: int = 176
    height: int = 144
    frames: int = 12
    noise: float = 0.0
    options: dict[str, str] = field(default_factory=dict)
    flags: dict[int, Flag] = field(default_factory=dict)
    hidden: tuple[int, ...] = ()


ONLY_ALTREF = Flag.FORCE_ALTREF | Flag.NO_UPD_LAST | Flag.NO_UPD_GOLDEN
ONLY_GOLDEN = Flag.FORCE_GOLDEN | Flag.NO_UPD_LAST | Flag.NO_UPD_ALTREF
ONLY_LAST = Flag.NO_UPD_GOLDEN | Flag.NO_UPD_ALTREF
FROM_ALTREF = Flag.NO_REF_LAST | Flag.NO_REF_GOLDEN
FROM_GOLDEN = Flag.NO_REF_LAST | Flag.NO_REF_ALTREF


CASES = [
    Case("1x1", 1, 1),
    Case("2x2", 2, 2),
    Case("16x16", 16, 16),
    Case("17x33", 17, 33),
    Case("odd-175x143", 175, 143),
    Case("wide-401x3", 401, 3),
    Case("tall-5x250", 5, 250),
    Case("low-quality", options={"qmin": "63", "qmax": "63", "crf": "63"}),
    Case("high-quality", options={"qmin": "0", "qmax": "0", "crf": "0"}),
    Case("noise", noise=25.0, options={"b": "2M"}),
    Case("noise-low-quality", noise=40.0, options={"qmin": "50", "qmax": "63", "crf": "55"}),
    Case(
        "altref",
        frames=16,
        # Through PyAV, libvpx has only one pass, which makes no altref of its own.
        flags={
            3: ONLY_ALTREF,
            4: ONLY_LAST,
            6: FROM_ALTREF | ONLY_LAST,
            7: ONLY_GOLDEN,
            9: FROM_GOLDEN | ONLY_LAST,
            11: ONLY_ALTREF | FROM_GOLDEN,
            12: FROM_ALTREF,
        },
        hidden=(3, 11),
    ),
    Case(
        "altref-option-odd",
        177,
        141,
        frames=30,
        options={"auto-alt-ref": "1", "lag-in-frames": "25", "deadline": "best", "b": "150k"},
    ),
    Case(
        "probabilities-not-kept",
        frames=12,
        noise=6.0,
        flags=dict.fromkeys((2, 3, 7, 10), Flag.NO_UPD_ENTROPY),
    ),
    Case("partitions-2", options={"slices": "2"}),
    Case("partitions-8", 320, 240, frames=6, options={"slices": "8"}),
    Case("error-resilient", frames=16, options={"error-resilient": "default"}),
    Case(
        "error-resilient-partitions",
        frames=16,
        options={"error-resilient": "default+partitions", "slices": "4"},
    ),
    Case("profile-1", 175, 143, options={"profile": "1"}),
    Case("profile-2", 175, 143, options={"profile": "2"}),
    Case("profile-3", 175, 143, options={"profile": "3"}),
    Case("profile-3-noise", noise=20.0, options={"profile": "3", "b": "1M"}),
    Case("realtime", frames=20, options={"deadline": "realtime", "cpu-used": "8", "b": "100k"}),
    Case(
        "cyclic-segmentation",
        frames=30,
        options={
            "deadline": "realtime",
            "cpu-used": "4",
            "error-resilient": "default",
            "static-thresh": "100",
            "minrate": "80k",
            "maxrate": "80k",
            "b": "80k",
        },
    ),
    Case("sharpness", options={"sharpness": "7", "b": "100k"}),
    Case("tune-ssim", frames=16, options={"tune": "ssim", "b": "150k"}),
    Case("many-key-frames", options={"g": "3"}),
]


def stream_of(case: Case) -> list[bytes]:
    """Returns the frames of a case's stream."""
    pictures = moving_pictures(case.width, case.height, case.frames, seed=7, noise=case.noise)
    frames = encode_with_libvpx(pictures, case.options, case.flags)
    return [hide(frame) if i in case.hidden else frame for i, frame in enumerate(frames)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_decodes_to_the_same_bytes(case):
    """A feature that the standard vectors do not reach would be decoded wrongly."""
    frames = stream_of(case)
    ours = shown_rasters(frames)
    assert len(ours) == case.frames - len(case.hidden)
    for decoder in DECODERS:
        assert play(decoder, frames) == ours, decoder


def test_cases_reach_what_they_are_named_for():
    """The cases above would pass without exercising their feature."""
    by_name = {case.name: case for case in CASES}
    after = [state for state, _ in states(stream_of(by_name["altref"]))]
    assert after[3].altref not in (after[3].last, after[3].golden)
    assert after[7].golden not in (after[7].last, after[7].altref)
    for version in (1, 2, 3):
        frame = stream_of(by_name[f"profile-{version}"])[0]
        assert codec.read_header(frame).version == version
    keys = [codec.read_header(f).key_frame for f in stream_of(by_name["many-key-frames"])]
    assert keys == [index % 3 == 0 for index in range(len(keys))]


def test_size_may_change_at_a_key_frame():
    """A state of the old size would leak into the new one."""
    frames = []
    for width, height in ((64, 48), (33, 65), (176, 144)):
        frames += encode_with_libvpx(moving_pictures(width, height, 4, seed=width))
    ours = shown_rasters(frames)
    for decoder in DECODERS:
        assert play(decoder, frames) == ours, decoder


def test_frame_without_bytes_repeats_the_last():
    """A dropped frame would stop the film, or change what follows it."""
    frames = encode_with_libvpx(moving_pictures(64, 48, 3))
    key = codec.decode(None, frames[0])
    dropped = codec.decode(key.state, b"")
    assert dropped.state == key.state
    assert dropped.raster == key.raster
    assert codec.is_shown(b"")


def test_raster_of_a_hidden_frame_is_not_the_shown_one():
    """An altref frame would be taken for the picture on the screen."""
    case = next(case for case in CASES if case.name == "altref")
    decoded = list(states(stream_of(case)))
    hidden = case.hidden[0]
    (before, _), (after, raster) = decoded[hidden - 1 : hidden + 1]
    assert after.altref == raster
    assert after.last == before.last
    assert raster != before.last
