//! The modes of webhook secrets, and events that would outrank others.

use entgate::{
    api::settings::{Error, Settings},
    id::{Livemode, Timestamp, Utc},
};
use serde_json::{Value, json};

use crate::support::{LIVE_SECRET, NOW, SECRET, Service, configured, event, service, signed, v1};

/// The event in live mode.
fn live(mut event: Value) -> Value {
    event["livemode"] = json!(true);
    if event["data"]["object"].get("livemode").is_some() {
        event["data"]["object"]["livemode"] = json!(true);
    }
    event
}

/// An event of a customer, with this type and object.
fn customer_event(kind: &str, object: &Value) -> Value {
    json!({
        "id": format!("evt_{kind}"), "object": "event", "type": kind, "created": 1_700_000_000,
        "livemode": false, "data": { "object": object },
    })
}

fn summary() -> Value {
    event("cus_ada", 1_700_000_000, &["sms"], false)
}

/// Every kind of event that changes entitlements.
fn events() -> [Value; 3] {
    [
        summary(),
        customer_event("customer.deleted", &json!({ "id": "cus_ada", "object": "customer" })),
        customer_event("customer.subscription.updated", &json!({ "customer": "cus_ada" })),
    ]
}

/// A deployment with secrets of both modes, which also reads events of subscriptions.
fn both_modes() -> Service {
    configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate,sk_live_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "test:whsec_test_entgate,live:whsec_live_entgate"),
        ("STRIPE_API_KEY", "sk_test_stripe"),
        ("ENTGATE_PAUSED_SUBSCRIPTIONS", "revoke"),
    ])
}

/// Status, code and message of the response to an event that is signed with a secret.
fn send(service: &Service, event: &Value, secret: &str) -> (u16, String, String) {
    let body = event.to_string();
    let answer = service.receives(&body, &signed(&body, secret, NOW));
    (answer.status, answer.error("code").to_owned(), answer.error("message").to_owned())
}

#[test]
fn a_secret_signs_events_of_its_own_mode_only() {
    let service = both_modes();
    for event in events() {
        for (event, secret, other, mode) in [
            (event.clone(), SECRET, LIVE_SECRET, "test"),
            (live(event.clone()), LIVE_SECRET, SECRET, "live"),
        ] {
            let message = format!(
                "The signature is valid, but the event is of {mode} mode, and no secret of this mode signed it. Put the signing secret of the {mode} endpoint into STRIPE_WEBHOOK_SECRETS as {mode}:whsec_…."
            );
            let rejected = (400, "livemode_mismatch".to_owned(), message);
            assert_eq!(send(&service, &event, other), rejected, "{mode} {event}");
            assert_eq!(send(&service, &event, secret).0, 200, "{mode} {event}");
        }
    }
}

#[test]
fn an_event_that_the_secrets_of_both_modes_signed_is_accepted_in_its_own() {
    let body = live(summary()).to_string();
    let header =
        format!("t={NOW},v1={},v1={}", v1(&body, SECRET, NOW), v1(&body, LIVE_SECRET, NOW));
    assert_eq!(both_modes().receives(&body, &header).status, 200);
}

#[test]
fn an_event_of_a_connected_account_is_ignored_in_either_mode() {
    let mut foreign = live(summary());
    foreign["account"] = json!("acct_1");
    assert_eq!(send(&both_modes(), &foreign, SECRET).0, 200);
    assert_eq!(send(&both_modes(), &foreign, LIVE_SECRET).0, 200);
}

