// Compares the time of the catalog's operations among many customers with their time among few.
//
//   node benches/catalog.mjs [few] [many]     default: 1000 and 100000
//
// Runs two Workers, one with few customers and one with many. Each customer has a subscription on one test clock. Operations alternate
// between both, so that other load affects both equally. Prints medians and their ratio. Then advances both clocks by one month: all
// subscriptions renew. Not here: CPU time (edge/).

import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KEY, serve } from "../tests/worker/support.mjs";

const [few = 1_000, many = 100_000] = process.argv.slice(2).map(Number);
const ROUNDS = 200;
const MAX_CONCURRENT = 8;
const START = Date.UTC(2027, 0, 15) / 1000;
const ONE_MONTH_LATER = Date.UTC(2027, 1, 15) / 1000;

/** A Worker whose catalog has `customerCount` customers, each with one subscription. */
class FilledCatalog {
  /** @type {string[]} */
  features = [];
  price = "";
  clock = "";
  middleCustomer = "";
  /** The last feature that was attached to the product. */
  attachment = "";
  /**
   * Subscriptions of the customers that this benchmark created.
   *
   * @type {string[]}
   */
  createdSubscriptions = [];

  /**
   * @param {import("../tests/worker/support.mjs").Service} service
   * @param {string} folder
   * @param {number} customerCount
   */
  constructor(service, folder, customerCount) {
    this.service = service;
    this.folder = folder;
    this.customerCount = customerCount;
  }

  /** @param {number} customerCount */
  static async open(customerCount) {
    const folder = mkdtempSync(join(tmpdir(), "entgate-bench-"));
    const service = await serve({ settings: { ENTGATE_SOURCE: "catalog" }, folder });
    const catalog = new FilledCatalog(service, folder, customerCount);
    await catalog.fill();
    return catalog;
  }

  /**
   * Sends a request and returns the JSON of its response. Throws unless the status is 200.
   *
   * @param {string} method
   * @param {string} path
   * @param {Record<string, string>} [params]
   */
  async request(method, path, params) {
    const body = params && new URLSearchParams(params).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const { status, json, text } = await this.service.request(path, { method, body, headers, key: KEY });
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
    return json;
  }

  async fill() {
    for (const key of ["a", "b", "c", "d"]) {
      const { id } = await this.request("POST", "/v1/entitlements/features", { lookup_key: key, name: key });
      this.features.push(id);
    }
    await this.request("POST", "/v1/products", { id: "pro", name: "Pro" });
    for (const feature of this.features.slice(0, 3)) {
      await this.request("POST", "/v1/products/pro/features", { entitlement_feature: feature });
    }
    const price = { product: "pro", currency: "usd", unit_amount: "500", "recurring[interval]": "month" };
    this.price = (await this.request("POST", "/v1/prices", price)).id;
    this.clock = (await this.request("POST", "/v1/test_helpers/test_clocks", { frozen_time: `${START}` })).id;
    let next = 0;
    const worker = async () => {
      while (next < this.customerCount) {
        const number = next++;
        await this.createSubscribedCustomer(`cus_${number}`);
        if (number % 10_000 === 9_999) console.error(`created ${number + 1} of ${this.customerCount} customers`);
      }
    };
    await Promise.all(Array.from({ length: MAX_CONCURRENT }, worker));
    this.middleCustomer = `cus_${Math.floor(this.customerCount / 2)}`;
  }

  /** @param {string} id */
  async createSubscribedCustomer(id) {
    await this.request("POST", "/v1/customers", { id, test_clock: this.clock });
    await this.request("POST", "/v1/subscriptions", { customer: id, "items[0][price]": this.price });
  }

  /** Loads the subscriptions that the operation `create a subscription` created. */
  async loadCreatedSubscriptions() {
    this.createdSubscriptions = await Promise.all(
      Array.from({ length: ROUNDS }, async (_, round) => {
        const { data } = await this.request("GET", `/v1/subscriptions?customer=new_${round}`);
        return data[0].id;
      }),
    );
  }

  /** @param {number} frozenTime */
  async advanceClock(frozenTime) {
    await this.request("POST", `/v1/test_helpers/test_clocks/${this.clock}/advance`, { frozen_time: `${frozenTime}` });
    while ((await this.request("GET", `/v1/test_helpers/test_clocks/${this.clock}`)).status !== "ready") await sleep(20);
  }

