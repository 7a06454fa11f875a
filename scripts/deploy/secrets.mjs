// What follows from a secret that is not set. Pure: accepts names, returns sentences.

/**
 * What follows from each secret that is not set.
 *
 * @param {string} source
 * @param {Set<string>} set
 */
export function describeMissing(source, set) {
  const isStripe = source === "stripe";
  const hasKey = set.has("STRIPE_API_KEY");
  /** @type {[string, string, boolean?][]} */
  const rows = [
    ["ENTGATE_API_KEYS", "every request with a key is a 401"],
    [
      "STRIPE_WEBHOOK_SECRETS",
      hasKey ? "changes arrive by the list of events, up to a minute late" : "no event of Stripe is received, so no customer has a feature",
      isStripe,
    ],
    [
      "STRIPE_API_KEY",
      "lists are not read from Stripe: a customer without an event is a 503, and of more than ten entitlements only the ten in the event are known",
      isStripe,
    ],
    ["ENTGATE_TOKEN_SECRETS", "browsers cannot ask, because no customer token can be created"],
    ["ENTGATE_SIGNING_KEY", "there are no snapshots"],
  ];
  return rows.filter(([name, , isNeeded = true]) => isNeeded && !set.has(name)).map(([name, consequence]) => ({ name, consequence }));
}
