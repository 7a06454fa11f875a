//! How subscriptions end, and when: by request, on schedule, after a trial or for lack of payment.
//!
//! Specification: <https://docs.stripe.com/api/subscriptions/cancel>.

use entgate::id::{Timestamp, Utc};
use serde_json::{Value, json};

use super::{
    fixture::{DAY, DECLINED_CARD, FEBRUARY, Fixture, HOUR, JANUARY, VALID_CARD, fixture},
    test_catalog::members,
};

/// The status, `ended_at`, `canceled_at` and the reason of the cancellation.
fn cancellation(fixture: &Fixture, subscription: &str) -> Value {
    let subscription = fixture.retrieve(subscription);
    let reason = &subscription["cancellation_details"]["reason"];
    json!([subscription["status"], subscription["ended_at"], subscription["canceled_at"], reason])
}

/// The types of the events of subscriptions after the first `count`, oldest first and without their
/// prefix.
fn event_verbs_after(fixture: &Fixture, count: usize) -> Vec<String> {
    let mut events = fixture.catalog.list_events("type=customer.subscription.*");
    events.reverse();
    let verb = |event: &Value| {
        event["type"].as_str().unwrap().trim_start_matches("customer.subscription.").to_owned()
    };
    events[count..].iter().map(verb).collect()
}

#[test]
fn a_scheduled_transition_happens_in_the_exact_second() {
    let week = JANUARY + 7 * DAY;
    let requested = "cancellation_requested";
    let missing = "trial_settings[end_behavior][missing_payment_method]";
    for (form, at, before, after, events) in [
        (
            format!("cancel_at={week}"),
            week,
            json!(["active", null, JANUARY, requested]),
            json!(["canceled", week, JANUARY, requested]),
            &["deleted"][..],
        ),
        (
            "cancel_at_period_end=true".to_owned(),
            FEBRUARY,
            json!(["active", null, JANUARY, requested]),
            json!(["canceled", FEBRUARY, JANUARY, requested]),
            &["deleted"],
        ),
        (
            "trial_period_days=7&cancel_at_period_end=true".to_owned(),
            week,
            json!(["trialing", null, JANUARY, requested]),
            json!(["canceled", week, JANUARY, requested]),
            &["deleted"],
        ),
        (
            format!("trial_period_days=7&{missing}=cancel"),
            week,
            json!(["trialing", null, null, null]),
            json!(["canceled", week, week, "payment_failed"]),
            &["deleted"],
        ),
        (
            format!("trial_period_days=7&{missing}=pause"),
            week,
            json!(["trialing", null, null, null]),
            json!(["paused", null, null, null]),
            &["paused", "updated"],
        ),
        (
            format!("trial_period_days=7&{missing}=create_invoice"),
            week,
            json!(["trialing", null, null, null]),
            json!(["active", null, null, null]),
            &["updated"],
        ),
        (
            format!("default_payment_method={DECLINED_CARD}"),
            JANUARY + 23 * HOUR,
            json!(["incomplete", null, null, null]),
            json!(["incomplete_expired", JANUARY + 23 * HOUR, null, null]),
            &["updated"],
        ),
        (
            format!("trial_period_days=7&default_payment_method={DECLINED_CARD}"),
            week + 14 * DAY,
            json!(["past_due", null, null, null]),
            json!(["canceled", week + 14 * DAY, week + 14 * DAY, "payment_failed"]),
            &["deleted"],
        ),
    ] {
        let fixture = fixture();
        let subscription = fixture.subscribe(&format!("&{form}"));
        let is_canceled = after[0] == "canceled";
        fixture.advance(at - 1);
        let keys = fixture.entitled_keys();
        let count = event_verbs_after(&fixture, 0).len();
        assert_eq!(cancellation(&fixture, &subscription), before, "{form}, one second before");
        fixture.advance(at);
        assert_eq!(cancellation(&fixture, &subscription), after, "{form}");
        assert_eq!(event_verbs_after(&fixture, count), events, "{form}");
        assert_eq!(fixture.entitled_keys(), if is_canceled { vec![] } else { keys }, "{form}");
    }
}

#[test]
fn dunning_lasts_14_days_even_if_periods_start_meanwhile() {
    let fixture = fixture();
    let weekly = fixture.catalog.create_price(&fixture.product, "week");
    let form = format!("customer={}&items[0][price]={weekly}", fixture.customer);
    let form = format!("{form}&default_payment_method={VALID_CARD}");
    let subscription = fixture.catalog.create("/v1/subscriptions", &form);
    fixture.update(&subscription, &format!("default_payment_method={DECLINED_CARD}")).expect_ok();
    let failed = JANUARY + 7 * DAY;
    fixture.advance(failed + 14 * DAY - 1);
    assert_eq!(fixture.status(&subscription), "past_due");
    assert_eq!(fixture.current_period(&subscription), [failed + 7 * DAY, failed + 14 * DAY]);
    fixture.advance(failed + 14 * DAY);
    let end = failed + 14 * DAY;
    assert_eq!(
        cancellation(&fixture, &subscription),
        json!(["canceled", end, end, "payment_failed"])
    );
}

