/* Charts of long sequences: each column of the screen shows the least, the mean and the most of what
   it stands for, so that a film of hours draws as fast as one of seconds. */

/* The part of a sequence that charts show together: entries `from` to before `to`, and the entry `at`
   that the user points at, or null. "change": the part; "point": the entry; "choose": one was clicked. */
class View extends EventTarget {
  constructor(length, least = 8) {
    super();
    Object.assign(this, { length, least: Math.min(least, Math.max(1, length)), from: 0, to: Math.max(1, length), at: null });
  }
  get span() { return this.to - this.from; }
  tell(what) { this.dispatchEvent(new Event(what)); }
  show(from, to) {
    const span = Math.min(Math.max(1, this.length), Math.max(this.least, Math.round(to - from)));
    this.from = Math.max(0, Math.min(Math.max(1, this.length) - span, Math.round(from)));
    this.to = this.from + span;
    this.tell("change");
  }
  zoom(factor) {
    if (factor === 0) return this.show(0, this.length);
    const inside = this.at !== null && this.from <= this.at && this.at < this.to;
    const share = inside ? (this.at + 0.5 - this.from) / this.span : 0.5;
    const middle = this.from + share * this.span, span = this.span * factor;
    return this.show(middle - share * span, middle + (1 - share) * span);
  }
  pan(share) { this.show(this.from + share * this.span, this.to + share * this.span); }
  point(at) {
    const next = at === null ? null : Math.max(0, Math.min(this.length - 1, Math.round(at)));
    if (next === this.at) return;
    this.at = next;
    this.tell("point");
  }
  /* Point at an entry, and show the part around it if it is out of sight. */
  reach(at) {
    this.point(at);
    if (this.at < this.from || this.at >= this.to) this.show(this.at - this.span / 2, this.at + this.span / 2);
  }
}

/* Sums over a sequence, at once for any part of it. Entries that are NaN do not count. */
class Levels {
  static SIZE = 8;
  constructor(values) {
    this.values = values;
    const count = values.length;
    let level = { min: values, max: values, total: values, n: null, length: count };
    this.levels = [level];
    while (level.length > Levels.SIZE) level = this.#above(level);
  }
  #above(below) {
    const length = Math.ceil(below.length / Levels.SIZE);
    const level = { min: new Float64Array(length).fill(Infinity), max: new Float64Array(length).fill(-Infinity),
                    total: new Float64Array(length), n: new Float64Array(length), length };
    for (let at = 0; at < below.length; at += 1) {
      const n = below.n ? below.n[at] : Number.isNaN(below.total[at]) ? 0 : 1;
      if (!n) continue;
      const to = Math.floor(at / Levels.SIZE);
      level.min[to] = Math.min(level.min[to], below.min[at]);
      level.max[to] = Math.max(level.max[to], below.max[at]);
      level.total[to] += below.total[at];
      level.n[to] += n;
    }
    this.levels.push(level);
    return level;
  }
  /* The least, the most, the mean and the number of entries `from` to before `to`; null without any. */
  range(from, to) {
    let min = Infinity, max = -Infinity, total = 0, n = 0;
    for (let at = Math.max(0, from), end = Math.min(to, this.values.length); at < end;) {
      let step = 1, which = 0;
      while (which + 1 < this.levels.length && at % (step * Levels.SIZE) === 0 && at + step * Levels.SIZE <= end) {
        step *= Levels.SIZE;
        which += 1;
      }
      const level = this.levels[which], place = at / step;
      const some = level.n ? level.n[place] : Number.isNaN(level.total[place]) ? 0 : 1;
      if (some) {
        min = Math.min(min, level.min[place]);
        max = Math.max(max, level.max[place]);
        total += level.total[place];
        n += some;
      }
      at += step;
    }
    return n ? { min, max, mean: total / n, total, n } : null;
  }
}

const GUTTER = 64, MARGIN = 8;  // px at the left, for the scale, and at the right
const placeOf = (view, at, width) => GUTTER + ((at - view.from) / view.span) * (width - GUTTER - MARGIN);
const entryAt = (view, x, width) => view.from + ((x - GUTTER) / (width - GUTTER - MARGIN)) * view.span;

