//! Events: of what there is one, and what it says.

use entgate::id::{Livemode, Timestamp};
use serde_json::{Value, json};

use super::{
    Shop,
    fixture::{FAILS, FEBRUARY, Stage, members, stage},
    shop,
};
use crate::support::NOW;

const PATH: &str = "/v1/events";
const SUMMARY: &str = "entitlements.active_entitlement_summary.updated";
const CREATED: &str = "customer.subscription.created";
const UPDATED: &str = "customer.subscription.updated";
const DELETED: &str = "customer.subscription.deleted";

/// What happens to the stage, and a subscription on it; and the events of that.
type Row = (&'static str, fn(&Stage, &str), &'static [&'static str]);

/// Events of a list, newest first.
#[track_caller]
pub(crate) fn listed(shop: &Shop, query: &str) -> Vec<Value> {
    let list = shop.get(&format!("{PATH}?limit=100&{query}")).done();
    assert_eq!(list["has_more"], json!(false));
    list["data"].as_array().unwrap().clone()
}

/// What has happened since there were so many events, in its order.
#[track_caller]
fn since(shop: &Shop, count: usize) -> Vec<Value> {
    let mut events = listed(shop, "");
    events.reverse();
    events.split_off(count)
}

pub(crate) fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[track_caller]
fn assert_told(rows: &[Row]) {
    for (why, deed, expected) in rows {
        let stage = stage();
        let subscription = stage.subscribe("");
        let before = listed(&stage.shop, "").len();
        deed(&stage, &subscription);
        assert_eq!(kinds(&since(&stage.shop, before)), *expected, "{why}");
    }
}

#[test]
fn each_change_of_what_is_sold_has_its_events_and_features_and_endpoints_have_none() {
    let rows: &[Row] = &[
        ("a feature", |stage, _| drop(stage.shop.feature("sso")), &[]),
        (
            "a feature that comes and goes",
            |stage, _| {
                let path = format!("/v1/products/{}/features", stage.product);
                let attached = stage.shop.attach(&stage.product, &stage.shop.feature("sso"));
                stage.shop.delete(&format!("{path}/{attached}")).done();
                stage.shop.post(&format!("{path}/apply"), "").done();
            },
            &[],
        ),
        (
            "one that comes to those who have bought",
            |stage, _| {
                stage.shop.attach(&stage.product, &stage.shop.feature("sso"));
                let path = format!("/v1/products/{}/features/apply", stage.product);
                stage.shop.post(&path, "").done();
            },
            &[SUMMARY],
        ),
        (
            "an endpoint",
            |stage, _| {
                let form = "url=https://example.com&enabled_events[]=*";
                let endpoint = stage.shop.make("/v1/webhook_endpoints", form);
                stage.shop.delete(&format!("/v1/webhook_endpoints/{endpoint}")).done();
            },
            &[],
        ),
        (
            "a product with its price",
            |stage, _| {
                stage.shop.make("/v1/products", "name=Lamp&default_price_data[currency]=usd");
            },
            &["product.created", "price.created", "product.updated"],
        ),
        (
            "a price with its product",
            |stage, _| drop(stage.shop.make("/v1/prices", "product_data[name]=x&currency=usd")),
            &["product.created", "price.created"],
        ),
        (
            "a key that another price has",
            |stage, _| {
                let form = format!("product={}&currency=usd&lookup_key=k", stage.product);
                stage.shop.make("/v1/prices", &form);
                stage.shop.make("/v1/prices", &format!("{form}&transfer_lookup_key=true"));
            },
            &["price.created", "price.updated", "price.created"],
        ),
    ];
    assert_told(rows);
}

#[test]
fn each_change_of_a_purchase_has_its_events_and_none_where_nothing_changes() {
    let rows: &[Row] = &[
        ("a purchase", |stage, _| drop(stage.subscribe("")), &["customer.subscription.created"]),
        (
            "the first one",
            |stage, _| {
                let customer = stage.shop.make("/v1/customers", "");
                let form = format!("customer={customer}&items[0][price]={}", stage.price);
                stage.shop.make("/v1/subscriptions", &form);
            },
            &["customer.created", "customer.subscription.created", SUMMARY],
        ),
        (
            "one that is not paid",
            |stage, _| drop(stage.subscribe(&format!("&default_payment_method={FAILS}"))),
            &["customer.subscription.created"],
        ),
        (
            "nothing new",
            |stage, it| {
                stage.update(it, "").done();
                stage.update(it, "cancel_at_period_end=false&metadata[a]=").done();
                for path in [
                    format!("/v1/customers/{}", stage.customer),
                    format!("/v1/prices/{}", stage.price),
                    format!("/v1/products/{}", stage.product),
                ] {
                    stage.shop.post(&path, "metadata[a]=").done();
                }
                stage.shop.post(&format!("/v1/products/{}", stage.product), "name=Plan").done();
            },
            &[],
        ),
        (
            "what is refused",
            |stage, it| {
                assert_eq!(stage.update(it, "metadata[a]=1&trial_end=1").status, 400);
                assert_eq!(stage.resume(it, "").status, 400);
            },
            &[],
        ),
        ("a note", |stage, it| drop(stage.update(it, "metadata[a]=1").done()), &[UPDATED]),
        ("a pause", |stage, it| drop(stage.pause(it).done()), &["customer.subscription.paused"]),
        (
            "what is said of payments",
            |stage, it| drop(stage.update(it, "status=unpaid").done()),
            &[UPDATED, SUMMARY],
        ),
        (
            "an end",
            |stage, it| drop(stage.shop.delete(&format!("/v1/subscriptions/{it}")).done()),
            &[DELETED, SUMMARY],
        ),
        (
            "a method that nobody owes anything by",
            |stage, _| {
                let form = "payment_method=pm_card_visa";
                stage.shop.post(&format!("/v1/customers/{}", stage.customer), form).done();
            },
            &["customer.updated"],
        ),
        (
            "one that pays what is owed",
            |stage, it| {
                stage.update(it, "status=unpaid").done();
                let form = "payment_method=pm_card_visa";
                stage.shop.post(&format!("/v1/customers/{}", stage.customer), form).done();
            },
            &[UPDATED, SUMMARY, "customer.updated", UPDATED, SUMMARY],
        ),
        (
            "time",
            |stage, _| stage.advance(FEBRUARY),
            &["test_helpers.test_clock.advancing", UPDATED, "test_helpers.test_clock.ready"],
        ),
        (
            "the end of it",
            |stage, _| {
                stage.shop.delete(&format!("/v1/test_helpers/test_clocks/{}", stage.clock)).done();
                stage.shop.work();
            },
            &["test_helpers.test_clock.deleted", DELETED, SUMMARY, "customer.deleted"],
        ),
    ];
    assert_told(rows);
}

#[test]
fn what_was_before_is_told_with_what_changed_and_with_nothing_else() {
    let stage = stage();
    let shop = &stage.shop;
    let subscription = stage.subscribe("&metadata[a]=1&metadata[b]=2");
    let customer = format!("/v1/customers/{}", stage.customer);
    let previous = || {
        let last = shop.get(&format!("{PATH}?limit=1")).done();
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
        shop.post(&customer, form).done();
        assert_eq!(previous(), before, "{form}");
    }
    let items = stage.shown(&subscription)["items"]["data"].clone();
    stage.update(&subscription, "cancel_at_period_end=true").done();
    let ending = json!({
        "cancel_at": null,
        "cancel_at_period_end": false,
        "canceled_at": null,
        "cancellation_details": { "reason": null },
    });
    assert_eq!(previous(), ending);
    stage.update(&subscription, "cancel_at=").done();
    stage.advance(FEBRUARY);
    let renewed = &listed(shop, "type=customer.subscription.updated")[0]["data"];
    assert_eq!(renewed["previous_attributes"], json!({ "items": { "data": items } }));
    shop.delete(&format!("/v1/subscriptions/{subscription}")).done();
    let entitlements = &listed(shop, &format!("type={SUMMARY}"))[0]["data"];
    let before = &entitlements["previous_attributes"]["entitlements"]["data"][0]["lookup_key"];
    assert_eq!(before, &json!("sms"));
    for event in listed(shop, "") {
        let kind = event["type"].as_str().unwrap();
        let told = event["data"].get("previous_attributes").is_some();
        assert_eq!(told, kind.ends_with(".updated"), "{kind}");
    }
}

#[test]
fn an_event_shows_what_it_is_about_as_it_was_then() {
    let mut shop = shop();
    shop.livemode = Livemode::Live;
    let made = shop.post("/v1/customers", "name=Ada").done();
    let path = format!("/v1/customers/{}", made["id"].as_str().unwrap());
    let updated = shop.post(&path, "name=Eve").done();
    shop.delete(&path).done();
    let events = listed(&shop, "");
    let objects: Vec<_> = events.iter().map(|event| &event["data"]["object"]).collect();
    assert_eq!(objects, [&updated, &updated, &made]);
    let names = ["object", "created", "livemode", "pending_webhooks"];
    assert_eq!(members(&events[2], &names), json!(["event", NOW.0, true, 0]));
    let same = shop.get(&format!("{PATH}/{}", events[2]["id"].as_str().unwrap())).done();
    assert_eq!(same, events[2]);
}

/// What has happened since there were so many events, and by which request and which key.
#[track_caller]
fn causes(shop: &Shop, count: usize) -> Vec<Value> {
    let cause = |event: &Value| {
        let request = members(&event["request"], &["id", "idempotency_key"]);
        json!([event["type"], request[0], request[1]])
    };
    since(shop, count).iter().map(cause).collect()
}

const REQUEST: (&str, &str) = ("request-id", "req_1");

#[test]
fn an_event_names_the_request_that_caused_it_and_its_key_unless_it_followed_of_itself() {
    let stage = stage();
    let shop = &stage.shop;
    let count = || listed(shop, "").len();
    let before = count();
    let headers = [REQUEST, ("idempotency-key", "k")];
    for _ in 0..2 {
        shop.request("POST", "/v1/subscriptions", &headers, &stage.purchase("")).done();
    }
    stage.subscribe("");
    let expected = [
        json!([CREATED, "req_1", "k"]),
        json!([SUMMARY, null, null]),
        json!([CREATED, null, null]),
    ];
    assert_eq!(causes(shop, before), expected);

    let before = count();
    let path = format!("/v1/test_helpers/test_clocks/{}/advance", stage.clock);
    shop.request("POST", &path, &[REQUEST], &format!("frozen_time={FEBRUARY}")).done();
    shop.work();
    let expected = [
        json!(["test_helpers.test_clock.advancing", "req_1", null]),
        json!([UPDATED, null, null]),
        json!([UPDATED, null, null]),
        json!(["test_helpers.test_clock.ready", null, null]),
    ];
    assert_eq!(causes(shop, before), expected);

    let before = count();
    shop.request("DELETE", &format!("/v1/customers/{}", stage.customer), &[REQUEST], "").done();
    let expected = [
        json!([DELETED, "req_1", null]),
        json!([DELETED, "req_1", null]),
        json!([SUMMARY, null, null]),
        json!(["customer.deleted", "req_1", null]),
    ];
    assert_eq!(causes(shop, before), expected);
}

#[test]
fn what_was_due_before_a_request_was_not_caused_by_it() {
    let mut stage = stage();
    stage.customer = stage.shop.make("/v1/customers", "");
    let due = NOW.0 + 10;
    let [first, _, _] = [1, 2, 3].map(|_| stage.subscribe(&format!("&cancel_at={due}")));
    stage.shop.now = Timestamp(due);
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
            &format!("/v1/customer/{}/entitlements", stage.customer),
            "",
            vec![
                json!([DELETED, null, null]),
                json!([DELETED, null, null]),
                json!([SUMMARY, null, null]),
            ],
        ),
    ] {
        let before = listed(&stage.shop, "").len();
        stage.shop.request(method, target, &[REQUEST], form).done();
        assert_eq!(causes(&stage.shop, before), expected, "{method} {target}");
    }
}

