// The parts of the shop that are gated: what each looks like when it is open.

import { element } from "../elements.js";

const SVG = "http://www.w3.org/2000/svg";

function drawing(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/** A padlock, which stands before what is closed. */
export const lock = () => drawing("M5 9h10v7.5H5zM7 9V6.5a3 3 0 0 1 6 0V9M10 12v1.5");

const lines = (className, ...rows) =>
  element("ul", className, ...rows.map((row) => element("li", "", ...[row].flat().map((part) => element("span", "", part)))));

/** By lookup key: `{ name, icon(), inside() }`. */
export const ROOMS = {
  sms: {
    name: "Text messages",
    about: "Tell buyers that their parcel is on its way.",
    icon: () => drawing("M3 4.5h14v9H9L5.5 16.5v-3H3zM6.5 7.8h7M6.5 10.3h4.5"),
    inside: () => lines("bubbles", "Your parcel left Rotterdam this morning.", "Great! Can it come after six?"),
  },
  export: {
    name: "Export",
    about: "Every order of the month, as a table.",
    icon: () => drawing("M10 3v9M6.5 8.8 10 12.3l3.5-3.5M4 16.5h12"),
    inside: () => lines("rows", ["orders-november.csv", "1,204 rows"], ["refunds-november.csv", "17 rows"]),
  },
  sso: {
    name: "Single sign-on",
    about: "The staff logs in as everywhere else.",
    icon: () => drawing("M12.5 3.5a4 4 0 1 1-2.9 6.8L4 16v.5h3v-2h2v-2l1-1M13.5 6.5v.1"),
    inside: () => lines("rows", ["Okta", "connected"], ["Google Workspace", "connected"]),
  },
  audit_log: {
    name: "Audit log",
    about: "Who did what, and when.",
    icon: () => drawing("M5 3.5h10v13H5zM7.5 7h5M7.5 10h5M7.5 13h3"),
    inside: () => lines("rows", ["Mara refunded order 4711", "09:41"], ["Jon changed the price of Pro", "09:12"]),
  },
};
