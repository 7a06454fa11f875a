//! How subscriptions end: not one second before, and then as of that second.

use serde_json::{Value, json};

use super::fixture::{DAY, FAILS, FEBRUARY, HOUR, JANUARY, Stage, WORKS, members, stage};

/// The status, since when it is over, when that was decided, and why.
fn ending(stage: &Stage, subscription: &str) -> Value {
    let shown = stage.shown(subscription);
    let reason = &shown["cancellation_details"]["reason"];
    json!([shown["status"], shown["ended_at"], shown["canceled_at"], reason])
}

/// The type of the last event about a subscription.
fn told(stage: &Stage) -> String {
    let events = stage.shop.get("/v1/events?type=customer.subscription.*&limit=1").done();
    let last = events["data"][0]["type"].as_str().unwrap();
    last.trim_start_matches("customer.subscription.").to_owned()
}

#[test]
fn a_subscription_ends_in_the_second_that_it_is_to_end_in() {
    let week = JANUARY + 7 * DAY;
    let requested = "cancellation_requested";
    let missing = "trial_settings[end_behavior][missing_payment_method]";
    for (form, at, before, after, tells) in [
        (
            format!("cancel_at={week}"),
            week,
            json!(["active", null, JANUARY, requested]),
            json!(["canceled", week, JANUARY, requested]),
            "deleted",
        ),
        (
            "cancel_at_period_end=true".to_owned(),
            FEBRUARY,
            json!(["active", null, JANUARY, requested]),
            json!(["canceled", FEBRUARY, JANUARY, requested]),
            "deleted",
        ),
        (
            "trial_period_days=7&cancel_at_period_end=true".to_owned(),
            week,
            json!(["trialing", null, JANUARY, requested]),
            json!(["canceled", week, JANUARY, requested]),
            "deleted",
        ),
        (
            format!("trial_period_days=7&{missing}=cancel"),
            week,
            json!(["trialing", null, null, null]),
            json!(["canceled", week, week, "payment_failed"]),
            "deleted",
        ),
        (
            format!("trial_period_days=7&{missing}=pause"),
            week,
            json!(["trialing", null, null, null]),
            json!(["paused", null, null, null]),
            "paused",
        ),
        (
            format!("trial_period_days=7&{missing}=create_invoice"),
            week,
            json!(["trialing", null, null, null]),
            json!(["active", null, null, null]),
            "updated",
        ),
        (
            format!("default_payment_method={FAILS}"),
            JANUARY + 23 * HOUR,
            json!(["incomplete", null, null, null]),
            json!(["incomplete_expired", JANUARY + 23 * HOUR, null, null]),
            "updated",
        ),
        (
            format!("trial_period_days=7&default_payment_method={FAILS}"),
            week + 14 * DAY,
            json!(["past_due", null, null, null]),
            json!(["canceled", week + 14 * DAY, week + 14 * DAY, "payment_failed"]),
            "deleted",
        ),
    ] {
        let stage = stage();
        let subscription = stage.subscribe(&format!("&{form}"));
        let over = matches!(after[0].as_str(), Some("canceled"));
        stage.advance(at - 1);
        let keys = stage.keys();
        assert_eq!(ending(&stage, &subscription), before, "{form}, one second before");
        stage.advance(at);
        assert_eq!(ending(&stage, &subscription), after, "{form}");
        assert_eq!(told(&stage), tells, "{form}");
        assert_eq!(stage.keys(), if over { vec![] } else { keys }, "{form}");
    }
}

#[test]
fn a_charge_that_fails_is_tried_for_14_days_though_periods_begin_in_between() {
    let stage = stage();
    let weekly = stage.shop.price(&stage.product, "week");
    let form = format!("customer={}&items[0][price]={weekly}", stage.customer);
    let pays = format!("{form}&default_payment_method={WORKS}");
    let subscription = stage.shop.make("/v1/subscriptions", &pays);
    stage.update(&subscription, &format!("default_payment_method={FAILS}")).done();
    let failed = JANUARY + 7 * DAY;
    stage.advance(failed + 14 * DAY - 1);
    assert_eq!(stage.status(&subscription), "past_due");
    assert_eq!(stage.period(&subscription), [failed + 7 * DAY, failed + 14 * DAY]);
    stage.advance(failed + 14 * DAY);
    let over = failed + 14 * DAY;
    assert_eq!(ending(&stage, &subscription), json!(["canceled", over, over, "payment_failed"]));
}

