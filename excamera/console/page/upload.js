/* Uploads in parts, which go on after a reload: what a job waits for is kept by the browser. */

import { addressOf, create, job as jobOf } from "./api.js";

const PREFIX = "upload:";
const AT_ONCE = 3;
const PAUSE_MS = 1500;
const TRIES = 20;

/* The uploads of this page that are under way, by the ids of their jobs. */
export const underWay = new Map();

const same = (kept, file) =>
  kept.name === file.name && kept.size === file.size && kept.lastModified === file.lastModified;

/* What is kept of a job's upload; null if it is not one of this browser. */
export function keptOf(id) {
  try { return JSON.parse(localStorage.getItem(PREFIX + id)); } catch { return null; }
}

/* The job whose upload a file can go on with; null if there is none. */
export function pendingFor(file) {
  for (let at = 0; at < localStorage.length; at++) {
    const name = localStorage.key(at);
    if (!name.startsWith(PREFIX)) continue;
    const id = name.slice(PREFIX.length), kept = keptOf(id);
    if (kept && same(kept, file) && !underWay.has(id)) return id;
  }
  return null;
}

export const forget = (id) => localStorage.removeItem(PREFIX + id);

/* Make a job of a file, and remember what it waits for. */
export async function begin(file, request, key) {
  const made = await create({ upload: true, name: file.name, size: file.size, ...request }, key);
  const { name, size, lastModified } = file;
  localStorage.setItem(PREFIX + made.id, JSON.stringify({ name, size, lastModified }));
  return made.id;
}

/* Send what a job lacks of its file. `moved` hears how many bytes are there. */
export async function send(id, file, moved) {
  const state = { sent: 0, stopped: false };
  underWay.set(id, state);
  try {
    for (let tries = 0; ; tries++) {
      try {
        if (await sendMissing(id, file, state, moved)) break;
      } catch (error) {
        // Addresses expire, and connections break: what has come stays.
        if (state.stopped || tries >= TRIES || (error.status && error.status < 500 && error.status !== 403)) throw error;
        await new Promise((done) => setTimeout(done, PAUSE_MS));
      }
      if (state.stopped) return false;
    }
    forget(id);
    return true;
  } finally {
    underWay.delete(id);
  }
}

/* Returns whether all is there. */
async function sendMissing(id, file, state, moved) {
  const { upload } = await jobOf(id);
  if (!upload) return true;  // it has been completed
  const tags = new Map(upload.received.map((part) => [part.number, part.etag]));
  let done = upload.received.reduce((total, part) => total + part.size, 0);
  const partly = new Map();
  const tell = () => {
    state.sent = done + [...partly.values()].reduce((total, one) => total + one, 0);
    moved(state.sent);
  };
  tell();
  const left = [...upload.parts];
  let failed = null;
  const worker = async () => {
    while (left.length && !state.stopped && !failed) {
      const part = left.shift();
      try {
        tags.set(part.number, await put(part, file, state, (sent) => { partly.set(part.number, sent); tell(); }));
        done += part.size;
      } catch (error) {
        failed ??= error;
      }
      partly.delete(part.number);
      tell();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (failed && !state.stopped) throw failed;
  if (state.stopped) return false;
  await complete(upload.complete_url, tags);
  return true;
}

/* PUT a part; returns its ETag. */
function put(part, file, state, moved) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open("PUT", addressOf(part.url));
    request.upload.addEventListener("progress", (event) => {
      if (state.stopped) request.abort();
      moved(event.loaded);
    });
    request.addEventListener("load", () => {
      if (request.status === 200) done(request.getResponseHeader("ETag"));
      else fail(Object.assign(new Error(detailOf(request)), { status: request.status }));
    });
    for (const name of ["error", "abort"]) {
      request.addEventListener(name, () => fail(new Error("the connection was lost")));
    }
    request.send(file.slice(part.offset, part.offset + part.size));
  });
}

function detailOf(request) {
  try { return JSON.parse(request.responseText).detail; } catch { return `status ${request.status}`; }
}

async function complete(url, tags) {
  const parts = [...tags].sort(([a], [b]) => a - b)
    .map(([number, tag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${tag.replaceAll('"', "&quot;")}</ETag></Part>`);
  const answer = await fetch(addressOf(url), {
    method: "POST",
    headers: { "Content-Type": "application/xml" },
    body: `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`,
  });
  const text = await answer.text();
  // S3 may report a failure behind a status that promises success.
  if (!answer.ok || /<Error>/.test(text)) {
    throw Object.assign(new Error("the upload could not be completed"), { status: answer.ok ? 503 : answer.status });
  }
}
