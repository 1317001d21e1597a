/* One job: progress, facts, the result, a report, the log, and what can be done. */

import * as api from "./api.js";
import { rowsOf } from "./rows.js";
import { about, bytes, filmOf, isActive, moment, seen, seenLines, STATES } from "./text.js";

let shown = null;  // the id of the job
let last = "";  // what decides whether the parts below the facts are made anew
let closeReport = () => {};

export const shownJob = () => shown;

/* Show a job; `acts` are what its buttons do. */
export function open(id) {
  shown = id;
  last = "";
}

export function close() {
  shown = null;
  byId("job").hidden = true;
}

export async function update(job, acts) {
  if (job.id !== shown) return;
  byId("job").hidden = false;
  byId("job-title").textContent = seen(filmOf(job.source));
  facts(job, acts);
  const now = `${job.id} ${job.state}`;
  if (now !== last) {
    last = now;
    result(job);
    await Promise.all([report(job), log(job)]);
  }
}

function facts(job, acts) {
  const { predicted, actual, cost } = job;
  const rows = [
    ["State", make("span", { class: `state-${job.state}`, id: "job-state" }, STATES[job.state])],
    ["Phase", isActive(job) ? job.phase : null],
    ["Place in the queue", job.place],
    ["Frames", job.frames_done === null || job.frames === null ? job.frames : `${grouped(job.frames_done)} of ${grouped(job.frames)}`],
    ["Batches", job.batches && `${grouped(job.batches.done)} of ${grouped(job.batches.total)}`],
    ["Shares", job.shares && `${grouped(job.shares.done)} of ${grouped(job.shares.total)}`],
    ["Time left", job.state === "running" && job.left_s !== null ? about(job.left_s) : null],
    ["Picture", job.film && `${job.film.width}x${job.film.height}`],
    ["Took", actual && actual.seconds !== null ? `${actual.seconds} s` : null],
    ["Predicted", predicted && [predicted.seconds !== null && about(predicted.seconds), predicted.bytes !== null && bytes(predicted.bytes), predicted.usd !== null && money(predicted.usd)].filter(Boolean).join(", ")],
    ["Cost", cost && money(cost.so_far_usd)],
    ["Retries", job.retries || null],
    ["Film", bytes(job.size)],
    ["Asked for", moment(job.created)],
    ["Ended", moment(job.ended)],
    ["Tag", job.tag === null ? null : seen(JSON.stringify(job.tag))],
  ].filter(([, value]) => value !== null && value !== "" && value !== undefined && value !== false);
  const list = make("dl", { class: "facts" }, ...rows.flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", { "data-name": name }, value instanceof Node ? value : String(value))]));
  const body = byId("job-body");
  // Buttons stay as they are, so that the focus does.
  if (body.dataset.job !== job.id || body.dataset.state !== job.state) {
    body.dataset.job = job.id;
    body.dataset.state = job.state;
    const hadFocus = body.contains(document.activeElement);
    // They stand above what grows, so that they do not move under the pointer.
    body.replaceChildren(make("div", { class: "row" }, ...buttons(job, acts)), list);
    if (hadFocus) byId("job-title").focus();
  } else {
    body.querySelector("dl").replaceWith(list);
  }
}

function buttons(job, acts) {
  const found = [];
  if (isActive(job)) found.push(make("button", { id: "cancel", type: "button", click: () => acts.cancel(job) }, "Cancel"));
  else found.push(make("button", { id: "again", type: "button", click: () => acts.again(job) }, "Try again"));
  return found;
}

function result(job) {
  const root = byId("job-result");
  root.replaceChildren();
  if (job.failure) {
    const { error, message, step, batch, share } = job.failure;
    const where = [step && `step ${step}`, batch !== null && `batch ${batch}`, share !== null && `share ${share}`].filter(Boolean).join(", ");
    root.append(make("div", { class: "failure", role: "group", "aria-label": "Why it failed" },
      make("h3", {}, `It failed: ${seen(error)}`), make("p", { id: "failure" }, seen(message)),
      where ? make("p", { class: "hint" }, where) : null));
  }
  if (!job.result) return;
  const made = job.result, name = made.key.split("/").at(-1);
  root.append(make("h3", {}, "Result"));
  const files = (made.files ?? []).filter(({ url }) => url);
  if (files.length) root.append(...ladder(files));
  else if (made.url) root.append(...player({ name, url: made.url }), make("div", { class: "row" }, saving({ name, url: made.url })));
  const rows = [["Size", bytes(made.size)], ["Frames", grouped(made.frames)], ["Key frames", grouped(made.key_frames)],
    ["Duration", `${made.duration_s} s`], ["Sound", made.sound],
    ["Target", made.target && `${made.target.kind} ${made.target.wanted}, reached ${made.target.reached}`]];
  root.append(make("dl", { class: "facts", id: "result-facts" }, ...rows.filter(([, value]) => value).flatMap(([term, value]) =>
    [make("dt", {}, term), make("dd", { "data-name": term }, value)])));
  for (const note of made.notes) root.append(make("p", { class: "hint" }, `Note: ${seen(note)}`));
}

/* What plays a file, and says so if this browser cannot. */
function player({ name, url }) {
  const unplayable = make("p", { class: "hint", hidden: true }, "This browser cannot play it. Save it, and play it elsewhere.");
  const video = make("video", { id: "result-video", controls: true, preload: "metadata", src: api.addressOf(url), "aria-label": `Result: ${seen(name)}`, error: () => { unplayable.hidden = false; } });
  return [video, unplayable];
}

const saving = ({ name, url, size }) => make("a", { href: api.addressOf(url), download: name }, `Save ${seen(name)}${size ? ` (${bytes(size)})` : ""}`);

/* A ladder: one of its sizes plays, and all files can be saved. */
function ladder(files) {
  const links = make("div", { class: "row", id: "result-files" }, ...files.map(saving));
  const sizes = files.filter(({ rung }) => rung);
  if (!sizes.length) return [links];
  const play = () => player(sizes[Number(choice.value)]);
  const choice = make("select", { id: "result-size", change: () => where.replaceChildren(...play()) },
    ...sizes.map(({ rung }, at) => make("option", { value: String(at) }, rung)));
  const where = make("div");
  where.append(...play());
  return [make("div", { class: "row" }, make("label", { for: "result-size" }, "Size to play"), choice), where,
    make("p", { class: "hint" }, "One size plays here, without sound, which is a file of its own. Players of DASH or HLS take the manifest."), links];
}

async function report(job) {
  const root = byId("job-report");
  closeReport();
  closeReport = () => {};
  root.replaceChildren();
  if (isActive(job)) return;
  const attempts = await api.timelineOf(job.id);
  if (job.id !== shown || attempts.length === 0) return;
  const where = make("div");
  root.append(make("h3", {}, "Report"), where);
  closeReport = timeline(where, rowsOf(recordsOf(attempts)), "-job");
  frames(root, job.id);
}

/* A button that has the whole report made, with every frame, and becomes a link to it. */
function frames(root, id) {
  const row = make("div", { class: "row", role: "status" });
  const ask = async () => {
    row.replaceChildren("The report is being made ...");
    try {
      for (let told = await api.makeReport(id); ; told = await api.report(id)) {
        if (id !== shown || !row.isConnected) return;
        if (told.state === "made") {
          row.replaceChildren(make("a", { id: "report", href: api.addressOf(told.url), target: "_blank", rel: "noopener" }, "Open the report, frame by frame"));
          return row.firstChild.focus();
        }
        if (told.state === "failed") throw new Error(told.message);
        await new Promise((done) => setTimeout(done, 1000));
      }
    } catch (error) {
      row.replaceChildren(button(), make("span", { class: "hint" }, `There is no report: ${seen(error.message)}`));
    }
  };
  const button = () => make("button", { id: "make-report", type: "button", click: ask }, "Make the report, frame by frame");
  row.append(button());
  root.append(row);
}

/* Attempts of a job's tasks as records, of which the component takes rows. */
const recordsOf = (attempts) => attempts.map((one) => ({
  ...one, name: one.step, which: one.task.slice(one.step.length + 1),
  error: one.outcome === "done" ? null : one.outcome,
  marks: Object.fromEntries(["fetched", "computed", "stored"].map((mark) => [mark, one[mark]])),
}));

async function log(job) {
  const root = byId("job-log");
  root.replaceChildren();
  if (isActive(job)) return;
  const show = async () => {
    const { lines, cut } = await api.logs(job.id);
    if (job.id !== shown) return;
    const text = lines.map((line) => [
      new Date(1000 * line.time).toISOString(), line.level,
      [line.step, line.span, line.batch, line.share].filter((one) => one !== null).join("/"), seenLines(line.message),
    ].filter(Boolean).join("  ") + (line.exception ? `\n${seenLines(line.exception)}` : "")).join("\n");
    root.replaceChildren(make("h3", {}, "Log"), cut ? make("p", { class: "hint" }, "These are the last lines.") : "",
      make("pre", { class: "log", id: "log", tabindex: "0", role: "region", "aria-label": "Log" }, text || "nothing"));
  };
  if (job.state === "failed") return show();
  root.append(make("div", { class: "row" }, make("button", { id: "show-log", type: "button", click: show }, "Show the log")));
}
