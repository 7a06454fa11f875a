//! Subscriptions that are paused and resumed.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/pause>.

use serde_json::{Value, json};

use super::{
    fixture::{DAY, DECLINED_CARD, FEBRUARY, Fixture, JANUARY, VALID_CARD, fixture},
    test_catalog::{event_types, members},
};

const TRIAL: &str =
    "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause";
const SUMMARY: &str = "entitlements.active_entitlement_summary.updated";

/// Stripe's `status_details` of a subscription that is paused.
fn paused(reason: &str, since: i64) -> Value {
    let subscription = json!({ "type": reason });
    let paused =
        json!({ "subscription": subscription, "transitioned_at": since, "type": "subscription" });
    json!({ "paused": paused })
}

/// Creates a subscription whose renewal in February fails, and pauses it then.
fn fail_and_pause(fixture: &Fixture) -> String {
    let subscription = fixture.subscribe(&format!("&default_payment_method={VALID_CARD}"));
    fixture.update(&subscription, &format!("default_payment_method={DECLINED_CARD}")).expect_ok();
    fixture.advance(FEBRUARY);
    assert_eq!(fixture.status(&subscription), "past_due");
    fixture.pause(&subscription).expect_ok();
    fixture.advance(FEBRUARY + 15 * DAY);
    subscription
}

#[test]
fn a_charge_that_fails_on_resume_starts_14_days_of_dunning() {
    let fixture = fixture();
    let subscription = fail_and_pause(&fixture);
    assert_eq!(fixture.resume(&subscription, "").expect_ok()["status"], "past_due");
    fixture.advance(FEBRUARY + 15 * DAY + 1);
    let state = || members(&fixture.retrieve(&subscription), &["status", "ended_at"]);
    assert_eq!(state(), json!(["past_due", null]));
    fixture.advance(FEBRUARY + 29 * DAY - 1);
    assert_eq!(state(), json!(["past_due", null]));
    fixture.advance(FEBRUARY + 29 * DAY);
    assert_eq!(state(), json!(["canceled", FEBRUARY + 29 * DAY]));
}

#[test]
fn a_failure_before_a_pause_does_not_cancel_a_subscription_reported_past_due_later() {
    let fixture = fixture();
    let subscription = fail_and_pause(&fixture);
    fixture.update(&subscription, "default_payment_method=").expect_ok();
    assert_eq!(fixture.resume(&subscription, "").expect_ok()["status"], "active");
    fixture.update(&subscription, "status=past_due").expect_ok();
    fixture.advance(FEBRUARY + 15 * DAY + 1);
    let subscription = fixture.retrieve(&subscription);
    assert_eq!(members(&subscription, &["status", "ended_at"]), json!(["past_due", null]));
}

#[test]
fn a_paused_subscription_can_be_canceled_at_period_end_until_its_period_is_over() {
    for (why, now, status) in [
        ("the last second of the period", FEBRUARY - 1, 200),
        ("the first second after it", FEBRUARY, 400),
    ] {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        fixture.pause(&subscription).expect_ok();
        fixture.advance(now);
        let response = fixture.update(&subscription, "cancel_at_period_end=true");
        assert_eq!(response.status, status, "{why}: {}", response.body);
        fixture.advance(FEBRUARY + 1);
        let expected = if status == 200 { "canceled" } else { "paused" };
        assert_eq!(fixture.status(&subscription), expected, "{why}");
    }
}

#[test]
fn a_requested_pause_removes_the_features_and_a_resume_returns_them() {
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    fixture.advance(JANUARY + DAY);
    let before = fixture.catalog.list_events("").len();
    let details = paused("pause_requested", JANUARY + DAY);
    let response = fixture.pause(&subscription).expect_ok();
    assert_eq!(members(&response, &["status", "status_details"]), json!(["paused", details]));
    assert_eq!(fixture.entitled_keys(), [""; 0]);
    let resumed = fixture.resume(&subscription, "").expect_ok();
    assert_eq!(resumed["status"], json!("active"));
    assert_eq!(resumed.get("status_details"), None);
    assert_eq!(fixture.entitled_keys(), ["sms"]);

    let events = fixture.catalog.events_after(before);
    let [paused, updated] = ["customer.subscription.paused", "customer.subscription.updated"];
    let resumed_type = "customer.subscription.resumed";
    let expected = [paused, updated, SUMMARY, resumed_type, updated, SUMMARY];
    assert_eq!(event_types(&events), expected, "in the order of Stripe's documentation");
    for index in [0, 3] {
        assert_eq!(events[index]["data"], json!({ "object": events[index + 1]["data"]["object"] }));
    }
    let previous = |index: usize| &events[index]["data"]["previous_attributes"];
    assert_eq!(previous(1), &json!({ "status": "active", "status_details": null }));
    assert_eq!(members(previous(4), &["status", "status_details"]), json!(["paused", details]));
    assert_eq!(previous(2)["entitlements"]["data"][0]["lookup_key"], json!("sms"));
    assert_eq!(previous(5), &json!({ "entitlements": { "data": [] } }));
}

