"""Reads a list of entitlements with Stripe's Python library, and prints its lookup keys and two errors.

Usage: lists.py <origin> <key> <customer> <webhook secret> <signature header> <payload>
"""

import json
import sys

import stripe

origin, key, customer, secret, header, payload = sys.argv[1:]
client = stripe.StripeClient(key, base_addresses={"api": origin})


def attempt(client, parameters):
    try:
        client.v1.entitlements.active_entitlements.list(parameters)
    except stripe.StripeError as error:
        return error


listed = client.v1.entitlements.active_entitlements.list({"customer": customer, "limit": 10})

# Follows the `url` in the event, `/v1/customer/{id}/entitlements`.
stripe.api_key, stripe.api_base = key, origin
event = stripe.Webhook.construct_event(payload, header, secret)

limit = attempt(client, {"customer": customer, "limit": 101})
unauthorized = attempt(stripe.StripeClient("sk_test_no", base_addresses={"api": origin}), {"customer": customer})

print(json.dumps({
    "listed": [item.lookup_key for item in listed.auto_paging_iter()],
    "from_event": [item.lookup_key for item in event.data.object.entitlements.auto_paging_iter()],
    "error": f"{type(limit).__name__}: {limit.code} {limit.param}",
    "unauthorized": type(unauthorized).__name__,
}))
