//! Work that is late: what is due has happened, in its order, before anything else does.

use entgate::id::Timestamp;
use serde_json::{Value, json};

use super::{
    Shop,
    fixture::{DAY, FAILS, WORKS},
    shop,
};
use crate::support::NOW;

/// A price by the day, of a product with some features.
fn daily(shop: &Shop, features: &[&str]) -> [String; 2] {
    let product = shop.product(features);
    let price = shop.price(&product, "day");
    [product, price]
}

fn subscribe(shop: &Shop, customer: &str, price: &str, more: &str) -> String {
    let form = format!("customer={customer}&items[0][price]={price}{more}");
    shop.make("/v1/subscriptions", &form)
}

/// The lookup keys in each summary that there was, oldest first.
fn told(shop: &Shop) -> Vec<Vec<String>> {
    let path = "/v1/events?type=entitlements.active_entitlement_summary.updated&limit=100";
    let list = shop.get(path).done();
    let keys = |event: &Value| {
        let entitlements = event["data"]["object"]["entitlements"]["data"].as_array().unwrap();
        entitlements.iter().map(|it| it["lookup_key"].as_str().unwrap().to_owned()).collect()
    };
    list["data"].as_array().unwrap().iter().rev().map(keys).collect()
}

#[test]
fn what_is_due_at_several_subscriptions_happens_in_the_order_in_which_it_falls_due() {
    let mut shop = shop();
    let sms = shop.feature("sms");
    let customer = shop.make("/v1/customers", "");
    let [_, first] = daily(&shop, &[&sms]);
    let [other, second] = daily(&shop, &[]);
    let end = NOW.0 + DAY + DAY / 2;
    subscribe(&shop, &customer, &first, &format!("&cancel_at={end}"));
    subscribe(&shop, &customer, &second, "");
    shop.attach(&other, &sms);
    shop.now = Timestamp(end);
    assert_eq!(shop.keys(&customer), ["sms"]);
    assert_eq!(told(&shop), [["sms"]], "the second had it before the first ended");
}

#[test]
fn what_has_ended_by_then_takes_nothing_of_what_is_applied() {
    let mut shop = shop();
    let customer = shop.make("/v1/customers", "");
    let [product, price] = daily(&shop, &[]);
    let subscription = subscribe(&shop, &customer, &price, "&cancel_at_period_end=true");
    shop.attach(&product, &shop.feature("sms"));
    shop.now.0 += DAY;
    shop.post(&format!("/v1/products/{product}/features/apply"), "").done();
    let shown = shop.get(&format!("/v1/subscriptions/{subscription}")).done();
    assert_eq!(shown["status"], "canceled");
    assert_eq!(told(&shop), [[""; 0]; 0]);
}

#[test]
fn what_was_due_is_charged_by_the_method_that_there_was() {
    let mut shop = shop();
    let customer = shop.make("/v1/customers", &format!("payment_method={WORKS}"));
    let [_, price] = daily(&shop, &[]);
    let subscription = subscribe(&shop, &customer, &price, "");
    shop.now.0 += DAY;
    let form = format!("invoice_settings[default_payment_method]={FAILS}");
    shop.post(&format!("/v1/customers/{customer}"), &form).done();
    shop.work();
    let shown = shop.get(&format!("/v1/subscriptions/{subscription}")).done();
    let end = &shown["items"]["data"][0]["current_period_end"];
    assert_eq!((&shown["status"], end), (&json!("active"), &json!(NOW.0 + 2 * DAY)));
}
