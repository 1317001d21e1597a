"""Ladders in a browser, by players that adapt: each size is shown, and seeking finds pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from tests.pipeline.clips import Clip
from tests.support.browser import needs_browser
from tests.support.players import play, player_script

TIMES = [2.12, 0.4, 1.96]
"""Of pictures before a border and behind it; not of those next behind, see docs/ladder.md."""

KINDS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("shaka", "mpd", "vp9", {"vp9_cpu_used": 5, "chunk_frames": 25}),
    ("shaka", "mpd", "vp8", {"chunk_frames": 5, "batch_chunks": 5}),
    ("hls.js", "m3u8", "h264", {"h264_preset": "veryfast", "chunk_frames": 25}),
    ("hls.js", "m3u8", "av1", {"av1_preset": 12, "chunk_frames": 25}),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds with sound."""
    clip = Clip(frames=100, width=320, height=192, options={"crf": "20"}, sound="aac")
    return clip.write(tmp_path_factory.mktemp("source") / "a.mkv")


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize(("player", "manifest", "codec", "more"), KINDS)
def test_a_ladder_plays(
    source: Path, tmp_path: Path, player: str, manifest: str, codec: str, more: dict[str, Any]
) -> None:
    """If this fails, players show another picture than asked for, one size only, or nothing."""
    player_script(player)
    output = tmp_path / f"a.{manifest}"
    options = EncodeOptions().with_values({"codec": codec, "ladder": "192p,96p", **more})
    encode_file(str(source), output, options, workers=2)
    heights, seen, duration, decoded, damaged, heard = play(player, output, TIMES, tmp_path)
    assert heights == [192, 96]
    sizes = [(320, 192), (160, 96)]
    assert [(round(time, 2), width, height) for time, width, height in seen] == [
        (time, *size) for size in sizes for time in TIMES
    ]
    assert 4 <= duration < 4.03
    # All of it is played once, whatever was decoded while a picture was looked for.
    assert decoded >= 100
    assert (damaged, heard) == (0, True)
