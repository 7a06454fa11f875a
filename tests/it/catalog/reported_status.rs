//! The parameter `status`: the payment status that another billing system reports.

use super::fixture::{DECLINED_CARD, fixture};

#[test]
fn an_active_past_due_or_unpaid_subscription_can_be_set_to_any_of_the_three() {
    for first in ["active", "past_due", "unpaid"] {
        for second in ["active", "past_due", "unpaid"] {
            let fixture = fixture();
            let subscription = fixture.subscribe("");
            fixture.update(&subscription, &format!("status={first}")).expect_ok();
            let updated = fixture.update(&subscription, &format!("status={second}")).expect_ok();
            assert_eq!(updated["status"], second, "{first}, then {second}");
        }
    }
}

#[test]
fn a_status_that_is_reported_again_changes_nothing_and_emits_no_event() {
    for status in ["active", "past_due", "unpaid"] {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        let form = format!("status={status}");
        let first = fixture.update(&subscription, &form).expect_ok();
        let events = || fixture.catalog.get("/v1/events?limit=100").expect_ok();
        let before = events();
        assert_eq!(fixture.update(&subscription, &form).expect_ok(), first);
        assert_eq!(events(), before, "{status}");
    }
}

#[test]
fn a_reported_status_must_fit_the_current_status() {
    let trial = "&trial_period_days=7";
    let unpaid = &format!("&default_payment_method={DECLINED_CARD}");
    for (why, params, reported, expected) in [
        ("a trial has no payment that could succeed", trial, "active", 400),
        ("another system can charge during a trial", trial, "past_due", 200),
        ("another system can stop retries during a trial", trial, "unpaid", 200),
        ("the first payment succeeds", unpaid, "active", 200),
        ("a first payment cannot be past due", unpaid, "past_due", 400),
        ("a first payment cannot be unpaid", unpaid, "unpaid", 400),
        ("not a payment status", "", "paused", 400),
    ] {
        let fixture = fixture();
        let subscription = fixture.subscribe(params);
        let response = fixture.update(&subscription, &format!("status={reported}"));
        assert_eq!(response.status, expected, "{why}: {}", response.body);
        let status = fixture.status(&subscription);
        assert_eq!(status == reported, expected == 200, "{why}: {status}");
    }
}

#[test]
fn a_paused_or_ended_subscription_rejects_a_reported_status() {
    for reported in ["active", "past_due", "unpaid"] {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        let form = format!("status={reported}");
        fixture.pause(&subscription).expect_ok();
        assert_eq!(fixture.update(&subscription, &form).status, 400, "{reported}, paused");
        fixture.cancel(&subscription).expect_ok();
        assert_eq!(fixture.update(&subscription, &form).status, 400, "{reported}, canceled");
    }
}
