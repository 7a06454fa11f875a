// The second half of scripts/npm.sh: JavaScript for each entry, and the types of the CommonJS ones.

import { build } from "esbuild";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = (path) => fileURLToPath(new URL(`../www/npm/${path}`, import.meta.url));

/** Bytes as `www/npm/src/core/packed-bytes.ts` reads them: a backslash and a quote would be two characters in source. */
function pack(bytes) {
  const shown = (code) => String.fromCharCode(code + 35).replace("\\", "!");
  return Array.from(bytes, (byte) => {
    const place = (byte + 8) % 256;
    return (place < 90 ? "" : shown(89 + Math.floor(place / 90))) + shown(place % 90);
  }).join("");
}

/** `import packed from "entgate.wasm"`: the core's bytes, in the text. */
const inline = {
  name: "inline",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^entgate\.wasm$/ }, () => ({ path: root("dist/entgate.wasm"), namespace: "packed" }));
    onLoad({ filter: /./, namespace: "packed" }, ({ path }) => ({
      contents: `export default ${JSON.stringify(pack(readFileSync(path)))}`,
    }));
  },
};

const common = {
  bundle: true,
  outdir: root("dist"),
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  plugins: [inline],
  // React and whoever else is at hand is the page's own; the entries share what the page imports of us.
  external: ["./entgate.wasm", "entgate", "react", "react-dom", "@openfeature/*"],
};

const entries = (names) => names.map((name) => root(`src/${name}.ts`));
const both = ["index", "slim", "server", "testing", "react", "element", "openfeature"];

await build({ ...common, entryPoints: entries([...both, "index.workerd"]), format: "esm" });
await build({ ...common, entryPoints: entries(both), format: "cjs", outExtension: { ".js": ".cjs" }, platform: "node" });

/** A CommonJS entry has types of its own, which import others of their kind. */
for (const name of readdirSync(root("dist"), { recursive: true })) {
  if (!name.endsWith(".d.ts")) continue;
  const text = readFileSync(join(root("dist"), name), "utf8");
  writeFileSync(join(root("dist"), name.replace(/\.d\.ts$/, ".d.cts")), text.replace(/(["'])(\.{1,2}\/[^"']*)\.js\1/g, "$1$2.cjs$1"));
}
