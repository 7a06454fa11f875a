//! The whole path, from Stripe's event to the response of a check.

use entgate::{id::Livemode, store::memory::Fault};
use serde_json::json;

use crate::support::{
    NOW, OLD_SECRET, SECRET, event, service, service_with_stripe, service_with_stripe_and, signed,
    v1,
};

const AT: i64 = 1_700_000_000;

fn entitled() -> (bool, String) {
    (true, "active_entitlement".to_owned())
}

fn denied(reason: &str) -> (bool, String) {
    (false, reason.to_owned())
}

#[test]
fn a_granted_feature_is_entitled() {
    let service = service();
    let grant = event("cus_ada", AT, &["export", "sms"], false);
    let receipt = service.stripe_sends(&grant);

    assert_eq!(
        receipt.body,
        json!({
            "object": "webhook_receipt",
            "event": grant["id"],
            "outcome": "applied",
            "customer": "cus_ada",
            "version": 1,
        })
    );
    assert_eq!(service.check("cus_ada", "export"), entitled());
    assert_eq!(service.check("cus_ada", "sms"), entitled());
    assert_eq!(service.check("cus_ada", "sso"), denied("not_entitled"));
    assert_eq!(service.check("cus_bob", "export"), denied("unknown_customer"));
}

#[test]
fn a_revoked_feature_is_denied() {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT, &["export"], false));
    let receipt = service.stripe_sends(&event("cus_ada", AT + 1, &[], false));

    assert_eq!(receipt.body["version"], 2);
    assert_eq!(service.check("cus_ada", "export"), denied("not_entitled"));
}

#[test]
fn a_duplicate_event_changes_nothing() {
    let service = service();
    let grant = event("cus_ada", AT, &["export"], false);
    service.stripe_sends(&grant);
    service.stripe_sends(&event("cus_ada", AT, &[], false));
    let duplicate = service.stripe_sends(&grant);

    assert_eq!((duplicate.status, &duplicate.body["outcome"]), (200, &json!("duplicate")));
    assert_eq!(duplicate.body["version"], 2);
    assert_eq!(service.check("cus_ada", "export"), denied("not_entitled"));
}

#[test]
fn a_late_event_does_not_undo_a_newer_one() {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT + 50, &["sso"], false));
    let late = service.stripe_sends(&event("cus_ada", AT, &["export"], false));

    assert_eq!((late.status, &late.body["outcome"]), (200, &json!("stale")));
    assert_eq!(service.check("cus_ada", "sso"), entitled());
    assert_eq!(service.check("cus_ada", "export"), denied("not_entitled"));
}

#[test]
fn the_later_arrival_of_two_events_of_one_second_wins() {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT, &["export"], false));
    let tie = service.stripe_sends(&event("cus_ada", AT, &["sso"], false));

    assert_eq!((&tie.body["outcome"], &tie.body["version"]), (&json!("applied"), &json!(2)));
    assert_eq!(service.check("cus_ada", "sso"), entitled());
    assert_eq!(service.check("cus_ada", "export"), denied("not_entitled"));
}

#[test]
fn the_same_set_keeps_the_version() {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT, &["export"], false));
    let same = service.stripe_sends(&event("cus_ada", AT + 9, &["export"], false));

    assert_eq!((&same.body["outcome"], &same.body["version"]), (&json!("unchanged"), &json!(1)));
}

#[test]
fn a_truncated_page_revokes_nothing_and_leaves_other_features_unknown() {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT, &["export"], false));
    let page = service.stripe_sends(&event("cus_ada", AT + 1, &["sms", "sso"], true));
    assert_eq!((page.status, &page.body["outcome"]), (200, &json!("applied")));

    for feature in ["export", "sms", "sso"] {
        assert_eq!(service.check("cus_ada", feature), entitled(), "{feature}");
    }
    let unknown = service.get("/v1/check?customer=cus_ada&feature=api");
    assert_eq!(unknown.status, 503);
    assert_eq!(unknown.header("retry-after"), Some("1"));
    assert_eq!(unknown.error("code"), "entitlements_incomplete");
    assert_eq!(
        unknown.error("message"),
        "Only a part of the entitlements of 'cus_ada' is known, and the answer is not in it. This \
         is not a denial."
    );
    let list = service.get("/v1/entitlements/active_entitlements?customer=cus_ada");
    assert_eq!((list.status, list.error("code")), (503, "entitlements_incomplete"));

    service.stripe_sends(&event("cus_ada", AT + 2, &["sms"], false));
    assert_eq!(
        service.check("cus_ada", "api"),
        denied("not_entitled"),
        "the set is complete again"
    );
}

