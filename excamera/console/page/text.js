/* Texts that others wrote, and numbers, as people read them. */

const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|\p{Cs}/gu;

/* Text with \u202e and the like for what would not be seen, or would reorder what is beside it. */
export const seen = (text) =>
  String(text).replace(UNSEEN, (one) => `\\u${one.codePointAt(0).toString(16).padStart(4, "0")}`);

/* The same of a log, whose lines stay lines. */
export const seenLines = (text) => String(text).split("\n").map((line) => seen(line)).join("\n");

/* The name of the film in a source's address. */
export function filmOf(source) {
  if (source === null || source === undefined) return "(unknown)";
  const last = source.replace(/\?versionId=[^?]*$/, "").split("/").at(-1);
  try { return decodeURIComponent(last); } catch { return last; }
}

export const bytes = (value) => (value === null || value === undefined ? "" : `${grouped(value)} bytes`);

export function short(value) {
  if (value === null || value === undefined) return "";
  for (const [unit, size] of [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (value >= size) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return `${value} bytes`;
}

/* A prediction is never that exact. */
export const about = (value) => (value < 1 ? "less than a second" : `about ${seconds(value)}`);

export const moment = (iso) => (iso ? new Date(iso).toLocaleString("en-GB") : "");

export const STATES = {
  uploading: "uploading", queued: "waiting", running: "running", succeeded: "done",
  failed: "failed", stopped: "cancelled", timed_out: "took too long",
};
export const isActive = (job) => ["uploading", "queued", "running"].includes(job.state);

/* Tell a screen reader, and whoever looks. */
export function say(text) { byId("said").textContent = text; }
export function complain(text) { byId("trouble").textContent = text; }
