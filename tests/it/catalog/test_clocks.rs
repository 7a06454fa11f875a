//! Test clocks: how far they advance, what they block meanwhile, and how long they are retained.
//!
//! Specification: <https://docs.stripe.com/billing/testing/test-clocks>.

use entgate::id::{Livemode, Timestamp};
use serde_json::json;

use super::{
    fixture::{DAY, FEBRUARY, JANUARY, fixture},
    test_catalog::{TestCatalog, members},
};
use crate::support::NOW;

const PATH: &str = "/v1/test_helpers/test_clocks";

/// Five leap years, in seconds.
const MAX_ADVANCE: i64 = 158_112_000;

#[test]
fn a_clock_advances_by_one_second_to_five_years() {
    let catalog = TestCatalog::new();
    let back = format!("A test clock only moves forward: `frozen_time` must be after {JANUARY}.");
    let far =
        format!("A test clock moves at most 1830 days at once: to {} now.", JANUARY + MAX_ADVANCE);
    for (to, error) in [
        (0, Some(&back)),
        (JANUARY - 1, Some(&back)),
        (JANUARY, Some(&back)),
        (JANUARY + 1, None),
        (JANUARY + MAX_ADVANCE, None),
        (JANUARY + MAX_ADVANCE + 1, Some(&far)),
    ] {
        let clock = catalog.create_clock();
        let response =
            catalog.post(&format!("{PATH}/{clock}/advance"), &format!("frozen_time={to}"));
        if let Some(message) = error {
            let expected = (400, "parameter_invalid", "frozen_time", message.as_str());
            assert_eq!(response.error(), expected, "to {to}");
            continue;
        }
        let names = ["status", "frozen_time", "status_details"];
        let details = json!({ "advancing": { "target_frozen_time": to } });
        let advancing = members(&response.expect_ok(), &names);
        assert_eq!(advancing, json!(["advancing", JANUARY, details]), "to {to}");
        catalog.run_due();
        let ready = members(&catalog.get(&format!("{PATH}/{clock}")).expect_ok(), &names);
        assert_eq!(ready, json!(["ready", to, {}]), "to {to}");
    }
}

#[test]
fn the_objects_of_an_advancing_clock_cannot_be_changed() {
    let fixture = fixture();
    let catalog = &fixture.catalog;
    let subscription = fixture.subscribe("");
    let outside = catalog.create("/v1/customers", "");
    let path = format!("{PATH}/{}/advance", fixture.clock);
    catalog.post(&path, &format!("frozen_time={}", FEBRUARY + DAY)).expect_ok();

    let [customers, subscriptions] = ["/v1/customers", "/v1/subscriptions"];
    let customer_path = format!("{customers}/{}", fixture.customer);
    let subscription_path = format!("{subscriptions}/{subscription}");
    let on_clock = format!("test_clock={}", fixture.clock);
    let requests = [
        ("POST", customers.to_owned(), on_clock.clone()),
        ("POST", customer_path.clone(), "name=Ada".to_owned()),
        ("POST", subscriptions.to_owned(), fixture.subscription_form("")),
        ("POST", subscription_path.clone(), "metadata[a]=1".to_owned()),
        ("POST", format!("{subscription_path}/pause"), String::new()),
        ("DELETE", subscription_path.clone(), String::new()),
    ];
    let message = "Test clock advancement underway - cannot perform modifications.";
    for (method, target, form) in &requests {
        let rejected = catalog.request(method, target, &[], form);
        assert_eq!(rejected.error(), (400, "", "", message), "{method} {target}");
    }
    let rejected = catalog.delete(&customer_path);
    assert_eq!(rejected.error(), (400, "", "", message));
    let rejected = catalog.post(&path, &format!("frozen_time={}", FEBRUARY + 2 * DAY));
    let message = "Test clock advancement underway - wait until its status is `ready`.";
    assert_eq!(rejected.error(), (400, "", "", message));

    assert_eq!(fixture.entitled_keys(), ["sms"], "reads are allowed");
    let form = format!("customer={outside}&items[0][price]={}", fixture.price);
    assert_eq!(
        catalog.post(subscriptions, &form).status,
        200,
        "customers without a clock are not blocked"
    );
    catalog.run_due();
    for (method, target, form) in &requests {
        assert_eq!(catalog.request(method, target, &[], form).status, 200, "{method} {target}");
    }
    assert_eq!(fixture.retrieve(&subscription)["ended_at"], json!(FEBRUARY + DAY));
}

