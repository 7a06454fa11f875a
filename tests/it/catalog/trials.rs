//! Trials: the period after a trial, a missing payment method at its end, and the announcement of the
//! end.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/trials>.

use entgate::id::Timestamp;
use serde_json::{Value, json};

use super::{
    fixture::{DAY, DECLINED_CARD, FEBRUARY, Fixture, JANUARY, VALID_CARD, fixture},
    test_catalog::{event_types, members},
};
use crate::support::NOW;

const WEEK: i64 = JANUARY + 7 * DAY;
const PAUSE: &str = "trial_settings[end_behavior][missing_payment_method]=pause";
const CANCEL: &str = "trial_settings[end_behavior][missing_payment_method]=cancel";
const CREATED: &str = "customer.subscription.created";
const UPDATED: &str = "customer.subscription.updated";
const PAUSED: &str = "customer.subscription.paused";
const DELETED: &str = "customer.subscription.deleted";
const WILL_END: &str = "customer.subscription.trial_will_end";

/// The types of all events of subscriptions, oldest first.
#[track_caller]
fn types(fixture: &Fixture) -> Vec<String> {
    let mut events = fixture.catalog.list_events("type=customer.subscription.*");
    events.reverse();
    event_types(&events).into_iter().map(str::to_owned).collect()
}

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

