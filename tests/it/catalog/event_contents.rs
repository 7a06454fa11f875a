//! The contents of events: the object, the previous attributes and the request.
//!
//! Specification: <https://docs.stripe.com/api/events/object>.

use entgate::id::{Livemode, Timestamp};
use serde_json::{Value, json};

use super::{
    fixture::{FEBRUARY, fixture},
    test_catalog::{TestCatalog, members},
};
use crate::support::NOW;

const PATH: &str = "/v1/events";
const SUMMARY: &str = "entitlements.active_entitlement_summary.updated";
const CREATED: &str = "customer.subscription.created";
const UPDATED: &str = "customer.subscription.updated";
const DELETED: &str = "customer.subscription.deleted";

#[test]
fn previous_attributes_contain_exactly_the_members_that_changed() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let subscription = fixture.subscribe("&metadata[a]=1&metadata[b]=2");
    let customer = format!("/v1/customers/{}", fixture.customer);
    let previous = || {
        let last = catalog.get(&format!("{PATH}?limit=1")).expect_ok();
        last["data"][0]["data"]["previous_attributes"].clone()
    };
    for (form, before) in [
        ("name=Ada&email=ada@example.com", json!({ "name": null, "email": null })),
        ("name=Eve&email=ada@example.com", json!({ "name": "Ada" })),
        ("metadata[a]=1&metadata[b]=2", json!({ "metadata": { "a": null, "b": null } })),
        ("metadata[a]=&metadata[b]=3", json!({ "metadata": { "a": "1", "b": "2" } })),
        ("address[city]=Ulm&address[line1]=Hof", json!({ "address": null })),
        ("address[city]=Bonn&address[line1]=Hof", json!({ "address": { "city": "Ulm" } })),
        (
            "invoice_settings[default_payment_method]=pm_card_visa",
            json!({ "invoice_settings": { "default_payment_method": null } }),
        ),
        ("email=", json!({ "email": "ada@example.com" })),
    ] {
        catalog.post(&customer, form).expect_ok();
        assert_eq!(previous(), before, "{form}");
    }
    let items = fixture.retrieve(&subscription)["items"]["data"].clone();
    fixture.update(&subscription, "cancel_at_period_end=true").expect_ok();
    let expected = json!({
        "cancel_at": null,
        "cancel_at_period_end": false,
        "canceled_at": null,
        "cancellation_details": { "reason": null },
    });
    assert_eq!(previous(), expected);
    fixture.update(&subscription, "cancel_at=").expect_ok();
    fixture.advance(FEBRUARY);
    let renewed = &catalog.list_events("type=customer.subscription.updated")[0]["data"];
    assert_eq!(renewed["previous_attributes"], json!({ "items": { "data": items } }));
    catalog.delete(&format!("/v1/subscriptions/{subscription}")).expect_ok();
    let entitlements = &catalog.list_events(&format!("type={SUMMARY}"))[0]["data"];
    let before = &entitlements["previous_attributes"]["entitlements"]["data"][0]["lookup_key"];
    assert_eq!(before, &json!("sms"));
    for event in catalog.list_events("") {
        let event_type = event["type"].as_str().unwrap();
        let has_previous = event["data"].get("previous_attributes").is_some();
        assert_eq!(has_previous, event_type.ends_with(".updated"), "{event_type}");
    }
}

#[test]
fn an_event_contains_its_object_as_it_was_at_that_time() {
    let mut catalog = TestCatalog::new();
    catalog.livemode = Livemode::Live;
    let created = catalog.post("/v1/customers", "name=Ada").expect_ok();
    let path = format!("/v1/customers/{}", created["id"].as_str().unwrap());
    let updated = catalog.post(&path, "name=Eve").expect_ok();
    catalog.delete(&path).expect_ok();
    let events = catalog.list_events("");
    let objects: Vec<_> = events.iter().map(|event| &event["data"]["object"]).collect();
    assert_eq!(objects, [&updated, &updated, &created]);
    let names = ["object", "created", "livemode", "pending_webhooks"];
    assert_eq!(members(&events[2], &names), json!(["event", NOW.0, true, 0]));
    let event = catalog.get(&format!("{PATH}/{}", events[2]["id"].as_str().unwrap())).expect_ok();
    assert_eq!(event, events[2]);
}

/// The events after the first `count`: the type, the request and the idempotency key of each.
#[track_caller]
fn list_causes(catalog: &TestCatalog, count: usize) -> Vec<Value> {
    let cause = |event: &Value| {
        let request = members(&event["request"], &["id", "idempotency_key"]);
        json!([event["type"], request[0], request[1]])
    };
    catalog.events_after(count).iter().map(cause).collect()
}

