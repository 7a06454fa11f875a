// The customer of the demo shop: a customer of the catalog, with an optional test clock and a subscription to a plan. The gate of the npm
// package receives its entitlement changes over a stream.
//
// The demo shop and the playground share one customer per session. With Stripe as the source, the customer has a gate only.

// @ts-expect-error -- Built from www/npm; the path exists only on the Worker's origin.
import { createGate } from "/entgate.js";
import { createEmitter } from "../emitter.js";
import { withQuery } from "../form.js";
import { bodyOf } from "../http-client.js";
import { findProducts, listIncludedFeatures, seedProducts } from "./demo-products.js";
import { planOf } from "./plan-actions.js";

/** How long after its click an action counts as the cause of a change. */
const CHANGE_ATTRIBUTION_MS = 10_000;
const MAX_ACTIONS = 30;
const MAX_CLOCK_POLLS = 100;
const CLOCK_POLL_INTERVAL_MS = 100;
const TOKEN_TTL_SECONDS = 900;

/** @typedef {import("../../npm/src/gate.js").Gate} Gate */
/** @typedef {import("../session.js").Session} Session */

/**
 * A change that the gate received over its stream.
 *
 * @typedef {object} EntitlementChange
 * @property {number} [delayMs]  Since the click of the action; undefined if no action caused the change.
 * @property {number} version
 * @property {string[]} granted  Lookup keys.
 * @property {string[]} revoked  Lookup keys.
 */

/**
 * An action that was run, with the changes after it.
 *
 * @typedef {object} RunAction
 * @property {string} title
 * @property {{ method: string, path: string, form?: object }} [request]  Undefined for a change without an action of this page.
 * @property {number} at  Milliseconds since 1970.
 * @property {number} [clickedAt]  By `performance.now()`.
 * @property {number} [status]  Undefined until the response arrives.
 * @property {number} [durationMs]
 * @property {string} [problem]
 * @property {EntitlementChange[]} changes
 */

/**
 * @typedef {object} DemoCustomerMembers
 * @property {Gate} [gate]
 * @property {RunAction[]} actions  Newest first.
 * @property {boolean} busy  Whether an operation is in progress.
 * @property {(listener: () => void) => () => void} onChange
 * @property {() => Promise<void>} loadProducts  Finds the products of the demo shop.
 * @property {() => Promise<void>} seed  Creates the missing products of the demo shop.
 * @property {() => Promise<void>} createCustomer  Creates a customer; in test mode with a test clock.
 * @property {(customer: string) => Promise<void>} loadCustomer  Selects an existing customer.
 * @property {(action: import("./plan-actions.js").PlanAction, clickedAt?: number) => Promise<RunAction>} runAction
 *   Sends the request of an action and refreshes the state.
 * @property {() => void} reset  Removes the customer and closes the gate.
 *
 * @typedef {import("./plan-actions.js").PlanState & DemoCustomerMembers} DemoCustomer
 */

/** @type {WeakMap<Session, DemoCustomer>} */
const demoCustomers = new WeakMap();

/**
 * Returns the demo customer of a session.
 *
 * @param {Session} session
 * @returns {DemoCustomer}
 */
export function demoCustomerOf(session) {
  let demo = demoCustomers.get(session);
  if (!demo) {
    demo = createDemoCustomer(session);
    demoCustomers.set(session, demo);
  }
  return demo;
}

/**
 * @param {Session} session
 * @returns {DemoCustomer}
 */
