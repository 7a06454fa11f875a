"""What schemathesis is told beside the document, for openapi.test.mjs.

Made-up ids name nothing: so in every other request what is there stands in their place, and every other event is signed.
At the end the answers are counted, so that the test knows that each operation was seen to work.
"""

import atexit
import collections
import hashlib
import hmac
import json
import os
import time

import schemathesis

# What is there: ids by kind. What is in `spare` is deleted, once each.
KNOWN = json.loads(os.environ["ENTGATE_KNOWN"])
SECRET = os.environ["ENTGATE_SECRET"]

FORM = "application/x-www-form-urlencoded"

# What test clocks begin at: test-catalog.mjs.
JANUARY = 1_800_000_000

# The kind of thing that an id in a path names, by what stands before it.
PATHS = {
    "/v1/customer/": "customer",
    "/v1/customers/": "customer",
    "/v1/entitlements/features/": "feature",
    "/v1/entitlements/active_entitlements/": "entitlement",
    "/v1/events/": "event",
    "/v1/prices/": "price",
    "/v1/products/{product}/features/": "product_feature",
    "/v1/products/": "product",
    "/v1/subscriptions/": "subscription",
    "/v1/test_helpers/test_clocks/": "clock",
    "/v1/webhook_endpoints/": "endpoint",
}

# The kind of thing that a parameter names.
PARAMETERS = {
    "customer": "customer",
    "product": "product",
    "price": "price",
    "default_price": "price",
    "entitlement_feature": "unattached",
    "test_clock": "clock",
    "webhook_endpoint": "endpoint",
}

calls = collections.Counter()
answers = collections.defaultdict(collections.Counter)


def operation_id(operation):
    return operation.definition.raw["operationId"]


def known(kind, deletes):
    if not deletes:
        return KNOWN.get(kind)
    spare = KNOWN.get("spare", {}).get(kind)
    return spare[-1] if spare else None


def kind_of_path(operation):
    start = operation.path[: operation.path.index("{id}")]
    return next(kind for prefix, kind in PATHS.items() if start == prefix)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Leaves out forms with parts in parts, which schemathesis writes as no client does; JSON says the same."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {})
            if set(content.get(FORM, {}).get("encoding", {})) - {"expand"}:
                del content[FORM]


@schemathesis.hook
def before_call(context, case, kwargs):
    name = operation_id(case.operation)
    calls[name] += 1
    # A key that was used for another request is a 400, whatever the request is.
    if case.headers.get("Idempotency-Key"):
        case.headers["Idempotency-Key"] = f"{name}-{calls[name]}-{case.headers['Idempotency-Key']}"
    if isinstance(case.query, dict) and "wait" in case.query:
        case.query["wait"] = 0
    if isinstance(case.body, dict) and "wait" in case.body:
        case.body["wait"] = 0
    if calls[name] % 2:
        name_what_is_there(case)
        if name == "receiveEvent":
            sign(case)


def name_what_is_there(case):
    if "id" in case.path_parameters:
        named = known(kind_of_path(case.operation), case.operation.method == "delete")
        case.path_parameters["id"] = named or case.path_parameters["id"]
    if "product" in case.path_parameters:
        case.path_parameters["product"] = KNOWN.get("product", case.path_parameters["product"])
    for members in (case.query, case.body):
        if isinstance(members, dict):
            # What is made up cannot be expanded or paged from, and all else would not be looked at.
            for name in [name for name in members if name.startswith(("expand", "starting_after", "ending_before"))]:
                del members[name]
            for name, kind in PARAMETERS.items():
                if name in members and kind in KNOWN:
                    members[name] = KNOWN[kind]
    # Of features that are made up nobody has all.
    if operation_id(case.operation) == "authorize" and isinstance(case.query, dict):
        case.query["feature"] = ["sms"]
        if "Entgate-Customer" in case.headers:
            case.headers["Entgate-Customer"] = KNOWN["customer"]
    if isinstance(case.query, dict):
        # A moment, or bounds of it.
        for name in [name for name in case.query if name.split("[")[0] in case.query and "[" in name]:
            del case.query[name]
    if isinstance(case.body, dict):
        fit(case.body, operation_id(case.operation))


def fit(body, name):
    """Makes a body one that may be done, as far as the document cannot say what may."""
    # An id can be given to one thing only.
    if name.startswith("create") and isinstance(body.get("id"), str):
        body["id"] = f"{name}-{calls[name]}"
    if isinstance(body.get("product_data"), dict):
        body["product_data"].pop("id", None)
    # What is not sold any more cannot be bought.
    if name == "updatePrice":
        body.pop("active", None)
    if name == "advanceTestClock" and "frozen_time" in body:
        body["frozen_time"] = JANUARY + 3_600 * calls[name]
    # Not all of them: each change of a customer looks at all that they have.
    if name == "createSubscription" and calls[name] % 32 == 1 and "price" in KNOWN:
        body["items"] = [{"price": KNOWN["price"]}]
        body.pop("billing_cycle_anchor", None)
        for moment in {"cancel_at", "trial_end"} & body.keys():
            body[moment] = JANUARY + 300 * 86_400


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
    # Other methods are tried too, and answered 405.
    if response.request.method.lower() == operation.method:
        answers[operation_id(operation)][response.status_code] += 1
    if operation.method == "delete" and response.status_code == 200:
        spare = KNOWN["spare"][kind_of_path(operation)]
        if case.path_parameters["id"] in spare:
            spare.remove(case.path_parameters["id"])


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Not known is not a fault: a version that nobody has is not there."""
    if failure.code != "ST101" or response.status_code != 503:
        return True
    return response.json()["error"].get("code") != "version_not_reached"


@atexit.register
def tell():
    with open(os.environ["ENTGATE_ANSWERS"], "w") as file:
        json.dump(answers, file)
