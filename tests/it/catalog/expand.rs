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
        "items.data",
        "items.data.id",
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

#[test]
fn a_request_with_an_invalid_expand_path_changes_nothing() {
    let fixture = fixture();
    let rejected = fixture.catalog.post("/v1/products", "id=lamp&name=Lamp&expand[]=nothing");
    assert_eq!(rejected.status, 400);
    assert_eq!(fixture.catalog.get("/v1/products/lamp").status, 404);
    let form = "id=lamp&name=Lamp&default_price_data[currency]=usd&expand[]=default_price";
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
