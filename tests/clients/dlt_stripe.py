"""Loads Stripe's objects to DuckDB with dlt's REST API source.

dlt's own source of Stripe, `stripe_analytics`, is a template on GitHub and in no package. This configuration asks for the same lists
with the same parameters: its API version, pages of 100, subscriptions of every status, and events since the last run, at first since -1.

Usage: dlt_stripe.py <origin> <key> <folder>
Prints the rows of each table that the run loaded or found, and the names of the packages that were loaded.
"""

import json
import sys

import dlt
from dlt.sources.rest_api import rest_api_source

origin, key, folder = sys.argv[1:]


def resource(path, **params):
    return {"name": path.rsplit("/", 1)[-1], "endpoint": {"path": path, "params": {"limit": 100, **params}}}


source = rest_api_source(
    {
        "client": {
            "base_url": f"{origin}/v1/",
            "auth": {"type": "bearer", "token": key},
            "headers": {"Stripe-Version": "2022-11-15"},
            "paginator": {"type": "cursor", "cursor_path": "data[-1].id", "cursor_param": "starting_after"},
        },
        "resource_defaults": {
            "primary_key": "id",
            "write_disposition": "replace",
            "endpoint": {"data_selector": "data"},
        },
        "resources": [
            resource("products"),
            resource("prices"),
            resource("plans"),
            resource("customers"),
            resource("subscriptions", status="all"),
            resource("entitlements/features"),
            {
                "name": "active_entitlements",
                "include_from_parent": ["id"],
                "endpoint": {
                    "path": "entitlements/active_entitlements",
                    "params": {"limit": 100, "customer": "{resources.customers.id}"},
                },
            },
            {
                "name": "events",
                "write_disposition": "append",
                "endpoint": {
                    "path": "events",
                    "params": {"limit": 100},
                    "incremental": {"cursor_path": "created", "initial_value": -1, "start_param": "created[gte]"},
                },
            },
        ],
    },
    name="stripe",
)
pipeline = dlt.pipeline("stripe", pipelines_dir=folder, destination=dlt.destinations.duckdb(f"{folder}/mirror.duckdb"), dataset_name="stripe")
info = pipeline.run(source)
info.raise_on_failed_jobs()


def rows(sql):
    with pipeline.sql_client() as client:
        return [list(row) for row in client.execute_sql(sql)]


print(
    json.dumps(
        {
            "loaded": pipeline.last_trace.last_normalize_info.row_counts,
            "products": rows("select id, name, active from products"),
            "prices": rows("select id, unit_amount, recurring__interval, product from prices"),
            "plans": rows('select id, amount, "interval" from plans'),
            "customers": rows("select id, name, address__country from customers"),
            "subscriptions": rows("select id, status, customer, current_period_end from subscriptions"),
            "items": rows("select id, price__id, quantity from subscriptions__items__data"),
            "features": rows("select id, lookup_key from features"),
            "active_entitlements": rows("select id, lookup_key, _customers_id from active_entitlements"),
            "events": rows("select id, type from events"),
        }
    )
)
