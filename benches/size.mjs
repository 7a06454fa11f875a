// What a gate adds to a page, beside what others add, and what the core weighs by how its bytes are written down.
//
//   scripts/npm.sh && node benches/size.mjs
//
// As scripts/size.mjs has it: a page that calls what each is for is weighed.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { weigh } from "../scripts/bundle-size.mjs";

const root = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** What a page calls of each. */
const PAGES = {
  entgate: [["createGate", "entgate"]],
  "entgate/slim, the twin": [["createGate", "entgate/slim"]],
  "Unleash's proxy client": [["UnleashClient", "unleash-proxy-client"]],
  "GrowthBook's client": [["GrowthBook", "@growthbook/growthbook"]],
  "LaunchDarkly's JS client": [["initialize", "launchdarkly-js-client-sdk"]],
  "OpenFeature's OFREP provider": [["OFREPWebProvider", "@openfeature/ofrep-web-provider"]],
  "OpenFeature's OFREP provider, and its SDK": [
    ["OFREPWebProvider", "@openfeature/ofrep-web-provider"],
    ["OpenFeature", "@openfeature/web-sdk"],
  ],
};

async function size(contents, options) {
  const { minified, gzipped } = await weigh(contents, options);
  return { "minified, bytes": minified, "and gzipped": gzipped };
}

const rows = {};
for (const [name, uses] of Object.entries(PAGES)) {
  const contents = uses.map(([use, from]) => `import { ${use} } from "${from}"; globalThis.${use} = ${use};`).join("\n");
  // A provider alone is what it adds to a page that has the SDK.
  rows[name] = await size(contents, { external: uses.some(([, from]) => from === "@openfeature/web-sdk") ? [] : ["@openfeature/web-sdk"] });
}
console.table(rows);

/** The core's bytes in a text, and the function that reads it. */
const WRITTEN = {
  hex: [(bytes) => bytes.toString("hex"), "Uint8Array.from(text.match(/../g), (byte) => parseInt(byte, 16))"],
  base64: [(bytes) => bytes.toString("base64"), "Uint8Array.from(atob(text), (character) => character.charCodeAt(0))"],
};

const wasm = readFileSync(root("www/npm/dist/entgate.wasm"));
const gate = 'import { createGate } from "./src/index.ts"; globalThis.createGate = createGate;';
const cores = {};
for (const [name, [written, unpack]] of Object.entries(WRITTEN)) {
  const plugin = {
    name,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^entgate\.wasm$|packed\.js$/ }, ({ path }) => ({ path, namespace: name }));
      onLoad({ filter: /wasm$/, namespace: name }, () => ({ contents: `export default "${written(wasm)}"` }));
      onLoad({ filter: /js$/, namespace: name }, () => ({ contents: `export const unpack = (text) => ${unpack}` }));
    },
  };
  cores[`entgate, its core in ${name}`] = await size(gate, { plugins: [plugin] });
}
cores["entgate, as it is packed"] = rows.entgate;
console.table(cores);
console.log(`the core is ${wasm.length} bytes, ${gzipSync(wasm, { level: 9 }).length} gzipped`);
