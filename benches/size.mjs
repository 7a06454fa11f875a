// Compares the size that the npm package adds to a page with other feature-flag clients, and encodings of the wasm core.
//
//   scripts/npm.sh && node benches/size.mjs
//
// Bundles a page that uses the main export of each package, as scripts/size.mjs does. Not here: the size budgets (scripts/check.sh).

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { bundleSize } from "../scripts/bundle-size.mjs";

/** @param {string} path */
const projectPath = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/**
 * The exports that a page uses, by client: name and module.
 *
 * @type {Record<string, [name: string, module: string][]>}
 */
const CLIENTS = {
  entgate: [["createGate", "entgate"]],
  "entgate/slim, JavaScript core": [["createGate", "entgate/slim"]],
  "Unleash's proxy client": [["UnleashClient", "unleash-proxy-client"]],
  "GrowthBook's client": [["GrowthBook", "@growthbook/growthbook"]],
  "LaunchDarkly's JS client": [["initialize", "launchdarkly-js-client-sdk"]],
  "OpenFeature's OFREP provider": [["OFREPWebProvider", "@openfeature/ofrep-web-provider"]],
  "OpenFeature's OFREP provider with its SDK": [
    ["OFREPWebProvider", "@openfeature/ofrep-web-provider"],
    ["OpenFeature", "@openfeature/web-sdk"],
  ],
};

/**
 * Returns the row of a table.
 *
 * @param {string} script
 * @param {Parameters<typeof bundleSize>[1]} options
 */
async function measure(script, options) {
  const { minified, gzipped } = await bundleSize(script, options);
  return { "minified, bytes": minified, "gzipped, bytes": gzipped };
}

/** @type {Record<string, Awaited<ReturnType<typeof measure>>>} */
const rows = {};
for (const [client, exports] of Object.entries(CLIENTS)) {
  const script = exports.map(([name, module]) => `import { ${name} } from "${module}"; globalThis.${name} = ${name};`).join("\n");
  // Without the SDK in the list, the row is what the provider adds to a page that has the SDK.
  const external = exports.some(([, module]) => module === "@openfeature/web-sdk") ? [] : ["@openfeature/web-sdk"];
  rows[client] = await measure(script, { external });
}
console.table(rows);

/**
 * Encodings of the core's bytes as a string: the encoder, and the source of the decoder.
 *
 * @type {Record<string, { encode: (bytes: Buffer) => string, decoder: string }>}
 */
const ENCODINGS = {
  hex: {
    encode: (bytes) => bytes.toString("hex"),
    decoder: "Uint8Array.from(text.match(/../g), (byte) => parseInt(byte, 16))",
  },
  base64: {
    encode: (bytes) => bytes.toString("base64"),
    decoder: "Uint8Array.from(atob(text), (character) => character.charCodeAt(0))",
  },
};

const wasm = readFileSync(projectPath("www/npm/dist/entgate.wasm"));
const script = 'import { createGate } from "./src/index.ts"; globalThis.createGate = createGate;';
/** @type {typeof rows} */
const encodings = {};
for (const [name, { encode, decoder }] of Object.entries(ENCODINGS)) {
  /** @type {import("esbuild").Plugin} */
  const plugin = {
    name,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^entgate\.wasm$|packed\.js$/ }, ({ path }) => ({ path, namespace: name }));
      onLoad({ filter: /wasm$/, namespace: name }, () => ({ contents: `export default "${encode(wasm)}"` }));
      onLoad({ filter: /js$/, namespace: name }, () => ({ contents: `export const unpack = (text) => ${decoder}` }));
    },
  };
  encodings[`entgate, core in ${name}`] = await measure(script, { plugins: [plugin] });
}
encodings["entgate, core in the package's encoding"] = rows.entgate;
console.table(encodings);
console.log(`the core has ${wasm.length} bytes, ${gzipSync(wasm, { level: 9 }).length} gzipped`);
