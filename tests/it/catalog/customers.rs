//! Customers: how they are found, and what is left of one who was deleted.

use entgate::id::Timestamp;
use serde_json::json;

use super::{
    Shop,
    fixture::{FAILS, HOUR, JANUARY, WORKS, members, stage},
    shop,
};
use crate::support::NOW;

const PATH: &str = "/v1/customers";

#[track_caller]
fn listed(shop: &Shop, query: &str) -> Vec<String> {
    let list = shop.get(&format!("{PATH}?{query}")).done();
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|customer| customer["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_customer_is_found_by_the_present_address_among_those_of_one_clock_or_none() {
    let stage = stage();
    let shop = &stage.shop;
    let ada = shop.make(PATH, "email=ada@example.com");
    let bob = shop.make(PATH, "email=bob@example.com");
    let there = shop.make(PATH, &format!("email=ada@example.com&test_clock={}", stage.clock));
    let clock = format!("test_clock={}", stage.clock);
    let list = |query: &str| listed(shop, query);
    assert_eq!(list(""), [bob.as_str(), &ada]);
    assert_eq!(list("email=ada@example.com"), [ada.as_str()]);
    assert_eq!(list("email=ADA@example.com"), [""; 0]);
    assert_eq!(list(&clock), [there.as_str(), &stage.customer]);
    assert_eq!(list(&format!("{clock}&email=ada@example.com")), [there.as_str()]);

    shop.post(&format!("{PATH}/{bob}"), "email=ada@example.com").done();
    assert_eq!(list("email=ada@example.com"), [bob.as_str(), &ada]);
    assert_eq!(list("email=bob@example.com"), [""; 0]);
    shop.post(&format!("{PATH}/{bob}"), "email=").done();
    assert_eq!(list("email=ada@example.com"), [ada.as_str()]);
    shop.delete(&format!("{PATH}/{ada}")).done();
    assert_eq!(list("email=ada@example.com"), [""; 0]);
    assert_eq!(list(""), [bob]);
    let unknown = shop.get(&format!("{PATH}?test_clock=x_1"));
    let expected = (400, "resource_missing", "test_clock", "No such test clock: 'x_1'");
    assert_eq!(unknown.refusal(), expected);
}

#[test]
fn an_address_has_up_to_512_characters() {
    let shop = shop();
    assert_eq!(shop.post(PATH, &format!("email={}", "é".repeat(512))).status, 200);
    let refused = shop.post(PATH, &format!("email={}", "é".repeat(513)));
    let message = format!("Invalid string: {}…; must be at most 512 characters", "é".repeat(60));
    assert_eq!(refused.refusal(), (400, "parameter_invalid", "email", message.as_str()));
}

#[test]
fn whoever_is_deleted_loses_all_subscriptions_and_what_they_granted_and_is_told_of_last() {
    let stage = stage();
    let subscriptions = [stage.subscribe(""), stage.subscribe("&trial_period_days=7")];
    stage.shop.delete(&format!("{PATH}/{}", stage.customer)).done();
    for subscription in &subscriptions {
        let shown = members(&stage.shown(subscription), &["status", "ended_at"]);
        assert_eq!(shown, json!(["canceled", JANUARY]));
    }
    let events = stage.shop.get("/v1/events?limit=4").done();
    let told = events["data"].as_array().unwrap().iter().map(|event| &event["type"]);
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "customer.deleted",
            "entitlements.active_entitlement_summary.updated",
            "customer.subscription.deleted",
            "customer.subscription.deleted",
        ]
    );
    assert_eq!(events["data"][1]["data"]["object"]["entitlements"]["data"], json!([]));
    assert_eq!(events["data"][0]["data"]["object"]["id"], json!(stage.customer));
}

#[test]
fn of_whoever_is_deleted_the_id_is_left() {
    let stage = stage();
    let shop = &stage.shop;
    shop.make(PATH, "id=ada&email=ada@example.com");
    let deleted = json!({ "id": "ada", "object": "customer", "deleted": true });
    assert_eq!(shop.delete(&format!("{PATH}/ada")).done(), deleted);
    assert_eq!(shop.get(&format!("{PATH}/ada")).done(), deleted);
    let again = shop.post(PATH, "id=ada");
    assert_eq!(again.refusal(), (400, "resource_already_exists", "id", "Customer already exists."));

    let purchase = format!("customer=ada&items[0][price]={}", stage.price);
    for (status, param, answer) in [
        (404, "id", shop.delete(&format!("{PATH}/ada"))),
        (404, "id", shop.post(&format!("{PATH}/ada"), "name=Ada")),
        (404, "id", shop.get("/v1/customer/ada/entitlements")),
        (400, "customer", shop.get("/v1/entitlements/active_entitlements?customer=ada")),
        (400, "customer", shop.get("/v1/subscriptions?customer=ada")),
        (400, "customer", shop.post("/v1/subscriptions", &purchase)),
    ] {
        let expected = (status, "resource_missing", param, "No such customer: 'ada'");
        assert_eq!(answer.refusal(), expected);
    }
}

#[test]
fn what_was_due_before_a_customer_is_deleted_has_happened_by_then() {
    let mut shop = shop();
    let product = shop.product(&[]);
    let price = shop.price(&product, "month");
    let customer = shop.make(PATH, "");
    let ends = NOW.0 + 10;
    let form = format!("customer={customer}&items[0][price]={price}&cancel_at={ends}");
    let subscription = shop.make("/v1/subscriptions", &form);
    shop.now = Timestamp(ends + 10);
    shop.delete(&format!("{PATH}/{customer}")).done();
    let shown = shop.get(&format!("/v1/subscriptions/{subscription}")).done();
    assert_eq!(members(&shown, &["status", "ended_at"]), json!(["canceled", ends]));
}

#[test]
fn a_method_of_the_customer_pays_what_is_incomplete_until_23_hours_have_passed() {
    for (seconds, status) in [(23 * HOUR - 1, "active"), (23 * HOUR, "incomplete_expired")] {
        let mut shop = shop();
        let product = shop.product(&[]);
        let price = shop.price(&product, "month");
        let customer = shop.make(PATH, &format!("payment_method={FAILS}"));
        let form = format!("customer={customer}&items[0][price]={price}");
        let subscription = shop.make("/v1/subscriptions", &form);
        shop.now = Timestamp(NOW.0 + seconds);
        let form = format!("invoice_settings[default_payment_method]={WORKS}");
        shop.post(&format!("{PATH}/{customer}"), &form).done();
        let shown = shop.get(&format!("/v1/subscriptions/{subscription}")).done();
        assert_eq!(shown["status"], json!(status), "after {seconds} s");
    }
}

#[test]
fn a_method_of_the_customer_pays_for_what_has_none_of_its_own() {
    let stage = stage();
    let path = format!("{PATH}/{}", stage.customer);
    let pays = |method: &str| {
        let form = format!("invoice_settings[default_payment_method]={method}");
        stage.shop.post(&path, &form).done();
    };
    pays(FAILS);
    let own = stage.subscribe(&format!("&default_payment_method={FAILS}"));
    let without = stage.subscribe("");
    assert_eq!([stage.status(&own), stage.status(&without)], ["incomplete", "incomplete"]);
    pays("");
    assert_eq!(stage.status(&without), "incomplete", "nothing to pay with");
    pays(WORKS);
    assert_eq!([stage.status(&own), stage.status(&without)], ["incomplete", "active"]);
}
