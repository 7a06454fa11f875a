//! Subscriptions that are paused: by a request, by the end of a trial, or by a failed payment.
//!
//! Specification: <https://docs.stripe.com/billing/subscriptions/pause>.

use entgate::policy::{
    GrantRule::{Keep, Revoke},
    PauseOnPaymentFailure, StatusPolicy,
};
use serde_json::{Value, json};

use super::{
    fixture::{DAY, DECLINED_CARD, FEBRUARY, Fixture, JANUARY, MARCH, fixture},
    test_catalog::{event_types, members},
};

const TRIAL: &str =
    "&trial_period_days=7&trial_settings[end_behavior][missing_payment_method]=pause";
const SUMMARY: &str = "entitlements.active_entitlement_summary.updated";
const PAUSED: &str = "customer.subscription.paused";
const UPDATED: &str = "customer.subscription.updated";

/// Stripe's `status_details` of a subscription that is paused.
fn paused(reason: &str, since: i64) -> Value {
    let subscription = json!({ "type": reason });
    let paused =
        json!({ "subscription": subscription, "transitioned_at": since, "type": "subscription" });
    json!({ "paused": paused })
}

#[test]
fn a_paused_subscription_can_be_canceled_at_period_end_until_its_period_is_over() {
    for (why, now, status) in [
        ("the last second of the period", FEBRUARY - 1, 200),
        ("the first second after it", FEBRUARY, 400),
    ] {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        fixture.pause(&subscription).expect_ok();
        fixture.advance(now);
        let response = fixture.update(&subscription, "cancel_at_period_end=true");
        assert_eq!(response.status, status, "{why}: {}", response.body);
        fixture.advance(FEBRUARY + 1);
        let expected = if status == 200 { "canceled" } else { "paused" };
        assert_eq!(fixture.status(&subscription), expected, "{why}");
    }
}

#[test]
fn a_requested_pause_removes_the_features_and_a_resume_returns_them() {
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    fixture.advance(JANUARY + DAY);
    let before = fixture.catalog.list_events("").len();
    let details = paused("pause_requested", JANUARY + DAY);
    let response = fixture.pause(&subscription).expect_ok();
    assert_eq!(members(&response, &["status", "status_details"]), json!(["paused", details]));
    assert_eq!(fixture.entitled_keys(), [""; 0]);
    let resumed = fixture.resume(&subscription, "").expect_ok();
    assert_eq!(resumed["status"], json!("active"));
    assert_eq!(resumed.get("status_details"), None);
    assert_eq!(fixture.entitled_keys(), ["sms"]);

    let events = fixture.catalog.events_after(before);
    let [paused, updated] = ["customer.subscription.paused", "customer.subscription.updated"];
    let resumed_type = "customer.subscription.resumed";
    let expected = [paused, updated, SUMMARY, resumed_type, updated, SUMMARY];
    assert_eq!(event_types(&events), expected, "in the order of Stripe's documentation");
    for index in [0, 3] {
        assert_eq!(events[index]["data"], json!({ "object": events[index + 1]["data"]["object"] }));
    }
    let previous = |index: usize| &events[index]["data"]["previous_attributes"];
    assert_eq!(previous(1), &json!({ "status": "active", "status_details": null }));
    assert_eq!(members(previous(4), &["status", "status_details"]), json!(["paused", details]));
    assert_eq!(previous(2)["entitlements"]["data"][0]["lookup_key"], json!("sms"));
    assert_eq!(previous(5), &json!({ "entitlements": { "data": [] } }));
}

