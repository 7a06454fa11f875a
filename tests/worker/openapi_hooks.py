"""Hooks of schemathesis for openapi.test.mjs.

Generated ids do not exist. So every second request of an operation uses the ids of existing objects, and every second
event is signed. At the end the hooks write how often each operation had each status, so that the test can assert that
each operation succeeded.
"""

import atexit
import collections
import hashlib
import hmac
import json
import os
import re
import time

import requests
import schemathesis
from schemathesis.specs.openapi import converter
from schemathesis.specs.openapi.coverage import _operation

# The ids of existing objects by kind. Those in `spare` are deleted, once each.
EXISTING = json.loads(os.environ["ENTGATE_EXISTING"])
SECRET = os.environ["ENTGATE_SECRET"]

FORM = "application/x-www-form-urlencoded"

# The start of test clocks: test-catalog.mjs.
JANUARY = 1_800_000_000

# The kind of object that the id in a path names, by the prefix of the path.
KINDS_BY_PATH = {
    "/v1/customer/": "customer",
    "/v1/customers/{customer}/overrides/": "override",
    "/v1/customers/{customer}/payment_methods/": "payment_method",
    "/v1/customers/": "customer",
    "/v1/accounts/": "account",
    "/v1/entitlements/features/": "feature",
    "/v1/entitlements/active_entitlements/": "entitlement",
    "/v1/events/": "event",
    "/v1/payment_methods/": "payment_method",
    "/v1/plans/": "price",
    "/v1/prices/": "price",
    "/v1/products/{product}/features/": "product_feature",
    "/v1/products/": "product",
    "/v1/subscription_items/": "item",
    "/v1/subscriptions/": "subscription",
    "/v1/test_helpers/test_clocks/": "clock",
    "/v1/webhook_endpoints/": "endpoint",
}

# The kind of object that a parameter names.
KINDS_BY_PARAMETER = {
    "customer": "customer",
    "product": "product",
    "price": "price",
    "subscription": "subscription",
    "default_price": "price",
    "entitlement_feature": "unattached",
    "test_clock": "clock",
    "webhook_endpoint": "endpoint",
}

# schemathesis also writes `maxLength` into the pattern, as a quantifier, in both phases. For each schema that contains
# `[^…]{1,20000}` its automata take 0.3 s: a quarter of a run. Without that the length is still a keyword of the schema, so the
# generated values have it.
for module in (converter, _operation):
    assert module.update_quantifier("^a*$", 1, 9) == "^a{1,9}$"
    module.update_quantifier = lambda pattern, min_length, max_length: pattern

# requests looks for proxies in the environment before each request. For a server on this machine there is none.
requests.sessions.get_environ_proxies = lambda url, no_proxy=None: {}

calls = collections.Counter()
statuses = collections.defaultdict(collections.Counter)


def operation_id(operation):
    return operation.definition.raw["operationId"]


def existing_id(kind, deletes):
    if not deletes:
        return EXISTING.get(kind)
    spare = EXISTING.get("spare", {}).get(kind)
    return spare[-1] if spare else None


def kind_of_path(operation):
    if operation.path == "/v1/subscriptions/{id}/resume":
        return "paused_subscription"
    start = operation.path[: operation.path.index("{id}")]
    return next(kind for prefix, kind in KINDS_BY_PATH.items() if start == prefix)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Removes forms with nested parameters, which schemathesis encodes as no client does. The JSON body stays."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {})
            if set(content.get(FORM, {}).get("encoding", {})) - {"expand"}:
                del content[FORM]


@schemathesis.hook
def before_call(context, case, kwargs):
    name = operation_id(case.operation)
    calls[name] += 1
    # A key that was used for another request is a 400.
    if case.headers.get("Idempotency-Key"):
        case.headers["Idempotency-Key"] = f"{name}-{calls[name]}-{case.headers['Idempotency-Key']}"
    # The document describes the objects of the latest version.
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}(\..*)?", str(case.headers.get("Stripe-Version", ""))):
        del case.headers["Stripe-Version"]
    if isinstance(case.query, dict) and "wait" in case.query:
        case.query["wait"] = 0
    if isinstance(case.body, dict) and "wait" in case.body:
        case.body["wait"] = 0
    if calls[name] % 2:
        use_existing_ids(case)
        if name == "receiveEvent":
            sign(case)


