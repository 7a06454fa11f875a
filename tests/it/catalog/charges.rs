//! Simulated charges: what is charged, and with which payment method. No money moves.

use super::fixture::{DECLINED_CARD, FEBRUARY, VALID_CARD, fixture};

#[test]
fn a_free_price_is_not_charged_at_the_start_or_at_renewal() {
    let fixture = fixture();
    let form = "currency=usd&unit_amount=0&recurring[interval]=month";
    let free = fixture.catalog.create("/v1/prices", &format!("product={}&{form}", fixture.product));
    let items = format!("items[0][price]={free}&default_payment_method={DECLINED_CARD}");
    let form = format!("customer={}&{items}", fixture.customer);
    let subscription = fixture.catalog.create("/v1/subscriptions", &form);
    assert_eq!(fixture.status(&subscription), "active");
    fixture.advance(FEBRUARY);
    assert_eq!(fixture.status(&subscription), "active");
}

#[test]
fn an_update_charges_the_payment_method_that_it_sets() {
    for (before, with, status) in
        [(DECLINED_CARD, VALID_CARD, "active"), (VALID_CARD, DECLINED_CARD, "past_due")]
    {
        let fixture = fixture();
        let method = |method: &str| format!("&default_payment_method={method}");
        let trial = format!("&trial_period_days=7{}", method(before));
        let subscription = fixture.subscribe(&trial);
        let updated =
            fixture.update(&subscription, &format!("trial_end=now{}", method(with))).expect_ok();
        assert_eq!(updated["status"], status, "{before}, then {with}");
    }
}
