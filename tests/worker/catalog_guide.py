"""Follows the guide of Stripe's Entitlements page with Stripe's Python library, and prints the results of each step.

Usage: catalog_guide.py <origin> <key>
"""

import json
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

origin, key = sys.argv[1:]
client = stripe.StripeClient(key, base_addresses={"api": origin}).v1
# The list in an event requests its `url` with these.
stripe.api_key, stripe.api_base = key, origin

SUMMARY = "entitlements.active_entitlement_summary.updated"
JANUARY, FEBRUARY = 1_800_000_000, 1_800_000_000 + 31 * 86_400
received = queue.Queue()


class WebhookReceiver(BaseHTTPRequestHandler):
    def do_POST(self):
        payload = self.rfile.read(int(self.headers["content-length"]))
        received.put((payload, self.headers["stripe-signature"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), WebhookReceiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = client.webhook_endpoints.create({
    "url": f"http://127.0.0.1:{server.server_port}/hook",
    "enabled_events": [SUMMARY],
})


def keys(entitlements):
    return sorted(entitlement.lookup_key for entitlement in entitlements)


def entitlement_keys(customer):
    listed = client.entitlements.active_entitlements.list({"customer": customer.id, "limit": 10})
    return keys(listed.auto_paging_iter())


def summaries(customer):
    """The ids of a customer's summary events, oldest first."""
    events = client.events.list({"type": SUMMARY, "limit": 100}).auto_paging_iter()
    return [event.id for event in events if event.data.object["customer"] == customer.id][::-1]


def receive(ids):
    """The events with these ids, received by the webhook and verified."""
    events = {}
    while not set(ids) <= set(events):
        event = stripe.Webhook.construct_event(*received.get(timeout=10), endpoint.secret)
        events[event.id] = event
    return [events[each] for each in ids]


def feature(lookup_key):
    return client.entitlements.features.create({"name": lookup_key, "lookup_key": lookup_key})


def product(name, features):
    created = client.products.create({"name": name})
    attached = [client.products.features.create(created.id, {"entitlement_feature": each.id}) for each in features]
    price = client.prices.create({
        "product": created.id, "currency": "usd", "unit_amount": 1000, "recurring": {"interval": "month"},
    })
    return created, attached, price


def advance(clock, frozen_time):
    client.test_helpers.test_clocks.advance(clock.id, {"frozen_time": frozen_time})
    for _ in range(400):
        if client.test_helpers.test_clocks.retrieve(clock.id).status == "ready":
            return
        time.sleep(0.025)
    raise TimeoutError("the clock is still advancing")


api, support, premium = feature("py-api"), feature("py-support"), feature("py-premium")
basic, attached, low = product("Basic", [api, support])
_, _, high = product("Pro", [api, premium])
features = keys(each.entitlement_feature for each in client.products.features.list(basic.id).auto_paging_iter())

clock = client.test_helpers.test_clocks.create({"frozen_time": JANUARY})
customer = client.customers.create({"email": "ada@example.com", "test_clock": clock.id})
steps, known = [], []


def step(name):
    """Records the customer's entitlements now, and the changes since the last step."""
    now = summaries(customer)
    events = receive(now[len(known):])
    known[:] = now
    changes = [
        (keys(event.data.previous_attributes["entitlements"]["data"]), keys(event.data.object.entitlements.data))
        for event in events
    ]
    steps.append((name, entitlement_keys(customer), changes))


subscription = client.subscriptions.create({"customer": customer.id, "items": [{"price": low.id}]})
step("subscribe")
item = subscription["items"].data[0].id
client.subscriptions.update(subscription.id, {"items": [{"id": item, "price": high.id}]})
step("upgrade")
client.subscriptions.update(subscription.id, {"items": [{"id": item, "price": low.id}]})
step("downgrade")
client.products.features.delete(basic.id, attached[0].id)
step("detach")
advance(clock, FEBRUARY)
step("renew")
client.subscriptions.cancel(subscription.id)
step("cancel")

_, _, everything = product("Everything", [feature(f"py-{number:02}") for number in range(25)])
rich = client.customers.create({})
client.subscriptions.create({"customer": rich.id, "items": [{"price": everything.id}]})
[event] = receive(summaries(rich))
page = event.data.object.entitlements

print(json.dumps({
    "features": features,
    "steps": steps,
    "many": {
        "in_event": len(page.data),
        "has_more": page.has_more,
        "paged": sorted(each.lookup_key for each in page.auto_paging_iter()),
        "listed": entitlement_keys(rich),
    },
}))
