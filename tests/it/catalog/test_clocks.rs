//! Test clocks: how far they go, what they hold up meanwhile, and how long they are kept.

use entgate::id::{Livemode, Timestamp};
use serde_json::json;

use super::{
    fixture::{DAY, FEBRUARY, JANUARY, members, stage},
    shop,
};
use crate::support::NOW;

const PATH: &str = "/v1/test_helpers/test_clocks";

/// Five years, each as long as the longest.
const FARTHEST: i64 = 158_112_000;

#[test]
fn a_clock_moves_forward_by_one_second_to_five_years() {
    let shop = shop();
    let back = format!("A test clock only moves forward: `frozen_time` must be after {JANUARY}.");
    let far =
        format!("A test clock moves at most 1830 days at once: to {} now.", JANUARY + FARTHEST);
    for (to, refusal) in [
        (0, Some(&back)),
        (JANUARY - 1, Some(&back)),
        (JANUARY, Some(&back)),
        (JANUARY + 1, None),
        (JANUARY + FARTHEST, None),
        (JANUARY + FARTHEST + 1, Some(&far)),
    ] {
        let clock = shop.clock();
        let answer = shop.post(&format!("{PATH}/{clock}/advance"), &format!("frozen_time={to}"));
        if let Some(message) = refusal {
            let expected = (400, "parameter_invalid", "frozen_time", message.as_str());
            assert_eq!(answer.refusal(), expected, "to {to}");
            continue;
        }
        let names = ["status", "frozen_time", "status_details"];
        let details = json!({ "advancing": { "target_frozen_time": to } });
        let begun = members(&answer.done(), &names);
        assert_eq!(begun, json!(["advancing", JANUARY, details]), "to {to}");
        shop.work();
        let there = members(&shop.get(&format!("{PATH}/{clock}")).done(), &names);
        assert_eq!(there, json!(["ready", to, {}]), "to {to}");
    }
}

#[test]
fn what_lives_by_a_clock_cannot_be_changed_until_it_has_come_to_where_it_goes() {
    let stage = stage();
    let shop = &stage.shop;
    let subscription = stage.subscribe("");
    let outside = shop.make("/v1/customers", "");
    let path = format!("{PATH}/{}/advance", stage.clock);
    shop.post(&path, &format!("frozen_time={}", FEBRUARY + DAY)).done();

    let [customers, subscriptions] = ["/v1/customers", "/v1/subscriptions"];
    let (customer, paid) =
        (format!("{customers}/{}", stage.customer), format!("{subscriptions}/{subscription}"));
    let on_clock = format!("test_clock={}", stage.clock);
    let requests = [
        ("POST", customers.to_owned(), on_clock.clone()),
        ("POST", customer.clone(), "name=Ada".to_owned()),
        ("POST", subscriptions.to_owned(), stage.purchase("")),
        ("POST", paid.clone(), "metadata[a]=1".to_owned()),
        ("POST", format!("{paid}/pause"), String::new()),
        ("DELETE", paid.clone(), String::new()),
    ];
    let message = "Test clock advancement underway - cannot perform modifications.";
    for (method, target, form) in &requests {
        let refused = shop.request(method, target, &[], form);
        assert_eq!(refused.refusal(), (400, "", "", message), "{method} {target}");
    }
    let deletion = shop.delete(&customer);
    assert_eq!(deletion.refusal(), (400, "", "", message));
    let again = shop.post(&path, &format!("frozen_time={}", FEBRUARY + 2 * DAY));
    let message = "Test clock advancement underway - wait until its status is `ready`.";
    assert_eq!(again.refusal(), (400, "", "", message));

    assert_eq!(stage.keys(), ["sms"], "it can be read");
    let here = format!("customer={outside}&items[0][price]={}", stage.price);
    assert_eq!(shop.post(subscriptions, &here).status, 200, "who has none goes on");
    shop.work();
    for (method, target, form) in &requests {
        assert_eq!(shop.request(method, target, &[], form).status, 200, "{method} {target}");
    }
    assert_eq!(stage.shown(&subscription)["ended_at"], json!(FEBRUARY + DAY));
}

#[test]
fn a_clock_is_kept_for_thirty_days_and_then_goes_with_its_customers() {
    let mut stage = stage();
    let subscription = stage.subscribe("");
    stage.advance(FEBRUARY);
    let outside = stage.shop.make("/v1/customers", "");
    let path = format!("{PATH}/{}", stage.clock);
    let end = NOW.0 + 30 * DAY;
    assert_eq!(stage.shop.get(&path).done()["deletes_after"], json!(end));

    stage.shop.now = Timestamp(end - 1);
    let later = stage.shop.clock();
    stage.shop.work();
    assert_eq!(stage.shop.get(&path).done()["status"], json!("ready"));
    assert_eq!(stage.status(&subscription), "active");

    stage.shop.now = Timestamp(end);
    stage.shop.work();
    let message = format!("No such test clock: '{}'", stage.clock);
    let expected = (404, "resource_missing", "id", message.as_str());
    assert_eq!(stage.shop.get(&path).refusal(), expected);
    assert_eq!(stage.shop.delete(&path).refusal(), expected);
    let clocks = stage.shop.get(PATH).done();
    assert_eq!(clocks["data"].as_array().unwrap().len(), 1);
    assert_eq!(clocks["data"][0]["id"], json!(later));
    let customer = |id: &str| stage.shop.get(&format!("/v1/customers/{id}")).done();
    let deleted = json!({ "id": stage.customer, "object": "customer", "deleted": true });
    assert_eq!(customer(&stage.customer), deleted);
    assert_eq!(customer(&outside)["object"], json!("customer"));
    assert_eq!(customer(&outside)["deleted"], json!(null));
    let shown = members(&stage.shown(&subscription), &["status", "ended_at"]);
    assert_eq!(shown, json!(["canceled", FEBRUARY]), "as of the clock");
    let told = stage.shop.get("/v1/events?type=test_helpers.test_clock.deleted").done();
    assert_eq!(told["data"].as_array().unwrap().len(), 1);
    assert_eq!(told["data"][0]["data"]["object"]["id"], json!(stage.clock));
}

#[test]
fn a_clock_that_is_deleted_on_its_way_takes_its_customers_from_where_it_stood() {
    let stage = stage();
    let subscription = stage.subscribe("");
    let path = format!("{PATH}/{}", stage.clock);
    stage.shop.post(&format!("{path}/advance"), &format!("frozen_time={FEBRUARY}")).done();
    stage.shop.delete(&path).done();
    assert_eq!(stage.shop.get(&path).status, 404);
    stage.shop.work();
    let shown = members(&stage.shown(&subscription), &["status", "ended_at"]);
    assert_eq!(shown, json!(["canceled", JANUARY]));
}

#[test]
fn there_are_no_clocks_in_live_mode() {
    let mut shop = shop();
    let clock = shop.clock();
    shop.livemode = Livemode::Live;
    let message = "Test clocks are of test mode: use a key that begins with sk_test_.";
    for (method, target) in [
        ("GET", PATH.to_owned()),
        ("POST", PATH.to_owned()),
        ("GET", format!("{PATH}/{clock}")),
        ("DELETE", format!("{PATH}/{clock}")),
        ("POST", format!("{PATH}/{clock}/advance")),
    ] {
        let refused = shop.request(method, &target, &[], "");
        assert_eq!(refused.refusal(), (400, "", "", message), "{method} {target}");
    }
}
