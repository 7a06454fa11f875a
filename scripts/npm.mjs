// The JavaScript part of scripts/npm.sh: bundles each entry of the npm package as ESM and CommonJS, with the wasm core inlined, and the
// command line with its libraries.
//
// Accepts www/npm/src, www/npm/cli and www/npm/dist/entgate.wasm, writes www/npm/dist. Also writes the types of the CommonJS entries,
// derived from those of the ESM entries. Not here: the compilation of the core and of the types, which scripts/npm.sh does first.

import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** @param {string} path */
const packagePath = (path) => fileURLToPath(new URL(`../www/npm/${path}`, import.meta.url));

/**
 * Encodes bytes for `www/npm/src/core/packed-bytes.ts`. The alphabet has no backslash and no quote: each would be two characters in source.
 *
 * @param {Uint8Array} bytes
 */
function pack(bytes) {
  /** @param {number} code */
  const toCharacter = (code) => String.fromCharCode(code + 35).replace("\\", "!");
  return Array.from(bytes, (byte) => {
    const rotated = (byte + 8) % 256;
    return (rotated < 90 ? "" : toCharacter(89 + Math.floor(rotated / 90))) + toCharacter(rotated % 90);
  }).join("");
}

/**
 * Resolves `import packed from "entgate.wasm"` to the packed bytes of the core, as a string.
 *
 * @type {import("esbuild").Plugin}
 */
const inlineCore = {
  name: "inline",
  setup({ onResolve, onLoad }) {
    // The bundle has the path in a comment, so it is not absolute.
    onResolve({ filter: /^entgate\.wasm$/ }, () => ({ path: "dist/entgate.wasm", namespace: "packed" }));
    onLoad({ filter: /./, namespace: "packed" }, ({ path }) => ({
      contents: `export default ${JSON.stringify(pack(readFileSync(packagePath(path))))}`,
    }));
  },
};

/** @type {import("esbuild").BuildOptions} */
const common = {
  bundle: true,
  outdir: packagePath("dist"),
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  plugins: [inlineCore],
  // The page provides React and OpenFeature. The entries share one instance of `entgate`.
  external: ["./entgate.wasm", "entgate", "react", "react-dom", "@openfeature/*"],
};

/**
 * Names of properties that only the gate's own modules use. Short names make the entries with a gate 0.1 kB smaller.
 *
 * Not in this list: names of options, of platform objects, and of members of JSON.
 */
const INTERNAL_PROPERTIES = [
  ...["messages", "expiresAt", "changesAt", "lines", "streamFailed"],
  ...["header", "claims", "payload", "signingInput", "signature", "renewAt"],
  ...["fetchSet", "send", "getKey", "canRestore", "restore", "save", "reconnect", "broadcast", "emit"],
];

/** @param {string[]} names */
const entryPoints = (names) => names.map((name) => packagePath(`src/${name}.ts`));
/** The entries with a gate, and the others. */
const GATES = ["index", "slim"];
const OTHERS = ["server", "testing", "react", "element", "openfeature"];
const gateOptions = { ...common, mangleProps: new RegExp(`^(${INTERNAL_PROPERTIES.join("|")})$`) };
/** @type {import("esbuild").BuildOptions} */
const commonJs = { format: "cjs", outExtension: { ".js": ".cjs" }, platform: "node" };

await build({ ...gateOptions, entryPoints: entryPoints([...GATES, "index.workerd"]), format: "esm" });
await build({ ...gateOptions, ...commonJs, entryPoints: entryPoints(GATES) });
await build({ ...common, entryPoints: entryPoints(OTHERS), format: "esm" });
await build({ ...common, ...commonJs, entryPoints: entryPoints(OTHERS) });

// The command line is in a file of its own, which no entry imports. Its YAML parser is the variant without CommonJS.
const { version } = JSON.parse(readFileSync(packagePath("package.json"), "utf8"));
await build({
  entryPoints: { cli: packagePath("cli/main.js") },
  outdir: packagePath("dist"),
  bundle: true,
  minify: true,
  format: "esm",
  platform: "neutral",
  target: "node22",
  charset: "utf8",
  external: ["node:*"],
  define: { "process.env.ENTGATE_VERSION": JSON.stringify(version) },
  banner: { js: "#!/usr/bin/env node\n// Contains yaml: see LICENSE-yaml." },
  legalComments: "none",
  logLevel: "warning",
});
chmodSync(packagePath("dist/cli.js"), 0o755);
const yaml = createRequire(import.meta.url).resolve("yaml/package.json");
writeFileSync(packagePath("dist/LICENSE-yaml"), readFileSync(join(yaml, "../LICENSE")));

// A CommonJS entry needs `.d.cts` types that import other `.d.cts` types.
for (const name of readdirSync(packagePath("dist"), { encoding: "utf8", recursive: true })) {
  if (!name.endsWith(".d.ts")) continue;
  const types = readFileSync(join(packagePath("dist"), name), "utf8");
  const commonJsTypes = types.replace(/(["'])(\.{1,2}\/[^"']*)\.js\1/g, "$1$2.cjs$1");
  writeFileSync(join(packagePath("dist"), name.replace(/\.d\.ts$/, ".d.cts")), commonJsTypes);
}
