// What an operation of the catalog costs among many customers, beside what it costs among few.
//
//   node benches/catalog.mjs [few] [many]     by default 1000 and 100000
//
// Two Workers in workerd, one filled with few customers and one with many, each customer with a subscription on one
// test clock. Every operation is timed at both in turns, so that whatever else this machine does hits both alike; told
// is the median of each, and their ratio. Then both clocks move by a month, and all subscriptions renew.

import { mkdtempSync, rmSync, statSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { KEY, serve } from "../tests/worker/support.mjs";

const [few, many] = process.argv
  .slice(2)
  .map(Number)
  .concat([1_000, 100_000].slice(process.argv.length - 2));
const ROUNDS = 200;
const AT_ONCE = 8;
const START = Date.UTC(2027, 0, 15) / 1000;
const MONTH_LATER = Date.UTC(2027, 1, 15) / 1000;

/** A Worker with its catalog, and what is in it. */
class Shop {
  static async open(customers) {
    const shop = new Shop();
    shop.folder = mkdtempSync(join(tmpdir(), "entgate-bench-"));
    shop.service = await serve({ settings: { ENTGATE_SOURCE: "catalog" }, folder: shop.folder });
    shop.customers = customers;
    await shop.fill();
    return shop;
  }

  async ask(method, path, params) {
    const body = params && new URLSearchParams(params).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const { status, json, text } = await this.service.request(path, { method, body, headers, key: KEY });
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
    return json;
  }

  async fill() {
    this.features = [];
    for (const key of ["a", "b", "c", "d"])
      this.features.push((await this.ask("POST", "/v1/entitlements/features", { lookup_key: key, name: key })).id);
    await this.ask("POST", "/v1/products", { id: "pro", name: "Pro" });
    for (const feature of this.features.slice(0, 3)) await this.ask("POST", "/v1/products/pro/features", { entitlement_feature: feature });
    this.price = (
      await this.ask("POST", "/v1/prices", { product: "pro", currency: "usd", unit_amount: 500, "recurring[interval]": "month" })
    ).id;
    this.clock = (await this.ask("POST", "/v1/test_helpers/test_clocks", { frozen_time: START })).id;
    let next = 0;
    const worker = async () => {
      while (next < this.customers) {
        const n = next++;
        await this.subscribe(`cus_${n}`);
        if (n % 10_000 === 9_999) console.error(`filled ${n + 1} of ${this.customers}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const { data } = await this.ask("GET", `/v1/customers?test_clock=${this.clock}&limit=1`);
    this.newest = data[0].id;
    this.middle = `cus_${Math.floor(this.customers / 2)}`;
  }

  async subscribe(id) {
    await this.ask("POST", "/v1/customers", { id, test_clock: this.clock });
    await this.ask("POST", "/v1/subscriptions", { customer: id, "items[0][price]": this.price });
  }

  async advance(to) {
    await this.ask("POST", `/v1/test_helpers/test_clocks/${this.clock}/advance`, { frozen_time: to });
    while ((await this.ask("GET", `/v1/test_helpers/test_clocks/${this.clock}`)).status !== "ready") await sleep(20);
  }

  async close() {
    await this.service.stop();
    rmSync(this.folder, { recursive: true });
  }
}

/** What is timed: a name, and what is done in one round. What has to be undone is, outside the time. */
const OPERATIONS = [
  ["create a customer", (shop, n) => shop.ask("POST", "/v1/customers", { id: `new_${n}`, test_clock: shop.clock })],
  ["subscribe", (shop, n) => shop.ask("POST", "/v1/subscriptions", { customer: `new_${n}`, "items[0][price]": shop.price })],
  ["list 100 customers, first page", (shop) => shop.ask("GET", `/v1/customers?test_clock=${shop.clock}&limit=100`)],
  [
    "list 100 customers, from the middle",
    (shop) => shop.ask("GET", `/v1/customers?test_clock=${shop.clock}&limit=100&starting_after=${shop.middle}`),
  ],
  [
    "list 100 subscriptions of a price",
    (shop) => shop.ask("GET", `/v1/subscriptions?price=${shop.price}&test_clock=${shop.clock}&limit=100`),
  ],
  ["list 100 active subscriptions", (shop) => shop.ask("GET", `/v1/subscriptions?test_clock=${shop.clock}&status=active&limit=100`)],
  ["list a customer's entitlements", (shop) => shop.ask("GET", `/v1/entitlements/active_entitlements?customer=${shop.middle}`)],
  [
    "attach a feature to the product of all",
    async (shop) => {
      shop.attached = await shop.ask("POST", "/v1/products/pro/features", { entitlement_feature: shop.features[3] });
    },
    (shop) => shop.ask("DELETE", `/v1/products/pro/features/${shop.attached.id}`),
  ],
  ["list 100 events", (shop) => shop.ask("GET", "/v1/events?limit=100")],
  ["cancel a subscription", async (shop, n) => shop.ask("DELETE", `/v1/subscriptions/${(await shop.subscriptions)[n]}`)],
];

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const size = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size, 0);

const shops = [await Shop.open(few), await Shop.open(many)];
console.log(`| operation | ${few} customers, ms | ${many} customers, ms | ratio |`);
console.log("|---|---|---|---|");
for (const [name, operation, undo] of OPERATIONS) {
  const times = shops.map(() => []);
  for (const shop of shops) {
    const path = (n) => `/v1/subscriptions?customer=new_${n}`;
    if (name.startsWith("cancel")) {
      shop.subscriptions = Promise.all(Array.from({ length: ROUNDS }, async (_, n) => (await shop.ask("GET", path(n))).data[0].id));
      await shop.subscriptions;
    }
  }
  for (let n = 0; n < ROUNDS; n += 1) {
    for (const [place, shop] of shops.entries()) {
      const began = performance.now();
      await operation(shop, n);
      times[place].push(performance.now() - began);
      await undo?.(shop);
    }
  }
  const [a, b] = times.map(median);
  console.log(`| ${name} | ${a.toFixed(2)} | ${b.toFixed(2)} | ${(b / a).toFixed(2)} |`);
}
const renewals = [];
for (const shop of shops) {
  const began = performance.now();
  await shop.advance(MONTH_LATER);
  renewals.push((performance.now() - began) / shop.customers);
}
const [a, b] = renewals;
console.log(`| renew a subscription (all of them, on one clock) | ${a.toFixed(3)} | ${b.toFixed(3)} | ${(b / a).toFixed(2)} |`);
console.log(`\nstored: ${shops.map((shop) => `${(size(shop.folder) / shop.customers / 1024).toFixed(1)} KB a customer`).join(", ")}`);
await Promise.all(shops.map((shop) => shop.close()));
