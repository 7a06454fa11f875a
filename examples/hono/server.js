// A Hono app that asks entgate before it serves a feature.
//
// `requires(feature)` is a middleware. It runs in Node here; in Workers, Deno and Bun only the last lines differ. The customer is a
// parameter of the URL; a real app takes it from its session.

import { serve } from "@hono/node-server";
import { createClient } from "entgate/server";
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";

const { ENTGATE_URL = "http://localhost:8787", ENTGATE_KEY = "sk_test_entgate", PORT = "3000" } = process.env;
const entgate = createClient({ endpoint: ENTGATE_URL, key: ENTGATE_KEY });

/** Passes on the requests of customers who may use a feature. @param {string} feature */
const requires = (feature) =>
  createMiddleware(async (context, next) => {
    const customer = context.req.query("customer");
    if (!customer) return context.text("Log in: add ?customer=cus_demo_team\n", 401);
    let entitled;
    try {
      ({ entitled } = await entgate.check({ customer, feature }));
    } catch (error) {
      // Not known is not denied. This app asks its user to try again; another one may grant or deny.
      console.error(`failed to check ${feature}: ${error.message}`);
      return context.text("Try again\n", 503, { "retry-after": "2" });
    }
    if (!entitled) return context.text(`Your plan does not include ${feature}\n`, 403);
    await next();
  });

const app = new Hono();
app.get("/audit-log", requires("audit_log"), (context) => context.text("2026-11-17 Ada logged in\n"));

serve({ fetch: app.fetch, hostname: "localhost", port: Number(PORT) }, () =>
  console.log(`The app is at http://localhost:${PORT}/audit-log?customer=cus_demo_team`),
);
