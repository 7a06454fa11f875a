/// <reference path="./cloudflare.d.ts" />
// Fills the customer index with known customers, in the tables that entgate has created. So events are measured among a million
// customers without a million events.
//
// `GET /?count=<number>` returns the number of these customers in all shards. The statement follows the tables in src/worker/customer_index. Not a baseline.

import { DurableObject } from "cloudflare:workers";

/** @typedef {DurableObjectNamespace<{ fill(count: number, shard: number): Promise<SqlRow> }>} Index */

export default {
  /**
   * @param {Request} request
   * @param {{ CUSTOMER_INDEX: Index }} env
   */
  async fetch(request, env) {
    const count = Number(new URL(request.url).searchParams.get("count"));
    if (!count) return new Response(null, { status: 404 });
    const shards = Array.from({ length: 32 }, (_, number) => env.CUSTOMER_INDEX.get(env.CUSTOMER_INDEX.idFromName(`test:${number}`)));
    const rows = await Promise.all(shards.map((shard, number) => shard.fill(count, number)));
    return Response.json({ count: rows.reduce((sum, row) => sum + Number(row.count), 0) });
  },
};

export class CustomerIndex extends DurableObject {
  /**
   * Inserts the customers of one shard.
   *
   * @param {number} count
   * @param {number} shard
   */
  fill(count, shard) {
    const now = Date.now();
    for (let number = 0; number < count; number += 1) {
      const id = `cus_known${`${number}`.padStart(7, "0")}`;
      if (shardNumber(id) !== shard) continue;
      this.ctx.storage.sql.exec(
        "INSERT INTO customers (id, pending, reported_at, woken_at, leased_until, confirmed_at) VALUES (?, 0, ?, 0, 0, ?)",
        id,
        now,
        now,
      );
    }
    return this.ctx.storage.sql.exec("SELECT COUNT(*) AS count FROM customers WHERE id >= 'cus_known'").one();
  }
}

/** FNV-1a of an id of ASCII characters, modulo 32. @param {string} id */
function shardNumber(id) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i += 1) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193) >>> 0;
  return hash % 32;
}