const REQUEST: (&str, &str) = ("request-id", "req_1");

#[test]
fn an_event_names_the_request_and_the_idempotency_key_that_caused_it() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let count = || catalog.list_events("").len();
    let before = count();
    let headers = [REQUEST, ("idempotency-key", "k")];
    for _ in 0..2 {
        catalog
            .request("POST", "/v1/subscriptions", &headers, &fixture.subscription_form(""))
            .expect_ok();
    }
    fixture.subscribe("");
    let expected = [
        json!([CREATED, "req_1", "k"]),
        json!([SUMMARY, null, null]),
        json!([CREATED, null, null]),
    ];
    assert_eq!(list_causes(catalog, before), expected);

    let before = count();
    let path = format!("/v1/test_helpers/test_clocks/{}/advance", fixture.clock);
    catalog.request("POST", &path, &[REQUEST], &format!("frozen_time={FEBRUARY}")).expect_ok();
    catalog.run_due();
    let expected = [
        json!(["test_helpers.test_clock.advancing", "req_1", null]),
        json!([UPDATED, null, null]),
        json!([UPDATED, null, null]),
        json!(["test_helpers.test_clock.ready", null, null]),
    ];
    assert_eq!(list_causes(catalog, before), expected);

    let before = count();
    catalog
        .request("DELETE", &format!("/v1/customers/{}", fixture.customer), &[REQUEST], "")
        .expect_ok();
    let expected = [
        json!([DELETED, "req_1", null]),
        json!([DELETED, "req_1", null]),
        json!([SUMMARY, null, null]),
        json!(["customer.deleted", "req_1", null]),
    ];
    assert_eq!(list_causes(catalog, before), expected);
}

#[test]
fn the_event_of_a_due_transition_does_not_name_the_request_that_runs_it() {
    let mut fixture = fixture();
    fixture.customer = fixture.catalog.create("/v1/customers", "");
    let due = NOW.0 + 10;
    let [first, _, _] = [1, 2, 3].map(|_| fixture.subscribe(&format!("&cancel_at={due}")));
    fixture.catalog.now = Timestamp(due);
    let path = format!("/v1/subscriptions/{first}");
    for (method, target, form, expected) in [
        (
            "POST",
            path.as_str(),
            "metadata[a]=1",
            vec![json!([DELETED, null, null]), json!([UPDATED, "req_1", null])],
        ),
        (
            "GET",
            &format!("/v1/customer/{}/entitlements", fixture.customer),
            "",
            vec![
                json!([DELETED, null, null]),
                json!([DELETED, null, null]),
                json!([SUMMARY, null, null]),
            ],
        ),
    ] {
        let before = fixture.catalog.list_events("").len();
        fixture.catalog.request(method, target, &[REQUEST], form).expect_ok();
        assert_eq!(list_causes(&fixture.catalog, before), expected, "{method} {target}");
    }
}

#[test]
fn a_summary_has_the_ten_newest_entitlements_and_sets_has_more() {
    for (count, page_len, has_more) in [(1, 1, false), (10, 10, false), (11, 10, true)] {
        let fixture = fixture();
        for number in 1..count {
            fixture
                .catalog
                .attach(&fixture.product, &fixture.catalog.create_feature(&format!("f{number}")));
        }
        let subscription = fixture.subscribe("");
        let list = format!("/v1/customer/{}/entitlements", fixture.customer);
        let list = fixture.catalog.get(&list).expect_ok();
        let summary = fixture.catalog.list_events(&format!("type={SUMMARY}")).remove(0);
        let expected = json!({
            "object": "entitlements.active_entitlement_summary",
            "customer": fixture.customer,
            "entitlements": list,
            "livemode": false,
        });
        assert_eq!(summary["data"]["object"], expected);
        assert_eq!(list["data"].as_array().unwrap().len(), page_len);
        assert_eq!(list["has_more"], json!(has_more), "{count}");
        assert_eq!(
            summary["data"]["previous_attributes"],
            json!({ "entitlements": { "data": [] } })
        );
        fixture.cancel(&subscription).expect_ok();
        let newest = fixture.catalog.list_events(&format!("type={SUMMARY}")).remove(0);
        let before = &newest["data"]["previous_attributes"]["entitlements"]["data"];
        assert_eq!(before, &list["data"]);
    }
}
