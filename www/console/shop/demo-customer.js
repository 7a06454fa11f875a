// Who visits the shop: a customer of the catalog, what was bought, and the gate of the npm package that tells what is open to them.
//
// The shop and the playground show the same visitor. What is done for them is a deed: `{ title, request, at, clicked, status, took,
// problem, heard }`, where `heard` is what the gate then heard by its stream: `{ after, version, opened, closed }`, `after` in
// milliseconds since the click.

import { createGate } from "/entgate.js";
import { expect, find, furnish, included } from "./demo-products.js";
import { planOf } from "./plan-actions.js";

/** How long after a click a change is taken for its consequence. */
const CONSEQUENCE_MS = 10_000;
const DEEDS = 30;
const CLOCK_ATTEMPTS = 100;
const CLOCK_PAUSE_MS = 100;

const visitors = new WeakMap();

/** The one visitor of a desk. */
export function visitorOf(desk) {
  if (!visitors.has(desk)) visitors.set(desk, create(desk));
  return visitors.get(desk);
}

function create(desk) {
  const ears = new Set();
  const ring = () => ears.forEach((heard) => heard(visitor));
  let before = new Set();

  const visitor = {
    /** What is sold, once it is known to be in the catalog. */
    stock: undefined,
    customer: undefined,
    /** The test clock that the customer lives by, where there is one. */
    clock: undefined,
    /** To one of the shop’s plans. */
    subscription: undefined,
    gate: undefined,
    /** What was done, the newest first. */
    deeds: [],
    /** Whether something is under way. */
    busy: false,
    on(heard) {
      ears.add(heard);
      return () => ears.delete(heard);
    },

    /** Looks what of the shop is there. */
    look: () =>
      alone(async () => {
        visitor.stock = await find(desk);
      }),

    /** Puts what is sold into the catalog. */
    furnish: () =>
      alone(async () => {
        visitor.stock = await furnish(desk);
      }),

    /** Somebody new comes in; in test mode with a clock of their own. */
    arrive: () =>
      alone(async () => {
        const post = (path, form) => expect(desk.ask(path, { method: "POST", form }));
        const now = Math.floor(Date.now() / 1000);
        const clock =
          desk.mode === "live" ? undefined : await post("/v1/test_helpers/test_clocks", { frozen_time: now, name: "The shop’s visitor" });
        const { id } = await post("/v1/customers", { name: "A visitor of the shop", test_clock: clock?.id });
        await enter(id, clock);
      }),

    /** Somebody comes in who is known. */
    come: (customer) =>
      alone(async () => {
        if (desk.source !== "catalog") return enter(customer);
        const { deleted, test_clock } = await expect(desk.ask(`/v1/customers/${encodeURIComponent(customer)}`));
        if (deleted) throw new Error(`${customer} was deleted.`);
        return enter(customer, test_clock ? await expect(desk.ask(`/v1/test_helpers/test_clocks/${test_clock}`)) : undefined);
      }),

    /** Does one thing, and learns what has become of it. Gives the deed. */
    async act({ title, method, path, form }, clicked = performance.now()) {
      const deed = { title, request: { method, path, form }, clicked, at: Date.now(), heard: [] };
      note(deed);
      visitor.busy = true;
      ring();
      const { status, took, problem } = await desk.ask(path, { method, form });
      Object.assign(deed, { status, took, problem });
      try {
        await learn();
      } catch (error) {
        deed.problem ??= error.message;
      }
      visitor.busy = false;
      ring();
      return deed;
    },

    /** Forgets who was here. */
    leave() {
      visitor.gate?.close();
      Object.assign(visitor, { customer: undefined, clock: undefined, subscription: undefined, gate: undefined, deeds: [] });
      ring();
    },
  };

  /** Does something during which nothing else can be begun. */
  async function alone(work) {
    visitor.busy = true;
    ring();
    try {
      await work();
    } finally {
      visitor.busy = false;
      ring();
    }
  }

  async function enter(customer, clock) {
    visitor.leave();
    Object.assign(visitor, { customer, clock });
    if (desk.source === "catalog") await learn();
    const gate = createGate({ endpoint: location.origin, customer, token: () => token(customer), storage: null });
    visitor.gate = gate;
    before = undefined;
    gate.on("change", () => hear(gate));
    gate.on("state", () => ring());
    // Who buys before anything is known would not see what has opened by it.
    if (gate.state === "loading") await new Promise((resolve) => gate.on("state", resolve));
  }

  /** A customer's token, as a shop's own backend would make it. */
  async function token(customer) {
    const { token } = await expect(desk.ask("/v1/tokens", { method: "POST", form: { customer, expires_in: 900 } }));
    return token;
  }

  /** Tells what has opened and what has closed, and what was done before that. */
  function hear(gate) {
    if (gate !== visitor.gate) return;
    const held = new Set(gate.list());
    const known = before;
    before = held;
    if (known) {
      const opened = [...held].filter((key) => !known.has(key));
      const closed = [...known].filter((key) => !held.has(key));
      const now = performance.now();
      let [deed] = visitor.deeds;
      if (!deed || now - deed.clicked > CONSEQUENCE_MS) note((deed = { title: "Something happened elsewhere", at: Date.now(), heard: [] }));
      deed.heard.push({ after: deed.clicked === undefined ? undefined : now - deed.clicked, version: gate.version, opened, closed });
    }
    ring();
  }

  function note(deed) {
    visitor.deeds.unshift(deed);
    visitor.deeds.splice(DEEDS);
  }

  /** What the catalog says of the visitor now. */
  async function learn() {
    const { customer } = visitor;
    const get = (path) => expect(desk.ask(path));
    // A clock that is being advanced answers at its end.
    for (let attempts = 0; visitor.clock && attempts < CLOCK_ATTEMPTS; attempts += 1) {
      visitor.clock = await get(`/v1/test_helpers/test_clocks/${visitor.clock.id}`);
      if (visitor.clock.status === "ready") break;
      await new Promise((resolve) => setTimeout(resolve, CLOCK_PAUSE_MS));
    }
    const { data } = await get(`/v1/subscriptions?${new URLSearchParams({ customer })}`);
    // What else they have bought is left alone.
    visitor.subscription = data.find(planOf);
    if (visitor.stock) visitor.stock.includes = await included(desk);
  }

  desk.onKey(() => {
    visitor.leave();
    visitor.stock = undefined;
  });
  return visitor;
}
