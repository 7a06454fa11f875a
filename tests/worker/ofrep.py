"""Evaluates flags with OpenFeature's Python SDK and its OFREP provider, and prints the results.

Usage: ofrep.py <origin> <key>
"""

import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

origin, key = sys.argv[1:]


def create_client(key):
    provider = OFREPProvider(origin, headers_factory=lambda: {"Authorization": f"Bearer {key}"}, timeout=20.0)
    set_provider = getattr(api, "set_provider_and_wait", api.set_provider)
    set_provider(provider)
    return api.get_client()


def summarize(details):
    code = details.error_code
    return [details.value, details.reason, details.variant, code and code.value]


def boolean(feature, customer, default):
    return summarize(client.get_boolean_details(feature, default, EvaluationContext(customer, {"plan": "pro"})))


client = create_client(key)
results = {
    "true": boolean("export", "cus_ada", False),
    "false": boolean("export", "cus_bob", True),
    "encoded": boolean("two words", "cus_keys", False),
    "slash": boolean("a/b", "cus_keys", False),
    "not_found": boolean("fax", "cus_ada", True),
    "no_targeting_key": boolean("export", None, True),
    "no_context": summarize(client.get_boolean_details("export", True)),
    "invalid": boolean("export", "\n", True),
    "partial": boolean("sso", "cus_cy", True),
    "type": summarize(client.get_string_details("export", "none", EvaluationContext("cus_ada"))),
}
client = create_client("sk_test_other")
results["unauthorized"] = boolean("export", "cus_ada", False)
print(json.dumps(results))
