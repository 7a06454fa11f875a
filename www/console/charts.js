// Bar charts in SVG.
//
// A chart is an image with a sentence as its accessible name, and a table with its numbers below. The SVG stretches with the page;
// labels are HTML next to it, so that they keep their size.

import { element, svgElement, tag } from "./elements.js";

const HEIGHT = 100;
const GAP = 0.22; // Between bars, as a part of a slot's width.

/** @typedef {{ name: string, tone: string }} Series */
/** @typedef {{ label: string, values: Record<string, number>, tooltip: string }} Slot  `values` by the name of a series. */

/**
 * A stacked bar chart; slots are drawn from left to right. Values above `cap` are cut off, so that one slow response does not flatten
 * all others.
 *
 * @param {object} chart
 * @param {Series[]} chart.series
 * @param {Slot[]} chart.slots
 * @param {string} chart.summary  The sentence that describes the chart.
 * @param {string} [chart.unit]  Of the vertical axis.
 * @param {string[]} [chart.axisLabels]  Below the horizontal axis.
 * @param {number[]} [chart.referenceLines]  Values at which horizontal lines are drawn.
 * @param {number} [chart.cap]
 */
export function barChart({ series, slots, summary, unit = "", axisLabels = [], referenceLines = [], cap = Infinity }) {
  const total = (/** @type {Slot} */ { values }) => series.reduce((sum, { name }) => sum + (values[name] ?? 0), 0);
  const highest = Math.max(1, ...slots.map(total), ...referenceLines);
  const top = axisMaximum(Math.min(highest, cap));
  const image = svgElement("svg", {
    viewBox: `0 0 ${slots.length || 1} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": summary,
  });
  for (const part of [0, 0.5, 1]) image.append(horizontalLine(slots.length, HEIGHT * part, "grid"));
  slots.forEach((slot, at) => {
    const stack = svgElement("g", {});
    let y = HEIGHT;
    for (const { name, tone } of series) {
      const height = ((slot.values[name] ?? 0) / top) * HEIGHT;
      if (!height) continue;
      y -= height;
      stack.append(svgElement("rect", { x: at + GAP / 2, y, width: 1 - GAP, height, class: `tone-${tone}` }));
    }
    // The tooltip belongs to the whole slot, not only to its bar.
    const title = svgElement("title", {});
    title.textContent = slot.tooltip;
    stack.append(svgElement("rect", { x: at, y: 0, width: 1, height: HEIGHT, class: "hover-target" }, title));
    image.append(stack);
  });
  for (const value of referenceLines) image.append(horizontalLine(slots.length, HEIGHT * (1 - value / top), "reference-line"));
  const yAxis = tag(
    "div",
    { class: "y-axis", "aria-hidden": "true" },
    element("span", "", `${highest > top ? "≥ " : ""}${top}${unit}`),
    element("span", "", `${top / 2}${unit}`),
    element("span", "", `0${unit}`),
  );
  const xAxis = tag("div", { class: "x-axis", "aria-hidden": "true" }, ...axisLabels.map((label) => element("span", "", label)));
  return element("figure", "chart", element("div", "plot", image, yAxis), xAxis, dataTable(series, slots, unit));
}

/**
 * The names and colors of a chart's series, each with an optional value.
 *
 * @param {(Series & { value?: string | number })[]} items
 */
export function legend(items) {
  return element(
    "ul",
    "legend",
    ...items.map(({ name, tone, value }) =>
      element("li", "", element("span", `swatch tone-${tone}`), `${name} `, value !== undefined && element("b", "", String(value))),
    ),
  );
}

/**
 * The nearest-rank percentile of a non-empty list; `part` is between 0 and 1.
 *
 * @param {number[]} values
 * @param {number} part
 * @returns {number}
 */
export function percentile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)];
}

/**
 * The numbers of a chart, rendered when the reader opens them.
 *
 * @param {Series[]} series
 * @param {Slot[]} slots
 * @param {string} unit
 */
function dataTable(series, slots, unit) {
  const filled = slots.filter(({ values }) => series.some(({ name }) => values[name]));
  const body = element("tbody");
  const details = element("details", "chart-data", element("summary", "", "Show data"));
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
    tag("th", { scope: "col" }, "Time"),
    ...series.map(({ name }) => tag("th", { scope: "col", class: "number" }, name)),
  );
  details.append(
    tag(
      "div",
      { class: "table", tabindex: "0", role: "region", "aria-label": "Chart data" },
      element("table", "", element("thead", "", head), body),
    ),
  );
  return details;
}

/**
 * The smallest axis maximum that is at least `value` and whose half is a short number too.
 *
 * @param {number} value
 * @returns {number}
 */
function axisMaximum(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].map((step) => Math.round(step * power));
  return steps.find((step) => step >= value && step % 2 === 0) ?? Math.max(2, 10 * power);
}

/**
 * @param {number} width
 * @param {number} y
 * @param {string} className
 */
function horizontalLine(width, y, className) {
  return svgElement("line", { x1: 0, x2: width || 1, y1: y, y2: y, class: className });
}
