//! `GET /healthz`: the public status, and the details for a secret key.

use entgate::{
    api::Request,
    coordinator::{Backlog, CoordinatorStatus, PollFailure, PollGap, PollStatus},
    id::{Livemode, Timestamp, UnixMillis},
    ledger::SyncProblem,
    store::memory::Fault,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, LIVE_KEY, NOW, Service, configured, service, service_with_stripe};

const BOTH_KEYS: (&str, &str) = ("ENTGATE_API_KEYS", "sk_test_entgate,sk_live_entgate");
const TEST_KEY: (&str, &str) = ("ENTGATE_API_KEYS", "sk_test_entgate");
const TEST_WEBHOOK: (&str, &str) = ("STRIPE_WEBHOOK_SECRETS", "test:whsec_test_entgate");
const WEBHOOK: (&str, &str) =
    ("STRIPE_WEBHOOK_SECRETS", "test:whsec_test_entgate,live:whsec_live_entgate");
const TEST_SOURCE: (&str, &str) = ("STRIPE_API_KEY", "sk_test_stripe");
const DENY: (&str, &str) = ("ENTGATE_UNKNOWN_CUSTOMERS", "deny");
/// Overrides the default of the tests.
const UNSET: (&str, &str) = ("ENTGATE_UNKNOWN_CUSTOMERS", "");

const NO_SOURCE: &str = "A customer of test mode without any data is neither granted nor denied a \
                         feature: set STRIPE_API_KEY, or set ENTGATE_UNKNOWN_CUSTOMERS to `deny` if \
                         this deployment receives every event of Stripe.";

const NOTHING_RECEIVED: &str = "Nothing is received from Stripe in test mode: set STRIPE_WEBHOOK_SECRETS, \
                                or set STRIPE_API_KEY and leave ENTGATE_EVENT_POLL on.";
const NO_POLL: (&str, &str) = ("ENTGATE_EVENT_POLL", "0");

fn public_health(service: &Service) -> Value {
    let answer = service.request("GET", "/healthz", &[], b"");
    assert_eq!(answer.status, 200);
    answer.body
}

fn health_with(service: &Service, key: &str) -> Answer {
    service.request("GET", "/healthz", &[("authorization", &format!("Bearer {key}"))], b"")
}

fn failed_task() -> Backlog {
    Backlog { pending: 1, pending_since: Some(UnixMillis::from(NOW)), problem: None }
}

fn set_backlog(service: &Service, livemode: Livemode, backlog: Backlog) {
    let status = CoordinatorStatus { backlog: Some(backlog), poll: None };
    service.store.coordinator.set_status(livemode, status);
}

/// A deployment that polls, with this status of its poll.
fn service_with_poll(settings: &[(&str, &str)], poll: PollStatus) -> Service {
    let service = configured(&[settings, &[TEST_KEY, TEST_SOURCE]].concat());
    let status = CoordinatorStatus { backlog: Some(Backlog::default()), poll: Some(poll) };
    service.store.coordinator.set_status(Livemode::Test, status);
    service
}

#[test]
fn without_a_secret_key_health_is_the_status_alone() {
    let service = service();
    let expected = json!({ "object": "health", "status": "ok" });
    assert_eq!(public_health(&service), expected);
    for credential in ["sk_test_other", "rk_test_entgate", "pk", "eyJhbGciOiJub25lIn0.e30."] {
        let answer = health_with(&service, credential);
        assert_eq!((answer.status, answer.body), (200, expected.clone()), "{credential}");
    }
    let head = service.request("HEAD", "/healthz", &[], b"");
    assert_eq!((head.status, head.is_empty()), (200, true));
}

#[test]
fn a_secret_key_sees_the_settings_of_its_mode_without_their_values() {
    for (key, livemode) in [("sk_test_entgate", false), (LIVE_KEY, true)] {
        let answer = health_with(&service(), key);
        assert_eq!(
            (answer.status, answer.body),
            (
                200,
                json!({
                    "object": "health",
                    "status": "ok",
                    "livemode": livemode,
                    "source": "stripe",
                    "settings": {
                        "ENTGATE_API_KEYS": "set",
                        "STRIPE_WEBHOOK_SECRETS": "set",
                        "STRIPE_API_KEY": "missing",
                        "ENTGATE_UNKNOWN_CUSTOMERS": "set",
                    },
                    "outbox": { "pending": 0, "oldest": null },
                    "poll": null,
                    "version": env!("CARGO_PKG_VERSION"),
                })
            )
        );
    }
}