#[test]
fn the_end_of_a_trial_pauses_with_another_reason_and_keeps_the_features() {
    for at in [JANUARY + 7 * DAY, JANUARY + DAY] {
        let fixture = fixture();
        let subscription = fixture.subscribe(TRIAL);
        fixture.advance(at);
        if at < JANUARY + 7 * DAY {
            fixture.update(&subscription, "trial_end=now").expect_ok();
        }
        let details = paused("trial_end_without_payment_method", at);
        let state = members(&fixture.retrieve(&subscription), &["status", "status_details"]);
        assert_eq!(state, json!(["paused", details]));
        assert_eq!(fixture.entitled_keys(), ["sms"]);
        let updated = &fixture.catalog.list_events("type=customer.subscription.updated")[0]["data"];
        let previous = members(&updated["previous_attributes"], &["status", "status_details"]);
        assert_eq!(previous, json!(["trialing", null]));
        fixture.cancel(&subscription).expect_ok();
        assert_eq!(fixture.retrieve(&subscription).get("status_details"), None);
        assert_eq!(fixture.entitled_keys(), [""; 0]);
    }
}

#[test]
fn a_trial_cannot_be_paused() {
    let fixture = fixture();
    let subscription = fixture.subscribe("&trial_period_days=7");
    let message = "A subscription that is `trialing` cannot be paused. End its trial first, with \
                   `trial_end=now`.";
    assert_eq!(fixture.pause(&subscription).error(), (400, "", "", message));
    assert_eq!(fixture.status(&subscription), "trialing");
}

/// A fixture whose account pauses a subscription after this failure, and a subscription whose next
/// charges are declined.
fn failing(failure: PauseOnPaymentFailure, params: &str) -> (Fixture, String) {
    let mut fixture = fixture();
    fixture.catalog.pause_on_payment_failure = failure;
    let subscription = fixture.subscribe(params);
    fixture.update(&subscription, &format!("default_payment_method={DECLINED_CARD}")).expect_ok();
    (fixture, subscription)
}

#[test]
fn the_first_failed_payment_of_a_renewal_pauses_if_the_account_is_set_so() {
    let week = JANUARY + 7 * DAY;
    for (why, params, at, end) in [
        ("a renewal", "", FEBRUARY, MARCH),
        ("the end of a trial", "&trial_period_days=7", week, FEBRUARY + 7 * DAY),
    ] {
        let (fixture, subscription) = failing(PauseOnPaymentFailure::First, params);
        fixture.advance(at - 1);
        assert_eq!(fixture.entitled_keys(), ["sms"], "{why}");
        let before = fixture.catalog.list_events("").len();
        fixture.advance(at);
        let details = paused("first_payment_failure", at);
        let state = members(&fixture.retrieve(&subscription), &["status", "status_details"]);
        assert_eq!(state, json!(["paused", details]), "{why}");
        assert_eq!(fixture.current_period(&subscription), [at, end], "{why}");
        assert_eq!(fixture.entitled_keys(), [""; 0], "{why}");
        let events = fixture.catalog.events_after(before);
        let types = event_types(&events);
        let types: Vec<_> = types.iter().filter(|it| !it.contains("test_clock")).collect();
        assert_eq!(types, [&PAUSED, &UPDATED, &SUMMARY], "{why}");
        fixture.advance(MARCH + 60 * DAY);
        assert_eq!(fixture.status(&subscription), "paused", "{why}");
    }
    let mut fixture = fixture();
    fixture.catalog.pause_on_payment_failure = PauseOnPaymentFailure::First;
    let subscription = fixture.subscribe(&format!("&default_payment_method={DECLINED_CARD}"));
    assert_eq!(fixture.status(&subscription), "incomplete", "the first invoice pauses nothing");
    let subscription = fixture.subscribe("");
    fixture.update(&subscription, "status=past_due").expect_ok();
    assert_eq!(fixture.status(&subscription), "past_due", "nor does a reported status");
}

