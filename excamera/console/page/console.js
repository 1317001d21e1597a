/* The console: a form for new jobs, a list of all, one of them in detail. */

import * as api from "./api.js";
import * as details from "./details.js";
import { factsOf } from "./film.js";
import * as form from "./form.js";
import * as mu from "./mu.js";
import { about, complain, filmOf, isActive, moment, say, seen, short, STATES } from "./text.js";
import * as uploads from "./upload.js";

const BUSY_MS = 1000, IDLE_MS = 5000, TYPING_MS = 300;

let films = [];  // chosen, and not sent yet
let facts = null;  // of the first
let older = [];  // pages of the list that were asked for
let following = null;
let asked = 0;  // estimates; only the last one is told
const states = new Map();  // as they were told last
const rows = new Map();
const sent = new Map();  // bytes of uploads of this page

// ---- new jobs ----

async function choose(files) {
  films = [];
  for (const file of files) {
    const waiting = uploads.pendingFor(file);
    if (waiting === null) films.push(file);
    else resume(waiting, file);
  }
  byId("chosen").replaceChildren(...films.map((file) => make("li", {}, make("bdi", {}, seen(file.name)), `, ${short(file.size)}`)));
  byId("send").disabled = films.length === 0;
  byId("unchoose").hidden = films.length === 0;
  facts = null;
  asked += 1;  // what is on its way is of no film any more
  byId("estimate").textContent = "";
  if (films.length) {
    const file = films[0];
    const found = await factsOf(file);
    if (films[0] !== file) return;
    facts = found;
    await estimate();
  }
}

async function estimate() {
  if (!films.length) return;
  const mine = ++asked, out = byId("estimate");
  if (facts === null) { out.textContent = "This browser cannot read the film, so there is no estimate."; return; }
  const { guessed, ...film } = facts;
  try {
    const found = await api.estimate(film, form.chosen());
    if (mine !== asked) return;  // the options are others by now, or the film
    out.textContent = `Estimate: ${about(found.seconds)}, ${short(found.bytes)}` +
      `${found.usd === null ? "" : `, ${money(found.usd)}`}; ${found.width}x${found.height}, ${count(found.frames, "frame")}` +
      `${guessed ? " at 25 a second" : ""}. By ${found.by}.`;
  } catch (error) {
    if (mine !== asked) return;
    out.textContent = error.errors ? form.blame(error, false) : "There is no estimate: the console does not answer.";
  }
}

async function submit(event) {
  event.preventDefault();
  complain("");
  const options = form.chosen();
  while (films.length) {
    const file = films[0];
    try {
      const id = await uploads.begin(file, { options }, crypto.randomUUID());
      films.shift();
      say(`Sending ${seen(file.name)}`);
      transfer(id, file);
      show(id);
    } catch (error) {
      complain(error.errors ? form.blame(error, true) : seen(error.message));
      break;
    }
  }
  byId("files").value = "";
  await choose(films);
  await refresh();
}

function resume(id, file) {
  say(`Going on with ${seen(file.name)}`);
  transfer(id, file);
  show(id);
}

async function transfer(id, file) {
  try {
    if (await uploads.send(id, file, (bytes) => { sent.set(id, bytes); draw(id); })) say(`${seen(file.name)} is sent`);
  } catch (error) {
    complain(`${seen(file.name)}: ${seen(error.message)}. Choose the file again to go on.`);
  } finally {
    sent.delete(id);
    refresh();
  }
}

// ---- the list ----

function row(job) {
  const name = make("button", { type: "button", click: () => show(job.id, true) });
  const bar = make("progress", { max: 1 });
  const line = { name, bar, told: make("span"), state: make("td"), size: make("td"), created: make("td") };
  line.element = make("tr", { "data-job": job.id }, make("th", { scope: "row" }, name), line.state,
    make("td", {}, bar, line.told), line.size, line.created);
  rows.set(job.id, line);
  return line;
}

function fill(job) {
  const line = rows.get(job.id) ?? row(job);
  line.job = job;
  line.name.textContent = seen(filmOf(job.source));
  line.state.textContent = `${STATES[job.state]}${job.place ? `, place ${job.place}` : ""}`;
  line.state.className = `state-${job.state}`;
  line.size.textContent = short(job.size);
  line.created.textContent = moment(job.created);
  line.element.classList.toggle("shown", job.id === details.shownJob());
  draw(job.id);
  return line.element;
}

/* Show how far a job is, as far as this page knows. */
function draw(id) {
  const line = rows.get(id);
  if (!line) return;
  const { job, bar, told } = line;
  const whole = line.whole;
  let done = null;
  if (job.state === "uploading") {
    done = sent.has(id) && job.size ? sent.get(id) / job.size : null;
    told.textContent = done === null && uploads.keptOf(id) ? " choose the file again to go on" : "";
  } else {
    told.textContent = "";
    if (job.state === "running" && whole?.frames && whole.frames_done !== null) done = whole.frames_done / whole.frames;
    else if (job.state === "running" && whole?.shares) done = whole.shares.done / whole.shares.total;
  }
  bar.hidden = !(job.state === "running" || done !== null);
  bar.setAttribute("aria-label", `Progress of ${seen(filmOf(job.source))}`);
  if (done === null) bar.removeAttribute("value");
  else bar.value = done;
  if (done !== null) told.textContent = ` ${Math.floor(100 * done)} %`;
}

