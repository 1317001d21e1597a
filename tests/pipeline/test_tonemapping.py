"""Pictures of high dynamic range: kept or made for standard screens, by the same rules anywhere."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from excamera.cli import main
from excamera.media.source import tonemapping
from excamera.media.source.framing import range_note
from excamera.media.source.powers import exp, power
from excamera.media.source.tonemapping import (
    HLG,
    PQ,
    USUAL_PEAK_NITS,
    WHITE_NITS,
    peak_nits,
    tone_mapped,
)
from tests.pipeline.clips import decode_ours
from tests.pipeline.films import Film

Capture = pytest.CaptureFixture[str]
NITS = (0, 1, 10, 50, 100, 203, 400, 1000)
BAR = 16  # pixels, of each of them
WHITE = (235, 236)  # swscale rounds up


def pq(nits: float) -> float:
    """SMPTE ST 2084, 0 to 1."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = (nits / 10_000) ** m1
    return float(((c1 + c2 * power) / (1 + c3 * power)) ** m2)


def hlg(light: float) -> float:
    """The signal of some light of the scene, 0 to 1, by ITU-R BT.2100."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return float(np.sqrt(3 * light) if light <= 1 / 12 else a * np.log(12 * light - b) + c)


def write(path: Path, values: list[float], transfer: int) -> Path:
    """A film of grey bars with 10 bits in BT.2020, without loss."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = BAR * len(values), 32, "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = transfer, 9, 9
        context.color_range = 1
        luma = np.repeat([round(64 + 876 * value) for value in values], BAR).astype(np.uint16)
        for number in range(6):
            frame = VideoFrame(BAR * len(values), 32, "yuv420p10le")
            for place, plane in enumerate(frame.planes):
                words = np.frombuffer(memoryview(plane), np.uint16)
                rows = words.reshape(plane.height, -1)
                rows[:, : plane.width] = luma if place == 0 else 512
            frame.color_trc, frame.color_primaries, frame.colorspace = transfer, 9, 9
            frame.color_range = 1
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def bars(picture: bytes) -> list[int]:
    """The luma in the middle of each bar."""
    width = BAR * len(NITS)
    return list(map(int, np.frombuffer(picture, np.uint8, width * 32)[BAR // 2 : width : BAR]))


def shown(luma: int) -> float:
    """What a standard screen shows of a luma, as a part of its white (ITU-R BT.1886)."""
    return float(max(0.0, (luma - 16) / 219) ** 2.4)


def test_dark_and_middle_tones_keep_their_light(tmp_path: Path) -> None:
    """If this fails, an HDR film is grey or dark on a standard screen."""
    film = Film(write(tmp_path / "a.mkv", [pq(one) for one in NITS], PQ), tonemap=True)
    assert film.plan.geometry.tone == (PQ, USUAL_PEAK_NITS)
    geometry = film.plan.geometry
    assert (geometry.matrix, geometry.transfer, geometry.primaries) == (1, 1, 1)
    film.check_from_anywhere(film.pictures())
    found = bars(film.pictures()[0])
    assert found[0] == 16
    assert found == sorted(set(found))
    for nits, luma in zip(NITS[2:5], found[2:5], strict=True):
        # A step of 8 bits is 4% of such light.
        assert shown(luma) * WHITE_NITS == pytest.approx(nits, rel=0.06)
    assert found[-1] in WHITE
    assert 205 <= found[5] <= 220


def test_hlg_becomes_what_a_screen_of_1000_nits_shows(tmp_path: Path) -> None:
    """If this fails, a broadcast in HLG has another contrast than it should have."""
    lights = [(nits / 1000) ** (1 / 1.2) for nits in NITS]
    film = Film(write(tmp_path / "a.mkv", [hlg(one) for one in lights], HLG), tonemap=True)
    found = bars(film.pictures()[0])
    for nits, luma in zip(NITS[2:5], found[2:5], strict=True):
        assert shown(luma) * WHITE_NITS == pytest.approx(nits, rel=0.06)
    assert found[-1] in WHITE


def test_colours_turn_into_those_of_bt709() -> None:
    """If this fails, an HDR film is pale or tinted."""
    # Red, green and blue of BT.709 in BT.2020, by the inverse of our matrix.
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114],
                        [0.0164, 0.0880, 0.8956]])  # fmt: skip
    for place in range(3):
        light = to_2020[:, place] * 50
        codes = tuple(np.full((1, 1), round(4095 * pq(one)), np.uint16) for one in light)
        red_green_blue = [int(one[0, 0]) / 4095 for one in tone_mapped(codes, PQ, 1000)]
        wanted = (50 / WHITE_NITS) ** (1 / 2.4)
        for channel, value in enumerate(red_green_blue):
            assert value == pytest.approx(wanted if channel == place else 0, abs=0.06)


