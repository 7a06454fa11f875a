// A stand-in for Stripe's hosted pages, which the catalog does not have: Checkout and the customer portal.
//
// It is a server in front of the catalog. It answers what concerns sessions of these pages, and passes every other request on
// unchanged. A test visits a page by its URL. What the page does then is what Stripe's would do: it changes the subscription
// through the API, and Checkout sends `checkout.session.completed`.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import Stripe from "stripe";
import { listenOnFreePort } from "../worker/free-port.mjs";
import { unixNow } from "../worker/support.mjs";
import { VALID_CARD } from "../worker/test-catalog.mjs";

/** @import { TestCatalog } from "../worker/test-catalog.mjs" */

/** Headers of one connection, which a proxy does not pass on. */
const CONNECTION_HEADERS = ["connection", "content-length", "host", "keep-alive", "transfer-encoding"];

/** @param {TestCatalog} catalog */
export async function startHostedPages({ sdk, service }) {
  /** What a visit of each page does, by its URL. @type {Map<string, () => Promise<void>>} */
  const visits = new Map();
  /** @type {Map<string, Record<string, unknown>>} */
  const sessions = new Map();
  /** Where Checkout sends its event. @type {{ url: string, secret: string } | undefined} */
  let endpoint;

  /** @param {URLSearchParams} params */
  function createCheckoutSession(params) {
    const id = `cs_test_${randomUUID().replaceAll("-", "")}`;
    const session = {
      id,
      object: "checkout.session",
      client_reference_id: params.get("client_reference_id"),
      customer: params.get("customer"),
      metadata: group(params, "metadata"),
      mode: params.get("mode"),
      payment_status: "unpaid",
      status: "open",
      subscription: null,
      url: `https://checkout.example.com/${id}`,
    };
    sessions.set(id, session);
    visits.set(session.url, async () => {
      const { id: subscription } = await sdk.subscriptions.create({
        customer: `${session.customer}`,
        items: [{ price: `${params.get("line_items[0][price]")}`, quantity: Number(params.get("line_items[0][quantity]") ?? 1) }],
        default_payment_method: VALID_CARD,
        metadata: group(params, "subscription_data[metadata]"),
        ...(params.has("subscription_data[trial_period_days]") && {
          trial_period_days: Number(params.get("subscription_data[trial_period_days]")),
        }),
      });
      Object.assign(session, { payment_status: "paid", status: "complete", subscription });
      await sendCompleted(session);
    });
    return session;
  }

  /** @param {URLSearchParams} params */
  function createPortalSession(params) {
    const id = `bps_${randomUUID().replaceAll("-", "")}`;
    const url = `https://portal.example.com/${id}`;
    const flow = params.get("flow_data[type]");
    const subscription = params.get(`flow_data[${flow}][subscription]`);
    if (flow === "subscription_update_confirm") {
      const item = group(params, `flow_data[${flow}][items][0]`);
      visits.set(url, async () => {
        await sdk.subscriptions.update(`${subscription}`, { items: [{ ...item, quantity: Number(item.quantity) }] });
      });
    } else if (flow === "subscription_cancel") {
      visits.set(url, async () => {
        await sdk.subscriptions.update(`${subscription}`, { cancel_at_period_end: true });
      });
    }
    return { id, object: "billing_portal.session", customer: params.get("customer"), return_url: params.get("return_url"), url };
  }

  /** Sends Checkout's event, signed as the catalog signs its own. @param {Record<string, unknown>} session */
  async function sendCompleted(session) {
    if (!endpoint) throw new Error("no endpoint for Checkout's event");
    const event = {
      id: `evt_${randomUUID().replaceAll("-", "")}`,
      object: "event",
      api_version: Stripe.API_VERSION,
      created: unixNow(),
      data: { object: session },
      livemode: false,
      pending_webhooks: 1,
      request: { id: null, idempotency_key: null },
      type: "checkout.session.completed",
    };
    const body = JSON.stringify(event);
    const headers = { "stripe-signature": Stripe.webhooks.generateTestHeaderString({ payload: body, secret: endpoint.secret }) };
    const { status } = await fetch(endpoint.url, { method: "POST", headers, body });
    if (status !== 200) throw new Error(`checkout.session.completed: ${status}`);
  }

  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const params = new URLSearchParams(body.toString());
    const path = `${request.url}`;
    const [, id] = path.match(/^\/v1\/checkout\/sessions\/(\w+)$/) ?? [];
    /** @type {unknown} */
    let page;
    if (request.method === "POST" && path === "/v1/checkout/sessions") page = createCheckoutSession(params);
    else if (request.method === "POST" && path === "/v1/billing_portal/sessions") page = createPortalSession(params);
    else if (request.method === "GET" && id && sessions.has(id)) page = sessions.get(id);
    if (page) {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(page));
      return;
    }
    const headers = new Headers(Object.entries(request.headers).map(([name, value]) => [name, `${value}`]));
    for (const name of CONNECTION_HEADERS) headers.delete(name);
    const sent = { method: request.method, headers, ...(body.length > 0 && { body }) };
    const answer = await fetch(new URL(path, service.url), sent);
    const received = [...answer.headers].filter(([name]) => name !== "content-encoding" && !CONNECTION_HEADERS.includes(name));
    response.writeHead(answer.status, Object.fromEntries(received)).end(Buffer.from(await answer.arrayBuffer()));
  });
  const port = await listenOnFreePort(server);
  return {
    port,
    /** Sets where Checkout sends its event. @param {{ url: string, secret: string }} to */
    sendEventsTo: (to) => {
      endpoint = to;
    },
    /** Does what a customer does on a page: pays, or confirms. @param {string} url */
    visit: (url) => {
      const act = visits.get(url);
      if (!act) throw new Error(`no page ${url}`);
      visits.delete(url);
      return act();
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The members of an object in a form: `name[member]=value`. @param {URLSearchParams} params @param {string} name */
function group(params, name) {
  const members = [...params].filter(([key]) => key.startsWith(`${name}[`)).map(([key, value]) => [key.slice(name.length + 1, -1), value]);
  return Object.fromEntries(members);
}
