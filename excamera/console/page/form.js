/* The form of a new job: options from their table, with its help. */

import { seen } from "./text.js";

let offered = null;
let changed = () => {};

const inputOf = (field) => byId(`option-${field}`);

/* Build the form. `listener` hears of each change. */
export function build(offers, listener) {
  offered = offers;
  changed = listener;
  const preset = byId("preset");
  preset.replaceChildren(make("option", { value: "" }, "none"),
    ...offers.presets.map((one) => make("option", { value: one.name }, one.name)));
  preset.addEventListener("change", () => { refresh(); changed(); });
  byId("options").replaceChildren(...offers.sections.map((section) =>
    make("details", { id: `section-${section}` }, make("summary", {}, section),
      ...offers.options.filter((one) => one.section === section).map(field))));
  refresh();
}

function field(option) {
  const id = `option-${option.field}`, help = `${id}-help`;
  const about = { id, name: option.field, "aria-describedby": help, change: () => { refresh(); changed(); } };
  let input;
  if (option.kind === "choice" || option.kind === "switch") {
    const values = option.kind === "switch" ? ["true", "false"] : option.choices;
    input = make("select", about, make("option", { value: "" }), ...values.map((one) =>
      make("option", { value: one }, option.kind === "switch" ? (one === "true" ? "on" : "off") : one)));
  } else if (option.kind === "number") {
    input = make("input", { ...about, type: "number", min: option.lowest, max: option.highest, step: 1, inputmode: "numeric" });
  } else {
    input = make("input", { ...about, type: "text", autocomplete: "off", spellcheck: "false" });
  }
  const range = option.kind === "number" ? ` (${option.lowest} to ${option.highest})` : option.form ? ` (${option.form})` : "";
  return make("div", { class: "option" }, make("label", { for: id }, option.name), input,
    make("p", { id: help, class: "hint" }, `${option.help}${range}.`));
}

const presetNow = () => offered.presets.find((one) => one.name === byId("preset").value);

/* Show what stands for what is left empty, and only the options of the codec. */
function refresh() {
  const preset = presetNow();
  byId("preset-help").textContent = preset ? `${preset.help}.` : "A set of options for a purpose; those that you choose below win.";
  const codec = inputOf("codec").value || preset?.options.codec || offered.options.find((one) => one.field === "codec").usual;
  for (const option of offered.options) {
    const input = inputOf(option.field);
    const usual = preset && option.field in preset.options ? String(preset.options[option.field]) : option.usual;
    if (input.tagName === "SELECT") input.options[0].textContent = `as usual: ${option.kind === "switch" ? (usual === "true" ? "on" : "off") : usual}`;
    else input.placeholder = usual;
    input.closest(".option").hidden = option.codecs.length > 0 && !option.codecs.includes(codec);
    mark(input, null);
  }
}

function mark(input, problem) {
  if (problem) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/* The options that are chosen, as the API takes them. */
export function chosen() {
  const found = byId("preset").value ? { preset: byId("preset").value } : {};
  for (const option of offered.options) {
    const input = inputOf(option.field);
    if (input.closest(".option").hidden || input.value === "") continue;
    if (option.kind === "switch") found[option.field] = input.value === "true";
    else if (option.kind === "number") found[option.field] = Number(input.value);
    else found[option.field] = input.value;
  }
  return found;
}

/* Show what the API says is wrong; the first such field gets the focus if `focus`. */
export function blame(refusal, focus) {
  const names = refusal.errors.map((one) => one.pointer.split("/").at(-1));
  const told = offered.options.filter((one) =>
    names.includes(one.field) || refusal.message.startsWith(`options: ${one.name} `));
  for (const option of told) {
    const input = inputOf(option.field);
    mark(input, true);
    if (focus) { input.closest("details").open = true; input.focus(); focus = false; }
  }
  return seen(refusal.message);
}