#[test]
fn the_end_of_a_trial_pauses_with_another_reason_and_keeps_the_features() {
    for at in [JANUARY + 7 * DAY, JANUARY + DAY] {
        let fixture = fixture();
        let subscription = fixture.subscribe(TRIAL);
        fixture.advance(at);
        if at < JANUARY + 7 * DAY {
            fixture.update(&subscription, "trial_end=now").expect_ok();
        }
        let details = paused("trial_end_without_payment_method", at);
        let state = members(&fixture.retrieve(&subscription), &["status", "status_details"]);
        assert_eq!(state, json!(["paused", details]));
        assert_eq!(fixture.entitled_keys(), ["sms"]);
        let updated = &fixture.catalog.list_events("type=customer.subscription.updated")[0]["data"];
        let previous = members(&updated["previous_attributes"], &["status", "status_details"]);
        assert_eq!(previous, json!(["trialing", null]));
        fixture.cancel(&subscription).expect_ok();
        assert_eq!(fixture.retrieve(&subscription).get("status_details"), None);
        assert_eq!(fixture.entitled_keys(), [""; 0]);
    }
}

#[test]
fn a_trial_cannot_be_paused() {
    let fixture = fixture();
    let subscription = fixture.subscribe("&trial_period_days=7");
    let message = "A subscription that is `trialing` cannot be paused. End its trial first, with \
                   `trial_end=now`.";
    assert_eq!(fixture.pause(&subscription).error(), (400, "", "", message));
    assert_eq!(fixture.status(&subscription), "trialing");
}

#[test]
fn a_resume_that_requires_a_payment_succeeds_only_with_one() {
    const ON_SUCCESS: &str = "payment_behavior=resume_on_payment_success";
    for (method, form, status, expected) in [
        (VALID_CARD, ON_SUCCESS, 200, "active"),
        (DECLINED_CARD, ON_SUCCESS, 200, "paused"),
        (DECLINED_CARD, "payment_behavior=resume_on_payment_attempt", 200, "past_due"),
        (DECLINED_CARD, "", 200, "past_due"),
        ("", ON_SUCCESS, 400, "paused"),
        ("", "", 200, "active"),
    ] {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        fixture.pause(&subscription).expect_ok();
        let method = format!("default_payment_method={method}");
        fixture.update(&subscription, &method).expect_ok();
        let before = fixture.catalog.list_events("").len();
        let response = fixture.resume(&subscription, form);
        assert_eq!(response.status, status, "{method}, {form}");
        assert_eq!(fixture.status(&subscription), expected, "{method}, {form}");
        let keys: &[&str] = if expected == "paused" { &[] } else { &["sms"] };
        assert_eq!(fixture.entitled_keys(), keys, "{method}, {form}");
        let events = fixture.catalog.events_after(before).len();
        assert_eq!(events, if expected == "paused" { 0 } else { 3 }, "{method}, {form}");
    }
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    fixture.pause(&subscription).expect_ok();
    let message = "`resume_on_payment_success` requires a payment method. Set \
                   `default_payment_method` of the subscription or of its customer first.";
    let expected = (400, "parameter_invalid", "payment_behavior", message);
    assert_eq!(fixture.resume(&subscription, ON_SUCCESS).error(), expected);
    let invalid = fixture.resume(&subscription, "payment_behavior=allow_incomplete");
    let (status, code, param, _) = invalid.error();
    assert_eq!((status, code, param), (400, "parameter_invalid", "payment_behavior"));
}

/// Stripe's SDKs send a map since API version 2026-09-30.endive.
#[test]
fn the_billing_cycle_anchor_of_a_resume_or_an_update_is_a_string_or_a_map() {
    let day = JANUARY + DAY;
    for (anchor, period) in [
        ("billing_cycle_anchor=now", [day, FEBRUARY + DAY]),
        ("billing_cycle_anchor[type]=now", [day, FEBRUARY + DAY]),
        ("billing_cycle_anchor=unchanged", [JANUARY, FEBRUARY]),
        ("billing_cycle_anchor[type]=unchanged", [JANUARY, FEBRUARY]),
    ] {
        let fixture = fixture();
        let [paused, updated] = [fixture.subscribe(""), fixture.subscribe("")];
        fixture.pause(&paused).expect_ok();
        fixture.advance(day);
        fixture.resume(&paused, anchor).expect_ok();
        fixture.update(&updated, anchor).expect_ok();
        for subscription in [paused, updated] {
            assert_eq!(fixture.current_period(&subscription), period, "{anchor}");
        }
    }
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    for (form, code, param) in [
        ("billing_cycle_anchor[type]=later", "parameter_invalid", "billing_cycle_anchor[type]"),
        ("billing_cycle_anchor[kind]=now", "parameter_missing", "billing_cycle_anchor[type]"),
        (
            "billing_cycle_anchor[type]=now&billing_cycle_anchor[at]=1",
            "parameter_unknown",
            "billing_cycle_anchor[at]",
        ),
        ("billing_cycle_anchor=later", "parameter_invalid", "billing_cycle_anchor"),
    ] {
        let rejected = fixture.update(&subscription, form);
        let (status, error_code, name, _) = rejected.error();
        assert_eq!((status, error_code, name), (400, code, param), "{form}");
    }
}

#[test]
fn a_pause_by_the_end_of_a_trial_is_resumed_with_a_period() {
    for (form, period) in [
        ("", [JANUARY + 10 * DAY, FEBRUARY + 10 * DAY]),
        ("billing_cycle_anchor=unchanged", [JANUARY + 7 * DAY, FEBRUARY + 7 * DAY]),
    ] {
        let fixture = fixture();
        let subscription = fixture.subscribe(TRIAL);
        fixture.advance(JANUARY + 10 * DAY);
        assert_eq!(fixture.status(&subscription), "paused");
        fixture.resume(&subscription, form).expect_ok();
        assert_eq!(fixture.current_period(&subscription), period, "{form}");
        assert_eq!(fixture.entitled_keys(), ["sms"]);
    }
}
