//! The feature snapshots of subscription items: a product change takes effect with the next snapshot.
//!
//! Each case is a change that takes a snapshot, or one that does not.

use serde_json::{Value, json};

use super::fixture::{DAY, DECLINED_CARD, FEBRUARY, Fixture, JANUARY, MARCH, fixture};

type Action = fn(&Fixture, &str);

/// The ids of the customer's entitlements by lookup key.
fn entitlement_ids(fixture: &Fixture) -> Value {
    let list =
        format!("/v1/entitlements/active_entitlements?customer={}&limit=100", fixture.customer);
    let list = fixture.catalog.get(&list).expect_ok();
    let data = list["data"].as_array().unwrap().iter();
    data.map(|item| (item["lookup_key"].as_str().unwrap().to_owned(), item["id"].clone())).collect()
}

/// The number of summary events.
fn count_summaries(fixture: &Fixture) -> usize {
    let list = "/v1/events?type=entitlements.active_entitlement_summary.updated&limit=100";
    fixture.catalog.list_ids(list).len()
}

/// Replaces the feature `sms` of the product by `sso`.
fn change_product(fixture: &Fixture) {
    let path = format!("/v1/products/{}/features", fixture.product);
    let attached = fixture.catalog.list_ids(&path).remove(0);
    fixture.catalog.delete(&format!("{path}/{attached}")).expect_ok();
    fixture.catalog.attach(&fixture.product, &fixture.catalog.create_feature("sso"));
}

fn apply(fixture: &Fixture) {
    fixture
        .catalog
        .post(&format!("/v1/products/{}/features/apply", fixture.product), "")
        .expect_ok();
}

fn update(fixture: &Fixture, subscription: &str, form: &str) {
    fixture.update(subscription, form).expect_ok();
}

fn item_id(fixture: &Fixture, subscription: &str) -> String {
    fixture.retrieve(subscription)["items"]["data"][0]["id"].as_str().unwrap().to_owned()
}

fn change_item(fixture: &Fixture, subscription: &str, form: &str) {
    let item = item_id(fixture, subscription);
    fixture.update(subscription, &format!("items[0][id]={item}&items[0]{form}")).expect_ok();
}

/// Why, the parameters of the subscription, what happens after the product change, and the lookup
/// keys that the customer is entitled to then.
type Case = (&'static str, &'static str, Action, &'static [&'static str]);

const WITH_TRIAL: &str = "&trial_period_days=7";
const WITH_DECLINED_CARD: &str = "&default_payment_method=pm_card_chargeCustomerFail";
const WEEK: i64 = JANUARY + 7 * DAY;

const RENEWALS: &[Case] = &[
    ("not before the period ends", "", |fixture, _| fixture.advance(FEBRUARY - 1), &["sms"]),
    ("at the renewal", "", |fixture, _| fixture.advance(FEBRUARY), &["sso"]),
    (
        "at a renewal whose charge fails",
        "",
        |fixture, id| {
            update(fixture, id, &format!("default_payment_method={DECLINED_CARD}"));
            fixture.advance(FEBRUARY);
        },
        &["sso"],
    ),
    ("not during a trial", WITH_TRIAL, |fixture, _| fixture.advance(WEEK - 1), &["sms"]),
    ("at the end of a trial", WITH_TRIAL, |fixture, _| fixture.advance(WEEK), &["sso"]),
    (
        "at the early end of a trial",
        WITH_TRIAL,
        |fixture, id| update(fixture, id, "trial_end=now"),
        &["sso"],
    ),
    (
        "not before the postponed end of a trial",
        WITH_TRIAL,
        |fixture, id| {
            update(fixture, id, &format!("trial_end={FEBRUARY}"));
            fixture.advance(FEBRUARY - 1);
        },
        &["sms"],
    ),
    (
        "not at the end of a trial without a next period",
        "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause",
        |fixture, _| fixture.advance(WEEK),
        &["sms"],
    ),
    (
        "at the start of a trial",
        "",
        |fixture, id| update(fixture, id, &format!("trial_end={FEBRUARY}")),
        &["sso"],
    ),
    (
        "at a reset of the billing cycle",
        "",
        |fixture, id| update(fixture, id, "billing_cycle_anchor=now"),
        &["sso"],
    ),
];

