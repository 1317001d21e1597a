/* The frames of all runs: their columns, charts, borders, the strip of pictures, and the table. */

const INKS = Array.from({ length: 10 }, (_, at) => `series-${at + 1}`);  // as many as a ladder has sizes
const inkOf = (run) => INKS[run % INKS.length];
const ROLE_INKS = { key: "series-2", anchor: "series-4", first: "series-3", ordinary: "series-1" };
const TYPE_INKS = { key: "series-2", I: "series-2", B: "series-5" };
const NO_QUALITY = 0xffff, NO_STEP = 0xff, PER_DB = 100, EQUAL_DB = 100;

/* The bytes of a text that `excamera.report.page` has deflated. */
async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* A column of numbers: all their first bytes, then all second ones, and so on; null if there is none. */
async function unpacked(text, kind) {
  if (!text) return null;
  const planes = await inflated(text), size = kind.BYTES_PER_ELEMENT, count = planes.length / size;
  const numbers = new kind(count);
  for (let plane = 0; plane < size; plane += 1) {
    const weight = 2 ** (8 * plane);
    for (let at = 0; at < count; at += 1) numbers[at] += planes[plane * count + at] * weight;
  }
  return numbers;
}

/* The columns of a run: arrays with an item for each frame, NaN or null where nothing is known. */
async function columnsOf(frames) {
  const decibels = (column) => Float64Array.from(column, (one) => (one === NO_QUALITY ? NaN : one / PER_DB));
  const [times, bytes, hidden, type, role, step, psnr, ssim] = await Promise.all([
    [frames.time_ms, Uint32Array], [frames.bytes, Uint32Array], [frames.hidden_bytes, Uint32Array], [frames.type, Uint8Array],
    [frames.role, Uint8Array], [frames.y_ac_qi, Uint8Array], [frames.psnr, Uint16Array], [frames.ssim, Uint16Array],
  ].map(([text, kind]) => unpacked(text, kind)));
  return {
    count: frames.count,
    bytes: Float64Array.from(bytes),
    hidden,
    step: Float64Array.from(step, (one) => (one === NO_STEP ? NaN : one)),
    psnr: decibels(psnr),
    ssim: decibels(ssim),
    time: (at) => (times?.length ? times[at] / 1000 : null),
    type: (at) => frames.types[type[at]] ?? "",
    role: (at) => frames.roles[role[at]] ?? "",
  };
}

const decibels = (value) => (value >= EQUAL_DB ? "equal" : `${value.toFixed(2)} dB`);

function factsOf(run, columns, at) {
  if (at >= columns.count) return `${apart(run.name)}: has no frame ${grouped(at)}`;
  const parts = [`${grouped(columns.bytes[at])} bytes`, columns.type(at)];
  if (columns.hidden?.[at]) parts.push(`of these ${grouped(columns.hidden[at])} hidden`);
  if (columns.role(at) && columns.role(at) !== columns.type(at)) parts.push(columns.role(at));
  if (!Number.isNaN(columns.step[at])) parts.push(`quantizer ${columns.step[at]}`);
  if (!Number.isNaN(columns.ssim[at])) parts.push(`SSIM ${decibels(columns.ssim[at])}`, `PSNR ${decibels(columns.psnr[at])}`);
  const batch = batchAt(run, at);
  if (batch) parts.push(`batch ${batch.number}, chunk ${batch.chunk}`);
  return `${apart(run.name)}: ${parts.join(" · ")}`;
}

/* The batch and the chunk that a frame is in. */
function batchAt(run, at) {
  let low = 0, high = run.batches.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (run.batches[middle].first_frame <= at) low = middle;
    else high = middle - 1;
  }
  const batch = run.batches[low];
  if (!batch) return null;
  let first = batch.first_frame;
  for (const [chunk, length] of batch.chunk_frames.entries()) {
    if (at < first + length) return { number: low, chunk, first };
    first += length;
  }
  return null;
}

