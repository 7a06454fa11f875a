//! Subscriptions that are paused and resumed.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/pause>.

use serde_json::json;

use super::{
    fixture::{DAY, DECLINED_CARD, FEBRUARY, Fixture, VALID_CARD, fixture},
    test_catalog::members,
};

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
