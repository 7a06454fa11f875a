// Measures the size of a script that imports npm packages, bundled for a web page.
//
// Accepts the source of the script, returns its size minified by esbuild, and gzipped at level 9. Not here: which scripts to measure.

import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/**
 * Bundles a script and returns its size in bytes. Modules in `external` do not count.
 *
 * @param {string} contents
 * @param {{ external?: string[], plugins?: import("esbuild").Plugin[] }} [options]
 */
export async function bundleSize(contents, { external = [], plugins = [] } = {}) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL("../www/npm", import.meta.url)) },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    logLevel: "error",
    external,
    plugins,
  });
  const [{ contents: bytes }] = outputFiles;
  return { minified: bytes.length, gzipped: gzipSync(bytes, { level: 9 }).length };
}
