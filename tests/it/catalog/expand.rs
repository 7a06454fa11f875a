//! The parameter `expand`: properties that contain an object instead of its id.
//!
//! Specification: <https://docs.stripe.com/api/expanding_objects>.

use serde_json::{Value, json};

use super::{
    fixture::{Fixture, fixture},
    test_catalog::TestCatalog,
};

#[track_caller]
fn expand(catalog: &TestCatalog, target: &str, path: &str) -> Value {
    let sign = if target.contains('?') { '&' } else { '?' };
    catalog.get(&format!("{target}{sign}expand[]={path}")).expect_ok()
}

#[track_caller]
fn assert_rejected(catalog: &TestCatalog, target: &str, path: &str, message: &str) {
    let rejected = catalog.get(&format!("{target}?expand[]={path}"));
    assert_eq!(rejected.error(), (400, "parameter_invalid", "expand", message), "{path}");
}

/// A fixture with a subscription, and the path of the subscription.
fn fixture_with_subscription() -> (Fixture, String) {
    let fixture = fixture();
    let subscription = fixture.subscribe("&metadata[customer]=cus_1");
    let path = format!("/v1/subscriptions/{subscription}");
    (fixture, path)
}

#[test]
fn a_path_expands_its_own_property_only() {
    let (fixture, subscription) = fixture_with_subscription();
    let catalog = &fixture.catalog;
    let form = format!("default_price={}", fixture.price);
    let product = format!("/v1/products/{}", fixture.product);
    catalog.post(&product, &form).expect_ok();
    let retrieve = |path: &str| catalog.get(path).expect_ok();
    let customer = retrieve(&format!("/v1/customers/{}", fixture.customer));
    let clock = retrieve(&format!("/v1/test_helpers/test_clocks/{}", fixture.clock));
    let feature = retrieve(&format!("/v1/entitlements/features/{}", fixture.feature));
    let price = retrieve(&format!("/v1/prices/{}", fixture.price));
    let list = format!("/v1/entitlements/active_entitlements?customer={}", fixture.customer);
    let entitlement = retrieve(&list)["data"][0]["id"].as_str().unwrap().to_owned();
    let subscriptions = format!("/v1/subscriptions?customer={}", fixture.customer);
    for (target, path, at, expected) in [
        (&subscription, "customer", "/customer", &customer),
        (&subscription, "test_clock", "/test_clock", &clock),
        (&subscription, "customer.test_clock", "/customer/test_clock", &clock),
        (
            &subscription,
            "items.data.price.product",
            "/items/data/0/price/product",
            &retrieve(&product),
        ),
        (
            &subscription,
            "items.data.plan.product",
            "/items/data/0/plan/product",
            &retrieve(&product),
        ),
        (
            &subscription,
            "items.data.price.product.default_price",
            "/items/data/0/price/product/default_price",
            &price,
        ),
        (&subscription, "latest_invoice", "/latest_invoice", &Value::Null),
        (&subscription, "latest_invoice.charge", "/latest_invoice", &Value::Null),
        (&subscriptions, "data.customer", "/data/0/customer", &customer),
        (&list, "data.feature", "/data/0/feature", &feature),
        (
            &format!("/v1/entitlements/active_entitlements/{entitlement}"),
            "feature",
            "/feature",
            &feature,
        ),
        (&product, "default_price", "/default_price", &price),
        (&product, "default_price.product", "/default_price/product", &{
            let mut nested = retrieve(&product);
            nested["default_price"] = json!(fixture.price);
            nested
        }),
    ] {
        let unexpanded = retrieve(target);
        let mut expanded = expand(catalog, target, path);
        assert_eq!(expanded.pointer(at), Some(expected), "{path}");
        // No other property differs.
        let name = at.split('/').nth(1).unwrap();
        expanded[name] = unexpanded[name].clone();
        assert_eq!(expanded, unexpanded, "{path}");
    }
}

#[test]
fn several_paths_are_all_expanded_and_one_may_extend_another() {
    let (fixture, subscription) = fixture_with_subscription();
    let query = "expand[]=customer.test_clock&expand[]=customer&expand[]=items.data.price.product";
    let expanded = fixture.catalog.get(&format!("{subscription}?{query}")).expect_ok();
    for (at, object) in [
        ("/customer/object", "customer"),
        ("/customer/test_clock/object", "test_helpers.test_clock"),
        ("/items/data/0/price/product/object", "product"),
    ] {
        assert_eq!(expanded.pointer(at), Some(&json!(object)));
    }
    let expand_times = |count: usize| {
        let paths: String = (0..count).map(|_| "expand[]=customer&").collect();
        fixture.catalog.get(&format!("{subscription}?{paths}"))
    };
    assert_eq!(expand_times(20).status, 200);
    let message = "You can expand at most 20 properties.";
    assert_eq!(expand_times(21).error(), (400, "parameter_invalid", "expand", message));
}