#[test]
fn a_secret_without_a_mode_belongs_to_the_only_mode_of_the_keys() {
    let secret = "whsec_0123456789abcdef01234567";
    let (test_key, live_key) =
        ("sk_test_0123456789abcdef01234567", "rk_live_0123456789abcdef01234567");
    let both = format!("{test_key},{live_key}");
    let (marked_test, marked_live) = (format!("test:{secret}"), format!("live:{secret}"));
    let failed = |problem| Err(Error { name: "STRIPE_WEBHOOK_SECRETS", problem });
    let of_both = "has a secret without a mode, and the keys are of both modes: write test:whsec_… for the test endpoint and live:whsec_… for the live one";
    let of_none = "has a secret without a mode, and neither ENTGATE_API_KEYS nor STRIPE_API_KEY has a key of one: set a key, or write test:whsec_… or live:whsec_…";
    for (secrets, api_keys, stripe_key, expected) in [
        (secret, test_key, "", Ok(Livemode::Test)),
        (secret, live_key, "", Ok(Livemode::Live)),
        (secret, "", live_key, Ok(Livemode::Live)),
        (secret, "", test_key, Ok(Livemode::Test)),
        (secret, live_key, live_key, Ok(Livemode::Live)),
        (secret, test_key, live_key, failed(of_both)),
        (secret, both.as_str(), "", failed(of_both)),
        (secret, "", both.as_str(), failed(of_both)),
        (secret, "", "", failed(of_none)),
        (marked_live.as_str(), test_key, "", Ok(Livemode::Live)),
        (marked_test.as_str(), live_key, "", Ok(Livemode::Test)),
        (marked_test.as_str(), both.as_str(), "", Ok(Livemode::Test)),
        (marked_live.as_str(), "", "", Ok(Livemode::Live)),
    ] {
        let settings = Settings::parse(|name| match name {
            "STRIPE_WEBHOOK_SECRETS" => Some(secrets.to_owned()),
            "ENTGATE_API_KEYS" => Some(api_keys.to_owned()),
            "STRIPE_API_KEY" => Some(stripe_key.to_owned()),
            _ => None,
        });
        let mode = settings.map(|settings| settings.webhook_secrets[0].livemode);
        assert_eq!(mode, expected, "{secrets} with {api_keys} and {stripe_key}");
    }
}

#[test]
fn an_event_is_created_at_most_300_seconds_after_its_signature() {
    let limit = NOW.0 + 300;
    let message = |created: i64, signed_at: i64| {
        let (created, signed_at) = (Utc(Timestamp(created)), Utc(Timestamp(signed_at)));
        format!(
            "The signature is valid, but the event was not applied: `created` is {created}, more than 300 s after the signature of {signed_at}."
        )
    };
    for event in events() {
        let service = both_modes();
        let send = |created: i64, signed_at: i64| {
            let mut event = event.clone();
            event["id"] = json!(format!("evt_{created}_{signed_at}"));
            event["created"] = json!(created);
            let body = event.to_string();
            let answer = service.receives(&body, &signed(&body, SECRET, Timestamp(signed_at)));
            (answer.status, answer.error("message").to_owned())
        };
        assert_eq!(send(limit, NOW.0), (200, String::new()));
        assert_eq!(send(limit + 1, NOW.0), (400, message(limit + 1, NOW.0)));
        // The limit follows the signature, not the time of arrival.
        assert_eq!(send(limit - 100, NOW.0 - 100), (200, String::new()));
        assert_eq!(send(limit, NOW.0 - 100), (400, message(limit, NOW.0 - 100)));
        for created in [9_007_199_254_740_992, i64::MAX] {
            assert_eq!(send(created, NOW.0), (400, message(created, NOW.0)));
        }
        assert_eq!(send(0, NOW.0), (200, String::new()));
        for created in [-1, i64::MIN] {
            let message = format!(
                "The signature is valid, but the event was not applied: `created` is {created}, which is before 1970."
            );
            assert_eq!(send(created, NOW.0), (400, message));
        }
    }
}

#[test]
fn an_event_of_the_future_changes_nothing_and_the_next_one_is_applied() {
    let service = service();
    let pinned = event("cus_ada", 9_007_199_254_740_992, &["gold"], false);
    assert_eq!(service.stripe_sends(&pinned).status, 400);
    let next = service.stripe_sends(&event("cus_ada", 1_700_000_000, &["sms"], false));
    assert_eq!(next.body["outcome"], "applied");
    assert!(!service.check("cus_ada", "gold").0);
    assert!(service.check("cus_ada", "sms").0);
}
