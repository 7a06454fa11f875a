// A Worker that asks entgate over a service binding: no key, no URL, no HTTP.
//
// `GET /export?customer=cus_…` serves an export to customers who may use the feature `export`; `GET /features?customer=cus_…` lists
// the features of a customer. A real Worker takes the customer from its own session.

/**
 * @typedef {object} Env
 * @property {import("@entgate/worker").EntitlementsBinding} ENTITLEMENTS
 */

export default {
  /** @param {Request} request @param {Env} env */
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const customer = searchParams.get("customer") ?? "";
    try {
      if (pathname === "/features") {
        const { data } = await env.ENTITLEMENTS.list({ customer, limit: 100 });
        return Response.json(data.map(({ lookup_key }) => lookup_key));
      }
      const { entitled, reason } = await env.ENTITLEMENTS.check({ customer, feature: "export" });
      if (!entitled) return new Response(`No export: ${reason}\n`, { status: 403 });
      return new Response("id,name\n1,Ada\n", { headers: { "content-type": "text/csv" } });
    } catch (error) {
      // Not known is not denied. This Worker asks its user to try again; another one may grant or deny.
      if (error.status !== 503) throw error;
      return new Response(`Try again: ${error.code}\n`, { status: 503, headers: { "retry-after": `${error.retry_after ?? 2}` } });
    }
  },
};