/// How a trial ends, and what ends it: the status, `trial_end`, and the end of the period.
type TrialEnd = (&'static str, fn(&Fixture, &str), i64);

const TRIAL_ENDS: [TrialEnd; 6] = [
    ("the clock", |fixture, _| fixture.advance(WEEK), WEEK),
    (
        "a request",
        |fixture, id| {
            fixture.advance(JANUARY + DAY);
            fixture.update(id, "trial_end=now").expect_ok();
        },
        JANUARY + DAY,
    ),
    (
        "a request that changes an item, too",
        |fixture, id| {
            let item = fixture.retrieve(id)["items"]["data"][0]["id"].clone();
            let price = fixture.catalog.create_price(&fixture.product, "month");
            let item = format!("items[0][id]={}&items[0][price]={price}", item.as_str().unwrap());
            fixture.update(id, &format!("{item}&trial_end=now")).expect_ok();
        },
        JANUARY,
    ),
    (
        "a request that resets the cycle, too",
        |fixture, id| {
            fixture.update(id, "billing_cycle_anchor=now&trial_end=now").expect_ok();
        },
        JANUARY,
    ),
    (
        "a new end, reached by the clock",
        |fixture, id| {
            fixture.update(id, &format!("trial_end={}", JANUARY + 2 * DAY)).expect_ok();
            fixture.advance(JANUARY + 2 * DAY);
        },
        JANUARY + 2 * DAY,
    ),
    (
        "the removal of the payment method in the same request",
        |fixture, id| {
            fixture.update(id, &format!("default_payment_method={VALID_CARD}")).expect_ok();
            fixture.update(id, "default_payment_method=&trial_end=now").expect_ok();
        },
        JANUARY,
    ),
];

#[test]
fn a_trial_without_a_payment_method_ends_as_its_setting_says_however_it_ends() {
    for (why, end, at) in TRIAL_ENDS {
        for (setting, status, ended_at, keys) in [
            (PAUSE, "paused", None, &["sms"][..]),
            (CANCEL, "canceled", Some(at), &[]),
            ("metadata[a]=1", "active", None, &["sms"]),
        ] {
            let fixture = fixture();
            let subscription = fixture.subscribe(&format!("&trial_period_days=7&{setting}"));
            end(&fixture, &subscription);
            let state =
                members(&fixture.retrieve(&subscription), &["status", "trial_end", "ended_at"]);
            assert_eq!(state, json!([status, at, ended_at]), "{why}, {setting}");
            assert_eq!(fixture.entitled_keys(), keys, "{why}, {setting}");
            if status != "active" {
                assert_eq!(fixture.current_period(&subscription), [JANUARY, at], "{why}");
            }
            if status == "paused" {
                fixture.advance(FEBRUARY + 60 * DAY);
                assert_eq!(fixture.status(&subscription), "paused", "{why}");
            }
        }
    }
}

#[test]
fn a_trial_with_a_payment_method_or_without_a_charge_starts_a_period_when_it_ends_early() {
    for (why, setup, status) in [
        (
            "its own payment method",
            (|fixture, id| {
                fixture.update(id, &format!("default_payment_method={VALID_CARD}")).expect_ok();
            }) as fn(&Fixture, &str),
            "active",
        ),
        (
            "its own payment method, which is declined",
            |fixture, id| {
                fixture.update(id, &format!("default_payment_method={DECLINED_CARD}")).expect_ok();
            },
            "past_due",
        ),
        (
            "the customer's payment method",
            |fixture, _| {
                let path = format!("/v1/customers/{}", fixture.customer);
                let form = format!("invoice_settings[default_payment_method]={VALID_CARD}");
                fixture.catalog.post(&path, &form).expect_ok();
            },
            "active",
        ),
        (
            "a price of nothing",
            |fixture, id| {
                let form = "currency=usd&unit_amount=0&recurring[interval]=month&product";
                let form = format!("{form}={}", fixture.product);
                let free = fixture.catalog.create("/v1/prices", &form);
                let item = fixture.retrieve(id)["items"]["data"][0]["id"].clone();
                let item = format!("items[0][id]={}", item.as_str().unwrap());
                fixture.update(id, &format!("{item}&items[0][price]={free}")).expect_ok();
            },
            "active",
        ),
        (
            "a setting that the same request changes",
            |fixture, id| {
                let settings = "trial_settings[end_behavior][missing_payment_method]";
                fixture.update(id, &format!("{settings}=create_invoice")).expect_ok();
            },
            "active",
        ),
    ] {
        for setting in [PAUSE, CANCEL] {
            let fixture = fixture();
            let subscription = fixture.subscribe(&format!("&trial_period_days=7&{setting}"));
            setup(&fixture, &subscription);
            fixture.update(&subscription, "trial_end=now").expect_ok();
            assert_eq!(fixture.status(&subscription), status, "{why}, {setting}");
            assert_eq!(fixture.current_period(&subscription), [JANUARY, FEBRUARY], "{why}");
            assert_eq!(fixture.retrieve(&subscription).get("status_details"), None, "{why}");
        }
    }
}

#[test]
fn a_payment_method_in_the_request_that_ends_a_trial_counts() {
    for (setting, status) in [(PAUSE, "active"), (CANCEL, "active")] {
        let fixture = fixture();
        let subscription = fixture.subscribe(&format!("&trial_period_days=7&{setting}"));
        let form = format!("trial_end=now&default_payment_method={VALID_CARD}");
        assert_eq!(fixture.update(&subscription, &form).expect_ok()["status"], json!(status));
    }
}

#[test]
fn a_trial_that_is_scheduled_to_be_canceled_is_canceled_even_if_its_early_end_pauses_it() {
    let fixture = fixture();
    let settings = format!("&trial_period_days=7&cancel_at_period_end=true&{PAUSE}");
    let subscription = fixture.subscribe(&settings);
    fixture.update(&subscription, "trial_end=now").expect_ok();
    assert_eq!(fixture.status(&subscription), "paused");
    fixture.advance(WEEK - 1);
    assert_eq!(fixture.status(&subscription), "paused");
    fixture.advance(WEEK);
    let state = members(&fixture.retrieve(&subscription), &["status", "ended_at"]);
    assert_eq!(state, json!(["canceled", WEEK]));
}

#[test]
fn the_end_of_a_trial_is_announced_once_three_days_before_on_a_test_clock() {
    let fixture = fixture();
    let subscription = fixture.subscribe("&trial_period_days=7");
    let notice = WEEK - 3 * DAY;
    fixture.advance(notice - 1);
    assert_eq!(types(&fixture), [CREATED]);
    fixture.advance(notice);
    assert_eq!(types(&fixture), [CREATED, WILL_END]);
    let event = fixture.catalog.list_events(&format!("type={WILL_END}")).remove(0);
    assert_eq!(event["data"], json!({ "object": fixture.retrieve(&subscription) }));
    assert_eq!(event["request"], json!({ "id": null, "idempotency_key": null }));
    fixture.update(&subscription, "metadata[a]=1").expect_ok();
    fixture.update(&subscription, &format!("trial_end={WEEK}")).expect_ok();
    fixture.advance(WEEK);
    assert_eq!(types(&fixture), [CREATED, WILL_END, UPDATED, UPDATED]);
    assert_eq!(fixture.status(&subscription), "active");
}

#[test]
fn the_end_of_a_trial_is_announced_by_the_real_clock_too() {
    let mut fixture = fixture();
    fixture.customer = fixture.catalog.create("/v1/customers", "");
    fixture.subscribe("&trial_period_days=7");
    fixture.catalog.run_due();
    let notice = NOW.0 + 4 * DAY;
    assert_eq!(fixture.catalog.next_due(), Some(Timestamp(notice)));
    fixture.catalog.now = Timestamp(notice - 1);
    fixture.catalog.run_due();
    assert_eq!(types(&fixture), [CREATED]);
    fixture.catalog.now = Timestamp(notice);
    fixture.catalog.run_due();
    assert_eq!(types(&fixture), [CREATED, WILL_END]);
    assert_eq!(fixture.catalog.next_due(), Some(Timestamp(NOW.0 + 7 * DAY)));
}

/// A trial, what happens to it, and the types of the events.
type Announcement = (&'static str, String, fn(&Fixture, &str), Vec<&'static str>);

#[test]
fn the_end_of_a_trial_is_announced_at_once_if_it_is_near_or_comes_early() {
    let cases: [Announcement; 14] = [
        ("three days", days(3), |_, _| {}, vec![CREATED, WILL_END]),
        ("one day", days(1), |_, _| {}, vec![CREATED, WILL_END]),
        ("four days", days(4), |_, _| {}, vec![CREATED]),
        ("until three days", until(3 * DAY), |_, _| {}, vec![CREATED, WILL_END]),
        ("until one second more", until(3 * DAY + 1), |_, _| {}, vec![CREATED]),
        ("no trial", String::new(), |_, _| {}, vec![CREATED]),
        (
            "shortened",
            days(7),
            |fixture, id| drop(fixture.update(id, &set_end(3 * DAY)).expect_ok()),
            vec![CREATED, UPDATED, WILL_END],
        ),
        (
            "shortened a little",
            days(7),
            |fixture, id| drop(fixture.update(id, &set_end(3 * DAY + 1)).expect_ok()),
            vec![CREATED, UPDATED],
        ),
        (
            "extended after the announcement",
            days(3),
            |fixture, id| {
                fixture.update(id, &set_end(9 * DAY)).expect_ok();
                fixture.advance(JANUARY + 6 * DAY - 1);
                assert_eq!(types(fixture), [CREATED, WILL_END, UPDATED]);
                fixture.advance(JANUARY + 6 * DAY);
            },
            vec![CREATED, WILL_END, UPDATED, WILL_END],
        ),
        (
            "begun later",
            String::new(),
            |fixture, id| drop(fixture.update(id, &set_end(DAY)).expect_ok()),
            vec![CREATED, UPDATED, WILL_END],
        ),
        (
            "ended by a request",
            days(7),
            |fixture, id| drop(fixture.update(id, "trial_end=now").expect_ok()),
            vec![CREATED, UPDATED, WILL_END],
        ),
        (
            "ended by a request, and paused",
            format!("{}&{PAUSE}", days(7)),
            |fixture, id| drop(fixture.update(id, "trial_end=now").expect_ok()),
            vec![CREATED, PAUSED, UPDATED, WILL_END],
        ),
        (
            "ended by a reported status",
            days(7),
            |fixture, id| drop(fixture.update(id, "status=past_due").expect_ok()),
            vec![CREATED, UPDATED, WILL_END],
        ),
        (
            "canceled before the announcement",
            days(7),
            |fixture, id| {
                fixture.cancel(id).expect_ok();
                fixture.advance(FEBRUARY);
            },
            vec![CREATED, DELETED],
        ),
    ];
    for (why, params, action, expected) in cases {
        let fixture = fixture();
        let subscription = fixture.subscribe(&params);
        action(&fixture, &subscription);
        assert_eq!(types(&fixture), expected, "{why}");
    }
}

fn days(count: i64) -> String {
    format!("&trial_period_days={count}")
}

fn until(seconds: i64) -> String {
    format!("&{}", set_end(seconds))
}

fn set_end(seconds: i64) -> String {
    format!("trial_end={}", JANUARY + seconds)
}

#[test]
fn the_event_of_an_early_end_shows_how_the_trial_has_ended() {
    for (setting, status) in [(PAUSE, "paused"), (CANCEL, "canceled"), ("metadata[a]=1", "active")]
    {
        let fixture = fixture();
        let subscription = fixture.subscribe(&format!("&trial_period_days=7&{setting}"));
        let headers = [("request-id", "req_1"), ("idempotency-key", "k")];
        let path = format!("/v1/subscriptions/{subscription}");
        let ended = fixture.catalog.request("POST", &path, &headers, "trial_end=now").expect_ok();
        assert_eq!(ended["status"], json!(status));
        let notices = fixture.catalog.list_events(&format!("type={WILL_END}"));
        let [notice] = notices.as_slice() else { panic!("{notices:?}") };
        assert_eq!(notice["data"], json!({ "object": ended }), "{setting}");
        assert_eq!(notice["request"], json!({ "id": "req_1", "idempotency_key": "k" }));
        // The stored response is repeated, and no event is.
        let again = fixture.catalog.request("POST", &path, &headers, "trial_end=now").expect_ok();
        assert_eq!(again, ended);
        assert_eq!(fixture.catalog.list_events(&format!("type={WILL_END}")).len(), 1, "{setting}");
        assert_ne!(ended["trial_end"], Value::Null);
    }
}
