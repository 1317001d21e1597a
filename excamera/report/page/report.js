/* The page of a report: what is about whole runs, and the sections of frames and tasks. */

async function reportPage() {
  const report = dataOf("report");
  const { runs } = report;
  summary(report);
  const all = await Promise.all(runs.map((run) => columnsOf(run.frames)));
  const { films, columns, pictures } = withFrames(runs, all, dataOf("pictures"));
  const tasks = await Promise.all(dataOf("tasks").map(async (one) =>
    one && JSON.parse(new TextDecoder().decode(await inflated(one)))));
  let view = null;
  const open = (number) => {
    if (number === null) return;
    view?.reach(number);
    frameDialog({ ...report, runs: films }, columns, pictures, number, open);
  };
  if (films.length) view = framesSection(films, columns, pictures, open);
  groups(runs);
  timelines(runs, tasks);
  batches(runs);
  made(report);
  log(runs);
  // A link to one frame: report.html#frame=120
  const linked = () => /^#frame=(\d+)$/.exec(location.hash)?.[1];
  const follow = () => { if (view && linked() !== undefined) open(Math.min(Number(linked()), view.length - 1)); };
  window.addEventListener("hashchange", follow);
  follow();
  document.documentElement.dataset.ready = "true";
}

/* The runs that have frames, with their columns and pictures. The whole of a ladder has none. */
function withFrames(runs, columns, pictures) {
  const kept = (list) => list.filter((_, at) => columns[at].count);
  const views = Object.fromEntries(Object.entries(pictures.views).map(([number, one]) => [number, { ...one, runs: kept(one.runs) }]));
  return { films: kept(runs), columns: kept(columns), pictures: { ...pictures, views } };
}

/* Runs of their own, each with the sizes of its ladder, which stand before it. */
function wholeRuns(runs) {
  const found = [];
  let sizes = [];
  for (const run of runs) {
    if (run.ladder) sizes.push(run);
    else { found.push({ run, sizes }); sizes = []; }
  }
  return found;
}

const percent = (actual, predicted) => {
  const more = Math.round(100 * (actual / predicted - 1));
  return `${more < 0 ? "−" : "+"}${Math.abs(more)}%`;
};

/* A number beside what was predicted of it. */
function against(actual, predicted, format) {
  if (actual === undefined || actual === null) return predicted ? `${format(predicted)} predicted` : "";
  return format(actual) + (predicted ? ` (${format(predicted)} predicted, ${percent(actual, predicted)})` : "");
}

function summary(report) {
  const whole = wholeRuns(report.runs), runs = whole.map((one) => one.run);
  const rate = (run) => (run.duration_s ? `${grouped((8 * run.bytes) / run.duration_s / 1000, 1)} kbit/s` : "");
  const dB = (run, name) => run.quality && `${run.quality[name] >= EQUAL_DB ? "equal" : `${run.quality[name].toFixed(2)} dB`}`;
  // All sizes are cut alike.
  const cut = (run) => whole.find((one) => one.run === run).sizes[0] ?? run;
  const lines = [
    ["Codec", (run) => run.codec], ["Container", (run) => run.container],
    ["Picture", (run) => run.width && `${run.width}×${run.height}, ${Number(run.frame_rate.toFixed(3))} frames a second`],
    ["Duration", (run) => run.duration_s && clockTime(run.duration_s)],
    ["Frames", (run) => run.frame_count && grouped(run.frame_count)],
    ["Size", (run) => (run.bytes || run.predicted?.bytes) && against(run.bytes || null, run.predicted?.bytes, (value) => `${grouped(value)} bytes`)],
    ["Picture's part of it", (run) => run.video_bytes && `${grouped(run.video_bytes)} bytes`],
    ["Rate", rate],
    ["SSIM of the luma", (run) => dB(run, "ssim_db")], ["PSNR of the luma", (run) => dB(run, "psnr_db")],
    ["Time", (run) => against(run.actual?.seconds, run.predicted?.seconds, seconds)],
    ["Cost", (run) => against(run.actual?.usd, run.predicted?.usd, (value) => `$${value.toFixed(4)}`)],
    ["Batches", (run) => cut(run).batches.length && grouped(cut(run).batches.length)],
    ["Scenes", (run) => cut(run).scenes && grouped(cut(run).scenes.length + 1)],
    ["Plan", (run) => run.plan && run.plan.slice(0, 16)],
  ];
  const named = [...new Set(runs.flatMap((run) => Object.keys(run.facts)))];
  const rows = [...lines, ...named.map((name) => [name, (run) => run.facts[name]])]
    .map(([name, of]) => [name, ...runs.map((run) => of(run) || "")]).filter((row) => row.slice(1).some((text) => text !== ""));
  const table = tableOf(["Run", ...runs.map((run) => run.name)], rows);
  for (const cell of table.querySelectorAll("td, th")) cell.classList.add("left");
  const ofSizes = [
    ["Picture", (run) => run.width && `${run.width}×${run.height}`], ["Bytes", (run) => run.bytes && grouped(run.bytes)],
    ["kbit/s", (run) => run.duration_s && grouped((8 * run.bytes) / run.duration_s / 1000, 1)],
    ["SSIM of the luma", (run) => dB(run, "ssim_db")], ["PSNR of the luma", (run) => dB(run, "psnr_db")],
    ["Frames", (run) => run.frame_count && grouped(run.frame_count)], ["Codec", (run) => run.codec], ["Container", (run) => run.container],
  ];
  byId("summary-table").replaceChildren(scrolled("The runs in short", table), ...whole.filter(({ sizes }) => sizes.length).map(({ run, sizes }) =>
    scrolled(`Sizes of ${run.name}`, tableOf(["Size", ...ofSizes.map(([name]) => name)], sizes.map((one) => [one.name, ...ofSizes.map(([, of]) => of(one) || "")]),
      sizes.some((one) => one.quality) ? "Each size is measured against the source as it was scaled to that size" : null))));
  byId("about").append(make("p", { class: "hint" },
    (report.reference ? `Qualities are measured against ${apart(report.reference)}. ` : "") + `Made ${report.made.replace("T", " ").replace("+00:00", " UTC")}.`));
  const notes = report.runs.flatMap((run) => run.notes.map((note) => (runs.length > 1 || run.ladder ? `${apart(run.name)}: ${note}` : note)));
  if (notes.length) byId("notes").append(make("ul", {}, ...notes.map((note) => make("li", {}, note))));
}

