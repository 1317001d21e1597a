/* What this browser can tell of a film before it is sent. */

const PATIENCE_MS = 8000;
const FRAMES = 12;  // so many tell the rate
const USUAL_RATE = 25;

/* Size, duration and number of frames of a file; null if this browser cannot read it. `guessed` says
   that the rate is not known. */
export async function factsOf(file) {
  const url = URL.createObjectURL(file);
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  try {
    video.src = url;
    await happened(video, "loadeddata");
    if (!video.videoWidth || !Number.isFinite(video.duration)) return null;
    const rate = await rateOf(video);
    const sound = video.webkitAudioDecodedByteCount ?? (video.mozHasAudio ? 1 : undefined);
    return {
      width: video.videoWidth, height: video.videoHeight, duration_s: video.duration,
      frames: Math.max(1, Math.round(video.duration * (rate ?? USUAL_RATE))),
      sound: Number(sound === undefined || sound > 0),
      guessed: rate === null,
    };
  } catch {
    return null;
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  }
}

function happened(video, name) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error("too slow")), PATIENCE_MS);
    const end = (act, value) => { clearTimeout(timer); act(value); };
    video.addEventListener(name, () => end(done), { once: true });
    video.addEventListener("error", () => end(fail, video.error), { once: true });
  });
}

/* Frames a second, from the times of a few frames; null if the browser does not tell them. */
async function rateOf(video) {
  if (!("requestVideoFrameCallback" in video)) return null;
  const times = new Set();
  const enough = new Promise((done) => {
    const next = (_, { mediaTime }) => {
      times.add(mediaTime);
      if (times.size >= FRAMES) done();
      else video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
    video.addEventListener("ended", () => done(), { once: true });
    setTimeout(done, PATIENCE_MS / 4);
  });
  try { await video.play(); } catch { return null; }
  await enough;
  video.pause();
  const sorted = [...times].sort((a, b) => a - b);
  // A busy browser leaves frames out: the shortest gap is that of neighbours.
  const gaps = sorted.slice(1).map((time, at) => time - sorted[at]).filter((gap) => gap > 1e-4);
  return gaps.length ? 1 / Math.min(...gaps) : null;
}
