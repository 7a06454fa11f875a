// An Express app that asks entgate before it serves a feature.
//
// `requires(feature)` is a middleware. The customer is a parameter of the URL; a real app takes it from its session.

import { createClient } from "entgate/server";
import express from "express";

const { ENTGATE_URL = "http://localhost:8787", ENTGATE_KEY = "sk_test_entgate", PORT = "3000" } = process.env;
const entgate = createClient({ endpoint: ENTGATE_URL, key: ENTGATE_KEY });

/** Passes on the requests of customers who may use a feature. @param {string} feature */
const requires = (feature) => async (request, response, next) => {
  const customer = request.query.customer;
  if (typeof customer !== "string" || !customer) return response.status(401).send("Log in: add ?customer=cus_demo_team\n");
  try {
    const { entitled } = await entgate.check({ customer, feature });
    if (entitled) return next();
    response.status(403).send(`Your plan does not include ${feature}\n`);
  } catch (error) {
    // Not known is not denied. This app asks its user to try again; another one may grant or deny.
    console.error(`failed to check ${feature}: ${error.message}`);
    response.status(503).set("retry-after", "2").send("Try again\n");
  }
};

const app = express();
app.get("/audit-log", requires("audit_log"), (_request, response) => response.send("2026-11-17 Ada logged in\n"));
app.listen(Number(PORT), "localhost", () => console.log(`The app is at http://localhost:${PORT}/audit-log?customer=cus_demo_team`));
