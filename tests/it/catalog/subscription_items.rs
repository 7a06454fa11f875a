//! Subscription items as resources of their own.
//!
//! Specification: <https://docs.stripe.com/api/subscription_items>.

use serde_json::{Value, json};

use super::{
    fixture::{DECLINED_CARD, FEBRUARY, Fixture, JANUARY, fixture},
    test_catalog::{event_types, members},
};

const PATH: &str = "/v1/subscription_items";

/// The items in the JSON of a subscription.
#[track_caller]
fn items(fixture: &Fixture, subscription: &str) -> Vec<Value> {
    fixture.retrieve(subscription)["items"]["data"].as_array().unwrap().clone()
}

#[track_caller]
fn item_ids(fixture: &Fixture, subscription: &str) -> Vec<String> {
    let items = items(fixture, subscription);
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// A subscription with three items, and the ids of these.
fn subscribe_to_three(fixture: &Fixture) -> (String, Vec<String>) {
    let [second, third] = [(); 2].map(|()| fixture.catalog.create_price(&fixture.product, "month"));
    let params = format!("&items[1][price]={second}&items[2][price]={third}");
    let subscription = fixture.subscribe(&params);
    let ids = item_ids(fixture, &subscription);
    (subscription, ids)
}

#[test]
fn the_url_of_the_items_of_a_subscription_lists_them() {
    let fixture = fixture();
    let (subscription, ids) = subscribe_to_three(&fixture);
    let list = fixture.retrieve(&subscription)["items"].clone();
    let url = list["url"].as_str().unwrap();
    let page = fixture.catalog.get(url).expect_ok();
    assert_eq!(
        members(&page, &["object", "data", "has_more"]),
        members(&list, &["object", "data", "has_more"])
    );
    assert_eq!(page["url"], json!(PATH));
    for (query, expected, has_more) in [
        ("limit=3", &ids[..], false),
        ("limit=2", &ids[..2], true),
        (&format!("limit=2&starting_after={}", ids[1]), &ids[2..], false),
        (&format!("limit=1&starting_after={}", ids[0]), &ids[1..2], true),
        (&format!("limit=1&ending_before={}", ids[2]), &ids[1..2], true),
        (&format!("ending_before={}", ids[0]), &[], false),
    ] {
        let page = fixture.catalog.get(&format!("{url}&{query}")).expect_ok();
        let found: Vec<_> = page["data"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
        assert_eq!(json!([found, page["has_more"]]), json!([expected, has_more]), "{query}");
    }
    let expanded = fixture.catalog.get(&format!("{url}&expand[]=data.price.product")).expect_ok();
    assert_eq!(expanded["data"][0]["price"]["product"]["id"], json!(fixture.product));
}

#[test]
fn a_list_names_an_existing_subscription_and_its_items() {
    let fixture = fixture();
    let (_, ids) = subscribe_to_three(&fixture);
    let other = fixture.subscribe("");
    let missing = format!("No such subscription item: '{}'", ids[0]);
    for (query, code, param, message) in [
        (
            String::new(),
            "parameter_missing",
            "subscription",
            "Missing required param: subscription.",
        ),
        (
            "subscription=sub_none".to_owned(),
            "resource_missing",
            "subscription",
            "No such subscription: 'sub_none'",
        ),
        (
            format!("subscription={other}&starting_after={}", ids[0]),
            "resource_missing",
            "starting_after",
            &missing,
        ),
        (
            format!("subscription={other}&price=x"),
            "parameter_unknown",
            "price",
            "Received unknown parameter: price",
        ),
    ] {
        let rejected = fixture.catalog.get(&format!("{PATH}?{query}"));
        assert_eq!(rejected.error(), (400, code, param, message), "{query}");
    }
}

#[test]
fn an_item_is_retrieved_until_it_is_removed_even_if_its_subscription_has_ended() {
    let fixture = fixture();
    let (subscription, ids) = subscribe_to_three(&fixture);
    let expected = items(&fixture, &subscription);
    for (id, item) in ids.iter().zip(&expected) {
        assert_eq!(fixture.catalog.get(&format!("{PATH}/{id}")).expect_ok(), *item);
        assert_eq!(
            members(item, &["object", "subscription"]),
            json!(["subscription_item", subscription])
        );
    }
    let deleted = fixture.catalog.delete(&format!("{PATH}/{}", ids[1])).expect_ok();
    assert_eq!(deleted, json!({ "id": ids[1], "object": "subscription_item", "deleted": true }));
    assert_eq!(item_ids(&fixture, &subscription), [&*ids[0], &*ids[2]]);
    let not_found = format!("No such subscription item: '{}'", ids[1]);
    let expected = (404, "resource_missing", "id", not_found.as_str());
    let path = format!("{PATH}/{}", ids[1]);
    for (method, form) in [("GET", ""), ("POST", "quantity=2"), ("DELETE", "")] {
        let response = fixture.catalog.request(method, &path, &[], form);
        assert_eq!(response.error(), expected, "{method}");
    }
    fixture.cancel(&subscription).expect_ok();
    assert_eq!(fixture.catalog.get(&format!("{PATH}/{}", ids[0])).status, 200);
    let message = "A canceled subscription can only update its cancellation_details and metadata.";
    let rejected = fixture.catalog.post(&format!("{PATH}/{}", ids[0]), "quantity=2");
    assert_eq!(rejected.error(), (400, "", "", message));
}

#[test]
fn a_created_item_grants_its_features_and_a_deleted_one_removes_them() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let subscription = fixture.subscribe("");
    let product = catalog.create_product(&[&catalog.create_feature("sso")]);
    let price = catalog.create_price(&product, "month");
    let before = catalog.list_events("").len();
    let form = format!("subscription={subscription}&price={price}&quantity=3&metadata[a]=1");
    let form = format!("{form}&proration_behavior=none&payment_behavior=error_if_incomplete");
    let created = catalog.post(PATH, &form).expect_ok();
    assert_eq!(items(&fixture, &subscription)[1], created);
    assert_eq!(members(&created, &["quantity", "metadata"]), json!([3, { "a": "1" }]));
    assert_eq!(created["price"]["id"], json!(price));
    assert_eq!(
        members(&created, &["current_period_start", "current_period_end"]),
        json!([JANUARY, FEBRUARY])
    );
    assert_eq!(fixture.entitled_keys(), ["sso", "sms"]);
    let path = format!("{PATH}/{}", created["id"].as_str().unwrap());
    catalog.delete(&format!("{path}?proration_behavior=none&clear_usage=true")).expect_ok();
    assert_eq!(fixture.entitled_keys(), ["sms"]);
    let summary = "entitlements.active_entitlement_summary.updated";
    let updated = "customer.subscription.updated";
    let types = [updated, summary, updated, summary];
    assert_eq!(event_types(&catalog.events_after(before)), types);
}

#[test]
fn an_update_changes_one_item_and_returns_it() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let (subscription, ids) = subscribe_to_three(&fixture);
    let product = catalog.create_product(&[&catalog.create_feature("sso")]);
    let price = catalog.create_price(&product, "month");
    let path = format!("{PATH}/{}", ids[1]);
    for (form, expected) in [
        ("quantity=5".to_owned(), json!([5, {}])),
        ("metadata[a]=1&off_session=true".to_owned(), json!([5, { "a": "1" }])),
        (format!("price={price}"), json!([5, { "a": "1" }])),
        (format!("plan={price}&metadata="), json!([5, {}])),
    ] {
        let updated = catalog.post(&path, &form).expect_ok();
        assert_eq!(members(&updated, &["quantity", "metadata"]), expected, "{form}");
        assert_eq!(updated["id"], json!(ids[1]));
        assert_eq!(items(&fixture, &subscription)[1], updated, "{form}");
    }
    assert_eq!(items(&fixture, &subscription)[1]["price"]["id"], json!(price));
    assert_eq!(item_ids(&fixture, &subscription), ids, "the others stay");
    assert_eq!(fixture.entitled_keys(), ["sso", "sms"]);
    for (form, code, param) in [
        ("price=price_none", "resource_missing", "price"),
        ("quantity=-1", "parameter_invalid_integer", "quantity"),
        ("id=si_1", "parameter_unknown", "id"),
        ("deleted=true", "parameter_unknown", "deleted"),
        (
            &format!("price={}&price_data[product]=x", fixture.price),
            "parameters_exclusive",
            "price_data",
        ),
    ] {
        let rejected = catalog.post(&path, form);
        let (status, error_code, name, _) = rejected.error();
        assert_eq!((status, error_code, name), (400, code, param), "{form}");
    }
}

