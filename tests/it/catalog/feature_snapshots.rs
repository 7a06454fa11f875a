//! What is held of a product is what it had when that was last looked at: who looks, and when.

use serde_json::{Value, json};

use super::{
    fixture::{DAY, FAILS, FEBRUARY, JANUARY, MARCH, Stage, stage},
    product_features::listed,
};

type Deed = fn(&Stage, &str);

/// What the customer holds: each key, by the id of the entitlement to it.
fn held(stage: &Stage) -> Value {
    let list =
        format!("/v1/entitlements/active_entitlements?customer={}&limit=100", stage.customer);
    let list = stage.shop.get(&list).done();
    let data = list["data"].as_array().unwrap().iter();
    data.map(|held| (held["lookup_key"].as_str().unwrap().to_owned(), held["id"].clone())).collect()
}

/// How many summaries there have been.
fn summaries(stage: &Stage) -> usize {
    let list = "/v1/events?type=entitlements.active_entitlement_summary.updated&limit=100";
    listed(&stage.shop, list).len()
}

/// The product loses `sms`, which it had, and gets `sso`.
fn change_product(stage: &Stage) {
    let path = format!("/v1/products/{}/features", stage.product);
    let attached = listed(&stage.shop, &path).remove(0);
    stage.shop.delete(&format!("{path}/{attached}")).done();
    stage.shop.attach(&stage.product, &stage.shop.feature("sso"));
}

fn apply(stage: &Stage) {
    stage.shop.post(&format!("/v1/products/{}/features/apply", stage.product), "").done();
}

fn change(stage: &Stage, subscription: &str, form: &str) {
    stage.update(subscription, form).done();
}

fn item(stage: &Stage, subscription: &str) -> String {
    stage.shown(subscription)["items"]["data"][0]["id"].as_str().unwrap().to_owned()
}

fn change_item(stage: &Stage, subscription: &str, form: &str) {
    let item = item(stage, subscription);
    stage.update(subscription, &format!("items[0][id]={item}&items[0]{form}")).done();
}

/// How a subscription begins, what happens after its product has changed, and what is held then.
type Row = (&'static str, &'static str, Deed, &'static [&'static str]);

const TRIAL: &str = "&trial_period_days=7";
const FAILING: &str = "&default_payment_method=pm_card_chargeCustomerFail";
const WEEK: i64 = JANUARY + 7 * DAY;

const TIME: &[Row] = &[
    ("not before its time", "", |stage, _| stage.advance(FEBRUARY - 1), &["sms"]),
    ("but then", "", |stage, _| stage.advance(FEBRUARY), &["sso"]),
    (
        "and where the charge fails",
        "",
        |stage, it| {
            change(stage, it, &format!("default_payment_method={FAILS}"));
            stage.advance(FEBRUARY);
        },
        &["sso"],
    ),
    ("not during a trial", TRIAL, |stage, _| stage.advance(WEEK - 1), &["sms"]),
    ("but at its end", TRIAL, |stage, _| stage.advance(WEEK), &["sso"]),
    ("whenever that is", TRIAL, |stage, it| change(stage, it, "trial_end=now"), &["sso"]),
    (
        "not where it is put off",
        TRIAL,
        |stage, it| {
            change(stage, it, &format!("trial_end={FEBRUARY}"));
            stage.advance(FEBRUARY - 1);
        },
        &["sms"],
    ),
    (
        "nor where no period follows",
        "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause",
        |stage, _| stage.advance(WEEK),
        &["sms"],
    ),
    (
        "but at the start of a trial",
        "",
        |stage, it| change(stage, it, &format!("trial_end={FEBRUARY}")),
        &["sso"],
    ),
    (
        "and with periods counted anew",
        "",
        |stage, it| change(stage, it, "billing_cycle_anchor=now"),
        &["sso"],
    ),
];

const ITEMS: &[Row] = &[
    (
        "another price, though of the same product",
        "",
        |stage, it| {
            let price = stage.shop.price(&stage.product, "month");
            change_item(stage, it, &format!("[price]={price}"));
        },
        &["sso"],
    ),
    (
        "and though another period begins with it",
        "",
        |stage, it| {
            let price = stage.shop.price(&stage.product, "year");
            change_item(stage, it, &format!("[price]={price}"));
        },
        &["sso"],
    ),
    (
        "or it is on trial",
        TRIAL,
        |stage, it| {
            let price = stage.shop.price(&stage.product, "month");
            change_item(stage, it, &format!("[price]={price}"));
        },
        &["sso"],
    ),
    (
        "not the same one",
        "",
        |stage, it| change_item(stage, it, &format!("[price]={}", stage.price)),
        &["sms"],
    ),
    ("nor more of it", "", |stage, it| change_item(stage, it, "[quantity]=2"), &["sms"]),
    ("nor a note", "", |stage, it| change_item(stage, it, "[metadata][a]=1"), &["sms"]),
    ("but to be told to", "", |stage, _| apply(stage), &["sso"]),
    (
        "and that while it is paused",
        "",
        |stage, it| {
            stage.pause(it).done();
            apply(stage);
        },
        &["sso"],
    ),
    ("but never before it is paid", FAILING, |stage, _| apply(stage), &[]),
    (
        "nor once it is over",
        "",
        |stage, it| {
            stage.shop.delete(&format!("/v1/subscriptions/{it}")).done();
            apply(stage);
            stage.advance(FEBRUARY);
        },
        &[],
    ),
];

