//! Trials: how they begin, and how they end.

use serde_json::json;

use super::fixture::{DAY, FEBRUARY, JANUARY, WORKS, members, stage};

#[test]
fn whoever_is_said_to_be_past_due_on_trial_begins_a_period_with_what_the_product_has_then() {
    let stage = stage();
    let subscription = stage.subscribe("&trial_period_days=7");
    stage.shop.attach(&stage.product, &stage.shop.feature("sso"));
    stage.update(&subscription, "status=past_due").done();
    assert_eq!(stage.period(&subscription), [JANUARY, FEBRUARY]);
    assert_eq!(stage.keys(), ["sso", "sms"]);
}

#[test]
fn periods_are_counted_anew_only_from_when_a_trial_is_over() {
    let stage = stage();
    let subscription = stage.subscribe("&trial_period_days=7");
    let shown = || members(&stage.shown(&subscription), &["status", "trial_end"]);
    let (half, week) = (JANUARY + 3 * DAY, JANUARY + 7 * DAY);
    stage.advance(half);
    let message = "The billing cycle of a subscription on trial begins when the trial ends. To end \
                   it now, send trial_end=now.";
    let refused = stage.update(&subscription, "billing_cycle_anchor=now");
    let expected = (400, "parameter_invalid", "billing_cycle_anchor", message);
    assert_eq!(refused.refusal(), expected);
    assert_eq!(shown(), json!(["trialing", week]));
    assert_eq!(stage.period(&subscription), [JANUARY, week]);
    stage.update(&subscription, "billing_cycle_anchor=now&trial_end=now").done();
    assert_eq!(shown(), json!(["active", half]));
    assert_eq!(stage.period(&subscription), [half, FEBRUARY + 3 * DAY]);
}

#[test]
fn whoever_gets_invoices_and_could_pay_otherwise_lacks_no_payment_method() {
    let with = format!("&default_payment_method={WORKS}");
    for (missing, lacking) in
        [("pause", "paused"), ("cancel", "canceled"), ("create_invoice", "active")]
    {
        for (method, status) in [("", lacking), (with.as_str(), "active")] {
            let stage = stage();
            let settings =
                format!("trial_settings[end_behavior][missing_payment_method]={missing}");
            let invoices = "&collection_method=send_invoice&trial_period_days=7";
            let subscription = stage.subscribe(&format!("{invoices}&{settings}{method}"));
            stage.advance(JANUARY + 7 * DAY);
            assert_eq!(stage.status(&subscription), status, "{missing}, {method}");
        }
    }
}