const ITEMS: &[Case] = &[
    (
        "another price of the same product",
        "",
        |fixture, id| {
            let price = fixture.catalog.create_price(&fixture.product, "month");
            change_item(fixture, id, &format!("[price]={price}"));
        },
        &["sso"],
    ),
    (
        "another price with another interval",
        "",
        |fixture, id| {
            let price = fixture.catalog.create_price(&fixture.product, "year");
            change_item(fixture, id, &format!("[price]={price}"));
        },
        &["sso"],
    ),
    (
        "another price during a trial",
        WITH_TRIAL,
        |fixture, id| {
            let price = fixture.catalog.create_price(&fixture.product, "month");
            change_item(fixture, id, &format!("[price]={price}"));
        },
        &["sso"],
    ),
    (
        "not the same price",
        "",
        |fixture, id| change_item(fixture, id, &format!("[price]={}", fixture.price)),
        &["sms"],
    ),
    ("not another quantity", "", |fixture, id| change_item(fixture, id, "[quantity]=2"), &["sms"]),
    ("not metadata", "", |fixture, id| change_item(fixture, id, "[metadata][a]=1"), &["sms"]),
    ("an apply request", "", |fixture, _| apply(fixture), &["sso"]),
    (
        "an apply request while it is paused",
        "",
        |fixture, id| {
            fixture.pause(id).expect_ok();
            apply(fixture);
            fixture.resume(id, "billing_cycle_anchor=unchanged").expect_ok();
        },
        &["sso"],
    ),
    (
        "not an apply request before the first payment",
        WITH_DECLINED_CARD,
        |fixture, _| apply(fixture),
        &[],
    ),
    (
        "not an apply request after the end",
        "",
        |fixture, id| {
            fixture.cancel(id).expect_ok();
            apply(fixture);
            fixture.advance(FEBRUARY);
        },
        &[],
    ),
];

const STATUSES: &[Case] = &[
    (
        "not the end of a period while it is paused",
        "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause",
        |fixture, _| fixture.advance(MARCH),
        &["sms"],
    ),
    (
        "a resume within the period",
        "",
        |fixture, id| {
            fixture.pause(id).expect_ok();
            fixture.resume(id, "billing_cycle_anchor=unchanged").expect_ok();
        },
        &["sso"],
    ),
    (
        "not a payment",
        "",
        |fixture, id| {
            update(fixture, id, "status=past_due");
            update(fixture, id, "status=active");
        },
        &["sms"],
    ),
    (
        "the first payment",
        WITH_DECLINED_CARD,
        |fixture, id| update(fixture, id, "status=active"),
        &["sso"],
    ),
    (
        "renewals while it is unpaid",
        "",
        |fixture, id| {
            update(fixture, id, "status=unpaid");
            fixture.advance(FEBRUARY);
            update(fixture, id, "status=active");
        },
        &["sso"],
    ),
    (
        "not any other update",
        "",
        |fixture, id| {
            for form in [
                "metadata[a]=1",
                "description=Text",
                "cancel_at_period_end=true",
                "pause_collection[behavior]=void",
                "default_payment_method=pm_card_visa",
                "collection_method=send_invoice&days_until_due=30",
                "trial_end=now",
            ] {
                update(fixture, id, form);
            }
        },
        &["sms"],
    ),
];

#[track_caller]
fn assert_entitled(cases: &[Case]) {
    for (why, params, action, expected) in cases {
        let fixture = fixture();
        let subscription = fixture.subscribe(params);
        change_product(&fixture);
        action(&fixture, &subscription);
        assert_eq!(fixture.entitled_keys(), *expected, "{why}");
    }
}

#[test]
fn the_start_of_a_period_or_a_trial_takes_a_snapshot() {
    assert_entitled(RENEWALS);
}

#[test]
fn a_price_change_or_an_apply_request_takes_a_snapshot() {
    assert_entitled(ITEMS);
}

#[test]
fn a_resume_or_a_first_payment_takes_a_snapshot() {
    assert_entitled(STATUSES);
}