#[test]
fn a_clock_and_its_customers_are_deleted_after_thirty_days() {
    let mut fixture = fixture();
    let subscription = fixture.subscribe("");
    fixture.advance(FEBRUARY);
    let outside = fixture.catalog.create("/v1/customers", "");
    let path = format!("{PATH}/{}", fixture.clock);
    let expiry = NOW.0 + 30 * DAY;
    assert_eq!(fixture.catalog.get(&path).expect_ok()["deletes_after"], json!(expiry));

    fixture.catalog.now = Timestamp(expiry - 1);
    let second = fixture.catalog.create_clock();
    fixture.catalog.run_due();
    assert_eq!(fixture.catalog.get(&path).expect_ok()["status"], json!("ready"));
    assert_eq!(fixture.status(&subscription), "active");

    fixture.catalog.now = Timestamp(expiry);
    fixture.catalog.run_due();
    let message = format!("No such test clock: '{}'", fixture.clock);
    let expected = (404, "resource_missing", "id", message.as_str());
    assert_eq!(fixture.catalog.get(&path).error(), expected);
    assert_eq!(fixture.catalog.delete(&path).error(), expected);
    let clocks = fixture.catalog.get(PATH).expect_ok();
    assert_eq!(clocks["data"].as_array().unwrap().len(), 1);
    assert_eq!(clocks["data"][0]["id"], json!(second));
    let customer = |id: &str| fixture.catalog.get(&format!("/v1/customers/{id}")).expect_ok();
    let deleted = json!({ "id": fixture.customer, "object": "customer", "deleted": true });
    assert_eq!(customer(&fixture.customer), deleted);
    assert_eq!(customer(&outside)["object"], json!("customer"));
    assert_eq!(customer(&outside)["deleted"], json!(null));
    let state = members(&fixture.retrieve(&subscription), &["status", "ended_at"]);
    assert_eq!(state, json!(["canceled", FEBRUARY]), "at the time of the clock");
    let events = fixture.catalog.get("/v1/events?type=test_helpers.test_clock.deleted").expect_ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
    assert_eq!(events["data"][0]["data"]["object"]["id"], json!(fixture.clock));
}

#[test]
fn deleting_an_advancing_clock_cancels_subscriptions_at_the_previous_clock_time() {
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    let path = format!("{PATH}/{}", fixture.clock);
    fixture
        .catalog
        .post(&format!("{path}/advance"), &format!("frozen_time={FEBRUARY}"))
        .expect_ok();
    fixture.catalog.delete(&path).expect_ok();
    assert_eq!(fixture.catalog.get(&path).status, 404);
    fixture.catalog.run_due();
    let state = members(&fixture.retrieve(&subscription), &["status", "ended_at"]);
    assert_eq!(state, json!(["canceled", JANUARY]));
}

#[test]
fn live_mode_has_no_test_clocks() {
    let mut catalog = TestCatalog::new();
    let clock = catalog.create_clock();
    catalog.livemode = Livemode::Live;
    let message =
        "Test clocks are only available in test mode: use a key that begins with sk_test_.";
    for (method, target) in [
        ("GET", PATH.to_owned()),
        ("POST", PATH.to_owned()),
        ("GET", format!("{PATH}/{clock}")),
        ("DELETE", format!("{PATH}/{clock}")),
        ("POST", format!("{PATH}/{clock}/advance")),
    ] {
        let rejected = catalog.request(method, &target, &[], "");
        assert_eq!(rejected.error(), (400, "", "", message), "{method} {target}");
    }
}