/* Frames by type, and by role where there is a plan. */
function groups(runs) {
  const rows = [];
  for (const run of runs) {
    for (const [what, found] of [["type", run.types], ["role", run.roles]]) {
      for (const [name, one] of Object.entries(found)) {
        const steps = one.y_ac_qi && (one.y_ac_qi[0] === one.y_ac_qi[2] ? String(one.y_ac_qi[0]) : `${one.y_ac_qi[0]} to ${one.y_ac_qi[2]}, mean ${one.y_ac_qi[1].toFixed(1)}`);
        rows.push([`${runs.length > 1 ? `${run.name}: ` : ""}${what} ${name}`, grouped(one.frames), `${grouped(one.bytes)}`,
          grouped(Math.round(one.bytes / one.frames)), `${((100 * one.bytes) / Math.max(1, run.video_bytes)).toFixed(1)}%`, steps || "",
          one.ssim_db === null ? "" : one.ssim_db.toFixed(2)]);
      }
    }
  }
  if (!rows.length) return;
  byId("groups-section").hidden = false;
  byId("groups").append(scrolled("Frames by type and role", tableOf(
    ["Frames", "Count", "Bytes", "Bytes each", "Of all bytes", "Quantizer", "SSIM, mean dB"], rows)));
}

function timelines(runs, tasks) {
  const known = tasks.map((one, at) => [one, at]).filter(([one]) => one !== null);
  if (!known.length) return;
  byId("tasks-section").hidden = false;
  known.forEach(([one, at]) => {
    const root = make("div");
    byId("timelines").append(...(known.length > 1 ? [make("h3", {}, runs[at].name)] : []), root);
    timeline(root, one, `-${at}`);
  });
}

function batches(runs) {
  const cut = runs.filter((run) => run.batches.length);
  if (!cut.length) return;
  const MOST = 500;
  byId("batches-section").hidden = false;
  for (const run of cut) {
    const parts = [...new Set(run.batches.flatMap((batch) => Object.keys(batch.timings).filter((part) => batch.timings[part])))];
    const rows = run.batches.slice(0, MOST).map((batch, number) => {
      const frames = sum(batch.chunk_frames, (one) => one);
      return [String(number), batch.mode, `${grouped(batch.first_frame)} to ${grouped(batch.first_frame + frames - 1)}`,
        batch.chunk_frames.join(" "), batch.crf ?? "", batch.bytes === null ? "" : grouped(batch.bytes), batch.key_frames ?? "",
        ...parts.map((part) => (part in batch.timings ? seconds(batch.timings[part]) : "")),
        batch.states.length ? make("details", {}, make("summary", {}, count(batch.states.length, "digest")),
          ...batch.states.map((state, chunk) => make("div", { class: "digest" }, `${chunk}: ${state.slice(0, 24)}`))) : ""];
    });
    if (cut.length > 1) byId("batches").append(make("h3", {}, run.name));
    byId("batches").append(scrolled(`Batches of ${run.name}`, tableOf(
      ["Batch", "Mode", "Frames", "Frames of its chunks", "crf", "Bytes", "Key frames", ...parts.map((part) => part.replace(/_s$/, "")), "States at the seams"], rows,
      run.batches.length > MOST ? `The first ${grouped(MOST)} of ${grouped(run.batches.length)}; --json has all` : null)));
  }
}

function made(report) {
  const { runs } = report;
  const flat = (value, name = "") => value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.entries(value).flatMap(([key, one]) => flat(one, name ? `${name}.${key}` : key)) : [[name, value]];
  const chosen = runs.filter((run) => Object.keys(run.options).length), options = chosen.map((run) => new Map(flat(run.options)));
  const names = [...new Set(options.flatMap((one) => [...one.keys()]))];
  if (names.length) {
    const shown = (value) => (value === undefined ? "" : Array.isArray(value) ? value.map((one) => (Object(one) === one ? JSON.stringify(one) : one)).join(" ") : String(value));
    byId("options").append(make("details", {}, make("summary", {}, "Options"), scrolled("Options",
      tableOf(["Option", ...chosen.map((run) => run.name)], names.map((name) => [name, ...options.map((one) => shown(one.get(name)))])))));
  }
  const table = tableOf(["This report was made with", "Value"], Object.entries(report.made_with).filter(([, value]) => value));
  for (const cell of table.querySelectorAll("td, th")) cell.classList.add("left");
  byId("made-with").append(scrolled("What made the report", table));
}

function log(runs) {
  const said = runs.flatMap((run) => run.log.map((line) => (runs.length > 1 ? `${run.name}: ${line}` : line)));
  if (!said.length) return;
  byId("log-section").hidden = false;
  byId("log").append(make("pre", { tabindex: "0", role: "region", "aria-label": "Lines of the log" }, said.join("\n")));
}

reportPage().catch((error) => {
  byId("notes").append(make("p", { role: "alert" }, `The page could not be shown: ${error}. It needs a browser of 2024 or newer.`));
  throw error;
});
