// Fills the roster with customers, as many as a row is to have, in the tables that ours has made: so that events can be measured
// among a million of them without a million events.

import { DurableObject } from "cloudflare:workers";

export default {
  async fetch(request, env) {
    const count = Number(new URL(request.url).searchParams.get("count"));
    if (!count) return new Response(null, { status: 404 });
    return Response.json(await env.ROSTER.get(env.ROSTER.idFromName("roster")).fill(count));
  },
};

export class Roster extends DurableObject {
  fill(count) {
    const now = Date.now();
    this.ctx.storage.sql.exec(
      `WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < ? - 1)
       INSERT INTO customers (key, next, pending, since, trouble, told, woken, confirmed)
       SELECT printf('test:cus_known%07d', number), ? + number, 0, NULL, NULL, ?, 0, ? FROM numbers`,
      count,
      now + 86_400_000,
      now,
      Math.floor(now / 1000),
    );
    return this.ctx.storage.sql.exec("SELECT COUNT(*) AS count FROM customers").one();
  }
}
