/* Jobs of mu that are not films: a list, and one of them with its facts, its timeline and its log. */

import * as api from "./api.js";
import { rowsOf } from "./rows.js";
import { complain, moment, say, seen, seenLines, STATES } from "./text.js";

const LIST_MS = 5000, LEAST_MS = 1000;
const RECORD_MS = 20;  // each record of a stack is a request to S3: so long for each until they are asked for again
const MOST_LINES = 1000;

let older = [];  // pages of the list that were asked for
let following = null;
let shown = null;  // the name of the job
let drawn = "";  // what is known of it that is on the page
let due = 0;  // when its records are asked for again
let lists = 0, asked = 0;  // questions so far: an answer that comes after a later one's is old
let takeAway = () => {};
const rows = new Map();
const states = new Map();

// ---- the list ----

function fill(job) {
  if (!rows.has(job.name)) {
    const name = make("button", { type: "button", click: () => show(job.name) }, make("bdi", {}, seen(job.name)));
    const line = { state: make("td"), took: make("td"), began: make("td") };
    line.element = make("tr", {}, make("th", { scope: "row" }, name), line.state, line.took, line.began);
    rows.set(job.name, line);
  }
  const line = rows.get(job.name);
  line.state.textContent = STATES[job.state];
  line.state.className = `state-${job.state}`;
  line.took.textContent = took(job);
  line.began.textContent = moment(job.began);
  line.element.classList.toggle("shown", job.name === shown);
  const before = states.get(job.name);
  states.set(job.name, job.state);
  if (before !== undefined && before !== job.state) say(`${seen(job.name)}: ${STATES[job.state]}`);
  return line.element;
}

const took = (job) => (job.ended === null ? "" : seconds((new Date(job.ended) - new Date(job.began)) / 1000));

async function list() {
  const mine = ++lists, first = await api.muJobs();
  if (mine !== lists) return;
  const all = [...first.jobs, ...older.filter((one) => !first.jobs.some((other) => other.name === one.name))];
  if (older.length === 0) following = first.next;
  const elements = all.map(fill), body = byId("mu-jobs").tBodies[0];
  elements.forEach((element, at) => { if (body.children[at] !== element) body.insertBefore(element, body.children[at] ?? null); });
  while (body.children.length > elements.length) body.lastChild.remove();
  byId("mu").hidden = all.length === 0;
  byId("mu-more").hidden = following === null;
}

// ---- one of them ----

async function show(name) {
  shown = name;
  drawn = "";
  due = 0;
  history.replaceState(null, "", `#/mu/${encodeURIComponent(name)}`);
  await refresh();
  byId("mu-job-title").focus();
  byId("mu-job-title").scrollIntoView({ block: "nearest" });
}

async function update() {
  const mine = ++asked, job = await api.muJob(shown);
  if (mine !== asked || job.name !== shown) return;
  due = Date.now() + Math.max(LEAST_MS, RECORD_MS * job.records.length);
  if (job.state !== "running") due = Infinity;
  const now = `${job.name} ${job.state} ${job.records.length}`;
  const root = byId("mu-timeline");
  // Whoever explores it is not disturbed, until the job has ended.
  const explored = drawn.startsWith(`${job.name} `) && root.contains(document.activeElement);
  if (now === drawn || (explored && job.state === "running")) return;
  drawn = now;
  byId("mu-job").hidden = false;
  byId("mu-job-title").textContent = seen(job.name);
  facts(job);
  takeAway();
  takeAway = () => {};
  if (job.records.length) {
    takeAway = timeline(root, rowsOf(job.records.map((one) => ({ ...one, which: String(one.number) }))), "-mu");
  } else {
    root.replaceChildren(make("p", { class: "hint" }, "No task has ended."));
  }
  log(job);
}

function facts(job) {
  const { records } = job;
  const dollars = sum(records, (one) => one.dollars);
  const found = [
    ["State", STATES[job.state]], ["Began", moment(job.began)], ["Took", took(job)],
    ["Last task ended", job.state === "running" && records.length ? moment(1000 * most(records, (one) => one.finished ?? 0)) : ""],
    ["Tasks", grouped(new Set(records.map((one) => `${one.name} ${one.number}`)).size)],
    ["Attempts that failed", grouped(records.filter((one) => one.error !== null).length)],
    ["Workers", grouped(new Set(records.map((one) => one.worker)).size)],
    ["Work", seconds(sum(records, (one) => (one.finished ?? one.started) - one.started))],
    ["Cost", money(dollars)],
    ["Records lost", job.lost ? grouped(job.lost) : ""],
  ];
  byId("mu-facts").replaceChildren(
    ...(job.error === null ? [] : [make("div", { class: "failure", role: "group", "aria-label": "Why it failed" },
      make("h3", {}, "It failed"), make("p", { id: "mu-failure" }, seen(job.error)))]),
    make("dl", { class: "facts" }, ...found.filter(([, value]) => value !== "").flatMap(([term, value]) =>
      [make("dt", {}, term), make("dd", { "data-name": term }, value)])));
}

/* What tasks have printed, in the order of their ends; failures also without a word. */
function log(job) {
  const told = job.records.filter((one) => one.error !== null || one.log)
    .sort((a, b) => (a.finished ?? a.started) - (b.finished ?? b.started))
    .flatMap((one) => [
      `--- ${seen(one.name)} ${one.number}${one.attempt > 1 ? `, attempt ${one.attempt}` : ""}${one.error === null ? "" : `: ${seen(one.error)}`}`,
      ...(one.log ? seenLines(one.log.trimEnd()).split("\n") : []),
    ]);
  byId("mu-log").replaceChildren(...(told.length === 0 ? [] : [make("h3", {}, "Log"),
    told.length > MOST_LINES ? make("p", { class: "hint" }, "These are the last lines.") : "",
    make("pre", { class: "log", tabindex: "0", role: "region", "aria-label": "Log of the job of mu" }, told.slice(-MOST_LINES).join("\n"))]));
}

// ---- all of it ----

/* Ask for what has changed; the list of films says if nobody answers. */
async function refresh() {
  try {
    await list();
    if (shown !== null && Date.now() >= due) await update();
  } catch (error) {
    if (!(error instanceof api.Refused)) return;
    complain(seen(error.message));
    if (error.status === 404) shown = null;
  }
}

async function follow() {
  if (!document.hidden) await refresh();
  setTimeout(follow, shown !== null && due !== Infinity ? Math.max(LEAST_MS, Math.min(due - Date.now(), LIST_MS)) : LIST_MS);
}

export async function begin() {
  byId("mu-more").addEventListener("click", async () => {
    const page = await api.muJobs(following);
    older = [...older, ...page.jobs];
    following = page.next;
    await refresh();
  });
  const asked = location.hash.match(/^#\/mu\/([^/]+)$/);
  if (asked) shown = decodeURIComponent(asked[1]);
  await follow();
}
