"""Asks for flags with OpenFeature's Python SDK and its OFREP provider, and prints what it was told.

Usage: ofrep.py <origin> <key>
"""

import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

origin, key = sys.argv[1:]


def client(key):
    provider = OFREPProvider(origin, headers_factory=lambda: {"Authorization": f"Bearer {key}"}, timeout=20.0)
    api.set_provider_and_wait(provider) if hasattr(api, "set_provider_and_wait") else api.set_provider(provider)
    return api.get_client()


def told(details):
    code = details.error_code
    return [details.value, details.reason, details.variant, code and code.value]


def boolean(feature, customer, default):
    return told(ours.get_boolean_details(feature, default, EvaluationContext(customer, {"plan": "pro"})))


ours = client(key)
answers = {
    "true": boolean("export", "cus_ada", False),
    "false": boolean("export", "cus_bob", True),
    "encoded": boolean("two words", "cus_keys", False),
    "slash": boolean("a/b", "cus_keys", False),
    "not_found": boolean("fax", "cus_ada", True),
    "nobody": boolean("export", None, True),
    "no_context": told(ours.get_boolean_details("export", True)),
    "invalid": boolean("export", "\n", True),
    "not_known": boolean("sso", "cus_cy", True),
    "type": told(ours.get_string_details("export", "none", EvaluationContext("cus_ada"))),
}
ours = client("sk_test_other")
answers["stranger"] = boolean("export", "cus_ada", False)
print(json.dumps(answers))
