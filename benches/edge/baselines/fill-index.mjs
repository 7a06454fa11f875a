/// <reference path="./cloudflare.d.ts" />
// Fills the customer index with known customers, in the tables that entgate has created. So events are measured among a million
// customers without a million events.
//
// `GET /?count=<number>` returns the number of rows. The statement follows the tables in src/worker/customer_index. Not a baseline.

import { DurableObject } from "cloudflare:workers";

/** @typedef {DurableObjectNamespace<{ fill(count: number): Promise<SqlRow> }>} Index */

export default {
  /**
   * @param {Request} request
   * @param {{ CUSTOMER_INDEX: Index }} env
   */
  async fetch(request, env) {
    const count = Number(new URL(request.url).searchParams.get("count"));
    if (!count) return new Response(null, { status: 404 });
    return Response.json(await env.CUSTOMER_INDEX.get(env.CUSTOMER_INDEX.idFromName("customer_index")).fill(count));
  },
};

export class CustomerIndex extends DurableObject {
  /** @param {number} count */
  fill(count) {
    const now = Date.now();
    this.ctx.storage.sql.exec(
      `WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < ? - 1)
       INSERT INTO customers (key, pending, pending_since, problem, reported_at, woken_at, leased_until, confirmed_at)
       SELECT printf('test:cus_known%07d', number), 0, NULL, NULL, ?, 0, 0, ? FROM numbers`,
      count,
      now,
      Math.floor(now / 1000),
    );
    return this.ctx.storage.sql.exec("SELECT COUNT(*) AS count FROM customers").one();
  }
}