def test_the_brightest_light_is_the_one_that_the_film_names() -> None:
    """If this fails, highlights of a film are cut, or all of it is too dark."""

    def grey(nits: float, peak: int) -> int:
        code = np.full((1, 1), round(4095 * pq(nits)), np.uint16)
        return int(tone_mapped((code, code, code), PQ, peak)[0][0, 0])

    assert grey(1000, 1000) == grey(4000, 4000) == 4095
    assert grey(1000, 4000) < grey(1000, 1000)
    assert peak_nits(VideoFrame(16, 16, "yuv420p10le")) == USUAL_PEAK_NITS


def test_without_the_option_a_note_says_that_it_is_kept(tmp_path: Path, capfd: Capture) -> None:
    """If this fails, nobody learns why a film looks grey, or that it was changed."""
    source = write(tmp_path / "a.mkv", [pq(one) for one in NITS], PQ)
    plain = Film(source).plan
    assert (plain.geometry.matrix, plain.geometry.transfer, plain.geometry.primaries) == (9, PQ, 9)
    assert range_note(plain.geometry) in plain.notes
    output = tmp_path / "out.webm"
    assert main(["encode", str(source), str(output), "--crf", "4"]) == 0
    assert "note: PQ (HDR): kept, with 8 bits; --tonemap" in capfd.readouterr().err
    assert main(["encode", str(source), str(output), "--crf", "4", "--tonemap", "--overwrite"]) == 0
    assert "note: PQ (HDR) of 1000 cd/m2: made BT.709 (SDR)" in capfd.readouterr().err
    wanted = bars(Film(source, tonemap=True).pictures()[0])
    assert np.abs(np.subtract(bars(decode_ours(output)[0]), wanted)).max() <= 4
    with av.open(str(output)) as container:
        frame = next(container.decode(video=0))
        assert frame.color_trc == 1


def test_a_film_of_standard_range_stays(tmp_path: Path) -> None:
    """If this fails, --tonemap changes films that have no use for it."""
    source = write(tmp_path / "a.mkv", [0.1 * place for place in range(len(NITS))], 1)
    toned = Film(source, tonemap=True)
    assert toned.plan.geometry.tone is None
    assert toned.pictures() == Film(source).pictures()


@pytest.mark.parametrize(
    ("transfer", "peak", "digest"),
    [
        (PQ, 400, "f776d18eadde1d02"), (PQ, 1000, "b9099e969df6cb74"),
        (PQ, 4000, "6a8ced6f6847dc79"), (HLG, 400, "16bde5bc64452eaf"),
        (HLG, 1000, "e9840f9ade2e3329"),
    ],
)  # fmt: skip
def test_all_machines_have_the_same_tables(transfer: int, peak: int, digest: str) -> None:
    """If this fails, a machine makes other bytes of an HDR film than the others."""
    tables = tonemapping._tables(transfer, peak)
    data = b"".join(one.astype(one.dtype.newbyteorder("<")).tobytes() for one in tables)
    assert hashlib.sha256(data).hexdigest()[:16] == digest


def test_powers_are_those_of_mathematics() -> None:
    """If this fails, the tables agree with each other, and with nothing else."""
    at = np.linspace(0, 1, 2001)
    for exponent in (2610 / 16384, 2523 / 32, 1.2, 5 / 6, 16384 / 2610):
        expected = [value**exponent for value in map(float, at)]
        assert power(at, exponent) == pytest.approx(expected, rel=1e-13, abs=0)
    assert exp(6 * at - 3) == pytest.approx(np.exp(6 * at - 3), rel=1e-13)