#[test]
fn each_item_has_its_own_snapshot() {
    let fixture = fixture();
    let second = fixture.catalog.create_price(&fixture.product, "month");
    let subscription = fixture.subscribe(&format!("&items[1][price]={second}"));
    change_product(&fixture);
    let third = fixture.catalog.create_price(&fixture.product, "month");
    change_item(&fixture, &subscription, &format!("[price]={third}"));
    assert_eq!(fixture.entitled_keys(), ["sso", "sms"]);
    let other = fixture.catalog.create_price(
        &fixture.catalog.create_product(&[&fixture.catalog.create_feature("fax")]),
        "month",
    );
    fixture.update(&subscription, &format!("items[0][price]={other}")).expect_ok();
    assert_eq!(fixture.entitled_keys(), ["fax", "sso", "sms"]);
    let items = fixture.retrieve(&subscription)["items"]["data"].clone();
    let remove = |index: usize| {
        let id = items[index]["id"].as_str().unwrap();
        fixture
            .update(&subscription, &format!("items[0][id]={id}&items[0][deleted]=true"))
            .expect_ok();
    };
    remove(1);
    assert_eq!(fixture.entitled_keys(), ["fax", "sso"]);
    remove(0);
    assert_eq!(fixture.entitled_keys(), ["fax"]);
}

#[test]
fn a_feature_that_is_reattached_within_the_period_keeps_its_entitlement() {
    let fixture = fixture();
    fixture.subscribe("");
    let before = entitlement_ids(&fixture);
    let path = format!("/v1/products/{}/features", fixture.product);
    let attached = fixture.catalog.list_ids(&path).remove(0);
    fixture.catalog.delete(&format!("{path}/{attached}")).expect_ok();
    fixture.catalog.attach(&fixture.product, &fixture.feature);
    fixture.advance(FEBRUARY);
    assert_eq!((entitlement_ids(&fixture), count_summaries(&fixture)), (before, 1));
}

#[test]
fn a_feature_of_two_subscriptions_is_one_entitlement_until_both_end() {
    let fixture = fixture();
    let [first, second] = [fixture.subscribe(""), fixture.subscribe("")];
    let before = entitlement_ids(&fixture);
    assert_eq!((fixture.entitled_keys(), count_summaries(&fixture)), (vec!["sms".to_owned()], 1));
    fixture.cancel(&first).expect_ok();
    assert_eq!((entitlement_ids(&fixture), count_summaries(&fixture)), (before, 1));
    fixture.cancel(&second).expect_ok();
    assert_eq!((entitlement_ids(&fixture), count_summaries(&fixture)), (json!({}), 2));
}

#[test]
fn an_archived_feature_stays_with_its_products_and_customers() {
    let fixture = fixture();
    fixture.subscribe("");
    fixture
        .catalog
        .post(&format!("/v1/entitlements/features/{}", fixture.feature), "active=false")
        .expect_ok();
    fixture.advance(FEBRUARY);
    assert_eq!((fixture.entitled_keys(), count_summaries(&fixture)), (vec!["sms".to_owned()], 1));
    let customer = fixture.catalog.create("/v1/customers", "");
    let form = format!("customer={customer}&items[0][price]={}", fixture.price);
    fixture.catalog.create("/v1/subscriptions", &form);
    assert_eq!(fixture.catalog.entitled_keys(&customer), ["sms"]);
    let path = format!("/v1/products/{}/features", fixture.product);
    let attached = fixture.catalog.list_ids(&path).remove(0);
    fixture.catalog.delete(&format!("{path}/{attached}")).expect_ok();
    let form = format!("entitlement_feature={}", fixture.feature);
    assert_eq!(fixture.catalog.post(&path, &form).status, 400);
    fixture.catalog.attach(&fixture.product, &fixture.catalog.create_feature("sms"));
    fixture.subscribe("");
    assert_eq!(
        fixture.entitled_keys(),
        ["sms", "sms"],
        "the subscriptions grant two features with one key"
    );
    apply(&fixture);
    assert_eq!(
        (fixture.entitled_keys(), fixture.catalog.entitled_keys(&customer).len()),
        (vec!["sms".to_owned()], 1)
    );
}
