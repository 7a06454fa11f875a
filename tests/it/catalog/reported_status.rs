//! What another billing system says of a subscription's payments: `status`.

use super::fixture::{FAILS, stage};

#[test]
fn whoever_pays_or_paid_once_can_be_said_to_pay_to_be_past_due_or_unpaid_again_and_again() {
    for first in ["active", "past_due", "unpaid"] {
        for then in ["active", "past_due", "unpaid"] {
            let stage = stage();
            let subscription = stage.subscribe("");
            let first = stage.update(&subscription, &format!("status={first}")).done();
            let then = (then, stage.update(&subscription, &format!("status={then}")).done());
            assert_eq!(then.1["status"], then.0, "{}, then {}", first["status"], then.0);
        }
    }
}

#[test]
fn a_status_that_is_said_again_changes_nothing_and_is_told_to_nobody() {
    for status in ["active", "past_due", "unpaid"] {
        let stage = stage();
        let subscription = stage.subscribe("");
        let form = format!("status={status}");
        let first = stage.update(&subscription, &form).done();
        let events = || stage.shop.get("/v1/events?limit=100").done();
        let before = events();
        assert_eq!(stage.update(&subscription, &form).done(), first);
        assert_eq!(events(), before, "{status}");
    }
}

#[test]
fn what_is_said_fits_where_the_subscription_stands() {
    let trial = "&trial_period_days=7";
    let unpaid = &format!("&default_payment_method={FAILS}");
    for (why, with, told, expected) in [
        ("a trial owes nothing that could be paid", trial, "active", 400),
        ("but another system may charge for it", trial, "past_due", 200),
        ("or have given up on it", trial, "unpaid", 200),
        ("the first payment is made", unpaid, "active", 200),
        ("or is not: there is nothing yet to be past due", unpaid, "past_due", 400),
        ("nor to be given up on", unpaid, "unpaid", 400),
        ("what is no status of a payment", "", "paused", 400),
    ] {
        let stage = stage();
        let subscription = stage.subscribe(with);
        let answer = stage.update(&subscription, &format!("status={told}"));
        assert_eq!(answer.status, expected, "{why}: {}", answer.body);
        let shown = stage.status(&subscription);
        assert_eq!(shown == told, expected == 200, "{why}: {shown}");
    }
}

#[test]
fn nothing_is_said_of_what_is_paused_or_over() {
    for told in ["active", "past_due", "unpaid"] {
        let stage = stage();
        let subscription = stage.subscribe("");
        let form = format!("status={told}");
        stage.pause(&subscription).done();
        assert_eq!(stage.update(&subscription, &form).status, 400, "{told}, paused");
        stage.shop.delete(&format!("/v1/subscriptions/{subscription}")).done();
        assert_eq!(stage.update(&subscription, &form).status, 400, "{told}, canceled");
    }
}
