/* The timeline of many tasks: lanes of workers, and how many tasks ran at the same time. */

const [NAME, WHICH, WORKER, QUEUED, STARTED, FINISHED, ATTEMPTS, ERROR, DOLLARS, MEMORY, PEAK, MARKS] =
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const COLOURS = ["#4c82c3", "#e8a33d", "#4fa45a", "#a877c0", "#3fb0b5", "#9c7a5c", "#7f86d9", "#a9a23c"];
const colour = (name) => COLOURS[name] ?? `hsl(${40 + ((name * 137.5) % 280)} 48% 55%)`;

/* Show records in an element. They are in the form of `mu.timeline_page.rows_of`; a page that shows
   several timelines gives each a suffix for its ids. The answer is what takes its listeners away. */
function timeline(root, { names, workers, marks, start, rows: records }, suffix = "") {
  const element = mounted("timeline-template", root, suffix);
  const ended = new AbortController();
  root.classList.add("timeline");
  const end = Math.max(0.001, most(records, (one) => one[FINISHED]));
  const TOP = 18, AREA = 64, AXIS = 20;
  let from = 0, to = end;  // what is shown
  let picked = null;  // by keys or a click: its lane and its place there
  let band = null;  // what is dragged over

  // ---- text ----

  const took = (one) => one[FINISHED] - one[STARTED];
  /* The tasks of some attempts: how many, how often they were tried, and how many failed in the end. */
  function ofTasks(some) {
    const tasks = new Map();
    for (const one of some) {
      const key = `${one[NAME]} ${one[WHICH]}`;
      const [last, times] = tasks.get(key) ?? [one, 0];
      tasks.set(key, [one[FINISHED] < last[FINISHED] ? last : one, Math.max(times + 1, one[ATTEMPTS])]);
    }
    const found = [...tasks.values()];
    return [found.length, sum(found, ([, times]) => times), found.filter(([last]) => last[ERROR]).length];
  }
  function told(one) {
    const parts = [
      apart(`${names[one[NAME]]} ${one[WHICH]}`.trim()),
      one[ERROR] ? `failed: ${apart(one[ERROR])}` : "done",
      `ran ${seconds(took(one))}`,
      `from ${seconds(one[STARTED])}`,
    ];
    if (one[QUEUED] !== null) parts.push(`waited ${seconds(one[STARTED] - one[QUEUED])}`);
    for (const [mark, at] of one[MARKS]) parts.push(`${apart(marks[mark])} after ${seconds(at - one[STARTED])}`);
    if (one[ATTEMPTS] > 1) parts.push(`attempt ${one[ATTEMPTS]}`);
    if (one[MEMORY]) parts.push(`worker of ${one[MEMORY]} MB`);
    if (one[PEAK]) parts.push(`held ${one[PEAK]} MiB`);
    if (one[DOLLARS]) parts.push(money(one[DOLLARS]));
    if (workers[one[WORKER]]) parts.push(apart(workers[one[WORKER]]));
    return parts.join(" · ");
  }

  // ---- what is drawn where ----

  /* Clocks differ a little: a worker that begins a task has often just ended another. */
  const follows = (last, one) => last[FINISHED] - one[STARTED] <= Math.min(0.005, took(last) / 2) + 1e-4;

  /* A worker has several lanes if several of its tasks ran at the same time. */
  function laidOut() {
    const found = new Map();
    for (const one of [...records].sort((a, b) => a[STARTED] - b[STARTED])) {
      if (!found.has(one[WORKER])) found.set(one[WORKER], []);
      const lanes = found.get(one[WORKER]);
      let lane = lanes.find((some) => follows(some.at(-1), one));
      if (!lane) lanes.push((lane = []));
      lane.push(one);
    }
    return [...found].flatMap(([worker, lanes], group) =>
      lanes.map((tasks, nth) => ({ label: nth ? "" : workers[worker], tasks, striped: group % 2 })));
  }
  const lanes = laidOut();
  const LANE = lanes.length <= 24 ? 22 : 14;

  /* How many tasks ran from each moment on: ends come before starts of the same moment. */
  function steps() {
    const ended = (tasks, index) => Math.min(tasks[index][FINISHED], tasks[index + 1]?.[STARTED] ?? Infinity);
    const changes = lanes.flatMap(({ tasks }) =>
      tasks.flatMap((one, index) => [[one[STARTED], 1], [ended(tasks, index), -1]]));
    changes.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let now = 0;
    return changes.map(([at, change]) => [at, (now += change)]);
  }
  const running = steps();
  const atOnce = most(running, ([, now]) => now);
  element("running").setAttribute("aria-label", `Tasks that run at the same time: at most ${atOnce}`);

  let gutter = 8, shown = 1;  // px: before the lanes, and of all
  const RIGHT = 10;
  const place = (moment) => gutter + ((moment - from) / (to - from)) * (shown - gutter - RIGHT);
  const moment = (x) => from + ((x - gutter) / (shown - gutter - RIGHT)) * (to - from);

  function measure(context) {
    shown = element("lanes").clientWidth;
    gutter = 8;
    if (shown < 640) return;
    const longest = lanes.reduce((best, { label }) => (label.length > best.length ? label : best), "");
    gutter = longest ? Math.min(150, Math.ceil(context.measureText(longest).width) + 16) : 8;
  }

  /* Moments about 90 px from each other, of a length that people count in. */
  function ticks() {
    const wanted = ((to - from) * 90) / Math.max(90, shown - gutter - RIGHT);
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = wanted <= 10
      ? [1, 2, 5, 10].map((n) => n * power).find((n) => n >= wanted)
      : [15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400].find((n) => n >= wanted) ?? 86400;
    const found = [];
    for (let n = Math.ceil(from / step - 1e-9); n * step <= to; n += 1) found.push(n * step);
    return [found, step];
  }

  function clock(at, step) {
    if (end < 120 || step < 1) return `${at.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)))} s`;
    const two = (n) => String(n).padStart(2, "0");
    const whole = Math.round(at), hours = Math.floor(whole / 3600);
    const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
    return hours ? `${hours}:${rest}` : rest.replace(/^0/, "");
  }

  function grid(context, height, inks) {
    context.fillStyle = inks.line;
    for (const at of ticks()[0]) context.fillRect(Math.round(place(at)), 0, 1, height);
  }

  function dragged(context, height) {
    if (!band) return;
    context.fillStyle = "rgb(76 139 245 / 25%)";
    context.fillRect(Math.min(...band), 0, Math.abs(band[1] - band[0]), height);
  }

  function drawRunning(inks) {
    const height = TOP + AREA + AXIS;
    const context = prepared(element("running"), height);
    const bottom = TOP + AREA;
    grid(context, bottom, inks);
    // The most of each column: a film has more steps than a screen has columns.
    const columns = new Uint32Array(Math.max(1, Math.ceil(shown - RIGHT)));
    running.forEach(([at, now], index) => {
      const until = running[index + 1]?.[0] ?? end;
      if (now === 0 || until < from || at > to) return;
      const stop = Math.min(columns.length, Math.max(Math.floor(place(at)) + 1, Math.round(place(until))));
      for (let x = Math.max(gutter, Math.floor(place(at))); x < stop; x += 1) columns[x] = Math.max(columns[x], now);
    });
    context.fillStyle = inks.area;
    columns.forEach((now, x) => {
      if (now) context.fillRect(x, bottom - (AREA * now) / atOnce, 1, (AREA * now) / atOnce);
    });
    context.fillStyle = inks.bad;
    for (const one of records) {
      const at = one[FINISHED];
      if (one[ERROR] && from <= at && at <= to) context.fillRect(place(at) - 1, bottom - 6, 2, 6);
    }
    context.fillStyle = inks.ink;
    context.fillText(`at most ${atOnce.toLocaleString("en")} at the same time`, gutter + 4, 13);
    context.fillStyle = inks.quiet;
    const [moments, step] = ticks();
    for (const at of moments) {
      const text = clock(at, step), wide = context.measureText(text).width;
      const left = Math.max(2, Math.min(shown - wide - 2, place(at) - wide / 2));
      context.fillText(text, left, bottom + 14);
    }
    dragged(context, bottom);
  }

  /* Only the lanes in sight: browsers have no canvas for a thousand. */
  function drawLanes(inks) {
    const box = element("lanes-box");
    const all = lanes.length * LANE + 4;
    const height = Math.min(all, Math.max(200, Math.floor(0.6 * window.innerHeight)));
    box.style.height = `${height + 2}px`;
    element("lanes-rest").style.height = `${all - height}px`;
    const context = prepared(element("lanes"), height);
    const last = Math.min(lanes.length, Math.ceil((box.scrollTop + height) / LANE));
    const first = Math.floor(box.scrollTop / LANE);
    for (let row = first; row < last; row += 1) {
      context.fillStyle = inks.stripe;
      if (lanes[row].striped) context.fillRect(0, row * LANE + 2 - box.scrollTop, shown, LANE);
    }
    grid(context, height, inks);
    for (let row = first; row < last; row += 1) drawLane(context, row, row * LANE + 2 - box.scrollTop, inks);
    dragged(context, height);
  }

  function drawLane(context, row, y, inks) {
    if (gutter > 8) {
      context.fillStyle = inks.quiet;
      context.fillText(shortened(context, lanes[row].label, gutter - 14), 6, y + LANE / 2 + 4);
    }
    context.save();
    context.beginPath();
    context.rect(gutter - 1, y, shown - gutter - RIGHT + 3, LANE);
    context.clip();
    lanes[row].tasks.forEach((one, index) => {
      if (one[FINISHED] < from || one[STARTED] > to) return;
      drawTask(context, one, y + 1, LANE - 3, inks);
      if (picked?.row !== row || picked.index !== index) return;
      context.strokeStyle = inks.ink;
      context.lineWidth = 2;
      context.strokeRect(place(one[STARTED]), y + 1, Math.max(2, place(one[FINISHED]) - place(one[STARTED])), LANE - 3);
    });
    context.restore();
  }

  function drawTask(context, one, y, high, inks) {
    const passed = Object.fromEntries(one[MARKS].map(([mark, at]) => [marks[mark], at]));
    const left = place(one[STARTED]);
    const right = Math.max(left + 1, place(one[FINISHED]) - 0.5);
    const within = (at, otherwise) => (at === undefined ? otherwise : Math.min(right, Math.max(left, place(at))));
    const fetched = within(passed.fetched, left);
    const computed = Math.max(fetched, within(passed.computed, right));
    context.fillStyle = colour(one[NAME]);
    context.globalAlpha = 0.45;
    context.fillRect(left, y, right - left, high);
    context.globalAlpha = 1;
    context.fillRect(fetched, y, Math.max(computed - fetched, right - left <= 2 ? 1 : 0), high);
    context.fillStyle = inks.ink;
    for (const [mark, at] of one[MARKS]) {
      const usual = ["received", "fetched", "computed", "stored"].includes(marks[mark]);
      if (!usual && right - left > 12) context.fillRect(place(at), y, 1, high);
    }
    if (one[ERROR]) {
      context.fillStyle = inks.bad;
      context.fillRect(left, y + high * 0.5, Math.max(2, right - left), high * 0.5);
    }
  }

  /* The end of a name tells workers apart. */
  function shortened(context, text, width) {
    if (context.measureText(text).width <= width) return text;
    const fits = Math.floor((text.length * (width - 12)) / context.measureText(text).width);
    return `…${text.slice(-fits)}`;
  }

  function draw() {
    const inks = inksOf("ink", "line", "quiet", "stripe", "area", "bad");
    element("lanes-box").style.display = lanes.length ? "" : "none";
    measure(element("lanes").getContext("2d"));
    drawLanes(inks);
    measure(element("lanes").getContext("2d"));  // a scroll bar may have come
    drawLanes(inks);
    drawRunning(inks);
  }

  // ---- what a user does ----

  function show(begin, until) {
    const span = Math.min(end, Math.max(until - begin, end / 1e6, 1e-4));
    from = Math.min(Math.max(0, begin), end - span);
    to = from + span;
    draw();
  }

  function zoom(factor) {
    if (factor === 0) return show(0, end);
    const one = picked && lanes[picked.row].tasks[picked.index];
    const seen = one && one[FINISHED] >= from && one[STARTED] <= to;
    const middle = seen ? (one[STARTED] + one[FINISHED]) / 2 : (from + to) / 2;
    const half = ((to - from) * factor) / 2;
    return show(middle - half, middle + half);
  }

  function under(event) {
    const box = element("lanes-box");
    const canvas = element("lanes").getBoundingClientRect();
    const row = Math.floor((event.clientY - canvas.top + box.scrollTop - 2) / LANE);
    const at = moment(event.clientX - canvas.left);
    const near = (3 / shown) * (to - from);
    const tasks = lanes[row]?.tasks ?? [];
    let index = tasks.findIndex((one) => one[STARTED] <= at && at <= one[FINISHED]);
    if (index < 0) index = tasks.findIndex((one) => one[STARTED] - near <= at && at <= one[FINISHED] + near);
    return index < 0 ? null : { row, index };
  }

  function tell(spot) {
    element("facts").textContent = spot ? told(lanes[spot.row].tasks[spot.index]) : "";
  }

  function pick(spot) {
    picked = spot;
    tell(picked);
    if (picked) {
      const one = lanes[picked.row].tasks[picked.index];
      const box = element("lanes-box");
      if (picked.row * LANE < box.scrollTop) box.scrollTop = picked.row * LANE;
      const below = (picked.row + 1) * LANE + 4 - box.clientHeight;
      if (below > box.scrollTop) box.scrollTop = below;
      const half = (to - from) / 2;
      if (one[FINISHED] < from || one[STARTED] > to) return show(one[STARTED] - half, one[STARTED] + half);
    }
    return draw();
  }

  function stepped(key) {
    if (!picked) return { row: Math.min(lanes.length - 1, Math.ceil(element("lanes-box").scrollTop / LANE)), index: 0 };
    const { row, index } = picked;
    const tasks = lanes[row].tasks;
    if (key === "ArrowLeft") return { row, index: Math.max(0, index - 1) };
    if (key === "ArrowRight") return { row, index: Math.min(tasks.length - 1, index + 1) };
    if (key === "Home") return { row, index: 0 };
    if (key === "End") return { row, index: tasks.length - 1 };
    const next = Math.min(lanes.length - 1, Math.max(0, row + (key === "ArrowUp" ? -1 : 1)));
    const away = (one) => Math.abs(one[STARTED] - tasks[index][STARTED]);
    const nearest = lanes[next].tasks.reduce(
      (best, one, at) => (away(one) < away(lanes[next].tasks[best]) ? at : best), 0);
    return { row: next, index: nearest };
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const zooms = { "+": 0.5, "=": 0.5, "-": 2, 0: 0 };
    if (event.key in zooms) zoom(zooms[event.key]);
    else if (event.key === "Escape") pick(null);
    else if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) pick(stepped(event.key));
    else return;
    event.preventDefault();
  }

  function zoomable(canvas) {
    const inside = (event) => Math.min(shown, Math.max(0, event.clientX - canvas.getBoundingClientRect().left));
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      canvas.setPointerCapture(event.pointerId);
      band = [inside(event), inside(event)];
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!band) return;
      band[1] = inside(event);
      draw();
    });
    const ended = (event) => {
      if (!band) return;
      const [left, right] = band.sort((a, b) => a - b);
      band = null;
      if (event.type === "pointerup" && right - left > 5) show(moment(left), moment(right));
      else draw();
    };
    canvas.addEventListener("pointerup", ended);
    canvas.addEventListener("pointercancel", ended);
    canvas.addEventListener("dblclick", () => zoom(0));
  }

  function listen() {
    ["running", "lanes"].forEach((id) => zoomable(element(id)));
    element("lanes").addEventListener("mousemove", (event) => tell(under(event) ?? picked));
    element("lanes").addEventListener("mouseleave", () => tell(picked));
    element("lanes").addEventListener("click", (event) => pick(under(event)));
    element("lanes-box").addEventListener("scroll", draw);
    element("lanes-box").addEventListener("keydown", pressed);
    for (const button of element("zoom").children) {
      button.addEventListener("click", () => zoom(Number(button.dataset.zoom)));
    }
    window.addEventListener("resize", draw, { signal: ended.signal });
    themed.addEventListener("change", draw, { signal: ended.signal });
  }

  // ---- the text around it ----

  function write() {
    const errors = records.filter((one) => one[ERROR]);
    const [tasks, , failed] = ofTasks(records);
    const dollars = sum(records, (one) => one[DOLLARS]);
    element("summary").textContent =
      `${count(tasks, "task")} on ${count(workers.length, "worker")} in ${seconds(end)}; ` +
      `${seconds(sum(records, took))} of work` +
      (failed ? `; ${failed.toLocaleString("en")} failed` : "") + (dollars ? `; ${money(dollars)}` : "") +
      `; began ${new Date(1000 * start).toISOString().slice(0, 19).replace("T", " ")} UTC.`;
    if (!records.length) element("summary").textContent = "No task has ended.";
    const byName = names.map(() => []);
    for (const one of records) byName[one[NAME]].push(one);
    byName.forEach((some, name) => {
      const item = document.createElement("span");
      item.setAttribute("role", "listitem");
      item.style.setProperty("--mark", colour(name));
      item.textContent = names[name];
      element("legend").append(item);
      const waited = some.filter((one) => one[QUEUED] !== null).map((one) => one[STARTED] - one[QUEUED]);
      const [memory, peak] = [most(some, (one) => one[MEMORY]), most(some, (one) => one[PEAK])];
      const [tasks, attempts, failed] = ofTasks(some);
      const row = element("names").tBodies[0].insertRow();
      for (const value of [
        names[name], tasks, failed || "", attempts,
        seconds(sum(some, took)), seconds(median(some.map(took))), seconds(most(some, took)),
        seconds(median(waited)), memory ? `${memory} MB` : peak ? `${peak} MiB` : "",
        money(sum(some, (one) => one[DOLLARS])),
      ]) row.insertCell().textContent = value;
    });
    const lines = [...element("names").rows];
    for (const column of lines[0].cells) {
      const unused = lines.slice(1).every((line) => line.cells[column.cellIndex].textContent === "");
      for (const line of lines) line.cells[column.cellIndex].hidden = unused;
    }
    element("failures-title").hidden = errors.length === 0;
    for (const one of errors.slice(0, 1000)) {
      const item = document.createElement("li");
      item.textContent = told(one);
      element("failures").append(item);
    }
  }

  write();
  draw();
  listen();
  return () => ended.abort();
}
