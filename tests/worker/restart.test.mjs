// The Worker is killed without warning: nothing that was acknowledged is lost.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Service, summary } from "./support.mjs";

/** Starts Node and workerd in a process group of their own. */
async function start(folder) {
  const script = fileURLToPath(new URL("kept.mjs", import.meta.url));
  // What workerd leaves behind when it is killed goes with the folder.
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, [script, folder], { detached: true, env, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("http://")) return { child, service: new Service(undefined, new URL(line)) };
  }
  throw new Error("the Worker did not start");
}

/** Kills every process of the group at once, as a power cut would. */
async function kill({ child }) {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  process.kill(-child.pid, "SIGKILL");
  await gone;
}

test("what was acknowledged before SIGKILL is there after a restart", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  try {
    const acknowledged = [];
    let running = await start(folder);
    // Three senders at once; the kill comes while their next events are on the way.
    let sent = 0;
    let killed = false;
    const sender = async () => {
      while (!killed) {
        const number = (sent += 1);
        const customer = `cus_${number % 40}`;
        const event = summary(customer, [`f${number}`], { created: 1_700_000_000 + number });
        try {
          const { status } = await running.service.send(event);
          if (status === 200) acknowledged.push({ customer, feature: `f${number}`, number });
        } catch {
          return;
        }
        if (acknowledged.length >= 100 && !killed) {
          killed = true;
          await kill(running);
        }
      }
    };
    await Promise.all([sender(), sender(), sender()]);
    assert.ok(acknowledged.length >= 100);

    running = await start(folder);
    try {
      const newest = new Map();
      for (const event of acknowledged) {
        if (!(newest.get(event.customer)?.number > event.number)) newest.set(event.customer, event);
      }
      for (const { customer, feature, number } of newest.values()) {
        const { json } = await running.service.check(customer, feature, { fresh: true });
        // An event that was under way at the kill may have been applied without being acknowledged.
        const superseded = json.as_of > 1_700_000_000 + number;
        assert.ok(json.entitled || superseded, `${customer} lost ${feature}: ${JSON.stringify(json)}`);
      }
    } finally {
      await kill(running);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
