"""Results in a browser: they play while they are downloaded, and seek by ranges."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from excamera.job.options import EncodeOptions
from excamera.local import encode_file
from tests.pipeline.clips import Clip
from tests.pipeline.test_mp4 import film, tone, track_of
from tests.support.browser import needs_browser, running
from tests.support.packets import coded
from tests.support.ranges import serving

PAGE = """<!doctype html><video id=v muted src=FILM></video><script>
const v = document.getElementById("v");
const say = (what) => fetch("/said", {method: "POST", body: JSON.stringify(what)});
const state = (name) => [name, v.currentTime, v.duration, v.videoWidth, v.videoHeight];
v.onerror = () => say(["error", v.error.message]);
v.ontimeupdate = () => {
  if (v.currentTime < 0.2) return;
  v.ontimeupdate = null;
  v.pause();
  say(state("playing")).then(() => {
    v.onseeked = () => say(state("seeked"));
    v.currentTime = 7.2;
  });
};
v.play().catch((error) => say(["error", String(error)]));
</script>"""


def play(name: str, kind: str, data: bytes, tmp_path: Path) -> list[list[Any]]:
    """What a browser says of a film of which it gets a third only until it plays."""
    files = {"/page.html": ("text/html", PAGE.replace("FILM", name).encode()),
             f"/{name}": (kind, data)}  # fmt: skip
    with serving(files, **{name.replace(".", "_"): len(data) // 3}) as server, running(
        "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio",
        "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={tmp_path / 'user'}",
        "--log-file=/dev/null", f"{server.url}/page.html",
    ):  # fmt: skip
        return server.wait(2)


def check(said: list[list[Any]]) -> None:
    """Check that a film of 8 s and 320x192 pixels played and was sought in."""
    (begun, *start), (sought, *end) = said
    assert (begun, sought) == ("playing", "seeked")
    for place in (start, end):
        assert place[1:] == [pytest.approx(8, abs=0.05), 320, 192]
    assert start[0] >= 0.2
    assert end[0] == pytest.approx(7.2)


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("codec", ["h264", "vp9", "av1"])
def test_mp4_plays_while_it_is_downloaded(codec: str, tmp_path: Path) -> None:
    """If this fails, browsers wait for all of a film, play none of it, or cannot seek."""
    batches = [coded(codec, range(at, at + 40), 320, 192, first=at) for at in range(0, 200, 40)]
    video = replace(track_of(codec, batches, 200, Fraction(1, 25)), width=320, height=192)
    path = film(tmp_path / "a.mp4", batches, video, tone(8.0)[0])
    check(play("a.mp4", "video/mp4", path.read_bytes(), tmp_path))


@needs_browser
@pytest.mark.slow
def test_webm_plays_while_it_is_downloaded(tmp_path: Path) -> None:
    """If this fails, browsers wait for all of a film, play none of it, or cannot seek."""
    clip = Clip(frames=200, width=320, height=192, options={"crf": "20"}, sound="aac")
    source, output = clip.write(tmp_path / "a.mkv"), tmp_path / "a.webm"
    options = EncodeOptions(chunk_frames=10, batch_chunks=4)
    encode_file(str(source), output, options, workers=2)
    check(play("a.webm", "video/webm", output.read_bytes(), tmp_path))