#[test]
fn a_mode_with_keys_is_configured_by_a_webhook_secret_or_a_poll_and_a_rule_for_unknown_customers() {
    for (settings, status, message) in [
        (&[][..], "unconfigured", None),
        (&[WEBHOOK, DENY], "unconfigured", None),
        (&[TEST_KEY], "unconfigured", Some(NOTHING_RECEIVED)),
        (&[TEST_KEY, DENY], "unconfigured", Some(NOTHING_RECEIVED)),
        (&[TEST_KEY, WEBHOOK], "unconfigured", Some(NO_SOURCE)),
        (&[TEST_KEY, WEBHOOK, DENY], "ok", None),
        (&[TEST_KEY, TEST_SOURCE], "ok", None),
        (&[TEST_KEY, TEST_SOURCE, WEBHOOK], "ok", None),
        (&[TEST_KEY, TEST_SOURCE, NO_POLL], "unconfigured", Some(NOTHING_RECEIVED)),
        (&[TEST_KEY, TEST_SOURCE, NO_POLL, WEBHOOK], "ok", None),
        // Live mode has keys and no source.
        (&[BOTH_KEYS, TEST_SOURCE, WEBHOOK], "unconfigured", None),
        (&[BOTH_KEYS, TEST_SOURCE, WEBHOOK, DENY], "ok", None),
        (&[BOTH_KEYS, TEST_SOURCE, DENY], "unconfigured", None),
        (&[BOTH_KEYS, TEST_WEBHOOK, DENY], "unconfigured", None),
    ] {
        let service = configured(&[settings, &[UNSET]].concat());
        assert_eq!(public_health(&service)["status"], status, "{settings:?}");
        if message.is_some() {
            let details = health_with(&service, "sk_test_entgate").body;
            assert_eq!(
                (&details["status"], details["message"].as_str()),
                (&json!(status), message),
                "{settings:?}"
            );
        }
    }
    let both = configured(&[BOTH_KEYS, TEST_SOURCE, WEBHOOK, UNSET]);
    assert_eq!(health_with(&both, "sk_test_entgate").body["status"], "ok");
    assert_eq!(health_with(&both, LIVE_KEY).body["status"], "unconfigured");
}

#[cfg(feature = "catalog")]
#[test]
fn with_the_catalog_as_the_source_a_key_is_enough() {
    let service = configured(&[BOTH_KEYS, ("ENTGATE_SOURCE", "catalog"), UNSET]);
    assert_eq!(public_health(&service)["status"], "ok");
    let details = health_with(&service, LIVE_KEY).body;
    assert_eq!(
        (&details["status"], &details["source"], &details["settings"]),
        (
            &json!("ok"),
            &json!("catalog"),
            &json!({ "ENTGATE_API_KEYS": "set", "STRIPE_WEBHOOK_SECRETS": "missing" })
        )
    );
}

#[test]
fn a_key_sees_the_tasks_of_its_mode_and_the_public_status_those_of_all_modes_with_keys() {
    for (settings, test, live, [public, with_test_key, with_live_key]) in [
        (&[BOTH_KEYS, WEBHOOK, DENY], 0, 0, ["ok", "ok", "ok"]),
        (&[BOTH_KEYS, WEBHOOK, DENY], 1, 0, ["degraded", "degraded", "ok"]),
        (&[BOTH_KEYS, WEBHOOK, DENY], 0, 1, ["degraded", "ok", "degraded"]),
        (&[TEST_KEY, WEBHOOK, DENY], 0, 1, ["ok", "ok", "ok"]),
        (&[TEST_KEY, WEBHOOK, DENY], 1, 0, ["degraded", "degraded", "degraded"]),
    ] {
        let service = configured(settings);
        let backlog = |pending| if pending > 0 { failed_task() } else { Backlog::default() };
        set_backlog(&service, Livemode::Test, backlog(test));
        set_backlog(&service, Livemode::Live, backlog(live));
        let why = format!("{settings:?} {test} {live}");
        assert_eq!(public_health(&service)["status"], public, "{why}");
        assert_eq!(health_with(&service, "sk_test_entgate").body["status"], with_test_key, "{why}");
        assert_eq!(health_with(&service, LIVE_KEY).body["status"], with_live_key, "{why}");
    }
}