/* Round values for a scale between two others, about `wanted` of them. */
function scaleMarks(low, high, wanted = 4) {
  const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9; n += 1) found.push(n * step + 0);  // never -0
  return found;
}

/* Mouse and keys move through a view. The canvas must stand in a focusable element `box`. */
function explored(box, canvas, view) {
  let band = null;
  const inside = (event) => event.clientX - canvas.getBoundingClientRect().left;
  const entry = (x) => entryAt(view, x, canvas.clientWidth);
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    canvas.setPointerCapture(event.pointerId);
    band = [inside(event), inside(event)];
  });
  canvas.addEventListener("pointermove", (event) => {
    view.point(Math.floor(entry(inside(event))));
    if (band) { band[1] = inside(event); view.tell("change"); }
  });
  const ended = (event) => {
    if (!band) return;
    const [left, right] = band.sort((a, b) => a - b);
    band = null;
    if (event.type === "pointerup" && right - left > 5) view.show(entry(left), entry(right));
    else view.tell("change");
  };
  canvas.addEventListener("pointerup", (event) => {
    const dragged = band && Math.abs(band[1] - band[0]) > 5;
    ended(event);
    if (!dragged && event.button === 0) { view.point(Math.floor(entry(inside(event)))); view.tell("choose"); }
  });
  canvas.addEventListener("pointercancel", ended);
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    if (event.ctrlKey) view.zoom(event.deltaY > 0 ? 1.25 : 0.8);
    else view.pan(Math.sign(event.deltaY || event.deltaX) * 0.1);
  }, { passive: false });
  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = Math.max(1, Math.round(view.span / 200)) * (event.shiftKey ? 10 : 1);
    const begin = view.at ?? Math.floor((view.from + view.to) / 2);
    const acts = {
      ArrowLeft: () => view.reach(begin - step), ArrowRight: () => view.reach(begin + step),
      Home: () => view.reach(0), End: () => view.reach(view.length - 1),
      PageUp: () => view.pan(-0.9), PageDown: () => view.pan(0.9),
      "+": () => view.zoom(0.5), "=": () => view.zoom(0.5), "-": () => view.zoom(2), 0: () => view.zoom(0),
      Enter: () => { view.reach(begin); view.tell("choose"); }, Escape: () => view.point(null),
    };
    if (!(event.key in acts)) return;
    acts[event.key]();
    event.preventDefault();
  });
  return () => band;
}

/* A chart of sequences over a view, in `root`.

   title, unit: what is shown, in words. format: makes text of a value. zero: whether the scale begins
   at 0. series: each with its `name`, the `levels` of its values, the `ink` of its colour (a property
   of the style sheet without dashes), and `kind`: "line", "bars" or "points". Of bars also `tint`, the
   ink of an entry or null, and `tints`, all names of entries with their inks.

   Returns a function that takes other series. */
