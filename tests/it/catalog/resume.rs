//! Subscriptions that are resumed after a pause.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/pause#resume-subscriptions>.

use entgate::policy::PauseOnPaymentFailure;
use serde_json::json;

use super::{
    fixture::{DAY, DECLINED_CARD, FEBRUARY, Fixture, JANUARY, MARCH, VALID_CARD, fixture},
    test_catalog::{event_types, members},
};

const TRIAL: &str =
    "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause";
const ON_SUCCESS: &str = "payment_behavior=resume_on_payment_success";

/// The types of the events of a resume that returns the features.
const RESUMED: [&str; 3] = [
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "entitlements.active_entitlement_summary.updated",
];

fn set_card(fixture: &Fixture, subscription: &str, card: &str) {
    fixture.update(subscription, &format!("default_payment_method={card}")).expect_ok();
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
fn a_resume_that_requires_a_payment_succeeds_only_with_one() {
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
        set_card(&fixture, &subscription, method);
        let before = fixture.catalog.list_events("").len();
        let response = fixture.resume(&subscription, form);
        assert_eq!(response.status, status, "{method}, {form}");
        assert_eq!(fixture.status(&subscription), expected, "{method}, {form}");
        let keys: &[&str] = if expected == "paused" { &[] } else { &["sms"] };
        assert_eq!(fixture.entitled_keys(), keys, "{method}, {form}");
        let events = fixture.catalog.events_after(before);
        let types: &[&str] = if expected == "paused" { &[] } else { &RESUMED };
        assert_eq!(event_types(&events), types, "{method}, {form}");
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

/// What pays for a resume that waits for its payment.
type Payment = (&'static str, fn(&Fixture, &str));

const PAYMENTS: [Payment; 4] = [
    ("a payment method of the subscription", |fixture, id| set_card(fixture, id, VALID_CARD)),
    ("a payment method of the customer", |fixture, id| {
        set_card(fixture, id, "");
        let form = format!("invoice_settings[default_payment_method]={VALID_CARD}");
        let path = format!("/v1/customers/{}", fixture.customer);
        fixture.catalog.post(&path, &form).expect_ok();
    }),
    ("a reported payment", |fixture, id| drop(fixture.update(id, "status=active").expect_ok())),
    ("another resume", |fixture, id| {
        set_card(fixture, id, "");
        let form = "billing_cycle_anchor=now";
        fixture.resume(id, form).expect_ok();
    }),
];

#[test]
fn a_resume_that_waits_for_its_payment_ends_the_pause_when_the_payment_succeeds() {
    for (why, pay) in PAYMENTS {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        fixture.pause(&subscription).expect_ok();
        set_card(&fixture, &subscription, DECLINED_CARD);
        fixture.resume(&subscription, ON_SUCCESS).expect_ok();
        set_card(&fixture, &subscription, DECLINED_CARD);
        fixture.advance(FEBRUARY);
        let state = (fixture.status(&subscription), fixture.entitled_keys());
        assert_eq!(state, ("paused".to_owned(), vec![]), "{why}");
        let before = fixture.catalog.list_events("").len();
        pay(&fixture, &subscription);
        let state = (fixture.status(&subscription), fixture.entitled_keys());
        assert_eq!(state, ("active".to_owned(), vec!["sms".to_owned()]), "{why}");
        assert_eq!(fixture.current_period(&subscription), [FEBRUARY, MARCH], "{why}");
        let events = fixture.catalog.events_after(before);
        let types = event_types(&events);
        assert_eq!(types.get(types.len() - 3..), Some(&RESUMED[..]), "{why}: {types:?}");
    }
}

#[test]
fn a_resume_that_waits_for_its_payment_keeps_its_billing_cycle_anchor() {
    let day = JANUARY + DAY;
    for (anchor, period) in [("now", [day, FEBRUARY + DAY]), ("unchanged", [JANUARY, FEBRUARY])] {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        fixture.pause(&subscription).expect_ok();
        set_card(&fixture, &subscription, DECLINED_CARD);
        let form = format!("{ON_SUCCESS}&billing_cycle_anchor[type]={anchor}");
        fixture.resume(&subscription, &form).expect_ok();
        fixture.advance(day);
        set_card(&fixture, &subscription, VALID_CARD);
        assert_eq!(fixture.status(&subscription), "active", "{anchor}");
        assert_eq!(fixture.current_period(&subscription), period, "{anchor}");
    }
}

#[test]
fn a_resume_waits_for_its_payment_for_a_year() {
    for (now, status) in [(JANUARY + 365 * DAY - 1, "active"), (JANUARY + 365 * DAY, "paused")] {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        fixture.pause(&subscription).expect_ok();
        set_card(&fixture, &subscription, DECLINED_CARD);
        fixture.resume(&subscription, ON_SUCCESS).expect_ok();
        fixture.advance(now);
        set_card(&fixture, &subscription, VALID_CARD);
        assert_eq!(fixture.status(&subscription), status, "{now}");
    }
}

#[test]
fn a_new_payment_method_does_not_resume_without_a_request() {
    let mut fixture = fixture();
    fixture.catalog.pause_on_payment_failure = PauseOnPaymentFailure::First;
    let subscription = fixture.subscribe(&format!("&default_payment_method={VALID_CARD}"));
    set_card(&fixture, &subscription, DECLINED_CARD);
    fixture.advance(FEBRUARY);
    set_card(&fixture, &subscription, VALID_CARD);
    assert_eq!(fixture.status(&subscription), "paused");
    assert_eq!(fixture.resume(&subscription, "").expect_ok()["status"], json!("active"));
    assert_eq!(fixture.entitled_keys(), ["sms"]);
    // The end of the pause has forgotten the resume: the next pause waits for none.
    fixture.pause(&subscription).expect_ok();
    set_card(&fixture, &subscription, VALID_CARD);
    assert_eq!(fixture.status(&subscription), "paused");
}

#[test]
fn a_charge_that_fails_on_resume_does_not_pause_again() {
    let mut fixture = fixture();
    fixture.catalog.pause_on_payment_failure = PauseOnPaymentFailure::First;
    let subscription = fixture.subscribe("");
    set_card(&fixture, &subscription, DECLINED_CARD);
    fixture.advance(FEBRUARY);
    assert_eq!(fixture.status(&subscription), "paused");
    assert_eq!(fixture.resume(&subscription, "").expect_ok()["status"], json!("past_due"));
    assert_eq!(fixture.entitled_keys(), ["sms"]);
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
