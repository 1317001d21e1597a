"use strict";
/* What the scripts of all pages share. Text that others wrote becomes text, never markup. */

const byId = (id) => document.getElementById(id);
const dataOf = (id) => JSON.parse(byId(id).textContent);

/* An element with attributes and children; of these, strings are text. Attributes that are false or
   null are left out; a function becomes a listener, such as {click: () => ...}. */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") made.addEventListener(name, value);
    else if (name.startsWith("--")) made.style.setProperty(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/* Put a copy of a template into an element. Ids of the copy get `suffix`, so that a page may have
   several. Returns a function that finds an element of the copy by its id in the template. */
function mounted(template, root, suffix = "") {
  const copy = byId(template).content.cloneNode(true);
  for (const one of copy.querySelectorAll("[id]")) one.id += suffix;
  for (const name of ["for", "aria-describedby", "aria-labelledby", "aria-controls"]) {
    for (const one of copy.querySelectorAll(`[${name}]`)) one.setAttribute(name, one.getAttribute(name) + suffix);
  }
  root.replaceChildren(copy);
  return (id) => byId(id + suffix);
}

// ---- numbers and text ----

const most = (all, value) => all.reduce((best, one) => Math.max(best, value(one)), 0);
const sum = (all, value) => all.reduce((total, one) => total + value(one), 0);
function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
const grouped = (number, decimals = 0) =>
  number.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
const count = (number, what) => `${grouped(number)} ${what}${number === 1 ? "" : "s"}`;
function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value >= 100) return `${grouped(Math.round(value))} s`;
  return value >= 1 ? `${value.toFixed(2)} s` : `${(1000 * value).toFixed(value < 0.01 ? 1 : 0)} ms`;
}
const money = (value) => (value ? `$${value < 0.01 ? value.toPrecision(3) : value.toFixed(4)}` : "");
/* A place in a film: minutes, seconds and milliseconds. */
function clockTime(at) {
  const ms = Math.round(1000 * at), two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(ms / 3_600_000);
  const rest = `${two(Math.floor(ms / 60_000) % 60)}:${two(Math.floor(ms / 1000) % 60)}.${String(ms % 1000).padStart(3, "0")}`;
  return hours ? `${hours}:${rest}` : rest;
}
const apart = (text) => `\u2068${text}\u2069`;  // whichever way it is written

// ---- colours ----

/* Colours of the style sheet as a canvas takes them, by the names of its properties. */
function inksOf(...names) {
  const probe = make("span", { hidden: true });
  document.body.append(probe);
  const found = Object.fromEntries(names.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  }));
  probe.remove();
  return found;
}

const themed = new EventTarget();  // "change": colours have changed
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themed.dispatchEvent(new Event("change")));

/* A choice of light and dark, which the browser remembers if it may. */
function themeSwitch(root) {
  const kept = { get: () => localStorage.getItem("theme"), set: (value) => localStorage.setItem("theme", value) };
  const quietly = (act) => { try { return act(); } catch { return null; } };
  const apply = (value) => {
    if (value === "light" || value === "dark") document.documentElement.dataset.theme = value;
    else delete document.documentElement.dataset.theme;
    themed.dispatchEvent(new Event("change"));
  };
  const chosen = quietly(kept.get) ?? "system";
  const choice = make("select", { "aria-label": "Colours" },
    ...[["system", "As the system"], ["light", "Light"], ["dark", "Dark"]].map(([value, text]) =>
      make("option", { value, selected: value === chosen }, text)));
  choice.addEventListener("change", () => { quietly(() => kept.set(choice.value)); apply(choice.value); });
  root.replaceChildren(choice);
  apply(chosen);
}
if (byId("theme")) themeSwitch(byId("theme"));

// ---- tables and dialogs ----

/* A table from names of columns and rows of texts; the first cell of a row is its heading. An item
   may be an element. Columns without any text are left out. */
function tableOf(columns, rows, caption = null) {
  const used = columns.map((_, at) => at === 0 || rows.some((row) => row[at] !== "" && row[at] !== null && row[at] !== undefined));
  const cells = (row, tag) => row.flatMap((value, at) => !used[at] ? [] :
    [make(at === 0 || tag === "th" ? "th" : "td", { scope: tag === "th" ? "col" : at === 0 ? "row" : null }, value instanceof Node ? value : String(value ?? ""))]);
  return make("table", {}, caption && make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...cells(columns, "th"))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells(row, "td")))));
}

/* A table that may be wider than the page: it scrolls, also by keys. */
const scrolled = (label, table) => make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label }, table);

/* Show a modal dialog with a title and content; it closes by its button, Escape or a click beside it,
   and the focus goes back to where it was. */
function showDialog(title, ...content) {
  const close = make("button", { type: "button", click: () => dialog.close() }, "Close");
  const dialog = make("dialog", { "aria-label": title },
    make("div", { class: "row" }, close), make("h2", {}, title), ...content);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

// ---- canvases ----

/* A canvas as wide as it is shown and `height` px high, sharp on every screen. */
function prepared(canvas, height) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  canvas.width = width * scale;
  canvas.height = height * scale;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.font = "12px system-ui, sans-serif";
  return context;
}

/* Drawing that waits for the browser's next frame, and happens once however often it is asked for. */
function once(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  };
}
