//! Charges, by which no money moves: what is owed, and what comes of a method that fails.

use super::fixture::{FAILS, FEBRUARY, WORKS, stage};

#[test]
fn what_costs_nothing_is_not_charged_neither_at_first_nor_when_it_renews() {
    let stage = stage();
    let form = "currency=usd&unit_amount=0&recurring[interval]=month";
    let free = stage.shop.make("/v1/prices", &format!("product={}&{form}", stage.product));
    let items = format!("items[0][price]={free}&default_payment_method={FAILS}");
    let form = format!("customer={}&{items}", stage.customer);
    let subscription = stage.shop.make("/v1/subscriptions", &form);
    assert_eq!(stage.status(&subscription), "active");
    stage.advance(FEBRUARY);
    assert_eq!(stage.status(&subscription), "active");
}

#[test]
fn what_a_change_costs_is_paid_with_the_method_that_comes_with_it() {
    for (before, with, status) in [(FAILS, WORKS, "active"), (WORKS, FAILS, "past_due")] {
        let stage = stage();
        let method = |method: &str| format!("&default_payment_method={method}");
        let trial = format!("&trial_period_days=7{}", method(before));
        let subscription = stage.subscribe(&trial);
        let shown = stage.update(&subscription, &format!("trial_end=now{}", method(with))).done();
        assert_eq!(shown["status"], status, "{before}, then {with}");
    }
}