#[test]
fn the_public_status_is_at_most_ten_seconds_old() {
    let mut service = service();
    // One call for each of both modes.
    let calls_of = |service: &Service| service.store.coordinator.status_calls.get();
    assert_eq!((public_health(&service)["status"].as_str(), calls_of(&service)), (Some("ok"), 2));
    set_backlog(&service, Livemode::Test, failed_task());
    for (seconds, status, calls) in
        [(0, "ok", 2), (9, "ok", 2), (10, "degraded", 4), (19, "degraded", 4)]
    {
        service.now = NOW.saturating_add(seconds);
        assert_eq!(public_health(&service)["status"], status, "after {seconds} s");
        assert_eq!(calls_of(&service), calls, "after {seconds} s");
    }
}

#[test]
fn a_failed_coordinator_is_degraded_and_is_not_asked_again_within_ten_seconds() {
    let mut service = configured(&[TEST_KEY, WEBHOOK, DENY]);
    service.store.coordinator.fail_next(Fault::Before);
    for (seconds, status) in [(0, "degraded"), (9, "degraded"), (10, "ok")] {
        service.now = NOW.saturating_add(seconds);
        assert_eq!(public_health(&service)["status"], status, "after {seconds} s");
    }
    assert_eq!(service.store.coordinator.status_calls.get(), 2);
    service.store.coordinator.fail_next(Fault::Before);
    let details = health_with(&service, "sk_test_entgate").body;
    assert_eq!((&details["status"], &details["outbox"]), (&json!("degraded"), &Value::Null));
    let unavailable_index = CoordinatorStatus { backlog: None, poll: None };
    service.store.coordinator.set_status(Livemode::Test, unavailable_index);
    let details = health_with(&service, "sk_test_entgate").body;
    assert_eq!((&details["status"], &details["outbox"]), (&json!("degraded"), &Value::Null));
}

#[test]
fn the_poll_is_shown_with_its_age_and_what_only_it_has_brought() {
    let completed_at = Some(UnixMillis(UnixMillis::from(NOW).0 - 61_999));
    let poll = PollStatus { completed_at, found: 3, retries: 2, ..PollStatus::default() };
    let expected = json!({
        "interval": 60, "age": 61, "error": null, "missing_permission": null, "gap": null,
        "found_by_poll_only": 3, "pending": 2,
    });
    let with_webhook = service_with_poll(&[WEBHOOK], poll.clone());
    let details = health_with(&with_webhook, "sk_test_entgate").body;
    assert_eq!((&details["status"], &details["poll"]), (&json!("ok"), &expected));
    assert_eq!(
        details["message"],
        "3 events of the last day arrived by the poll only: check the webhook endpoint in Stripe."
    );
    let without_webhook = service_with_poll(&[("ENTGATE_EVENT_POLL", "5")], poll);
    let details = health_with(&without_webhook, "sk_test_entgate").body;
    assert_eq!((&details["status"], &details["poll"]["interval"]), (&json!("ok"), &json!(5)));
    assert_eq!(details.get("message"), None);
}

