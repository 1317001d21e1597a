"use strict";
const [NAME, NUMBER, WORKER, QUEUED, STARTED, FINISHED, ATTEMPTS, ERROR, DOLLARS, MEMORY, MARKS] =
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const LANE = 14, LEFT = 8;
const records = JSON.parse(document.getElementById("records").textContent);
const element = (id) => document.getElementById(id);

const names = [...new Set(records.map((one) => one[NAME]))];
const colours = new Map(names.map((name, index) => [name, `hsl(${(210 + index * 137.5) % 360} 55% 52%)`]));
const colour = (name) => colours.get(name);
const end = Math.max(0.001, ...chunked(records, (some) => Math.max(...some.map((one) => one[FINISHED]))));
let from = 0, to = end;

function chunked(all, best) {
  const found = [];
  for (let at = 0; at < all.length; at += 10000) found.push(best(all.slice(at, at + 10000)));
  return found;
}

/* A worker has several lanes if several of its tasks ran at the same time. */
function laidOut() {
  const workers = new Map();
  for (const one of [...records].sort((a, b) => a[STARTED] - b[STARTED])) {
    if (!workers.has(one[WORKER])) workers.set(one[WORKER], []);
    const lanes = workers.get(one[WORKER]);
    let lane = lanes.find((some) => some.at(-1)[FINISHED] <= one[STARTED] + 1e-4);
    if (!lane) lanes.push((lane = []));
    lane.push(one);
  }
  return [...workers].flatMap(([worker, lanes]) => lanes.map((tasks) => ({ worker, tasks })));
}
const lanes = laidOut();

function seconds(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  return value >= 100 ? `${value.toFixed(0)} s` : value >= 1 ? `${value.toFixed(2)} s` : `${(1000 * value).toFixed(0)} ms`;
}
const money = (value) => (value ? `$${value.toPrecision(3)}` : "");
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const sum = (values) => values.reduce((a, b) => a + b, 0);

function prepared(canvas, height) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.clearRect(0, 0, width, height);
  return [context, width];
}
const place = (moment, width) => LEFT + ((moment - from) / (to - from)) * (width - 2 * LEFT);
const moment = (x, width) => from + ((x - LEFT) / (width - 2 * LEFT)) * (to - from);

/* How many tasks ran from each moment on: ends come before starts of the same moment. */
function steps() {
  const changes = records.flatMap((one) => [[one[STARTED], 1], [one[FINISHED], -1]]);
  changes.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let count = 0;
  return changes.map(([at, change]) => [at, (count += change)]);
}
const running = steps();
const most = running.reduce((best, [, count]) => Math.max(best, count), 0);

function drawRunning() {
  const [context, width] = prepared(element("running"), 90);
  const colours = getComputedStyle(document.body);
  context.fillStyle = colours.getPropertyValue("--quiet");
  running.forEach(([at, count], index) => {
    const until = index + 1 < running.length ? running[index + 1][0] : end;
    if (count === 0 || until < from || at > to) return;
    const left = Math.max(LEFT, place(at, width));
    const right = Math.min(width - LEFT, place(until, width));
    const height = (68 * count) / most;
    context.fillRect(left, 88 - height, Math.max(0.5, right - left), height);
  });
  context.fillStyle = colours.color;
  context.font = "12px system-ui";
  context.fillText(`at most ${most} at the same time`, LEFT, 13);
  const shown = `${seconds(from) || "0 ms"} to ${seconds(to)}`;
  context.fillText(shown, width - LEFT - context.measureText(shown).width, 13);
}

function drawLanes() {
  const [context, width] = prepared(element("lanes"), Math.max(LANE, Math.min(30000, lanes.length * LANE)));
  const faint = getComputedStyle(document.body).getPropertyValue("--line");
  lanes.forEach(({ tasks }, row) => {
    const y = row * LANE + 2;
    for (const one of tasks) {
      if (one[FINISHED] < from || (one[QUEUED] ?? one[STARTED]) > to) continue;
      const left = place(one[STARTED], width);
      const right = Math.max(left + 1, place(one[FINISHED], width));
      context.fillStyle = colour(one[NAME]);
      context.fillRect(left, y, right - left, LANE - 4);
      if (one[ERROR]) {
        context.fillStyle = "#c22";
        context.fillRect(left, y + LANE - 6, right - left, 2);
      }
      context.fillStyle = faint;
      for (const at of Object.values(one[MARKS])) context.fillRect(place(at, width), y, 1, LANE - 4);
    }
  });
}