function announce(job) {
  const before = states.get(job.id);
  states.set(job.id, job.state);
  if (before !== undefined && before !== job.state) say(`${seen(filmOf(job.source))}: ${STATES[job.state]}`);
}

// ---- all of it ----

let asking = null;

/* Ask for what has changed; one question at a time. */
function refresh() {
  asking ??= look().finally(() => { asking = null; });
  return asking;
}

async function look() {
  let list;
  try {
    const first = await api.jobs();
    list = [...first.jobs, ...older.filter((one) => !first.jobs.some((new_) => new_.id === one.id))];
    if (older.length === 0) following = first.next;
    const shown = details.shownJob();
    const running = list.filter((one) => one.state === "running").map((one) => one.id);
    const wanted = [...new Set([...running.slice(0, 3), ...(shown ? [shown] : [])])];
    const whole = new Map((await Promise.all(wanted.map(api.job))).map((one) => [one.id, one]));
    for (const listed of list) {
      const job = whole.get(listed.id) ?? listed;  // which is the later answer
      announce(job);
      fill(job);
      rows.get(job.id).whole = whole.get(job.id);
      draw(job.id);
    }
    arrange(list);
    if (shown && whole.has(shown)) await details.update(whole.get(shown), { cancel, again });
    if (byId("trouble").dataset.lost) { complain(""); delete byId("trouble").dataset.lost; }
  } catch (error) {
    const lost = !(error instanceof api.Refused);
    if (lost) byId("trouble").dataset.lost = "yes";
    complain(lost ? "The console does not answer. It is asked again." : seen(error.message));
  }
  byId("more").hidden = following === null;
  byId("none").hidden = !list || list.length > 0;
  return list ?? [];
}

/* Put rows in the order of the list; those that stay are not touched, so that the focus stays. */
function arrange(list) {
  const body = byId("jobs").tBodies[0];
  list.forEach((job, at) => {
    const element = rows.get(job.id).element;
    if (body.children[at] !== element) body.insertBefore(element, body.children[at] ?? null);
  });
  while (body.children.length > list.length) body.lastChild.remove();
}

async function show(id, byUser = false) {
  details.open(id);
  history.replaceState(null, "", `#/jobs/${id}`);
  await refresh();
  await refresh();  // the one before may have begun earlier
  if (byUser) {
    byId("job-title").focus();
    byId("job-title").scrollIntoView({ block: "nearest" });
  }
}

async function cancel(job) {
  const upload = uploads.underWay.get(job.id);
  if (upload) upload.stopped = true;
  try {
    await api.cancel(job.id);
    uploads.forget(job.id);
  } catch (error) {
    complain(seen(error.message));
  }
  await refresh();
}

async function again(job) {
  complain("");
  try {
    const request = { source: job.source, options: job.given, priority: job.priority, tag: job.tag };
    const made = await api.create(request, crypto.randomUUID());
    await show(made.id, true);
  } catch (error) {
    complain(seen(error.message));
  }
}

async function more() {
  const page = await api.jobs(following);
  older = [...older, ...page.jobs];
  following = page.next;
  await refresh();
}

function listen() {
  const drop = byId("drop");
  const over = (is) => drop.classList.toggle("over", is);
  // Wherever a film is dropped, the browser must not open it.
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
  window.addEventListener("dragover", () => over(true));
  window.addEventListener("dragleave", (event) => { if (event.relatedTarget === null) over(false); });
  window.addEventListener("drop", (event) => {
    over(false);
    if (event.dataTransfer?.files.length) choose([...event.dataTransfer.files]);
  });
  byId("files").addEventListener("change", (event) => choose([...event.target.files]));
  byId("unchoose").addEventListener("click", () => { byId("files").value = ""; choose([]); byId("files").focus(); });
  byId("new").addEventListener("submit", submit);
  byId("more").addEventListener("click", more);
}

async function follow() {
  const list = document.hidden ? [] : await refresh();
  setTimeout(follow, document.hidden || !list.some(isActive) ? IDLE_MS : BUSY_MS);
}

async function begin() {
  listen();
  const asked = location.hash.match(/^#\/jobs\/([A-Za-z0-9-]+)$/);
  if (asked) details.open(asked[1]);
  try {
    let typing = null;
    form.build(await api.offers(), () => { clearTimeout(typing); typing = setTimeout(estimate, TYPING_MS); });
  } catch (error) {
    complain(seen(error.message));
    return;
  }
  await Promise.all([follow(), mu.begin()]);
  document.body.dataset.ready = "yes";
}

begin();
