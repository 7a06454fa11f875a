//! Features of products: how they get there, and who takes note of them when.

use serde_json::{Value, json};

use super::{
    Shop,
    stage::{DAY, FAILS, FEBRUARY, JANUARY, MARCH, Stage, WORKS, members, stage},
};

type Deed = fn(&Stage, &str);

/// The ids of a list, newest first.
#[track_caller]
fn listed(shop: &Shop, target: &str) -> Vec<String> {
    let list = shop.get(target).done();
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

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

fn item(stage: &Stage, subscription: &str) -> String {
    stage.shown(subscription)["items"]["data"][0]["id"].as_str().unwrap().to_owned()
}

fn change_item(stage: &Stage, subscription: &str, form: &str) {
    let item = item(stage, subscription);
    stage.update(subscription, &format!("items[0][id]={item}&items[0]{form}")).done();
}

#[test]
fn a_feature_is_attached_once_and_anew_after_it_was_detached() {
    let stage = stage();
    let shop = &stage.shop;
    let path = format!("/v1/products/{}/features", stage.product);
    let first = listed(shop, &path).remove(0);
    let form = format!("entitlement_feature={}", stage.feature);
    let message =
        format!("The feature '{}' is attached to this product already: {first}.", stage.feature);
    let expected = (400, "resource_already_exists", "entitlement_feature", message.as_str());
    assert_eq!(shop.post(&path, &form).refusal(), expected);
    let other = shop.product(&[]);
    shop.attach(&other, &stage.feature);

    let gone = json!({ "id": first, "object": "product_feature", "deleted": true });
    assert_eq!(shop.delete(&format!("{path}/{first}")).done(), gone);
    assert_eq!(listed(shop, &path), [""; 0]);
    let second = shop.post(&path, &form).done();
    assert_ne!(second["id"], json!(first));
    let feature = shop.get(&format!("/v1/entitlements/features/{}", stage.feature)).done();
    let names = ["object", "livemode", "entitlement_feature"];
    assert_eq!(members(&second, &names), json!(["product_feature", false, feature]));
    assert_eq!(listed(shop, &path), [second["id"].as_str().unwrap()]);
    assert_eq!(listed(shop, &format!("/v1/products/{other}/features")).len(), 1);
}

#[test]
fn what_is_attached_is_found_at_its_own_product_only() {
    let stage = stage();
    let shop = &stage.shop;
    let (own, other) = (&stage.product, shop.product(&[]));
    let attached = listed(shop, &format!("/v1/products/{own}/features")).remove(0);
    let (feature, product) =
        (format!("No such product feature: '{attached}'"), "No such product: 'x_1'".to_owned());
    for (product, id, message) in [
        (other.as_str(), attached.as_str(), &feature),
        (own, "x_1", &"No such product feature: 'x_1'".to_owned()),
        ("x_1", &attached, &product),
    ] {
        for method in ["GET", "DELETE"] {
            let target = format!("/v1/products/{product}/features/{id}");
            let refused = shop.request(method, &target, &[], "");
            let expected = (404, "resource_missing", "id", message.as_str());
            assert_eq!(refused.refusal(), expected, "{method} {target}");
        }
    }
    let form = format!("entitlement_feature={}", stage.feature);
    for (target, form) in [("features", form.as_str()), ("features/apply", "")] {
        let refused = shop.post(&format!("/v1/products/x_1/{target}"), form);
        let expected = (404, "resource_missing", "id", product.as_str());
        assert_eq!(refused.refusal(), expected, "{target}");
    }
    let shown = shop.get(&format!("/v1/products/{own}/features/{attached}")).done();
    assert_eq!(shown["id"], json!(attached), "it is still there");
}

#[test]
fn only_what_is_there_and_not_archived_is_attached() {
    let stage = stage();
    let path = format!("/v1/products/{}/features", stage.product);
    let fax = stage.shop.feature("fax");
    stage.shop.post(&format!("/v1/entitlements/features/{fax}"), "active=false").done();
    let archived = format!("The feature '{fax}' is archived: it can be attached to no product.");
    for (form, code, message) in [
        (String::new(), "parameter_missing", "Missing required param: entitlement_feature."),
        ("entitlement_feature=x_1".to_owned(), "resource_missing", "No such feature: 'x_1'"),
        (format!("entitlement_feature={fax}"), "parameter_invalid", &archived),
    ] {
        let expected = (400, code, "entitlement_feature", message);
        assert_eq!(stage.shop.post(&path, &form).refusal(), expected);
    }
}

#[test]
fn a_product_has_up_to_1000_features_and_whoever_buys_it_gets_all_of_them() {
    let mut stage = stage();
    stage.shop.rolls_back = false;
    for number in 1..1_000 {
        stage.shop.attach(&stage.product, &stage.shop.feature(&format!("f{number}")));
    }
    let more = stage.shop.feature("more");
    let path = format!("/v1/products/{}/features", stage.product);
    let form = format!("entitlement_feature={more}");
    let message = "A product can have up to 1000 features.";
    assert_eq!(stage.shop.post(&path, &form).refusal(), (400, "", "", message));
    stage.subscribe("");
    let newest = stage.keys();
    assert_eq!((newest.len(), newest[0].as_str()), (100, "f999"));
    let list = format!("/v1/customer/{}/entitlements?limit=100", stage.customer);
    let mut count = 100;
    let mut page = stage.shop.get(&list).done();
    while page["has_more"] == json!(true) {
        let seen = page["data"][99]["id"].as_str().unwrap();
        page = stage.shop.get(&format!("{list}&starting_after={seen}")).done();
        count += page["data"].as_array().unwrap().len();
    }
    assert_eq!((count, &page["data"][99]["lookup_key"]), (1_000, &json!("sms")));
    let attached = listed(&stage.shop, &path).remove(0);
    stage.shop.delete(&format!("{path}/{attached}")).done();
    assert_eq!(stage.shop.post(&path, &form).status, 200);
}

#[test]
fn a_subscription_takes_note_when_a_period_begins_or_the_price_changes() {
    let rows: &[(&str, &str, Deed, &[&str])] = &[
        ("not before its time", "", |stage, _| stage.advance(FEBRUARY - 1), &["sms"]),
        ("but then", "", |stage, _| stage.advance(FEBRUARY), &["sso"]),
        (
            "and where the charge fails",
            &format!("&default_payment_method={WORKS}"),
            |stage, subscription| {
                stage.update(subscription, &format!("default_payment_method={FAILS}")).done();
                stage.advance(FEBRUARY);
            },
            &["sso"],
        ),
        (
            "not during a trial",
            "&trial_period_days=7",
            |stage, _| stage.advance(JANUARY + 7 * DAY - 1),
            &["sms"],
        ),
        (
            "but at its end",
            "&trial_period_days=7",
            |stage, _| stage.advance(JANUARY + 7 * DAY),
            &["sso"],
        ),
        (
            "whenever that is",
            "&trial_period_days=7",
            |stage, subscription| drop(stage.update(subscription, "trial_end=now").done()),
            &["sso"],
        ),
        (
            "not where it is put off",
            "&trial_period_days=7",
            |stage, subscription| {
                stage.update(subscription, &format!("trial_end={FEBRUARY}")).done();
                stage.advance(FEBRUARY - 1);
            },
            &["sms"],
        ),
        (
            "nor where no period follows",
            "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause",
            |stage, _| stage.advance(JANUARY + 7 * DAY),
            &["sms"],
        ),
        (
            "at the start of a trial too",
            "",
            |stage, subscription| {
                stage.update(subscription, &format!("trial_end={FEBRUARY}")).done();
            },
            &["sso"],
        ),
        (
            "with periods counted anew",
            "",
            |stage, subscription| {
                drop(stage.update(subscription, "billing_cycle_anchor=now").done())
            },
            &["sso"],
        ),
        (
            "with another price, though of the same product",
            "",
            |stage, subscription| {
                let price = stage.shop.price(&stage.product, "month");
                change_item(stage, subscription, &format!("[price]={price}"));
            },
            &["sso"],
        ),
        (
            "not with the same one",
            "",
            |stage, subscription| {
                change_item(stage, subscription, &format!("[price]={}", stage.price));
            },
            &["sms"],
        ),
        (
            "nor with more of it",
            "",
            |stage, subscription| change_item(stage, subscription, "[quantity]=2"),
            &["sms"],
        ),
        (
            "nor while it is paused",
            "",
            |stage, subscription| drop(stage.pause(subscription).done()),
            &["sms"],
        ),
        (
            "though its period ends",
            "",
            |stage, subscription| {
                stage.pause(subscription).done();
                stage.advance(MARCH);
            },
            &["sms"],
        ),
        (
            "but when it is resumed",
            "",
            |stage, subscription| {
                stage.pause(subscription).done();
                stage.resume(subscription, "billing_cycle_anchor=unchanged").done();
            },
            &["sso"],
        ),
        (
            "not when it is paid",
            "",
            |stage, subscription| {
                for status in ["past_due", "active"] {
                    stage.update(subscription, &format!("status={status}")).done();
                }
            },
            &["sms"],
        ),
        (
            "but for the first time",
            &format!("&default_payment_method={FAILS}"),
            |stage, subscription| drop(stage.update(subscription, "status=active").done()),
            &["sso"],
        ),
        (
            "and if periods began while it was not",
            "",
            |stage, subscription| {
                stage.update(subscription, "status=unpaid").done();
                stage.advance(FEBRUARY);
                stage.update(subscription, "status=active").done();
            },
            &["sso"],
        ),
        ("when it is told to", "", |stage, _| apply(stage), &["sso"]),
        (
            "and that while it is paused",
            "",
            |stage, subscription| {
                stage.pause(subscription).done();
                apply(stage);
            },
            &["sso"],
        ),
        (
            "but never before it is paid",
            &format!("&default_payment_method={FAILS}"),
            |stage, _| apply(stage),
            &[],
        ),
        (
            "nor once it is over",
            "",
            |stage, subscription| {
                stage.shop.delete(&format!("/v1/subscriptions/{subscription}")).done();
                apply(stage);
                stage.advance(FEBRUARY);
            },
            &[],
        ),
        (
            "by other changes never",
            "",
            |stage, subscription| {
                for form in [
                    "metadata[a]=1",
                    "description=Text",
                    "cancel_at_period_end=true",
                    "pause_collection[behavior]=void",
                    "default_payment_method=pm_card_visa",
                    "collection_method=send_invoice",
                    "trial_end=now",
                ] {
                    stage.update(subscription, form).done();
                }
            },
            &["sms"],
        ),
    ];
    for (why, with, deed, expected) in rows {
        let stage = stage();
        let subscription = stage.subscribe(with);
        change_product(&stage);
        deed(&stage, &subscription);
        assert_eq!(stage.keys(), *expected, "{why}");
    }
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
    apply(&stage);
    assert_eq!((stage.keys(), stage.shop.keys(&customer)), (vec![], vec![]));
}
