//! Charges, by which no money moves: what is owed, and what comes of a method that fails.

use super::stage::{FAILS, FEBRUARY, stage};

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