#[test]
fn a_path_to_an_unknown_property_or_into_metadata_is_rejected() {
    let (fixture, subscription) = fixture_with_subscription();
    for path in [
        "",
        ".",
        "nothing",
        "status",
        "id",
        "cancel_at_period_end",
        "data.customer",
        "customer.",
        "customer.nothing",
        "customer.livemode.domain",
        "items.data.id",
        "items.id",
        "latest",
        "latest_invoice_id",
        "default_payment_method.billing_details",
        "automatic_tax",
        "automatic_tax.liability",
        "invoice_settings",
        "trial_settings.end_behavior",
        "customer.invoice_settings",
        "customer.address",
        "customer.tax.location",
        "items.data.price.recurring",
        "items.data.price.currency_options.usd",
        "metadata",
        "metadata.customer",
        "customer.metadata",
        "items.data.price.metadata",
    ] {
        let message = format!("This property cannot be expanded ({path}).");
        assert_rejected(&fixture.catalog, &subscription, path, &message);
    }
}

#[test]
fn a_path_has_at_most_four_levels_and_data_does_not_count_as_one() {
    let (fixture, subscription) = fixture_with_subscription();
    let four = "items.data.price.product.default_price";
    let five = "items.data.price.product.default_price.product";
    assert_eq!(expand(&fixture.catalog, &subscription, four)["object"], json!("subscription"));
    let message = format!("You cannot expand more than 4 levels of a property ({five}).");
    assert_rejected(&fixture.catalog, &subscription, five, &message);
    let list = expand(&fixture.catalog, "/v1/subscriptions?status=all", &format!("data.{four}"));
    assert_eq!(list["object"], json!("list"));
}

/// The value of the expanded property, without which the response is as it is unexpanded.
#[track_caller]
fn expanded(catalog: &TestCatalog, target: &str, path: &str, at: &str) -> Value {
    expand(catalog, target, path).pointer(at).unwrap().clone()
}

#[test]
fn the_subscriptions_of_a_customer_are_expanded() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let canceled = fixture.subscribe("");
    fixture.cancel(&canceled).expect_ok();
    let ids: Vec<String> = (0..11).map(|_| fixture.subscribe("")).collect();
    let customer = format!("/v1/customers/{}", fixture.customer);
    assert_eq!(catalog.get(&customer).expect_ok().get("subscriptions"), None);
    let list = expanded(catalog, &customer, "subscriptions", "/subscriptions");
    let url = format!("{customer}/subscriptions");
    assert_eq!((&list["object"], &list["has_more"]), (&json!("list"), &json!(true)));
    assert_eq!(list["url"], json!(url));
    let newest: Vec<&String> = ids.iter().rev().take(10).collect();
    let data = list["data"].as_array().unwrap();
    assert_eq!(data.iter().map(|it| &it["id"]).collect::<Vec<_>>(), newest);
    assert_eq!(data[0], fixture.retrieve(&ids[10]));
    let page = format!("{url}?starting_after={}", newest[9]);
    assert_eq!(catalog.list_ids(&page), [ids[0].as_str()], "the list continues at its url");

    let product = catalog.get(&format!("/v1/products/{}", fixture.product)).expect_ok();
    for (path, at, value) in [
        ("subscriptions.data.items.data", "/subscriptions/data/0/items", &data[0]["items"]),
        (
            "subscriptions.data.items.data.price.product",
            "/subscriptions/data/0/items/data/0/price/product",
            &product,
        ),
    ] {
        assert_eq!(&expanded(catalog, &customer, path, at), value, "{path}");
    }
    let clock = format!("/v1/customers?test_clock={}", fixture.clock);
    let listed = expanded(catalog, &clock, "data.subscriptions", "/data/0/subscriptions");
    assert_eq!(listed["data"].as_array().unwrap().len(), 10);
    let created = catalog.post("/v1/customers", "expand[]=subscriptions").expect_ok();
    assert_eq!(created["subscriptions"]["data"], json!([]));
    let updated = catalog.post(&customer, "name=Ada&expand[]=subscriptions").expect_ok();
    assert_eq!(updated["subscriptions"], list);
}