#[test]
fn a_summary_has_the_ten_newest_and_says_where_there_are_more() {
    for (count, shown, more) in [(1, 1, false), (10, 10, false), (11, 10, true)] {
        let stage = stage();
        for number in 1..count {
            stage.shop.attach(&stage.product, &stage.shop.feature(&format!("f{number}")));
        }
        let subscription = stage.subscribe("");
        let list = format!("/v1/customer/{}/entitlements", stage.customer);
        let list = stage.shop.get(&list).done();
        let summary = listed(&stage.shop, &format!("type={SUMMARY}")).remove(0);
        let expected = json!({
            "object": "entitlements.active_entitlement_summary",
            "customer": stage.customer,
            "entitlements": list,
            "livemode": false,
        });
        assert_eq!(summary["data"]["object"], expected);
        assert_eq!(list["data"].as_array().unwrap().len(), shown);
        assert_eq!(list["has_more"], json!(more), "{count}");
        assert_eq!(
            summary["data"]["previous_attributes"],
            json!({ "entitlements": { "data": [] } })
        );
        stage.shop.delete(&format!("/v1/subscriptions/{subscription}")).done();
        let gone = listed(&stage.shop, &format!("type={SUMMARY}")).remove(0);
        let before = &gone["data"]["previous_attributes"]["entitlements"]["data"];
        assert_eq!(before, &list["data"]);
    }
}
