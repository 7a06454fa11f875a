// A Worker that checks the feature in its URL at entgate: by HTTP over a service binding, by a method of the service binding, or not at
// all. Each of its responses has the same size, so the difference between two of them is the cost of the call.

/**
 * @typedef {object} Env
 * @property {{ fetch(url: string, init: { headers: Record<string, string> }): Promise<Response> }} HTTP
 * @property {{ check(args: { customer: string, feature: string }): Promise<{ entitled: boolean }> }} ENTITLEMENTS
 * @property {string} KEY
 */

export default {
  /** @param {Request} request @param {Env} env */
  async fetch(request, { HTTP, ENTITLEMENTS, KEY }) {
    const { pathname, search } = new URL(request.url);
    const [customer, feature] = ["cus_10", "feature-9"];
    let entitled = true;
    if (pathname === "/http") {
      const response = await HTTP.fetch(`http://entgate/v1/check?customer=${customer}&feature=${feature}`, {
        headers: { authorization: `Bearer ${KEY}` },
      });
      ({ entitled } = await response.json());
    } else if (pathname === "/rpc") {
      ({ entitled } = await ENTITLEMENTS.check({ customer, feature }));
    }
    return new Response(search, { status: entitled === true ? 200 : 500 });
  },
};
