// Settings as `make dev` has them: the lines of .dev.vars, or of the example that it is copied from.

import { readFileSync } from "node:fs";

/** The items of a comma-separated setting; none if it is not set. */
export function setting(name) {
  for (const file of [".dev.vars", ".dev.vars.example"]) {
    const [, text] = read(file).match(new RegExp(`^\\s*${name}\\s*=\\s*["']?([^"'\\n]+)`, "m")) ?? [];
    const items = (text ?? "")
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean);
    if (items.length) return items;
  }
  return [];
}

function read(file) {
  try {
    return readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
  } catch {
    return "";
  }
}
