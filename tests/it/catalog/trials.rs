//! Trials: the period after a trial, and a missing payment method at its end.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/trials>.

use serde_json::json;

use super::{
    fixture::{DAY, FEBRUARY, JANUARY, VALID_CARD, fixture},
    test_catalog::members,
};

#[test]
fn a_trial_that_is_reported_past_due_starts_a_period_with_the_current_features() {
    let fixture = fixture();
    let subscription = fixture.subscribe("&trial_period_days=7");
    fixture.catalog.attach(&fixture.product, &fixture.catalog.create_feature("sso"));
    fixture.update(&subscription, "status=past_due").expect_ok();
    assert_eq!(fixture.current_period(&subscription), [JANUARY, FEBRUARY]);
    assert_eq!(fixture.entitled_keys(), ["sso", "sms"]);
}

#[test]
fn the_billing_cycle_cannot_be_reset_during_a_trial() {
    let fixture = fixture();
    let subscription = fixture.subscribe("&trial_period_days=7");
    let state = || members(&fixture.retrieve(&subscription), &["status", "trial_end"]);
    let (third_day, week) = (JANUARY + 3 * DAY, JANUARY + 7 * DAY);
    fixture.advance(third_day);
    let message = "The billing cycle of a subscription on trial begins when the trial ends. To end \
                   it now, send trial_end=now.";
    let rejected = fixture.update(&subscription, "billing_cycle_anchor=now");
    let expected = (400, "parameter_invalid", "billing_cycle_anchor", message);
    assert_eq!(rejected.error(), expected);
    assert_eq!(state(), json!(["trialing", week]));
    assert_eq!(fixture.current_period(&subscription), [JANUARY, week]);
    fixture.update(&subscription, "billing_cycle_anchor=now&trial_end=now").expect_ok();
    assert_eq!(state(), json!(["active", third_day]));
    assert_eq!(fixture.current_period(&subscription), [third_day, FEBRUARY + 3 * DAY]);
}

#[test]
fn a_payment_method_counts_at_the_end_of_a_trial_even_if_invoices_are_sent() {
    let valid_card = format!("&default_payment_method={VALID_CARD}");
    for (missing, status_without) in
        [("pause", "paused"), ("cancel", "canceled"), ("create_invoice", "active")]
    {
        for (method, status) in [("", status_without), (valid_card.as_str(), "active")] {
            let fixture = fixture();
            let settings =
                format!("trial_settings[end_behavior][missing_payment_method]={missing}");
            let invoices = "&collection_method=send_invoice&days_until_due=30&trial_period_days=7";
            let subscription = fixture.subscribe(&format!("{invoices}&{settings}{method}"));
            fixture.advance(JANUARY + 7 * DAY);
            assert_eq!(fixture.status(&subscription), status, "{missing}, {method}");
        }
    }
}
