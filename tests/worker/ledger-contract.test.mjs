// The contract of a ledger, from tests/vectors/ledger_contract.json, against the Durable Object in workerd.
// tests/it/ledger_contract.rs runs the same scenarios on storage in memory.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { parseResponse, serve } from "./support.mjs";

/** @typedef {{ advance_seconds: number } | { request: unknown, status: number, response?: unknown }} Step */

/** @type {{ scenarios: { name: string, steps: Step[] }[] }} */
const { scenarios } = JSON.parse(readFileSync(new URL("../vectors/ledger_contract.json", import.meta.url), "utf8"));

describe("the Durable Object of a ledger", () => {
  /** @type {import("./support.mjs").Service} */
  let service;
  before(async () => {
    service = await serve({ clock: true, log: [] });
  });
  after(() => service?.stop());

  for (const { name, steps } of scenarios) {
    test(name, async () => {
      const ledgers = await service.workerd.getDurableObjectNamespace("LEDGERS", "entgate");
      const ledger = ledgers.get(ledgers.idFromName(`contract ${name}`));
      let seconds = 0;
      await service.setClockOffset(0);
      for (const step of steps) {
        if ("advance_seconds" in step) {
          seconds += step.advance_seconds;
          await service.setClockOffset(seconds);
          continue;
        }
        const { status, body } = parseResponse(await ledger.request(JSON.stringify(step.request)));
        assert.equal(status, step.status, `${JSON.stringify(step)}: ${body}`);
        if (step.response) assert.deepEqual(JSON.parse(body), step.response, JSON.stringify(step));
      }
    });
  }
});
