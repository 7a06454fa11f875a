// The files of a project, from its options. Pure, except that it reads the version and the requirements of this package.

import { readFileSync } from "node:fs";
import { devVars } from "./dev-vars.js";
import { packageJson } from "./package-json.js";
import { readme } from "./readme.js";
import { wranglerConfig } from "./wrangler-config.js";

/** @typedef {import("../project.js").ProjectOptions} ProjectOptions */

/** What git ignores: the secrets for development, what npm installs, and what wrangler stores. */
const GITIGNORE = `node_modules/
.dev.vars
.wrangler/
`;

/** @param {string} path */
const packaged = (path) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"));

/**
 * @param {ProjectOptions} options
 * @returns {{ version: string, files: Record<string, string> }}
 */
export function renderFiles({ name, source, jurisdiction }) {
  const { version } = packaged("package.json");
  const { wrangler, ...requirements } = packaged("requirements.json");
  return {
    version,
    files: {
      "wrangler.jsonc": wranglerConfig({ name, source, jurisdiction, requirements }),
      "package.json": packageJson({ name, source, version, wrangler }),
      ".dev.vars": devVars({ jurisdiction }),
      ".gitignore": GITIGNORE,
      "README.md": readme({ name, source }),
    },
  };
}
