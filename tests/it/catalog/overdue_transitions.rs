//! Overdue transitions: a request first runs those of the objects that it reads or changes.

use entgate::id::Timestamp;
use serde_json::{Value, json};

use super::{
    fixture::{DAY, DECLINED_CARD, VALID_CARD},
    test_catalog::TestCatalog,
};
use crate::support::NOW;

/// Creates a product with these features, and a daily price for it.
fn create_daily_plan(catalog: &TestCatalog, features: &[&str]) -> [String; 2] {
    let product = catalog.create_product(features);
    let price = catalog.create_price(&product, "day");
    [product, price]
}

fn subscribe(catalog: &TestCatalog, customer: &str, price: &str, params: &str) -> String {
    let form = format!("customer={customer}&items[0][price]={price}{params}");
    catalog.create("/v1/subscriptions", &form)
}

/// The lookup keys in each summary event, oldest first.
fn summaries(catalog: &TestCatalog) -> Vec<Vec<String>> {
    let path = "/v1/events?type=entitlements.active_entitlement_summary.updated&limit=100";
    let list = catalog.get(path).expect_ok();
    let keys = |event: &Value| {
        let entitlements = event["data"]["object"]["entitlements"]["data"].as_array().unwrap();
        entitlements
            .iter()
            .map(|entitlement| entitlement["lookup_key"].as_str().unwrap().to_owned())
            .collect()
    };
    list["data"].as_array().unwrap().iter().rev().map(keys).collect()
}

#[test]
fn overdue_transitions_of_several_subscriptions_run_in_due_order() {
    let mut catalog = TestCatalog::new();
    let sms = catalog.create_feature("sms");
    let customer = catalog.create("/v1/customers", "");
    let [_, first] = create_daily_plan(&catalog, &[&sms]);
    let [other, second] = create_daily_plan(&catalog, &[]);
    let end = NOW.0 + DAY + DAY / 2;
    subscribe(&catalog, &customer, &first, &format!("&cancel_at={end}"));
    subscribe(&catalog, &customer, &second, "");
    catalog.attach(&other, &sms);
    catalog.now = Timestamp(end);
    assert_eq!(catalog.entitled_keys(&customer), ["sms"]);
    assert_eq!(summaries(&catalog), [["sms"]], "the second grants it before the first ends");
}

#[test]
fn applying_features_does_not_change_a_subscription_whose_end_is_overdue() {
    let mut catalog = TestCatalog::new();
    let customer = catalog.create("/v1/customers", "");
    let [product, price] = create_daily_plan(&catalog, &[]);
    let subscription = subscribe(&catalog, &customer, &price, "&cancel_at_period_end=true");
    catalog.attach(&product, &catalog.create_feature("sms"));
    catalog.now.0 += DAY;
    catalog.post(&format!("/v1/products/{product}/features/apply"), "").expect_ok();
    let subscription = catalog.get(&format!("/v1/subscriptions/{subscription}")).expect_ok();
    assert_eq!(subscription["status"], "canceled");
    assert_eq!(summaries(&catalog), [[""; 0]; 0]);
}

#[test]
fn an_overdue_renewal_charges_the_previous_payment_method() {
    let mut catalog = TestCatalog::new();
    let customer = catalog.create("/v1/customers", &format!("payment_method={VALID_CARD}"));
    let [_, price] = create_daily_plan(&catalog, &[]);
    let subscription = subscribe(&catalog, &customer, &price, "");
    catalog.now.0 += DAY;
    let form = format!("invoice_settings[default_payment_method]={DECLINED_CARD}");
    catalog.post(&format!("/v1/customers/{customer}"), &form).expect_ok();
    catalog.run_due();
    let subscription = catalog.get(&format!("/v1/subscriptions/{subscription}")).expect_ok();
    let end = &subscription["items"]["data"][0]["current_period_end"];
    assert_eq!((&subscription["status"], end), (&json!("active"), &json!(NOW.0 + 2 * DAY)));
}