function chart(root, view, { title, unit, format, zero = false, height = 130, series }) {
  const canvas = make("canvas", { role: "img" });
  const box = make("div", { tabindex: "0", role: "application",
    "aria-label": `${title}: arrows point at a frame, Enter opens it, plus and minus zoom, zero shows all, page up and down move` }, canvas);
  const legend = make("span", { class: "legend hint" });
  root.classList.add("chart");
  root.replaceChildren(make("figcaption", {}, make("strong", {}, `${title}, ${unit}`), legend), box);
  const band = explored(box, canvas, view);
  let parts = [];
  const told = () => {
    const named = series.length > 1 ? series.map((one) => [one.name, one.ink]) : Object.entries(series[0]?.tints ?? {});
    legend.replaceChildren(...named.map(([name, ink]) => make("span", { "--mark": `var(--${ink})` }, name)));
  };
  const draw = () => {
    const context = prepared(canvas, height), width = canvas.clientWidth;
    const columns = Math.max(1, width - GUTTER - MARGIN), bottom = height - 18, top = 8;
    const inks = inksOf("ink", "quiet", "line", "stripe", ...new Set(series.flatMap((one) => [one.ink, ...Object.values(one.tints ?? {})])));
    parts = series.map((one) => one.levels.range(view.from, view.to));
    const known = parts.filter((one) => one);
    let low = zero ? 0 : Math.min(...known.map((one) => one.min)), high = Math.max(...known.map((one) => one.max));
    if (!known.length) [low, high] = [0, 1];
    if (high - low < 1e-9) high = low + (Math.abs(low) || 1) * 0.1;
    const level = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
    context.textAlign = "right";
    for (const mark of scaleMarks(low, high)) {
      context.fillStyle = inks.line;
      context.fillRect(GUTTER, Math.round(level(mark)), columns, 1);
      context.fillStyle = inks.quiet;
      context.fillText(format(mark), GUTTER - 6, level(mark) + 4);
    }
    context.textAlign = "center";
    for (const mark of scaleMarks(view.from, view.to, Math.max(2, columns / 110))) {
      if (!Number.isInteger(mark) || mark >= view.to) continue;
      const x = placeOf(view, mark, width);
      context.fillStyle = inks.line;
      context.fillRect(Math.round(x), top, 1, bottom - top);
      context.fillStyle = inks.quiet;
      context.fillText(grouped(mark), Math.max(x, GUTTER + 4), height - 5);
    }
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, columns, height);
    context.clip();
    for (const one of series) drawn(context, one, view, width, level, inks);
    context.restore();
    if (view.at !== null && view.from <= view.at && view.at < view.to) {
      context.fillStyle = inks.ink;
      context.fillRect(Math.round(placeOf(view, view.at + 0.5, width)), 0, 1, bottom);
    }
    const dragged = band();
    if (dragged) {
      context.fillStyle = "rgb(76 139 245 / 25%)";
      context.fillRect(Math.min(...dragged), 0, Math.abs(dragged[1] - dragged[0]), bottom);
    }
    canvas.setAttribute("aria-label", `${title}, ${unit}, frames ${grouped(view.from)} to ${grouped(view.to - 1)}. ` +
      series.map((one, at) => parts[at]
        ? `${one.name}: ${format(parts[at].min)} to ${format(parts[at].max)}, mean ${format(parts[at].mean)}` : `${one.name}: none`).join(". "));
    canvas.dataset.drawn = Number(canvas.dataset.drawn ?? 0) + 1;
  };
  const soon = once(draw);
  told();
  for (const what of ["change", "point"]) view.addEventListener(what, soon);
  themed.addEventListener("change", soon);
  new ResizeObserver(soon).observe(root);
  draw();
  return (others) => { series = others; told(); soon(); };
}

function drawn(context, one, view, width, level, inks) {
  const columns = Math.floor(width - GUTTER - MARGIN), each = columns / view.span;
  const ink = inks[one.ink];
  if (each < 1) {
    for (let x = 0; x < columns; x += 1) {
      const from = Math.floor(view.from + (x / columns) * view.span);
      const found = one.levels.range(from, Math.max(from + 1, Math.floor(view.from + ((x + 1) / columns) * view.span)));
      if (!found) continue;
      const [high, low] = [level(found.max), one.kind === "bars" ? level(0) : level(found.min)];
      context.fillStyle = ink;
      context.globalAlpha = 0.35;
      context.fillRect(GUTTER + x, high, 1, Math.max(1, low - high));
      context.globalAlpha = 1;
      if (one.kind === "bars") context.fillRect(GUTTER + x, level(found.mean), 1, Math.max(1, low - level(found.mean)));
      else context.fillRect(GUTTER + x, level(found.mean) - 1, 1, 2);
    }
    return;
  }
  context.strokeStyle = context.fillStyle = ink;
  context.lineWidth = 1.5;
  context.beginPath();
  let joined = false;
  for (let at = view.from; at < Math.min(view.to, one.levels.values.length); at += 1) {
    const value = one.levels.values[at];
    if (Number.isNaN(value)) { if (one.kind === "line") joined = false; continue; }
    const x = placeOf(view, at, width), y = level(value), wide = Math.max(1, each - (each > 4 ? 1 : 0));
    if (one.kind === "bars") {
      context.fillStyle = inks[one.tint?.(at) ?? one.ink] ?? ink;
      context.fillRect(x, y, wide, Math.max(1, level(0) - y));
      continue;
    }
    if (one.kind === "line") { if (joined) context.lineTo(x + each / 2, y); else context.moveTo(x + each / 2, y); joined = true; }
    if (one.kind === "points" || each > 6) context.fillRect(x + each / 2 - 2, y - 2, 4, 4);
  }
  if (one.kind === "line") context.stroke();
}
