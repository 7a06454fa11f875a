//! Subscriptions that are paused and resumed.

use serde_json::json;

use super::fixture::{DAY, FAILS, FEBRUARY, Stage, WORKS, members, stage};

/// A subscription whose renewal in February failed, and which was paused then.
fn failed_and_paused(stage: &Stage) -> String {
    let subscription = stage.subscribe(&format!("&default_payment_method={WORKS}"));
    stage.update(&subscription, &format!("default_payment_method={FAILS}")).done();
    stage.advance(FEBRUARY);
    assert_eq!(stage.status(&subscription), "past_due");
    stage.pause(&subscription).done();
    stage.advance(FEBRUARY + 15 * DAY);
    subscription
}

#[test]
fn a_charge_that_fails_when_resumed_is_tried_for_14_days_from_then() {
    let stage = stage();
    let subscription = failed_and_paused(&stage);
    assert_eq!(stage.resume(&subscription, "").done()["status"], "past_due");
    stage.advance(FEBRUARY + 15 * DAY + 1);
    let shown = || members(&stage.shown(&subscription), &["status", "ended_at"]);
    assert_eq!(shown(), json!(["past_due", null]));
    stage.advance(FEBRUARY + 29 * DAY - 1);
    assert_eq!(shown(), json!(["past_due", null]));
    stage.advance(FEBRUARY + 29 * DAY);
    assert_eq!(shown(), json!(["canceled", FEBRUARY + 29 * DAY]));
}

#[test]
fn a_failure_before_a_pause_does_not_cancel_what_is_said_to_be_past_due_later() {
    let stage = stage();
    let subscription = failed_and_paused(&stage);
    stage.update(&subscription, "default_payment_method=").done();
    assert_eq!(stage.resume(&subscription, "").done()["status"], "active");
    stage.update(&subscription, "status=past_due").done();
    stage.advance(FEBRUARY + 15 * DAY + 1);
    let shown = stage.shown(&subscription);
    assert_eq!(members(&shown, &["status", "ended_at"]), json!(["past_due", null]));
}

#[test]
fn what_is_paused_can_end_with_its_period_until_that_is_over() {
    for (why, now, status) in [
        ("the last second of the period", FEBRUARY - 1, 200),
        ("the first after it", FEBRUARY, 400),
    ] {
        let stage = stage();
        let subscription = stage.subscribe("");
        stage.pause(&subscription).done();
        stage.advance(now);
        let answer = stage.update(&subscription, "cancel_at_period_end=true");
        assert_eq!(answer.status, status, "{why}: {}", answer.body);
        stage.advance(FEBRUARY + 1);
        let ended = if status == 200 { "canceled" } else { "paused" };
        assert_eq!(stage.status(&subscription), ended, "{why}");
    }
}