def use_existing_ids(case):
    if "id" in case.path_parameters:
        existing = existing_id(kind_of_path(case.operation), case.operation.method == "delete")
        case.path_parameters["id"] = existing or case.path_parameters["id"]
    for kind in {"customer", "product"} & case.path_parameters.keys():
        case.path_parameters[kind] = EXISTING.get(kind, case.path_parameters[kind])
    for members in (case.query, case.body):
        if isinstance(members, dict):
            # Generated values of these are errors, and would prevent tests of the other parameters.
            for name in [name for name in members if name.startswith(("expand", "starting_after", "ending_before"))]:
                del members[name]
            for name, kind in KINDS_BY_PARAMETER.items():
                if name in members and kind in EXISTING:
                    members[name] = EXISTING[kind]
    # No customer has the generated features.
    if operation_id(case.operation) == "authorize" and isinstance(case.query, dict):
        case.query["feature"] = ["sms"]
        if "Entgate-Customer" in case.headers:
            case.headers["Entgate-Customer"] = EXISTING["customer"]
    # Nearly every generated time is in the future, or before the history.
    if operation_id(case.operation) == "explain" and isinstance(case.query, dict):
        case.query.pop("at", None)
    # The document cannot express the query language.
    if operation_id(case.operation).startswith("search") and isinstance(case.query, dict):
        case.query["query"] = "created>0"
        case.query.pop("page", None)
    if isinstance(case.query, dict):
        # A timestamp and its bounds exclude each other.
        for name in [name for name in case.query if name.split("[")[0] in case.query and "[" in name]:
            del case.query[name]
    if isinstance(case.body, dict):
        make_acceptable(case.body, operation_id(case.operation))


def make_acceptable(body, name):
    """Changes a body so that it meets the rules that the document cannot express."""
    # An id must be new.
    if name.startswith("create") and isinstance(body.get("id"), str):
        body["id"] = f"{name}-{calls[name]}"
    if isinstance(body.get("product_data"), dict):
        body["product_data"].pop("id", None)
    if body.get("collection_method") == "send_invoice":
        body.setdefault("days_until_due", 30)
    # An end excludes the other one, and nearly every generated time is not after the start. Other requests update the override too.
    if name in ("createOverride", "updateOverride"):
        for time_param in {"starts_at", "expires_at"} & body.keys():
            del body[time_param]
    # Other requests subscribe to the price, so it and its product must stay active.
    if name in ("updatePrice", "updateProduct"):
        body.pop("active", None)
    # Other requests retrieve the payment method of the subscription.
    if name == "updateSubscription":
        body.pop("default_payment_method", None)
        body.pop("default_source", None)
    # A subscription has each price once.
    if name == "createSubscriptionItem" and "other_price" in EXISTING:
        body.pop("plan", None)
        body.pop("price_data", None)
        body |= {"subscription": EXISTING["other_subscription"], "price": EXISTING["other_price"]}
    if name == "advanceTestClock" and "frozen_time" in body:
        body["frozen_time"] = JANUARY + 3_600 * calls[name]
    # Only some: each change of a customer reads all of the customer's subscriptions.
    if name == "createSubscription" and calls[name] % 32 == 1 and "price" in EXISTING:
        body["items"] = [{"price": EXISTING["price"]}]
        body.pop("billing_cycle_anchor", None)
        for time_param in {"cancel_at", "trial_end"} & body.keys():
            body[time_param] = JANUARY + 300 * 86_400


def sign(case):
    if isinstance(case.body, schemathesis.core.NotSet):
        return
    body = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
    now = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), now.encode() + b"." + body, hashlib.sha256).hexdigest()
    case.body = body
    case.headers["Stripe-Signature"] = f"t={now},v1={digest}"


@schemathesis.hook
def after_call(context, case, response):
    operation = case.operation
    # schemathesis also sends other methods, which return 405.
    if response.request.method.lower() == operation.method:
        statuses[operation_id(operation)][response.status_code] += 1
    if operation.method == "delete" and response.status_code == 200:
        spare = EXISTING.get("spare", {}).get(kind_of_path(operation), [])
        if case.path_parameters["id"] in spare:
            spare.remove(case.path_parameters["id"])


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Accepts a 503 for a version that the customer has not reached."""
    if failure.code != "ST101" or response.status_code != 503:
        return True
    return response.json()["error"].get("code") != "version_not_reached"


@atexit.register
def write_statuses():
    with open(os.environ["ENTGATE_STATUSES"], "w") as file:
        json.dump(statuses, file)
