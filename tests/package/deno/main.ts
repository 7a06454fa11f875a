// A program of Deno, with types, that may reach the edge and nothing else.

import { createGate, type Gate } from "entgate";
import { createClient, remoteKeys, verifySnapshot } from "entgate/server";
import { createTestGate } from "npm:entgate/testing";

let instances = 0;
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(...given: ConstructorParameters<typeof Instance>) {
    super(...given);
    instances += 1;
  }
};

const [endpoint, token, key] = Deno.args as [string, string, string];
const say = (said: unknown) => console.log(JSON.stringify(said));

const gate: Gate = createGate({ endpoint, token });
const first = gate.has("sms");
const there = await gate.waitFor("sms", { timeout: 10_000 });
say({ first, there, sso: gate.check("sso").reason, version: gate.version, state: gate.state, instances });

const client = createClient({ endpoint, key });
const [checked, snapshot] = await Promise.all([client.check({ customer: "cus_ada", feature: "sso" }), client.snapshot("cus_ada")]);
const { customer, entitlements } = await verifySnapshot(snapshot, { keys: remoteKeys(endpoint) });
say({ customer, entitlements, sso: checked.entitled, testing: createTestGate({ sms: true }).has("sms") });

say({ sso: await gate.waitFor("sso", { timeout: 10_000 }) });
gate.close();