#[test]
fn a_cancellation_is_in_the_future_and_set_by_one_parameter() {
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    for at in [0, JANUARY - 1, JANUARY] {
        let (text, now) = (Utc(Timestamp(at)), Utc(Timestamp(JANUARY)));
        let message = format!("`cancel_at` must be in the future; it is {text}, and now is {now}.");
        let form = format!("cancel_at={at}");
        let expected = (400, "parameter_invalid", "cancel_at", message.as_str());
        assert_eq!(fixture.update(&subscription, &form).error(), expected);
        let form = fixture.subscription_form(&format!("&{form}"));
        assert_eq!(fixture.catalog.post("/v1/subscriptions", &form).error(), expected);
    }
    let both = format!("cancel_at={FEBRUARY}&cancel_at_period_end=true");
    let message = "You may only specify one of these parameters: cancel_at, cancel_at_period_end.";
    let rejected = fixture.update(&subscription, &both);
    assert_eq!(rejected.error(), (400, "parameter_invalid", "cancel_at", message));
    fixture.update(&subscription, &format!("cancel_at={}", JANUARY + 1)).expect_ok();
    fixture.advance(JANUARY + 1);
    assert_eq!(fixture.retrieve(&subscription)["ended_at"], json!(JANUARY + 1));
}

#[test]
fn a_scheduled_cancellation_can_be_moved_and_removed() {
    let fixture = fixture();
    let subscription = fixture.subscribe("&cancel_at_period_end=true");
    let names = ["cancel_at", "cancel_at_period_end", "canceled_at"];
    let soon = JANUARY + 3 * DAY;
    for (form, expected) in [
        (format!("cancel_at={soon}"), json!([soon, false, JANUARY])),
        ("cancel_at=".to_owned(), json!([null, false, null])),
        (format!("cancel_at={soon}"), json!([soon, false, JANUARY])),
        ("cancel_at_period_end=true".to_owned(), json!([FEBRUARY, true, JANUARY])),
        ("cancel_at_period_end=false".to_owned(), json!([null, false, null])),
    ] {
        let updated = fixture.update(&subscription, &form).expect_ok();
        assert_eq!(members(&updated, &names), expected, "{form}");
    }
    fixture.advance(FEBRUARY);
    assert_eq!(cancellation(&fixture, &subscription), json!(["active", null, null, null]));
}

#[test]
fn an_ended_subscription_cannot_be_canceled_and_accepts_only_metadata_and_cancellation_details() {
    let fixture = fixture();
    let [canceled, expired] = [
        fixture.subscribe(""),
        fixture.subscribe(&format!("&default_payment_method={DECLINED_CARD}")),
    ];
    fixture.cancel(&canceled).expect_ok();
    fixture.advance(JANUARY + 23 * HOUR);
    let message = "A canceled subscription can only update its cancellation_details and metadata.";
    for subscription in [canceled, expired] {
        let path = format!("/v1/subscriptions/{subscription}");
        let not_found = format!("No such subscription: '{subscription}'");
        let rejected = fixture.catalog.delete(&path);
        assert_eq!(rejected.error(), (404, "resource_missing", "id", not_found.as_str()));
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
                fixture.update(&subscription, form).error(),
                (400, "", "", message),
                "{form}"
            );
        }
        for verb in ["pause", "resume"] {
            assert_eq!(fixture.catalog.post(&format!("{path}/{verb}"), "").status, 400, "{verb}");
        }
        let before = fixture.retrieve(&subscription);
        let form = "metadata[why]=moved&cancellation_details[comment]=Moved";
        let after = fixture.update(&subscription, form).expect_ok();
        assert_eq!(after["metadata"], json!({ "why": "moved" }));
        assert_eq!(after["cancellation_details"]["comment"], json!("Moved"));
        for name in ["status", "ended_at", "canceled_at"] {
            assert_eq!(after[name], before[name], "{name}");
        }
    }
}

#[test]
fn an_ended_subscription_rejects_every_other_parameter() {
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    fixture.cancel(&subscription).expect_ok();
    let before = fixture.retrieve(&subscription);
    let missing = "trial_settings[end_behavior][missing_payment_method]=pause";
    for form in ["collection_method=send_invoice&days_until_due=30", "description=Gone", missing] {
        assert_eq!(fixture.update(&subscription, form).status, 400, "{form}");
    }
    assert_eq!(fixture.retrieve(&subscription), before);
}