const STATUSES: &[Row] = &[
    ("not when it is paused", "", |stage, it| drop(stage.pause(it).done()), &["sms"]),
    (
        "though its period ends",
        "",
        |stage, it| {
            stage.pause(it).done();
            stage.advance(MARCH);
        },
        &["sms"],
    ),
    (
        "but when it is resumed, in whatever period",
        "",
        |stage, it| {
            stage.pause(it).done();
            stage.resume(it, "billing_cycle_anchor=unchanged").done();
        },
        &["sso"],
    ),
    (
        "not when it is paid",
        "",
        |stage, it| {
            change(stage, it, "status=past_due");
            change(stage, it, "status=active");
        },
        &["sms"],
    ),
    ("but for the first time", FAILING, |stage, it| change(stage, it, "status=active"), &["sso"]),
    (
        "and if periods began while it was not",
        "",
        |stage, it| {
            change(stage, it, "status=unpaid");
            stage.advance(FEBRUARY);
            change(stage, it, "status=active");
        },
        &["sso"],
    ),
    (
        "by other changes never",
        "",
        |stage, it| {
            for form in [
                "metadata[a]=1",
                "description=Text",
                "cancel_at_period_end=true",
                "pause_collection[behavior]=void",
                "default_payment_method=pm_card_visa",
                "collection_method=send_invoice",
                "trial_end=now",
            ] {
                change(stage, it, form);
            }
        },
        &["sms"],
    ),
];

#[track_caller]
fn assert_held(rows: &[Row]) {
    for (why, with, deed, expected) in rows {
        let stage = stage();
        let subscription = stage.subscribe(with);
        change_product(&stage);
        deed(&stage, &subscription);
        assert_eq!(stage.keys(), *expected, "{why}");
    }
}

#[test]
fn a_subscription_takes_note_of_its_products_when_a_period_or_a_trial_begins() {
    assert_held(TIME);
}

#[test]
fn an_item_takes_note_of_its_product_with_another_price_or_when_it_is_told_to() {
    assert_held(ITEMS);
}

#[test]
fn a_subscription_takes_note_when_it_is_resumed_or_paid_for_the_first_time() {
    assert_held(STATUSES);
}

#[test]
fn each_item_takes_note_by_itself() {
    let stage = stage();
    let second = stage.shop.price(&stage.product, "month");
    let subscription = stage.subscribe(&format!("&items[1][price]={second}"));
    change_product(&stage);
    let third = stage.shop.price(&stage.product, "month");
    change_item(&stage, &subscription, &format!("[price]={third}"));
    assert_eq!(stage.keys(), ["sso", "sms"]);
    let other = stage.shop.price(&stage.shop.product(&[&stage.shop.feature("fax")]), "month");
    stage.update(&subscription, &format!("items[0][price]={other}")).done();
    assert_eq!(stage.keys(), ["fax", "sso", "sms"]);
    let items = stage.shown(&subscription)["items"]["data"].clone();
    let remove = |index: usize| {
        let id = items[index]["id"].as_str().unwrap();
        stage.update(&subscription, &format!("items[0][id]={id}&items[0][deleted]=true")).done();
    };
    remove(1);
    assert_eq!(stage.keys(), ["fax", "sso"]);
    remove(0);
    assert_eq!(stage.keys(), ["fax"]);
}

#[test]
fn what_is_detached_and_attached_again_before_the_period_ends_was_never_gone() {
    let stage = stage();
    stage.subscribe("");
    let before = held(&stage);
    let path = format!("/v1/products/{}/features", stage.product);
    let attached = listed(&stage.shop, &path).remove(0);
    stage.shop.delete(&format!("{path}/{attached}")).done();
    stage.shop.attach(&stage.product, &stage.feature);
    stage.advance(FEBRUARY);
    assert_eq!((held(&stage), summaries(&stage)), (before, 1));
}

#[test]
fn what_two_subscriptions_grant_is_held_once_until_neither_does() {
    let stage = stage();
    let [first, second] = [stage.subscribe(""), stage.subscribe("")];
    let before = held(&stage);
    assert_eq!((stage.keys(), summaries(&stage)), (vec!["sms".to_owned()], 1));
    stage.shop.delete(&format!("/v1/subscriptions/{first}")).done();
    assert_eq!((held(&stage), summaries(&stage)), (before, 1));
    stage.shop.delete(&format!("/v1/subscriptions/{second}")).done();
    assert_eq!((held(&stage), summaries(&stage)), (json!({}), 2));
}

#[test]
fn what_is_archived_stays_with_the_products_and_the_customers_that_have_it() {
    let stage = stage();
    stage.subscribe("");
    stage.shop.post(&format!("/v1/entitlements/features/{}", stage.feature), "active=false").done();
    stage.advance(FEBRUARY);
    assert_eq!((stage.keys(), summaries(&stage)), (vec!["sms".to_owned()], 1));
    let customer = stage.shop.make("/v1/customers", "");
    let form = format!("customer={customer}&items[0][price]={}", stage.price);
    stage.shop.make("/v1/subscriptions", &form);
    assert_eq!(stage.shop.keys(&customer), ["sms"]);
    let path = format!("/v1/products/{}/features", stage.product);
    let attached = listed(&stage.shop, &path).remove(0);
    stage.shop.delete(&format!("{path}/{attached}")).done();
    let again = format!("entitlement_feature={}", stage.feature);
    assert_eq!(stage.shop.post(&path, &again).status, 400);
    stage.shop.attach(&stage.product, &stage.shop.feature("sms"));
    stage.subscribe("");
    assert_eq!(stage.keys(), ["sms", "sms"], "two features, of one key at different times");
    apply(&stage);
    assert_eq!((stage.keys(), stage.shop.keys(&customer).len()), (vec!["sms".to_owned()], 1));
}