/* All of the section; returns the view, for what else follows it. */
function framesSection(runs, columns, pictures, open) {
  const length = Math.max(...columns.map((one) => one.count));
  const view = new View(length);
  const several = runs.length > 1;
  byId("frames-section").hidden = false;
  if (several) {
    byId("run-legend").append(...runs.map((run, at) => make("span", { role: "listitem", "--mark": `var(--${inkOf(at)})` }, run.name)));
  } else byId("run-legend").remove();
  const levels = columns.map((one) => ({ bytes: new Levels(one.bytes), ssim: new Levels(one.ssim), psnr: new Levels(one.psnr) }));
  const lines = (name) => runs.map((run, at) => ({ name: run.name, ink: inkOf(at), kind: "line", levels: levels[at][name] }));
  const kinds = Object.keys(runs[0].roles).length ? [ROLE_INKS, "role"] : [TYPE_INKS, "type"];
  const tint = (at) => kinds[0][columns[0][kinds[1]](at)] ?? null;
  const tints = Object.fromEntries(Object.keys(runs[0][`${kinds[1]}s`]).map((name) => [name, kinds[0][name] ?? inkOf(0)]));
  chart(byId("bytes-chart"), view, {
    title: "Size of each frame", unit: "bytes", format: (value) => grouped(Math.round(value)), zero: true,
    series: several ? lines("bytes") : [{ ...lines("bytes")[0], kind: "bars", tint, tints }],
  });
  if (runs.some((run) => run.quality)) {
    for (const id of ["quality-chart", "measure-label"]) byId(id).hidden = false;
    const measured = () => {
      const name = byId("measure").value;
      return chart(byId("quality-chart"), view, {
        title: `Quality of each frame, ${name.toUpperCase()} of the luma`, unit: "dB", format: (value) => value.toFixed(1), series: lines(name),
      });
    };
    const change = measured();
    byId("measure").addEventListener("change", () => {
      const name = byId("measure").value;
      byId("quality-chart").querySelector("strong").textContent = `Quality of each frame, ${name.toUpperCase()} of the luma, dB`;
      change(lines(name));
    });
  }
  quantizers(runs, columns, view);
  borders(runs, columns, view);
  strip(columns, pictures, view, open);
  told(runs, columns, view);
  asTable(runs, levels, columns, view);
  for (const button of document.querySelectorAll("[data-zoom][data-zoom]")) {
    if (byId("frames-section").contains(button)) button.addEventListener("click", () => view.zoom(Number(button.dataset.zoom)));
  }
  for (const button of document.querySelectorAll("[data-pan]")) button.addEventListener("click", () => view.pan(Number(button.dataset.pan)));
  const input = byId("go-to");
  input.max = length - 1;
  input.addEventListener("change", () => view.reach(Number(input.value)));
  byId("open-frame").addEventListener("click", () => { view.reach(Number(input.value)); view.tell("choose"); });
  view.addEventListener("point", () => { if (view.at !== null && document.activeElement !== input) input.value = view.at; });
  view.addEventListener("choose", () => open(view.at));
  return view;
}

/* The quantizers: of one run, a series for each role; of several, one each. */
function quantizers(runs, columns, view) {
  const has = columns.map((one) => one.step.some((step) => !Number.isNaN(step)));
  if (!has.some(Boolean)) return;
  byId("quantizer-chart").hidden = false;
  const of = (column, wanted) => new Levels(column.step.map((step, at) => (wanted === null || column.role(at) === wanted ? step : NaN)));
  const roles = runs.length === 1 ? Object.keys(runs[0].roles) : [];
  const series = roles.length
    ? roles.map((role) => ({ name: role, ink: ROLE_INKS[role] ?? "series-6", kind: "points", levels: of(columns[0], role) }))
    : runs.map((run, at) => ({ name: run.name, ink: inkOf(at), kind: "line", levels: of(columns[at], null) })).filter((_, at) => has[at]);
  chart(byId("quantizer-chart"), view, {
    title: roles.length ? "Quantizer by role" : "Quantizer", unit: "y_ac_qi", format: (value) => String(Math.round(value)), zero: true, height: 110, series,
  });
}

