// How much an entry of the npm package adds to a page: `size.mjs <entry> <budget> [<entry it comes on top of>]`.
//
// A page that calls what the entry is for is weighed, the wasm in it included. What a page has anyway (React, and the entry that
// this one comes on top of) is left out.

import { weigh } from "./bundle-size.mjs";

/** What a page calls. Everything that an entry exports, if nothing is said. */
const USES = { entgate: "createGate", "entgate/slim": "createGate" };

async function size(entries) {
  const contents = entries
    .map((entry, at) => {
      const names = USES[entry];
      return names
        ? `import { ${names} as use${at} } from "${entry}"; globalThis.use${at} = use${at};`
        : `import * as all${at} from "${entry}"; globalThis.all${at} = all${at};`;
    })
    .join("\n");
  return (await weigh(contents, { external: ["react", "react-dom", "@openfeature/*"] })).gzipped;
}

const [entry, budget, base] = process.argv.slice(2);
const bytes = base ? (await size([base, entry])) - (await size([base])) : await size([entry]);
console.log(`${bytes} of ${budget} bytes`);
process.exitCode = bytes <= Number(budget) ? 0 : 1;