  /** Bytes on disk. */
  storedBytes() {
    return readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
  }

  async close() {
    await this.service.stop();
    rmSync(this.folder, { recursive: true });
  }
}

/**
 * A measured operation. `prepare` runs once before the rounds, `undo` after each round. Only `run` is timed.
 *
 * @typedef {object} Operation
 * @property {string} name
 * @property {(catalog: FilledCatalog, round: number) => Promise<unknown>} run
 * @property {(catalog: FilledCatalog) => Promise<unknown>} [prepare]
 * @property {(catalog: FilledCatalog) => Promise<unknown>} [undo]
 */

/** @type {Operation[]} */
const OPERATIONS = [
  {
    name: "create a customer",
    run: (catalog, round) => catalog.request("POST", "/v1/customers", { id: `new_${round}`, test_clock: catalog.clock }),
  },
  {
    name: "create a subscription",
    run: (catalog, round) => catalog.request("POST", "/v1/subscriptions", { customer: `new_${round}`, "items[0][price]": catalog.price }),
  },
  {
    name: "list 100 customers, first page",
    run: (catalog) => catalog.request("GET", `/v1/customers?test_clock=${catalog.clock}&limit=100`),
  },
  {
    name: "list 100 customers, middle page",
    run: (catalog) =>
      catalog.request("GET", `/v1/customers?test_clock=${catalog.clock}&limit=100&starting_after=${catalog.middleCustomer}`),
  },
  {
    name: "list 100 subscriptions of a price",
    run: (catalog) => catalog.request("GET", `/v1/subscriptions?price=${catalog.price}&test_clock=${catalog.clock}&limit=100`),
  },
  {
    name: "list 100 active subscriptions",
    run: (catalog) => catalog.request("GET", `/v1/subscriptions?test_clock=${catalog.clock}&status=active&limit=100`),
  },
  {
    name: "list the entitlements of a customer",
    run: (catalog) => catalog.request("GET", `/v1/entitlements/active_entitlements?customer=${catalog.middleCustomer}`),
  },
  {
    name: "attach a feature to the product of all subscriptions",
    run: async (catalog) => {
      const { id } = await catalog.request("POST", "/v1/products/pro/features", { entitlement_feature: catalog.features[3] });
      catalog.attachment = id;
    },
    undo: (catalog) => catalog.request("DELETE", `/v1/products/pro/features/${catalog.attachment}`),
  },
  { name: "list 100 events", run: (catalog) => catalog.request("GET", "/v1/events?limit=100") },
  {
    name: "cancel a subscription",
    prepare: (catalog) => catalog.loadCreatedSubscriptions(),
    run: (catalog, round) => catalog.request("DELETE", `/v1/subscriptions/${catalog.createdSubscriptions[round]}`),
  },
];

/** @param {number[]} numbers */
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

const catalogs = [await FilledCatalog.open(few), await FilledCatalog.open(many)];
console.log(`| operation | ${few} customers, ms | ${many} customers, ms | ratio |`);
console.log("|---|---|---|---|");
for (const { name, run, prepare, undo } of OPERATIONS) {
  /** @type {number[][]} */
  const times = catalogs.map(() => []);
  for (const catalog of catalogs) await prepare?.(catalog);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, catalog] of catalogs.entries()) {
      const began = performance.now();
      await run(catalog, round);
      times[index].push(performance.now() - began);
      await undo?.(catalog);
    }
  }
  const [a, b] = times.map(median);
  console.log(`| ${name} | ${a.toFixed(2)} | ${b.toFixed(2)} | ${(b / a).toFixed(2)} |`);
}
/** @type {number[]} */
const renewals = [];
for (const catalog of catalogs) {
  const began = performance.now();
  await catalog.advanceClock(ONE_MONTH_LATER);
  renewals.push((performance.now() - began) / catalog.customerCount);
}
const [a, b] = renewals;
console.log(`| renew a subscription (average of all, on one clock) | ${a.toFixed(3)} | ${b.toFixed(3)} | ${(b / a).toFixed(2)} |`);
const stored = catalogs.map((catalog) => `${(catalog.storedBytes() / catalog.customerCount / 1024).toFixed(1)} KB`);
console.log(`\nstorage per customer: ${stored.join(" and ")}`);
await Promise.all(catalogs.map((catalog) => catalog.close()));