/* A row for each run with a plan: batches in turns of shade, chunks, anchors and scenes. */
function borders(runs, columns, view) {
  const cut = runs.map((run, at) => [run, at]).filter(([run]) => run.batches.length);
  if (!cut.length) return;
  const root = byId("borders"), ROW = 30;
  root.hidden = false;
  const canvas = make("canvas", { role: "img" });
  root.replaceChildren(make("figcaption", {}, make("strong", {}, "Where the film is cut"),
    make("span", { class: "hint" }, "  shaded in turns: batches; lines: chunks; dots: anchors; triangles: scenes")), canvas);
  const draw = () => {
    const context = prepared(canvas, ROW * cut.length + 4), width = canvas.clientWidth;
    const inks = inksOf("ink", "quiet", "line", "stripe", "area", ...INKS);
    const said = [];
    cut.forEach(([run, number], row) => {
      const top = 2 + row * ROW, counted = { batches: 0, chunks: 0, anchors: 0, scenes: 0 };
      context.save();
      context.beginPath();
      context.rect(GUTTER, top, width - GUTTER - MARGIN, ROW);
      context.clip();
      run.batches.forEach((batch, nth) => {
        const end = batch.first_frame + sum(batch.chunk_frames, (one) => one);
        if (end <= view.from || batch.first_frame >= view.to) return;
        counted.batches += 1;
        const [left, right] = [placeOf(view, batch.first_frame, width), placeOf(view, end, width)];
        context.fillStyle = nth % 2 ? inks.area : inks.line;
        context.fillRect(left, top + 10, Math.max(1, right - left), ROW - 12);
        let at = batch.first_frame;
        const fine = (right - left) / batch.chunk_frames.length > 3;
        batch.chunk_frames.forEach((length, chunk) => {
          if (at >= view.from && at < view.to) {
            counted.chunks += 1;
            context.fillStyle = inks.ink;
            if (fine || chunk === 0) context.fillRect(placeOf(view, at, width), top + (chunk ? 14 : 10), 1, ROW - (chunk ? 16 : 12));
          }
          at += length;
          const last = at - 1;
          if (columns[number].role(last) === "anchor" && last >= view.from && last < view.to) {
            counted.anchors += 1;
            context.fillStyle = inks["series-4"];
            if (fine) context.fillRect(placeOf(view, last + 0.5, width) - 2, top + ROW - 10, 4, 4);
          }
        });
        context.fillStyle = inks.ink;
        if (right - left > 34) context.fillText(String(nth), Math.max(left, GUTTER) + 5, top + 24);
      });
      for (const scene of run.scenes ?? []) {
        if (scene < view.from || scene >= view.to) continue;
        counted.scenes += 1;
        const x = placeOf(view, scene, width);
        context.fillStyle = inks["series-2"];
        context.beginPath();
        context.moveTo(x - 4, top);
        context.lineTo(x + 4, top);
        context.lineTo(x, top + 8);
        context.fill();
      }
      context.restore();
      said.push(`${run.name}: ` + Object.entries(counted).map(([what, many]) => `${grouped(many)} ${what}`).join(", "));
    });
    canvas.setAttribute("aria-label", `Frames ${grouped(view.from)} to ${grouped(view.to - 1)}. ${said.join(". ")}`);
  };
  const soon = once(draw);
  for (const what of ["change", "point"]) view.addEventListener(what, soon);
  themed.addEventListener("change", soon);
  new ResizeObserver(soon).observe(root);
  draw();
}

