// The content of the demo shop's gated sections.

import { element, svgElement } from "../elements.js";

/** @param {string} path */
function icon(path) {
  return svgElement("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, svgElement("path", { d: path }));
}

/** The icon of a locked section. */
export const lockIcon = () => icon("M5 9h10v7.5H5zM7 9V6.5a3 3 0 0 1 6 0V9M10 12v1.5");

/**
 * A list; a row is a string or several strings.
 *
 * @param {string} className
 * @param {...(string | string[])} rows
 */
const list = (className, ...rows) =>
  element("ul", className, ...rows.map((row) => element("li", "", ...[row].flat().map((part) => element("span", "", part)))));

/**
 * @typedef {object} GatedSection
 * @property {string} name
 * @property {string} description
 * @property {() => SVGElement} icon
 * @property {() => HTMLElement} content  Shown while the customer is entitled.
 */

/**
 * The sections by lookup key.
 *
 * @type {Record<string, GatedSection>}
 */
export const GATED_SECTIONS = {
  sms: {
    name: "Text messages",
    description: "Notify buyers about their delivery.",
    icon: () => icon("M3 4.5h14v9H9L5.5 16.5v-3H3zM6.5 7.8h7M6.5 10.3h4.5"),
    content: () => list("messages", "Your order left Rotterdam this morning.", "Great! Can you deliver after six?"),
  },
  export: {
    name: "Export",
    description: "Download the orders of a month.",
    icon: () => icon("M10 3v9M6.5 8.8 10 12.3l3.5-3.5M4 16.5h12"),
    content: () => list("rows", ["orders-november.csv", "1,204 rows"], ["refunds-november.csv", "17 rows"]),
  },
  sso: {
    name: "Single sign-on",
    description: "Sign in with your identity provider.",
    icon: () => icon("M12.5 3.5a4 4 0 1 1-2.9 6.8L4 16v.5h3v-2h2v-2l1-1M13.5 6.5v.1"),
    content: () => list("rows", ["Okta", "connected"], ["Google Workspace", "connected"]),
  },
  audit_log: {
    name: "Audit log",
    description: "Review every change in your account.",
    icon: () => icon("M5 3.5h10v13H5zM7.5 7h5M7.5 10h5M7.5 13h3"),
    content: () => list("rows", ["Mara refunded order 4711", "09:41"], ["Jon changed the price of Pro", "09:12"]),
  },
};