#[test]
fn what_the_catalog_does_not_have_is_expanded_to_null_or_to_nothing() {
    let (fixture, subscription) = fixture_with_subscription();
    let catalog = &fixture.catalog;
    let customer = format!("/v1/customers/{}", fixture.customer);
    let price = format!("/v1/prices/{}", fixture.price);
    let product = format!("/v1/products/{}", fixture.product);
    catalog.post(&product, "tax_code=txcd_1").expect_ok();
    let tax = json!({
        "automatic_tax": "unrecognized_location", "ip_address": null, "location": null,
        "provider": "stripe",
    });
    let list = |name: &str| {
        let url = format!("{customer}/{name}");
        json!({ "object": "list", "data": [], "has_more": false, "url": url })
    };
    let usd = json!({
        "usd": {
            "custom_unit_amount": null, "tax_behavior": "unspecified", "unit_amount": 500,
            "unit_amount_decimal": "500",
        },
    });
    let null = Value::Null;
    for (target, path, at, value) in [
        (&customer, "sources", "/sources", list("sources")),
        (&customer, "sources.data.customer", "/sources", list("sources")),
        (&customer, "tax_ids", "/tax_ids", list("tax_ids")),
        (&customer, "tax_ids.data.customer", "/tax_ids", list("tax_ids")),
        (&customer, "tax", "/tax", tax),
        (&customer, "cash_balance", "/cash_balance", null.clone()),
        (&customer, "invoice_credit_balance", "/invoice_credit_balance", json!({})),
        (&customer, "default_source", "/default_source", null.clone()),
        (&customer, "discount.source.coupon", "/discount", null.clone()),
        (
            &customer,
            "invoice_settings.default_payment_method",
            "/invoice_settings/default_payment_method",
            null.clone(),
        ),
        (&price, "tiers", "/tiers", null.clone()),
        (&price, "currency_options", "/currency_options", usd.clone()),
        (&price, "currency_options.tiers", "/currency_options", usd),
        (&product, "tax_code", "/tax_code", json!("txcd_1")),
        (&subscription, "discounts", "/discounts", json!([])),
        (&subscription, "discounts.source.coupon", "/discounts", json!([])),
        (&subscription, "latest_invoice.payment_intent", "/latest_invoice", null.clone()),
        (&subscription, "latest_invoice.confirmation_secret", "/latest_invoice", null.clone()),
        (&subscription, "latest_invoice.lines.data.price", "/latest_invoice", null.clone()),
        (&subscription, "pending_setup_intent", "/pending_setup_intent", null.clone()),
        (&subscription, "default_payment_method", "/default_payment_method", null.clone()),
        (&subscription, "default_source", "/default_source", null.clone()),
        (&subscription, "schedule.phases", "/schedule", null.clone()),
        (&subscription, "on_behalf_of", "/on_behalf_of", null.clone()),
        (&subscription, "application", "/application", null.clone()),
        (&subscription, "transfer_data.destination", "/transfer_data", null.clone()),
        (
            &subscription,
            "automatic_tax.liability.account",
            "/automatic_tax/liability",
            null.clone(),
        ),
        (
            &subscription,
            "invoice_settings.account_tax_ids",
            "/invoice_settings/account_tax_ids",
            null.clone(),
        ),
        (&subscription, "billing_schedules.applies_to.price", "/billing_schedules", json!([])),
        (&subscription, "pending_update.discounts", "/pending_update", null.clone()),
        (&subscription, "items.data.discounts", "/items/data/0/discounts", json!([])),
        (&subscription, "items.data.price.tiers", "/items/data/0/price/tiers", null.clone()),
        (&subscription, "items.data.plan.tiers", "/items/data/0/plan/tiers", null.clone()),
        (&subscription, "customer.tax", "/customer/tax/location", null),
    ] {
        assert_eq!(expanded(catalog, target, path, at), value, "{path}");
        let sent = format!("metadata[a]=1&expand[]={path}");
        assert_eq!(catalog.post(target, &sent).status, 200, "an update may expand {path}");
    }
    for name in ["sources", "tax_ids", "subscriptions"] {
        let path = format!("{customer}/{name}");
        assert_eq!(catalog.get(&path).expect_ok()["url"], json!(path));
        let unknown = catalog.get(&format!("/v1/customers/cus_none/{name}"));
        let message = "No such customer: 'cus_none'";
        assert_eq!(unknown.error(), (404, "resource_missing", "id", message));
    }
}

#[test]
fn a_deleted_customer_has_nothing_to_expand() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let customer = format!("/v1/customers/{}", fixture.customer);
    let deleted = catalog.delete(&customer).expect_ok();
    for path in
        ["default_source", "subscriptions", "test_clock", "tax_ids.data.customer", "discount"]
    {
        assert_eq!(expand(catalog, &customer, path), deleted, "{path}");
    }
    let message = "This property cannot be expanded (nothing).";
    assert_rejected(catalog, &customer, "nothing", message);
}

#[test]
fn a_request_with_an_invalid_expand_path_changes_nothing() {
    let fixture = fixture();
    let rejected = fixture.catalog.post("/v1/products", "id=lamp&name=Lamp&expand[]=nothing");
    assert_eq!(rejected.status, 400);
    assert_eq!(fixture.catalog.get("/v1/products/lamp").status, 404);
    let form = "id=lamp&name=Lamp&default_price_data[currency]=usd&default_price_data[unit_amount]=500&expand[]=default_price";
    let created = fixture.catalog.post("/v1/products", form).expect_ok();
    assert_eq!(created["default_price"]["object"], json!("price"));
}

#[test]
fn a_deleted_object_is_expanded_as_deleted() {
    let (fixture, subscription) = fixture_with_subscription();
    fixture.catalog.delete(&format!("/v1/test_helpers/test_clocks/{}", fixture.clock)).expect_ok();
    fixture.catalog.run_due();
    let expanded = expand(&fixture.catalog, &subscription, "customer");
    let deleted = json!({ "id": fixture.customer, "object": "customer", "deleted": true });
    assert_eq!(expanded["customer"], deleted);
    let expanded = expand(&fixture.catalog, &subscription, "test_clock");
    assert_eq!(expanded["test_clock"]["id"], json!(fixture.clock));
    assert_eq!(expanded["test_clock"]["deleted"], json!(true));
}