#[test]
fn the_last_failed_payment_pauses_or_cancels_as_the_account_is_set() {
    let end = FEBRUARY + 14 * DAY;
    let invoices = "collection_method=send_invoice&days_until_due=30";
    for (failure, form, status, reason, types) in [
        (
            PauseOnPaymentFailure::Final,
            "metadata[a]=1",
            "paused",
            Some("final_payment_failure"),
            &[PAUSED, UPDATED, SUMMARY][..],
        ),
        (
            PauseOnPaymentFailure::Final,
            invoices,
            "canceled",
            None,
            &["customer.subscription.deleted", SUMMARY],
        ),
        (
            PauseOnPaymentFailure::Never,
            "metadata[a]=1",
            "canceled",
            None,
            &["customer.subscription.deleted", SUMMARY],
        ),
    ] {
        let (fixture, subscription) = failing(failure, "");
        fixture.advance(FEBRUARY);
        fixture.update(&subscription, form).expect_ok();
        fixture.advance(end - 1);
        assert_eq!(fixture.status(&subscription), "past_due", "{failure:?}, {form}");
        assert_eq!(fixture.entitled_keys(), ["sms"], "{failure:?}, {form}");
        let before = fixture.catalog.list_events("").len();
        fixture.advance(end);
        let ended = fixture.retrieve(&subscription);
        assert_eq!(ended["status"], json!(status), "{failure:?}, {form}");
        let details = reason.map(|reason| paused(reason, end));
        assert_eq!(ended.get("status_details"), details.as_ref(), "{failure:?}, {form}");
        assert_eq!(fixture.entitled_keys(), [""; 0], "{failure:?}, {form}");
        let events = fixture.catalog.events_after(before);
        let mut observed = event_types(&events);
        observed.retain(|it| !it.contains("test_clock"));
        assert_eq!(observed, types, "{failure:?}, {form}");
    }
}

#[test]
fn only_the_end_of_a_trial_follows_the_policy_for_paused_subscriptions() {
    use PauseOnPaymentFailure::{Final, First, Never};
    for (reason, failure, params, at, granted_by) in [
        ("trial_end_without_payment_method", Never, TRIAL, JANUARY + 7 * DAY, &[Keep][..]),
        ("pause_requested", Never, "", JANUARY, &[]),
        ("first_payment_failure", First, "", FEBRUARY, &[]),
        ("final_payment_failure", Final, "", FEBRUARY + 14 * DAY, &[]),
    ] {
        for policy in [Keep, Revoke] {
            let mut fixture = fixture();
            fixture.catalog.pause_on_payment_failure = failure;
            fixture.catalog.policy = StatusPolicy { paused: policy, ..StatusPolicy::default() };
            let subscription = fixture.subscribe(params);
            if failure != Never {
                let declined = format!("default_payment_method={DECLINED_CARD}");
                fixture.update(&subscription, &declined).expect_ok();
            }
            if reason == "pause_requested" {
                fixture.pause(&subscription).expect_ok();
            } else {
                fixture.advance(at);
            }
            let details = &fixture.retrieve(&subscription)["status_details"];
            assert_eq!(details, &paused(reason, at), "{policy:?}");
            let keys = fixture.entitled_keys();
            let expected: &[&str] = if granted_by.contains(&policy) { &["sms"] } else { &[] };
            assert_eq!(keys, expected, "{reason}, {policy:?}");
            let summaries = fixture.catalog.list_events(&format!("type={SUMMARY}")).len();
            assert_eq!(summaries, if keys.is_empty() { 2 } else { 1 }, "{reason}, {policy:?}");
        }
    }
}

#[test]
fn a_pause_of_the_collection_changes_neither_the_status_nor_the_features() {
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    let before = fixture.catalog.list_events("").len();
    for form in ["pause_collection[behavior]=void", "pause_collection="] {
        fixture.update(&subscription, form).expect_ok();
        assert_eq!(fixture.status(&subscription), "active", "{form}");
        assert_eq!(fixture.retrieve(&subscription).get("status_details"), None, "{form}");
        assert_eq!(fixture.entitled_keys(), ["sms"], "{form}");
    }
    assert_eq!(event_types(&fixture.catalog.events_after(before)), [UPDATED, UPDATED]);
}

