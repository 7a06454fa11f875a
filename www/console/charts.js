// Small charts: what one would rather see than read.
//
// Each is a picture with a sentence in its place for those who do not see it, and the numbers as a table below. Shapes stretch with the
// page, so that words stand beside the picture, in HTML.

import { element, tag } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 100;
const GAP = 0.22; // Of a slot's width, between bars.

/**
 * Bars, stacked: `series` are names with a colour (`tone`), `slots` from left to right are `{ label, values, tip }`, where `values` has a
 * number for each name and `tip` is told to a pointer. `sum` is the sentence, `unit` what the axis counts, `ends` the words below it,
 * `lines` go across. What is higher than `cap` is cut off there, so that one slow answer does not flatten the others.
 */
export function bars({ series, slots, sum, unit = "", ends = [], lines = [], cap = Infinity }) {
  const total = ({ values }) => series.reduce((all, { name }) => all + (values[name] ?? 0), 0);
  const highest = Math.max(1, ...slots.map(total), ...lines.map(({ at }) => at));
  const top = ceiling(Math.min(highest, cap));
  const picture = shape("svg", {
    viewBox: `0 0 ${slots.length || 1} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": sum,
  });
  for (const part of [0, 0.5, 1]) picture.append(line(slots.length, HEIGHT * part, "grid"));
  slots.forEach((slot, at) => {
    const stack = shape("g", {});
    let y = HEIGHT;
    for (const { name, tone } of series) {
      const height = ((slot.values[name] ?? 0) / top) * HEIGHT;
      if (!height) continue;
      y -= height;
      stack.append(shape("rect", { x: at + GAP / 2, y, width: 1 - GAP, height, class: `tone-${tone}` }));
    }
    // The whole slot answers to a pointer, not only what is drawn of it.
    const whole = shape("rect", { x: at, y: 0, width: 1, height: HEIGHT, class: "hit" });
    const tip = shape("title", {});
    tip.textContent = slot.tip;
    whole.append(tip);
    stack.append(whole);
    picture.append(stack);
  });
  for (const { at } of lines) picture.append(line(slots.length, HEIGHT * (1 - at / top), "mark-line"));
  const scale = element(
    "div",
    "scale",
    element("span", "", `${highest > top ? "≥ " : ""}${top}${unit}`),
    element("span", "", `${top / 2}${unit}`),
    element("span", "", `0${unit}`),
  );
  scale.setAttribute("aria-hidden", "true");
  const axis = element("div", "axis", ...ends.map((end) => element("span", "", end)));
  axis.setAttribute("aria-hidden", "true");
  return element("figure", "chart", element("div", "plot", picture, scale), axis, asTable(series, slots, unit));
}

/** What the colours of a chart mean, with what each adds up to. */
export function legend(items) {
  return element(
    "ul",
    "legend",
    ...items.map(({ name, tone, value }) =>
      element("li", "", element("span", `swatch tone-${tone}`), `${name} `, value !== undefined && element("b", "", String(value))),
    ),
  );
}

/** The value that `part` of the values are not above; undefined where there are none. */
export function percentile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
}

/** The numbers of a chart, for whoever opens them. */
function asTable(series, slots, unit) {
  const filled = slots.filter(({ values }) => series.some(({ name }) => values[name]));
  const body = element("tbody");
  const details = element("details", "numbers", element("summary", "", "The numbers"));
  details.addEventListener("toggle", () => {
    body.replaceChildren(
      ...filled.map(({ label, values }) =>
        element(
          "tr",
          "",
          tag("th", { scope: "row" }, label),
          ...series.map(({ name }) => element("td", "number", `${values[name] ?? 0}${unit}`)),
        ),
      ),
    );
  });
  const head = element(
    "tr",
    "",
    tag("th", { scope: "col" }, "When"),
    ...series.map(({ name }) => tag("th", { scope: "col", class: "number" }, name)),
  );
  details.append(
    tag(
      "div",
      { class: "table", tabindex: "0", role: "region", "aria-label": "The numbers of the chart" },
      element("table", "", element("thead", "", head), body),
    ),
  );
  return details;
}

/** The next number from which both it and its half read well. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].map((step) => Math.round(step * power));
  return steps.find((step) => step >= value && step % 2 === 0) ?? Math.max(2, 10 * power);
}

function line(width, y, kind) {
  return shape("line", { x1: 0, x2: width || 1, y1: y, y2: y, class: kind });
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}