#[test]
fn a_poll_that_is_refused_behind_or_has_a_gap_degrades_the_mode() {
    let permission = "STRIPE_API_KEY may not list events: in Stripe, give the restricted key the \
                      permission `Events: Read`";
    let gap = PollGap { found_at: Timestamp(5), unread: Some(7) };
    for (why, poll, status, message) in [
        ("it has not run yet", PollStatus::default(), "ok", None),
        (
            "one failure",
            PollStatus {
                failure: Some(PollFailure::Unavailable("down".to_owned())),
                ..PollStatus::default()
            },
            "ok",
            None,
        ),
        (
            "behind",
            PollStatus { is_behind: true, ..PollStatus::default() },
            "degraded",
            Some("Events were not listed for an hour.".to_owned()),
        ),
        (
            "behind, with a cause",
            PollStatus {
                is_behind: true,
                failure: Some(PollFailure::Unavailable("down".to_owned())),
                ..PollStatus::default()
            },
            "degraded",
            Some("Events were not listed for an hour: down.".to_owned()),
        ),
        (
            "a gap",
            PollStatus { gap: Some(gap), ..PollStatus::default() },
            "degraded",
            Some("Events may be missing, so every customer is read from Stripe again.".to_owned()),
        ),
        (
            "a rejected key",
            PollStatus { failure: Some(PollFailure::KeyRefused), ..PollStatus::default() },
            "degraded",
            Some(
                "Stripe rejects STRIPE_API_KEY: set a key of this account that may read entitlements."
                    .to_owned(),
            ),
        ),
        (
            "a missing permission that Stripe names",
            PollStatus {
                failure: Some(PollFailure::MissingPermission(Some("rak_event_read".to_owned()))),
                ..PollStatus::default()
            },
            "degraded",
            Some(format!("{permission} (rak_event_read), or set ENTGATE_EVENT_POLL to 0.")),
        ),
        (
            "a missing permission",
            PollStatus {
                failure: Some(PollFailure::MissingPermission(None)),
                ..PollStatus::default()
            },
            "degraded",
            Some(format!("{permission}, or set ENTGATE_EVENT_POLL to 0.")),
        ),
    ] {
        let service = service_with_poll(&[], poll.clone());
        let details = health_with(&service, "sk_test_entgate").body;
        assert_eq!(details["status"], status, "{why}");
        assert_eq!(details.get("message"), message.map(Value::from).as_ref(), "{why}");
        assert_eq!(public_health(&service)["status"], status, "{why}");
        let is_missing = matches!(poll.failure, Some(PollFailure::MissingPermission(_)));
        let expected = if is_missing { json!("Events: Read") } else { Value::Null };
        assert_eq!(details["poll"]["missing_permission"], expected, "{why}");
        if poll.gap.is_some() {
            let expected = json!({ "found_at": 5, "unread": 7 });
            assert_eq!(details["poll"]["gap"], expected);
        }
    }
    // The other mode is not affected.
    let failure = Some(PollFailure::MissingPermission(None));
    let service = configured(&[BOTH_KEYS, TEST_SOURCE, WEBHOOK, DENY]);
    let poll = Some(PollStatus { failure, ..PollStatus::default() });
    let status = CoordinatorStatus { backlog: Some(Backlog::default()), poll };
    service.store.coordinator.set_status(Livemode::Test, status);
    assert_eq!(health_with(&service, "sk_test_entgate").body["status"], "degraded");
    assert_eq!(health_with(&service, LIVE_KEY).body["status"], "ok");
}

#[test]
fn concurrent_requests_share_one_question_to_each_coordinator() {
    let service = service();
    let requests = (0..50).map(|_| {
        let mut request = Request::default();
        *request.uri_mut() = "/healthz".parse().unwrap();
        service.handle(request)
    });
    for response in pollster::block_on(join_all(requests)) {
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body, json!({ "object": "health", "status": "ok" }));
    }
    assert_eq!(service.store.coordinator.status_calls.get(), 2);
}

#[test]
fn health_reports_pending_tasks_and_problems() {
    let now = UnixMillis::from(NOW).0;
    let backlog = |pending, since: Option<u64>, problem| Backlog {
        pending,
        pending_since: since.map(UnixMillis),
        problem,
    };
    let service = service_with_stripe();
    let key =
        "Stripe rejects STRIPE_API_KEY: set a key of this account that may read entitlements.";
    let account = "Stripe does not have a customer that its events name: is STRIPE_API_KEY of the \
                   same account as the webhook?";
    for (why, backlog, status, outbox, message) in [
        (
            "no pending task",
            backlog(0, None, None),
            "ok",
            json!({ "pending": 0, "oldest": null }),
            None,
        ),
        (
            "a pending task",
            backlog(1, Some(now - 89_999), None),
            "degraded",
            json!({ "pending": 1, "oldest": 89 }),
            None,
        ),
        (
            "a task from a clock ahead",
            backlog(3, Some(now + 90_000), None),
            "degraded",
            json!({ "pending": 3, "oldest": 0 }),
            None,
        ),
        (
            "a rejected key",
            backlog(0, None, Some(SyncProblem::KeyRefused)),
            "degraded",
            json!({ "pending": 0, "oldest": null }),
            Some(key),
        ),
        (
            "a key of another account",
            backlog(2, Some(now - 60_000), Some(SyncProblem::UnknownCustomer)),
            "degraded",
            json!({ "pending": 2, "oldest": 60 }),
            Some(account),
        ),
    ] {
        set_backlog(&service, Livemode::Test, backlog);
        let body = service.get("/healthz").body;
        assert_eq!((&body["status"], &body["outbox"]), (&json!(status), &outbox), "{why}");
        assert_eq!(body.get("message"), message.map(Value::from).as_ref(), "{why}");
        assert_eq!(body["settings"]["STRIPE_API_KEY"], "set", "{why}");
    }
}