#[test]
fn a_subscription_that_sends_invoices_can_be_neither_paused_nor_resumed() {
    let fixture = fixture();
    let invoices = "collection_method=send_invoice&days_until_due=30";
    let subscription = fixture.subscribe(&format!("&{invoices}"));
    let message = |verb: &str| {
        format!(
            "A subscription whose `collection_method` is `send_invoice` cannot be {verb}. Set it to \
             `charge_automatically` first."
        )
    };
    assert_eq!(fixture.pause(&subscription).error(), (400, "", "", message("paused").as_str()));
    assert_eq!(fixture.status(&subscription), "active");
    fixture.update(&subscription, "collection_method=charge_automatically").expect_ok();
    fixture.pause(&subscription).expect_ok();
    fixture.update(&subscription, invoices).expect_ok();
    let rejected = fixture.resume(&subscription, "");
    assert_eq!(rejected.error(), (400, "", "", message("resumed").as_str()));
    assert_eq!(fixture.status(&subscription), "paused");
    fixture.update(&subscription, "collection_method=charge_automatically").expect_ok();
    assert_eq!(fixture.resume(&subscription, "").expect_ok()["status"], json!("active"));
}

#[test]
fn the_parameters_of_a_pause_have_the_values_of_stripes_sdks() {
    let pause = |form: &str| {
        let fixture = fixture();
        let subscription = fixture.subscribe("");
        fixture.catalog.post(&format!("/v1/subscriptions/{subscription}/pause"), form)
    };
    let (usage, unused) = ("bill_for[outstanding_usage_through]", "bill_for[unused_time_from]");
    for form in [
        "type=subscription".to_owned(),
        "invoicing_behavior=invoice".to_owned(),
        "invoicing_behavior=pending_invoice_item&expand[]=customer".to_owned(),
        format!("{usage}[type]=none&{unused}[type]=none"),
        format!("{usage}[type]=now&{unused}[type]=now"),
        format!("{unused}[type]=item_current_period_start"),
    ] {
        assert_eq!(pause(&form).expect_ok()["status"], json!("paused"), "{form}");
    }
    for (form, code, param) in [
        ("type=collection".to_owned(), "parameter_invalid", "type".to_owned()),
        ("invoicing_behavior=now".to_owned(), "parameter_invalid", "invoicing_behavior".to_owned()),
        (format!("{usage}[type]=later"), "parameter_invalid", format!("{usage}[type]")),
        (
            format!("{usage}[type]=item_current_period_start"),
            "parameter_invalid",
            format!("{usage}[type]"),
        ),
        (format!("{unused}[type]=later"), "parameter_invalid", format!("{unused}[type]")),
        (format!("{usage}[kind]=now"), "parameter_missing", format!("{usage}[type]")),
        (format!("{unused}[type]=now&{unused}[a]=1"), "parameter_unknown", format!("{unused}[a]")),
        ("bill_for[a]=1".to_owned(), "parameter_unknown", "bill_for[a]".to_owned()),
        ("resumes_at=1".to_owned(), "parameter_unknown", "resumes_at".to_owned()),
    ] {
        let rejected = pause(&form);
        let (status, error_code, name, _) = rejected.error();
        assert_eq!((status, error_code, name), (400, code, param.as_str()), "{form}");
    }
}

#[test]
fn every_version_has_the_details_of_a_pause_and_no_other_status_has_any() {
    let fixture = fixture();
    let subscription = fixture.subscribe("");
    let path = format!("/v1/subscriptions/{subscription}");
    let details = |version: &str| {
        let headers = [("stripe-version", version)];
        let subscription = fixture.catalog.request("GET", &path, &headers, "").expect_ok();
        subscription.get("status_details").cloned()
    };
    let versions = ["2022-11-15", "2025-03-31.basil", "2026-08-26.dahlia", "2026-10-28.endive"];
    assert_eq!(versions.map(details), [None, None, None, None]);
    fixture.pause(&subscription).expect_ok();
    let expected = Some(paused("pause_requested", JANUARY));
    assert_eq!(versions.map(details), [(); 4].map(|()| expected.clone()));
    fixture.resume(&subscription, "").expect_ok();
    assert_eq!(versions.map(details), [None, None, None, None]);
}
