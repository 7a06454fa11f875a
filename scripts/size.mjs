// Checks how many gzipped bytes an entry of the npm package adds to a page.
//
//   node scripts/size.mjs <entry> <budget> [<base entry>]
//
// Bundles a page that uses the main export of the entry, including the wasm core. Does not count React and OpenFeature, which the page
// provides, nor the base entry, on top of which this entry is used. Exits with 1 if the size exceeds the budget.

import { bundleSize } from "./bundle-size.mjs";

/**
 * The export that a page uses, by entry. For every other entry all exports count.
 *
 * @type {Record<string, string>}
 */
const USED_EXPORTS = { entgate: "createGate", "entgate/slim": "createGate" };

/** @param {string[]} entries */
async function gzippedSize(entries) {
  const script = entries
    .map((entry, index) => {
      const name = USED_EXPORTS[entry];
      return name
        ? `import { ${name} as use${index} } from "${entry}"; globalThis.use${index} = use${index};`
        : `import * as all${index} from "${entry}"; globalThis.all${index} = all${index};`;
    })
    .join("\n");
  return (await bundleSize(script, { external: ["react", "react-dom", "@openfeature/*"] })).gzipped;
}

const [entry, budget, base] = process.argv.slice(2);
const bytes = base ? (await gzippedSize([base, entry])) - (await gzippedSize([base])) : await gzippedSize([entry]);
console.log(`${bytes} of ${budget} bytes`);
process.exitCode = bytes <= Number(budget) ? 0 : 1;