function draw() {
  drawRunning();
  drawLanes();
}

function told(one) {
  const parts = [
    `${one[NAME]} ${one[NUMBER]}`,
    one[ERROR] ? `failed: ${one[ERROR]}` : "done",
    `ran ${seconds(one[FINISHED] - one[STARTED])}`,
  ];
  if (one[QUEUED] !== null) parts.push(`waited ${seconds(one[STARTED] - one[QUEUED])}`);
  for (const [name, at] of Object.entries(one[MARKS])) parts.push(`${name} after ${seconds(at - one[STARTED])}`);
  if (one[ATTEMPTS] > 1) parts.push(`${one[ATTEMPTS]} attempts`);
  if (one[MEMORY]) parts.push(`${one[MEMORY]} MB`);
  if (one[DOLLARS]) parts.push(money(one[DOLLARS]));
  parts.push(one[WORKER]);
  return parts.join(" · ");
}

function under(event) {
  const box = element("lanes").getBoundingClientRect();
  const lane = lanes[Math.floor((event.clientY - box.top) / LANE)];
  const at = moment(event.clientX - box.left, box.width);
  const near = (3 / box.width) * (to - from);
  return lane?.tasks.find((one) => one[STARTED] - near <= at && at <= one[FINISHED] + near);
}

function zoomable(canvas) {
  let begun = null;
  canvas.addEventListener("mousedown", (event) => (begun = event.offsetX));
  canvas.addEventListener("mouseup", (event) => {
    if (begun !== null && Math.abs(event.offsetX - begun) > 5) {
      const [a, b] = [begun, event.offsetX].sort((x, y) => x - y).map((x) => moment(x, canvas.clientWidth));
      [from, to] = [Math.max(0, a), Math.min(end, Math.max(b, a + 0.001))];
      draw();
    }
    begun = null;
  });
  canvas.addEventListener("dblclick", () => {
    [from, to] = [0, end];
    draw();
  });
}

function cells(row, values) {
  for (const value of values) row.insertCell().textContent = value;
}

function write() {
  const failed = records.filter((one) => one[ERROR]);
  const workers = new Set(records.map((one) => one[WORKER])).size;
  const dollars = sum(records.map((one) => one[DOLLARS]));
  element("summary").textContent =
    `${records.length} tasks on ${workers} workers in ${seconds(end)}; ` +
    `${seconds(sum(records.map((one) => one[FINISHED] - one[STARTED])))} of work` +
    (failed.length ? `; ${failed.length} failed` : "") + (dollars ? `; ${money(dollars)}` : "") + ".";
  for (const name of names) {
    const item = document.createElement("span");
    item.setAttribute("role", "listitem");
    item.style.setProperty("--mark", colour(name));
    item.textContent = name;
    element("legend").append(item);
    const some = records.filter((one) => one[NAME] === name);
    const took = some.map((one) => one[FINISHED] - one[STARTED]);
    const waited = some.filter((one) => one[QUEUED] !== null).map((one) => one[STARTED] - one[QUEUED]);
    cells(element("names").tBodies[0].insertRow(), [
      name, some.length, some.filter((one) => one[ERROR]).length || "", sum(some.map((one) => one[ATTEMPTS])),
      seconds(sum(took)), seconds(median(took)), seconds(Math.max(...chunked(took, (part) => Math.max(...part)))),
      seconds(median(waited)), money(sum(some.map((one) => one[DOLLARS]))),
    ]);
  }
  element("failures-title").hidden = failed.length === 0;
  for (const one of failed.slice(0, 1000)) {
    const item = document.createElement("li");
    item.textContent = told(one);
    element("failures").append(item);
  }
}

write();
draw();
["running", "lanes"].forEach((id) => zoomable(element(id)));
element("lanes").addEventListener("mousemove", (event) => {
  const one = under(event);
  element("facts").textContent = one ? told(one) : "";
});
window.addEventListener("resize", draw);