#[test]
fn an_end_is_in_the_future_and_said_in_one_way() {
    let stage = stage();
    let subscription = stage.subscribe("");
    for at in [0, JANUARY - 1, JANUARY] {
        let message =
            format!("`cancel_at` must be in the future; it is {at}, and now is {JANUARY}.");
        let form = format!("cancel_at={at}");
        let expected = (400, "parameter_invalid", "cancel_at", message.as_str());
        assert_eq!(stage.update(&subscription, &form).refusal(), expected);
        let purchase = stage.purchase(&format!("&{form}"));
        assert_eq!(stage.shop.post("/v1/subscriptions", &purchase).refusal(), expected);
    }
    let both = format!("cancel_at={FEBRUARY}&cancel_at_period_end=true");
    let message = "You may only specify one of these parameters: cancel_at, cancel_at_period_end.";
    let refused = stage.update(&subscription, &both);
    assert_eq!(refused.refusal(), (400, "parameter_invalid", "cancel_at", message));
    stage.update(&subscription, &format!("cancel_at={}", JANUARY + 1)).done();
    stage.advance(JANUARY + 1);
    assert_eq!(stage.shown(&subscription)["ended_at"], json!(JANUARY + 1));
}

#[test]
fn an_end_is_moved_and_taken_back() {
    let stage = stage();
    let subscription = stage.subscribe("&cancel_at_period_end=true");
    let planned = ["cancel_at", "cancel_at_period_end", "canceled_at"];
    let soon = JANUARY + 3 * DAY;
    for (form, expected) in [
        (format!("cancel_at={soon}"), json!([soon, false, JANUARY])),
        ("cancel_at=".to_owned(), json!([null, false, null])),
        (format!("cancel_at={soon}"), json!([soon, false, JANUARY])),
        ("cancel_at_period_end=true".to_owned(), json!([FEBRUARY, true, JANUARY])),
        ("cancel_at_period_end=false".to_owned(), json!([null, false, null])),
    ] {
        let updated = stage.update(&subscription, &form).done();
        assert_eq!(members(&updated, &planned), expected, "{form}");
    }
    stage.advance(FEBRUARY);
    assert_eq!(ending(&stage, &subscription), json!(["active", null, null, null]));
}

#[test]
fn what_is_over_cannot_be_canceled_again_and_takes_notes_only() {
    let stage = stage();
    let [canceled, expired] =
        [stage.subscribe(""), stage.subscribe(&format!("&default_payment_method={FAILS}"))];
    stage.shop.delete(&format!("/v1/subscriptions/{canceled}")).done();
    stage.advance(JANUARY + 23 * HOUR);
    let message = "A canceled subscription can only update its cancellation_details and metadata.";
    for subscription in [canceled, expired] {
        let path = format!("/v1/subscriptions/{subscription}");
        let gone = format!("No such subscription: '{subscription}'");
        let again = stage.shop.delete(&path);
        assert_eq!(again.refusal(), (404, "resource_missing", "id", gone.as_str()));
        for form in [
            "status=active",
            "cancel_at=",
            "cancel_at_period_end=false",
            "trial_end=now",
            "billing_cycle_anchor=now",
            "default_payment_method=pm_card_visa",
            "pause_collection=",
        ] {
            assert_eq!(
                stage.update(&subscription, form).refusal(),
                (400, "", "", message),
                "{form}"
            );
        }
        for verb in ["pause", "resume"] {
            assert_eq!(stage.shop.post(&format!("{path}/{verb}"), "").status, 400, "{verb}");
        }
        let before = stage.shown(&subscription);
        let noted = "metadata[why]=moved&cancellation_details[comment]=Moved";
        let after = stage.update(&subscription, noted).done();
        assert_eq!(after["metadata"], json!({ "why": "moved" }));
        assert_eq!(after["cancellation_details"]["comment"], json!("Moved"));
        for name in ["status", "ended_at", "canceled_at"] {
            assert_eq!(after[name], before[name], "{name}");
        }
    }
}

#[test]
fn what_is_over_takes_nothing_else_than_it_says() {
    let stage = stage();
    let subscription = stage.subscribe("");
    stage.shop.delete(&format!("/v1/subscriptions/{subscription}")).done();
    let before = stage.shown(&subscription);
    let missing = "trial_settings[end_behavior][missing_payment_method]=pause";
    for form in ["collection_method=send_invoice", "description=Gone", missing] {
        assert_eq!(stage.update(&subscription, form).status, 400, "{form}");
    }
    assert_eq!(stage.shown(&subscription), before);
}