function createDemoCustomer(session) {
  /** @type {import("../emitter.js").Emitter<void>} */
  const change = createEmitter();
  const notifyChange = () => change.emit();
  /** @type {Set<string> | undefined} */
  let previousKeys;

  /** @type {DemoCustomer} */
  const demo = {
    products: undefined,
    customer: undefined,
    clock: undefined,
    subscription: undefined,
    gate: undefined,
    actions: [],
    busy: false,
    onChange: change.on,

    loadProducts: () =>
      whileBusy(async () => {
        demo.products = await findProducts(session);
      }),

    seed: () =>
      whileBusy(async () => {
        demo.products = await seedProducts(session);
      }),

    createCustomer: () =>
      whileBusy(async () => {
        const post = (/** @type {string} */ path, /** @type {object} */ form) => bodyOf(session.request(path, { method: "POST", form }));
        const now = Math.floor(Date.now() / 1000);
        const clock =
          session.mode === "live"
            ? undefined
            : await post("/v1/test_helpers/test_clocks", { frozen_time: now, name: "Demo shop customer" });
        const { id } = await post("/v1/customers", { name: "Demo shop customer", test_clock: clock?.id });
        await selectCustomer(id, clock);
      }),

    loadCustomer: (customer) =>
      whileBusy(async () => {
        if (session.source !== "catalog") return selectCustomer(customer);
        const { deleted, test_clock } = await bodyOf(session.request(`/v1/customers/${encodeURIComponent(customer)}`));
        if (deleted) throw new Error(`${customer} was deleted.`);
        const clock = test_clock ? await bodyOf(session.request(`/v1/test_helpers/test_clocks/${test_clock}`)) : undefined;
        return selectCustomer(customer, clock);
      }),

    async runAction({ title, method, path, form }, clickedAt = performance.now()) {
      /** @type {RunAction} */
      const action = { title, request: { method, path, form }, clickedAt, at: Date.now(), changes: [] };
      record(action);
      demo.busy = true;
      notifyChange();
      const { status, durationMs, problem } = await session.request(path, { method, form });
      Object.assign(action, { status, durationMs, problem });
      try {
        await refresh();
      } catch (error) {
        action.problem ??= error.message;
      }
      demo.busy = false;
      notifyChange();
      return action;
    },

    reset() {
      demo.gate?.close();
      Object.assign(demo, { customer: undefined, clock: undefined, subscription: undefined, gate: undefined, actions: [] });
      notifyChange();
    },
  };

  /**
   * Runs an operation with `busy` set, so that no other one can be started.
   *
   * @param {() => Promise<void>} operation
   */
  async function whileBusy(operation) {
    demo.busy = true;
    notifyChange();
    try {
      await operation();
    } finally {
      demo.busy = false;
      notifyChange();
    }
  }

  /**
   * @param {string} customer
   * @param {import("./plan-actions.js").TestClock} [clock]
   */
  async function selectCustomer(customer, clock) {
    demo.reset();
    Object.assign(demo, { customer, clock });
    if (session.source === "catalog") await refresh();
    /** @type {Gate} */
    const gate = createGate({ endpoint: location.origin, customer, token: () => createToken(customer), storage: null });
    demo.gate = gate;
    previousKeys = undefined;
    gate.on("change", () => recordChange(gate));
    gate.on("state", notifyChange);
    // A purchase before the first state would have no previous keys to compare with.
    if (gate.state === "loading") await new Promise((resolve) => gate.on("state", resolve));
  }

  /**
   * Creates a customer token, as a shop's backend does.
   *
   * @param {string} customer
   * @returns {Promise<string>}
   */
  async function createToken(customer) {
    const form = { customer, expires_in: TOKEN_TTL_SECONDS };
    const { token } = await bodyOf(session.request("/v1/tokens", { method: "POST", form }));
    return token;
  }

  /**
   * Compares the gate's keys with the previous ones, and attributes the difference to the latest action.
   *
   * @param {Gate} gate
   */
  function recordChange(gate) {
    if (gate !== demo.gate) return;
    const keys = new Set(gate.list());
    const previous = previousKeys;
    previousKeys = keys;
    if (previous) {
      const granted = [...keys].filter((key) => !previous.has(key));
      const revoked = [...previous].filter((key) => !keys.has(key));
      const now = performance.now();
      let [action] = demo.actions;
      // An entry without an action of this page has no click, and receives every further change.
      if (!action || (action.clickedAt !== undefined && now - action.clickedAt > CHANGE_ATTRIBUTION_MS)) {
        action = { title: "Change from another client", at: Date.now(), changes: [] };
        record(action);
      }
      const delayMs = action.clickedAt === undefined ? undefined : now - action.clickedAt;
      action.changes.push({ delayMs, version: gate.version, granted, revoked });
    }
    notifyChange();
  }

  /** @param {RunAction} action */
  function record(action) {
    demo.actions.unshift(action);
    demo.actions.splice(MAX_ACTIONS);
  }

  /** Reads the test clock, the subscription and the product features from the catalog. */
  async function refresh() {
    const { customer } = demo;
    const get = (/** @type {string} */ path) => bodyOf(session.request(path));
    // While a clock is advancing, the catalog already answers for the target time.
    for (let polls = 0; demo.clock && polls < MAX_CLOCK_POLLS; polls += 1) {
      demo.clock = await get(`/v1/test_helpers/test_clocks/${demo.clock.id}`);
      if (demo.clock?.status === "ready") break;
      await new Promise((resolve) => setTimeout(resolve, CLOCK_POLL_INTERVAL_MS));
    }
    const { data } = await get(withQuery("/v1/subscriptions", { customer }));
    // Subscriptions to other products are ignored.
    demo.subscription = data.find(planOf);
    if (demo.products) demo.products.included = await listIncludedFeatures(session);
  }

  session.onKeyChange(() => {
    demo.reset();
    demo.products = undefined;
  });
  return demo;
}
