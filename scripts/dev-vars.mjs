// Reads settings for local development, as Wrangler does: from .dev.vars, or from .dev.vars.example if there is no .dev.vars.
//
// Accepts the name of a comma-separated setting, returns its items. Not here: settings of the environment, and validation.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";

const REPOSITORY = fileURLToPath(new URL("../", import.meta.url));

/**
 * Returns the items of a comma-separated setting, or an empty array if it is not set.
 *
 * @param {string} name
 * @param {string} [folder] Where .dev.vars is.
 * @returns {string[]}
 */
export function settingItems(name, folder = REPOSITORY) {
  const text = readIfPresent(join(folder, ".dev.vars")) ?? readIfPresent(join(folder, ".dev.vars.example")) ?? "";
  return (parseEnv(text)[name] ?? "")
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean);
}

/** @param {string} file @returns {string | undefined} */
function readIfPresent(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
