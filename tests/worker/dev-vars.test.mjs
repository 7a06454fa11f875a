// The settings of `make dev`: `.dev.vars.example`, as Wrangler parses it.

import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createLocalJWKSet, jwtVerify } from "jose";
import { unstable_getMiniflareWorkerOptions as workerOptions } from "wrangler";
import { serve } from "./support.mjs";

test("with .dev.vars.example, the Worker creates tokens and snapshots and allows pages of this machine", { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  const root = fileURLToPath(new URL("../../", import.meta.url));
  writeFileSync(join(folder, "wrangler.toml"), 'name = "entgate"\ncompatibility_date = "2026-11-17"\n');
  copyFileSync(`${root}.dev.vars.example`, join(folder, ".dev.vars"));
  const { bindings } = workerOptions(join(folder, "wrangler.toml")).workerOptions;
  rmSync(folder, { recursive: true });
  const service = await serve({ settings: /** @type {Record<string, unknown>} */ (bindings) });
  t.after(() => service.stop());

  const created = await service.request("/v1/tokens", { method: "POST", body: new URLSearchParams({ customer: "cus_ada" }) });
  assert.equal(created.status, 200, created.text);
  assert.equal((await service.request("/v1/customers", { method: "POST", body: new URLSearchParams({ id: "cus_ada" }) })).status, 200);
  const { json } = await service.request("/v1/snapshot", { key: created.json.token });
  const keys = await service.request("/.well-known/jwks.json", { key: undefined });
  assert.equal((await jwtVerify(json.snapshot, createLocalJWKSet(keys.json))).payload.sub, "cus_ada");
  for (const origin of ["http://localhost:3000", "http://localhost:5173"]) {
    const { headers } = await service.request("/healthz", { headers: { origin } });
    assert.equal(headers.get("access-control-allow-origin"), origin);
  }
});
