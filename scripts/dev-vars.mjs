// Reads settings for local development: from .dev.vars, or from .dev.vars.example if a setting is not in it.
//
// Accepts the name of a comma-separated setting, returns its items. Not here: settings of the environment, and validation.

import { readFileSync } from "node:fs";

/**
 * Returns the items of a comma-separated setting, or an empty array if it is not set.
 *
 * @param {string} name
 * @returns {string[]}
 */
export function settingItems(name) {
  for (const file of [".dev.vars", ".dev.vars.example"]) {
    const [, value = ""] = readIfPresent(file).match(new RegExp(`^\\s*${name}\\s*=\\s*["']?([^"'\\n]+)`, "m")) ?? [];
    const items = value
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean);
    if (items.length) return items;
  }
  return [];
}

/** @param {string} file */
function readIfPresent(file) {
  try {
    return readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
  } catch {
    return "";
  }
}
