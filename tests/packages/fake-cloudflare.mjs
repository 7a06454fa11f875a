// Cloudflare's API, as far as wrangler asks it about a Worker that is deployed already. wrangler itself is the real one.
//
// Responses are those of https://developers.cloudflare.com/api/. A fault replaces the response to each request whose path has a text.

import { createServer } from "node:http";
import { listenOnFreePort } from "../worker/free-port.mjs";

export const ACCOUNT = "0123456789abcdef0123456789abcdef";
export const NAMESPACE = "fedcba9876543210fedcba9876543210";

/**
 * @typedef {object} FakeWorker
 * @property {{ id: string, percentage: number, bindings: object[] }[]} versions  Of the current deployment; empty if there is none.
 * @property {string[]} secrets
 */
/** @typedef {{ status: number, body: string } | "disconnect"} Fault */

/** Starts a fake of Cloudflare's API. */
export async function fakeCloudflare() {
  const fake = new FakeCloudflare();
  await fake.listen();
  return fake;
}

class FakeCloudflare {
  /** @type {Record<string, FakeWorker>} */
  workers = {};
  /** Keys and values of the namespace. @type {Record<string, string>} */
  kv = {};
  /** Responses for paths. @type {Record<string, Fault>} */
  faults = {};
  /** @type {string[]} */
  calls = [];

  #server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://cloudflare");
    this.calls.push(`${request.method} ${pathname}`);
    const fault = Object.entries(this.faults).find(([text]) => pathname.includes(text))?.[1];
    if (fault === "disconnect") return response.destroy();
    const reply = fault ?? this.#respond(pathname);
    response.writeHead(reply.status, { "content-type": reply.body.startsWith("<") ? "text/html" : "application/json" }).end(reply.body);
  });

  async listen() {
    this.port = await listenOnFreePort(this.#server);
  }

  /** The environment in which wrangler asks this server. */
  get env() {
    return {
      CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${this.port}`,
      CLOUDFLARE_API_TOKEN: "token-of-a-test",
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
    };
  }

  stop() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  /** @param {string} path */
  #respond(path) {
    const value = /^\/accounts\/\w+\/storage\/kv\/namespaces\/(\w+)\/values\/(.+)$/.exec(path);
    if (value) {
      const stored = value[1] === NAMESPACE ? this.kv[decodeURIComponent(value[2])] : undefined;
      return stored === undefined ? failure(404, 10_009, "get: 'key not found'") : { status: 200, body: stored };
    }
    const [, name, rest] = /^\/accounts\/\w+\/workers\/scripts\/([\w-]+)\/(.+)$/.exec(path) ?? [];
    if (name !== undefined) {
      const worker = this.workers[name];
      if (!worker) return failure(404, 10_007, "This Worker does not exist on your account.");
      if (rest === "deployments") return success({ deployments: worker.versions.length ? [deployment(worker)] : [] });
      if (rest === "secrets") return success(worker.secrets.map((name) => ({ name, type: "secret_text" })));
      const version = worker.versions.find(({ id }) => rest === `versions/${id}`);
      if (version) return success({ id: version.id, number: 1, metadata: {}, resources: { bindings: version.bindings, script: {} } });
    }
    if (path === "/user") return success({ id: "user", email: "operator@example.com" });
    if (path === "/user/tokens/verify") return success({ id: "token", status: "active" });
    if (path === "/accounts" || path === "/memberships")
      return success([{ id: ACCOUNT, name: "Account", account: { id: ACCOUNT, name: "Account" } }]);
    return failure(404, 7003, `Could not route to ${path}`);
  }
}

/** @param {FakeWorker} worker */
function deployment({ versions }) {
  return {
    id: "deployment",
    created_on: "2026-11-17T00:00:00Z",
    strategy: "percentage",
    versions: versions.map(({ id, percentage }) => ({ version_id: id, percentage })),
  };
}

/** @param {unknown} result */
function success(result) {
  const page = Array.isArray(result) && { result_info: { page: 1, per_page: 50, count: result.length, total_count: result.length } };
  return { status: 200, body: JSON.stringify({ success: true, errors: [], messages: [], result, ...page }) };
}

/** @param {number} status @param {number} code @param {string} message */
function failure(status, code, message) {
  return { status, body: JSON.stringify({ success: false, errors: [{ code, message }], messages: [], result: null }) };
}
