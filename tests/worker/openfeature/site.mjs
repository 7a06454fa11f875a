// A site of another origin than entgate's, and a line to entgate that can be cut: what stands between a page and the edge.

import { createServer } from "node:http";
import { connect, createServer as listen } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PAGE = fileURLToPath(new URL("page.js", import.meta.url));
const HTML = `<!doctype html><meta charset="utf-8"><title>A shop</title><div id="root"></div><script type="module" src="/page.js"></script>`;

/** Serves the page, bundled, on a free port. */
export async function site() {
  const { outputFiles } = await build({
    entryPoints: [PAGE],
    bundle: true,
    write: false,
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const server = createServer((request, response) => {
    const [type, body] = request.url.startsWith("/page.js") ? ["text/javascript", outputFiles[0].text] : ["text/html", HTML];
    response.writeHead(200, { "content-type": type }).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** A way to a server on this machine, which can be cut and mended. */
export async function line(target) {
  const open = new Set();
  let cut = false;
  const server = listen((client) => {
    if (cut) return client.destroy();
    const server = connect(target.port, target.hostname);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        open.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: new URL(`http://127.0.0.1:${server.address().port}`),
    cut() {
      cut = true;
      for (const socket of open) socket.destroy();
    },
    mend() {
      cut = false;
    },
    close() {
      this.cut();
      server.close();
    },
  };
}
