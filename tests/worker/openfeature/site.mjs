// A site on another origin than entgate's, with the page in page.js.

import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { listenOnFreePort } from "../free-port.mjs";

const PAGE = fileURLToPath(new URL("page.js", import.meta.url));
const HTML = `<!doctype html><meta charset="utf-8"><title>A shop</title><div id="root"></div><script type="module" src="/page.js"></script>`;

/** Starts the site on a free port, with the page bundled. */
export async function startSite() {
  const { outputFiles } = await build({
    entryPoints: [PAGE],
    bundle: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const server = createServer((request, response) => {
    const [type, body] = request.url?.startsWith("/page.js") ? ["text/javascript", outputFiles[0].text] : ["text/html", HTML];
    response.writeHead(200, { "content-type": type }).end(body);
  });
  const port = await listenOnFreePort(server);
  return { origin: `http://127.0.0.1:${port}`, close: () => server.close() };
}