/* Small pictures around the frame that is pointed at, or of all that is shown. */
function strip(columns, pictures, view, open) {
  const numbers = Object.keys(pictures.thumbs).map(Number).sort((a, b) => a - b);
  const root = byId("strip");
  if (!numbers.length) return root.remove();
  const nearest = (wanted) => {
    let low = 0, high = numbers.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (numbers[middle] <= wanted) low = middle;
      else high = middle - 1;
    }
    return low;
  };
  const draw = () => {
    const room = Math.max(1, Math.floor(root.clientWidth / 126));
    let places;
    if (view.at === null) {
      places = Array.from({ length: room }, (_, at) => nearest(view.from + ((at + 0.5) / room) * view.span));
    } else {
      const middle = nearest(view.at), first = Math.max(0, Math.min(numbers.length - room, middle - Math.floor(room / 2)));
      places = Array.from({ length: room }, (_, at) => first + at).filter((at) => at < numbers.length);
    }
    const current = view.at === null ? -1 : nearest(view.at);
    root.replaceChildren(...[...new Set(places)].map((place) => {
      const number = numbers[place];
      return make("button", { type: "button", "aria-current": place === current ? "true" : null, tabindex: "-1",
        "aria-label": `Frame ${grouped(number)}`, click: () => { view.reach(number); open(number); } },
        make("img", { src: `data:image/jpeg;base64,${pictures.thumbs[number]}`, alt: "" }));
    }));
  };
  const soon = once(draw);
  for (const what of ["change", "point"]) view.addEventListener(what, soon);
  new ResizeObserver(soon).observe(root);
  return draw();
}

/* The facts of the frame that is pointed at, and which part is shown. */
function told(runs, columns, view) {
  const clock = (at) => { const time = columns[0].time(Math.min(at, columns[0].count - 1)); return time === null ? "" : ` (${clockTime(time)})`; };
  const part = () => {
    byId("shown-part").textContent =
      `Frames ${grouped(view.from)}${clock(view.from)} to ${grouped(view.to - 1)}${clock(view.to - 1)} of ${grouped(view.length)}`;
  };
  const facts = () => {
    byId("frame-facts").replaceChildren(...(view.at === null ? [] : [
      make("strong", {}, `Frame ${grouped(view.at)}${clock(view.at)}`), ...runs.map((run, at) => make("div", {}, factsOf(run, columns[at], view.at)))]));
  };
  view.addEventListener("change", part);
  view.addEventListener("point", facts);
  part();
}

/* What is shown as a table: each frame of a short part, else the mean of even pieces. */
function asTable(runs, levels, columns, view) {
  const ROWS = 200;
  const details = byId("as-table");
  const draw = () => {
    if (!details.open) return;
    const each = Math.ceil(view.span / ROWS), rows = [];
    for (let at = view.from; at < view.to; at += each) {
      const end = Math.min(view.to, at + each);
      const cells = runs.flatMap((_, run) => {
        const one = columns[run], many = levels[run];
        if (each > 1) {
          const [bytes, ssim, psnr] = [many.bytes.range(at, end), many.ssim.range(at, end), many.psnr.range(at, end)];
          return [bytes && grouped(Math.round(bytes.mean)), bytes && grouped(bytes.max), "", "",
            ssim && ssim.mean.toFixed(2), psnr && psnr.mean.toFixed(2)];
        }
        if (at >= one.count) return ["", "", "", "", "", ""];
        const known = (value) => (Number.isNaN(value) ? "" : value.toFixed(2));
        return [grouped(one.bytes[at]), "", [one.type(at), one.role(at)].filter((name, place, all) => name && all.indexOf(name) === place).join(", "),
          Number.isNaN(one.step[at]) ? "" : one.step[at], known(one.ssim[at]), known(one.psnr[at])];
      });
      rows.push([each > 1 ? `${grouped(at)} to ${grouped(end - 1)}` : grouped(at), ...cells]);
    }
    const heads = ["bytes", "most bytes", "type", "quantizer", "SSIM, dB", "PSNR, dB"];
    const names = ["Frame", ...runs.flatMap((run) => heads.map((head) => (runs.length > 1 ? `${run.name}: ${head}` : head)))];
    byId("frame-table").replaceChildren(scrolled("Frames as a table", tableOf(names, rows, each > 1 ? `Means of ${each} frames each; zoom in for single ones` : null)));
  };
  const soon = once(draw);
  details.addEventListener("toggle", draw);
  view.addEventListener("change", soon);
}