#[test]
fn a_subscription_keeps_at_least_one_item_and_accepts_none_before_it_is_paid() {
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    let [only] = item_ids(&fixture, &subscription).try_into().unwrap();
    let message = "A subscription has at least one item. To end a subscription, cancel it.";
    let rejected = fixture.catalog.delete(&format!("{PATH}/{only}"));
    assert_eq!(rejected.error(), (400, "parameter_invalid", "items", message));
    assert_eq!(item_ids(&fixture, &subscription), [only]);

    let incomplete = fixture.subscribe(&format!("&default_payment_method={DECLINED_CARD}"));
    let price = fixture.catalog.create_price(&fixture.product, "month");
    let message = "The items of an incomplete subscription cannot be changed before it is paid.";
    let rejected = fixture.catalog.post(PATH, &format!("subscription={incomplete}&price={price}"));
    assert_eq!(rejected.error(), (400, "", "", message));
    let missing = fixture.catalog.post(PATH, &format!("subscription=sub_none&price={price}"));
    let expected = (400, "resource_missing", "subscription", "No such subscription: 'sub_none'");
    assert_eq!(missing.error(), expected);
    let missing = fixture.catalog.post(PATH, &format!("subscription={subscription}"));
    let expected = (400, "parameter_missing", "price", "Missing required param: price.");
    assert_eq!(missing.error(), expected);
}

#[test]
fn a_repeated_creation_with_the_same_key_creates_one_item() {
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    let price = fixture.catalog.create_price(&fixture.product, "month");
    let form = format!("subscription={subscription}&price={price}");
    let create = || {
        let headers = [("idempotency-key", "k")];
        fixture.catalog.request("POST", PATH, &headers, &form).expect_ok()
    };
    assert_eq!(create(), create());
    assert_eq!(item_ids(&fixture, &subscription).len(), 2);
}
