"""Zones in whole encodes: what a part of a film with another quality becomes."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

from excamera.cli import main
from excamera.media.compare import compare_files
from tests.support.scenes import film, pan


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One scene of 96 frames, 25 a second."""
    return film(tmp_path_factory.mktemp("zones") / "film.mkv", pan(1, 96))


Packets = list[tuple[float, bytes, bool]]
"""Of a file, in order: time, content, and whether it is a key frame."""


def packets(path: Path) -> Packets:
    """Those of the video."""
    with av.open(str(path)) as opened:
        base = opened.streams.video[0].time_base
        found = [
            (float(one.pts * base), bytes(one), one.is_keyframe)
            for one in opened.demux(video=0)
            if one.size
        ]
    return sorted(found)


def inside(found: Packets) -> list[bytes]:
    """The packets of the zone."""
    return [content for at, content, _ in found if 1.19 < at < 2.39]


def outside(found: Packets) -> list[bytes]:
    """The others."""
    return [content for at, content, _ in found if not 1.19 < at < 2.39]


@pytest.mark.parametrize(
    "codec", [[], ["--codec", "h264", "--h264-preset", "veryfast"]], ids=["vp8", "h264"]
)
def test_a_zone_has_its_own_quality_and_begins_with_a_key_frame(
    source: Path, tmp_path: Path, codec: list[str]
) -> None:
    """If this fails, `--zones` is without effect, or changes frames that are not in the zone."""
    results = []
    for crf in ("+0", "45"):
        output = tmp_path / f"{crf}.mkv"
        given = ["encode", str(source), str(output), "-q", "--crf", "20", *codec]
        assert main([*given, "--zones", f"1.2-2.4={crf}"]) == 0
        results.append((packets(output), list(compare_files(str(source), str(output)))))
    (same, quality), (zoned, worse) = results
    assert {0.0, 1.2, 2.4} <= {round(at, 2) for at, _, is_key in zoned if is_key}
    assert len(quality) == len(worse) == 96
    # What lies outside is the same to the byte; the zone begins with frame 30 and ends with 59.
    assert outside(same) == outside(zoned)
    assert [*quality[:30], *quality[60:]] == [*worse[:30], *worse[60:]]
    assert min(one.mse[0] for one in worse[30:60]) > 2 * max(one.mse[0] for one in quality[30:60])
    assert sum(map(len, inside(zoned))) < 0.7 * sum(map(len, inside(same)))


def test_a_target_is_met_with_zones(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, `--bitrate` counts a zone's frames as if they were like the others."""
    output = tmp_path / "out.mkv"
    given = ["--bitrate", "12", "--zones", "0-1.2=+15", "--progress", "json"]
    assert main(["encode", str(source), str(output), *given]) == 0
    assert "the target was missed" not in capsys.readouterr().err
    bits = 8 * sum(len(content) for _, content, _ in packets(output)) / (96 / 25)
    assert bits == pytest.approx(12_000, rel=0.03)
    errors = [one.mse[0] for one in compare_files(str(source), str(output))]
    assert min(errors[:30]) > max(errors[31:])


def test_zones_are_times_of_the_source(source: Path, tmp_path: Path) -> None:
    """If this fails, a trim or another rate moves the zones."""
    output = tmp_path / "out.mkv"
    more = ["--start", "1", "--fps", "50", "--zones", "2-end=50"]
    assert main(["encode", str(source), str(output), "-q", *more]) == 0
    assert 1.0 in [round(at, 2) for at, _, is_key in packets(output) if is_key]


def test_a_dry_run_and_a_wrong_zone(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If this fails, users find out by the result what they asked for."""
    output = str(tmp_path / "out.mkv")
    given = ["encode", str(source), output, "--dry-run", "--json", "--zones", "1-2=+9"]
    assert main(given) == 0
    told = json.loads(capsys.readouterr().out)
    assert [batch["crf"] for batch in told["batches"]] == [24, 33, 24]
    assert main(["encode", str(source), output, "--zones", "60-end=9"]) != 0
    assert "zones: 60-end=9 begins after the source has ended" in capsys.readouterr().err
