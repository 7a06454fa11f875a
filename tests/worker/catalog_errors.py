"""Sends invalid requests with Stripe's Python library and prints its exceptions.

Usage: catalog_errors.py <origin> <key>
"""

import json
import sys

import stripe

origin, key = sys.argv[1:]
client = stripe.StripeClient(key, base_addresses={"api": origin}, max_network_retries=0).v1
unauthorized = stripe.StripeClient("sk_test_wrong", base_addresses={"api": origin}).v1

features = client.entitlements.features
feature = features.create({"lookup_key": "py-errors", "name": "x"})
archived = features.create({"lookup_key": "py-archived", "name": "x"})
features.update(archived.id, {"active": False})
product = client.products.create({"name": "Python"})
client.products.features.create(product.id, {"entitlement_feature": feature.id})
price = client.prices.create({"product": product.id, "currency": "usd", "unit_amount": 1, "recurring": {"interval": "day"}})
customer = client.customers.create({})
client.customers.create({"name": "a"}, {"idempotency_key": "py-key"})

declined = {
    "customer": customer.id,
    "items": [{"price": price.id}],
    "default_payment_method": "pm_card_chargeDeclined",
    "payment_behavior": "error_if_incomplete",
}
# Their messages are entgate's, not Stripe's, and are not printed.
OWN_MESSAGES = {"duplicate", "archived", "attached twice", "wrong key"}
attempts = {
    "unknown in the path": lambda: client.customers.retrieve("cus_none"),
    "unknown in a parameter": lambda: client.prices.create({"product": "prod_none", "currency": "usd", "unit_amount": 1}),
    "missing": lambda: features.create({"lookup_key": "x"}),
    "unknown parameter": lambda: features.create({"lookup_key": "x", "name": "x", "colour": "red"}),
    "limit 0": lambda: client.customers.list({"limit": 0}),
    "duplicate": lambda: features.create({"lookup_key": "py-errors", "name": "x"}),
    "archived": lambda: features.update(archived.id, {"name": "y"}),
    "attached twice": lambda: client.products.features.create(product.id, {"entitlement_feature": feature.id}),
    "declined": lambda: client.subscriptions.create(declined),
    "wrong key": lambda: unauthorized.customers.list(),
    "same key, other parameters": lambda: client.customers.create({"name": "b"}, {"idempotency_key": "py-key"}),
}

exceptions = {}
for name, attempt in attempts.items():
    try:
        attempt()
        exceptions[name] = None
    except stripe.StripeError as error:
        message = None if name in OWN_MESSAGES else error.user_message
        exceptions[name] = [type(error).__name__, error.http_status, error.code, getattr(error, "param", None), message]
print(json.dumps(exceptions))
