// What a page weighs that calls something of npm's: bundled and minified by esbuild, as pages are, and gzipped at level 9.

import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** The bytes of a page with this script, as they are and gzipped. What is `external` it has anyway. */
export async function weigh(contents, { external = [], plugins = [] } = {}) {
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