#[test]
fn events_signed_with_either_secret_are_accepted_while_a_secret_is_rolled() {
    let service = service();
    for (created, secret) in [(AT, SECRET), (AT + 1, OLD_SECRET)] {
        let body = event("cus_ada", created, &["export"], false).to_string();
        assert_eq!(service.receives(&body, &signed(&body, secret, NOW)).status, 200, "{secret}");
    }
    let body = event("cus_ada", AT + 2, &["export"], false).to_string();
    let both =
        format!("t={NOW},v1={},v1={}", v1(&body, "whsec_other", NOW), v1(&body, SECRET, NOW));
    assert_eq!(service.receives(&body, &both).status, 200, "one of the two signatures is valid");
}

#[test]
fn test_and_live_mode_are_separate() {
    let service = service();
    let mut live = event("cus_ada", AT, &["export"], false);
    live["livemode"] = json!(true);
    live["data"]["object"]["livemode"] = json!(true);
    service.stripe_sends(&live);

    assert_eq!(service.check("cus_ada", "export"), denied("unknown_customer"));
    let headers = [("authorization", "Bearer sk_live_entgate")];
    let answer = service.request("GET", "/v1/check?customer=cus_ada&feature=export", &headers, b"");
    assert_eq!(answer.body["entitled"], true);
}

#[test]
fn an_event_of_another_type_is_acknowledged_and_ignored() {
    let service = service();
    let event = json!({ "id": "evt_1", "object": "event", "type": "invoice.paid", "data": {} });
    let answer = service.stripe_sends(&event);

    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("ignored")));
    assert_eq!(
        answer.body["message"],
        "The event type invoice.paid changes no entitlements: only \
         entitlements.active_entitlement_summary.updated and customer.deleted do."
    );
}

#[test]
fn an_event_of_a_connected_account_is_ignored() {
    let service = service();
    let mut connected = event("cus_ada", AT, &["export"], false);
    connected["account"] = json!("acct_1");
    let answer = service.stripe_sends(&connected);

    assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!("ignored")));
    assert_eq!(service.check("cus_ada", "export"), denied("unknown_customer"));
}

#[test]
fn a_thin_event_without_a_customer_is_not_acknowledged() {
    let service = service();
    let thin = |event_type: &str| {
        json!({
            "id": "evt_test_61R", "object": "v2.core.event", "type": event_type,
            "created": "2026-11-01T12:00:00.000Z", "livemode": false,
        })
    };
    let answer =
        service.stripe_sends(&thin("v1.entitlements.active_entitlement_summary.entitlement_added"));
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.error("message"),
        "The thin event v1.entitlements.active_entitlement_summary.entitlement_added does not name \
         the customer. In Stripe, set this endpoint to send \
         entitlements.active_entitlement_summary.updated in the snapshot payload style."
    );
    let ping = service.stripe_sends(&thin("v2.core.event_destination.ping"));
    assert_eq!((ping.status, &ping.body["outcome"]), (200, &json!("ignored")));
}

#[test]
fn a_thin_event_makes_the_poll_of_its_mode_due_where_one_runs() {
    let thin = |livemode: Option<bool>, context: Option<&str>| {
        json!({
            "id": "evt_test_61R", "object": "v2.core.event", "livemode": livemode,
            "type": "v1.entitlements.active_entitlement_summary.updated",
            "created": "2026-11-01T12:00:00.000Z", "context": context,
        })
    };
    for (why, event, polls, outcome) in [
        ("of test mode", thin(Some(false), None), &[Livemode::Test][..], "deferred"),
        ("without a mode: that of the secret", thin(None, None), &[Livemode::Test], "deferred"),
        ("of a connected account", thin(Some(false), Some("acct_1")), &[], "ignored"),
    ] {
        let service = service_with_stripe();
        let answer = service.stripe_sends(&event);
        assert_eq!((answer.status, &answer.body["outcome"]), (200, &json!(outcome)), "{why}");
        assert_eq!(*service.store.coordinator.polls.borrow(), polls, "{why}");
        if outcome == "deferred" {
            assert_eq!(
                answer.body,
                json!({
                    "object": "webhook_receipt", "event": "evt_test_61R", "outcome": "deferred",
                    "message": "The event poll reads which customer changed.",
                })
            );
        }
    }
    let service = service_with_stripe();
    let other_mode = service.receives(
        &thin(Some(true), None).to_string(),
        &signed(&thin(Some(true), None).to_string(), SECRET, NOW),
    );
    assert_eq!(other_mode.status, 400, "no secret of live mode signed it");

    let without_poll = service_with_stripe_and(&[("ENTGATE_EVENT_POLL", "0")]);
    assert_eq!(without_poll.stripe_sends(&thin(Some(false), None)).status, 400);

    service.store.coordinator.fail_next(Fault::Before);
    assert_eq!(service.stripe_sends(&thin(Some(false), None)).status, 503, "Stripe sends it again");
}
