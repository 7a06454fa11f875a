// The package as it was built, the built Worker to point it at, and what stands between the two.

import { build } from "esbuild";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { generateKeyPairSync } from "node:crypto";
import { serve } from "../worker/support.mjs";

export const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** A module of the package's sources, from behind its entries. */
export async function source(path) {
  const outfile = root(`target/npm/${path.replace(/\W/g, "-")}.mjs`);
  await build({
    entryPoints: [root(`www/npm/src/${path}`)],
    outfile,
    bundle: true,
    format: "esm",
    logLevel: "silent",
    external: ["entgate.wasm"],
  });
  return import(pathToFileURL(outfile));
}

export function signingKey(kid) {
  const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return { private: { kty, crv, x, d, kid }, public: { kty, crv, x, kid } };
}

/** A Worker that makes tokens and signs snapshots; `signs: false` leaves it the list alone. */
export async function edge({ signs = true, settings = {} } = {}) {
  const key = signingKey("one");
  const service = await serve({
    settings: {
      ENTGATE_TOKEN_SECRETS: "a-secret-of-the-tests-of-thirty-two-bytes-and-more",
      ENTGATE_ALLOWED_ORIGINS: "*",
      ...(signs && { ENTGATE_SIGNING_KEY: JSON.stringify(key.private) }),
      ...settings,
    },
  });
  return Object.assign(service, { signer: key.public });
}

export async function token(service, customer, expires_in = 900) {
  const body = JSON.stringify({ customer, expires_in });
  const answer = await service.request("/v1/tokens", { method: "POST", body, headers: { "content-type": "application/json" } });
  return answer.json.token;
}

/**
 * What stands between a gate and the Worker: it notes every request, and answers those that a test has an
 * answer for. The others reach the Worker as they are.
 */
export async function between(service) {
  const requests = [];
  const answers = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, service.url);
    const noted = {
      method: request.method,
      path: url.pathname,
      params: Object.fromEntries(url.searchParams),
      headers: request.headers,
      url: request.url,
    };
    requests.push(noted);
    response.setHeader("access-control-allow-origin", "*");
    const chosen = answers.find(({ path, times }) => path === url.pathname && times > 0);
    if (chosen) {
      chosen.times -= 1;
      return chosen.answer(response, noted);
    }
    const body = ["GET", "HEAD"].includes(request.method) ? undefined : Readable.toWeb(request);
    const { host, connection, "transfer-encoding": _, ...headers } = request.headers;
    const abort = new AbortController();
    response.on("close", () => abort.abort());
    try {
      const answer = await fetch(url, { method: request.method, headers, body, duplex: "half", signal: abort.signal });
      response.writeHead(
        answer.status,
        Object.fromEntries([...answer.headers].filter(([name]) => !/^(content-encoding|transfer-encoding|content-length)$/.test(name))),
      );
      if (answer.body)
        Readable.fromWeb(answer.body)
          .on("error", () => response.destroy())
          .pipe(response);
      else response.end();
    } catch {
      response.destroy();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const to = (path) => requests.filter((request) => request.path === path);
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    to,
    /** Answers the next requests of a path itself. */
    answer: (path, answer, times = Infinity) => answers.push({ path, answer, times }),
    /** Leaves all paths to the Worker again. */
    restore: () => answers.splice(0),
    /** Cuts every connection, as a network does. */
    cut: () => server.closeAllConnections(),
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Streams as `GET /v1/stream` has them, spoken by the test. */
export class Streams {
  /** Who listens, and who ever did. */
  open = [];
  all = [];

  answer = (response, request) => {
    const stream = { response, request };
    this.all.push(stream);
    this.open.push(stream);
    response.on("close", () => this.open.splice(this.open.indexOf(stream), 1));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 20\n\n");
    const version = this.version?.();
    if (version !== undefined) this.say("version", { object: "entitlement_version", version }, version);
  };

  say(event, data, id) {
    for (const { response } of this.open) response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  change(version, added, removed = []) {
    this.say("change", { object: "entitlement_change", livemode: false, version, added, removed }, version);
  }

  cut() {
    for (const { response } of [...this.open]) response.destroy();
  }
}

/** Storage as a browser has it. */
export class Shelf extends Map {
  getItem(key) {
    return this.get(key) ?? null;
  }
  setItem(key, value) {
    this.set(key, value);
  }
  removeItem(key) {
    this.delete(key);
  }
}
