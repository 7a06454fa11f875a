// A Deno program with types. It may connect to the edge only, and prints its results as lines of JSON.

import { createTestGate } from "npm:entgate/testing";
import { createGate, type Gate } from "entgate";
import { createClient, remoteKeys, verifySnapshot } from "entgate/server";

let wasmInstances = 0;
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(...args: ConstructorParameters<typeof Instance>) {
    super(...args);
    wasmInstances += 1;
  }
};

const [endpoint, token, key] = Deno.args as [string, string, string];
const print = (result: unknown) => console.log(JSON.stringify(result));

const gate: Gate = createGate({ endpoint, token });
const first = gate.has("sms");
const granted = await gate.waitFor("sms", { timeout: 10_000 });
print({ first, granted, sso: gate.check("sso").reason, version: gate.version, state: gate.state, wasmInstances });

const client = createClient({ endpoint, key });
const [checked, snapshot] = await Promise.all([client.check({ customer: "cus_ada", feature: "sso" }), client.snapshot("cus_ada")]);
const { customer, entitlements } = await verifySnapshot(snapshot, { keys: remoteKeys(endpoint), livemode: false });
print({ customer, entitlements, sso: checked.entitled, testing: createTestGate({ sms: true }).has("sms") });

print({ sso: await gate.waitFor("sso", { timeout: 10_000 }) });
gate.close();
