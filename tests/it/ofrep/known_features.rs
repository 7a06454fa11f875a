//! Which features are listed as flags, where they come from, and how long they are cached.

use entgate::{source::StripeResponse, store::memory::Fault};
use serde_json::{Value, json};

use super::{AT, FLAGS, assert_fails, bulk, single, values};
use crate::support::{Answer, NOW, SECRET, Service, event, service, service_with_stripe, signed};

const UNAVAILABLE: &str =
    "The entitlements cannot be read or written at the moment. This is not a denial.";

/// A deployment whose Stripe has these active features. Ada has an archived one.
fn with_features(keys: &[&str]) -> Service {
    let service = service_with_stripe();
    service.stripe().set_features(keys);
    service.stripe_sends(&event("cus_ada", AT, &["fax"], false));
    service.stripe_sends(&event("cus_bob", AT, &[], false));
    service
}

/// Receives an event without updating the replica and the coordinator.
fn receive_in_ledger(service: &Service, event: &Value) {
    let body = event.to_string();
    let signature = signed(&body, SECRET, NOW);
    let headers = [("stripe-signature", &*signature)];
    let answer = service.request("POST", "/webhooks/stripe", &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The keys of all flags.
fn flag_keys(service: &Service, customer: &str) -> Vec<String> {
    let answer = bulk(service, customer);
    assert_eq!(answer.status, 200, "{answer:?}");
    values(&answer).iter().map(|(key, _)| (*key).to_owned()).collect()
}

/// The number of requests for features to Stripe and to the coordinator.
fn request_counts(service: &Service) -> (usize, u32) {
    let features = |target: &&String| target.starts_with("/v1/entitlements/features");
    (
        service.stripe().requests().iter().filter(features).count(),
        service.store.coordinator.feature_calls.get(),
    )
}

/// Makes the next request to Stripe fail, including its retries.
fn fail_next_request(service: &Service) {
    (0..3).for_each(|_| service.stripe().queue_response(Err("connection reset".to_owned())));
}

#[test]
fn active_features_and_features_that_any_customer_ever_had_are_listed() {
    let service = with_features(&["sso", "sms"]);
    let flags = [("fax", true), ("sms", false), ("sso", false)];
    for (customer, archived) in [("cus_ada", true), ("cus_bob", false)] {
        let answer = bulk(&service, customer);
        let expected = flags.map(|(key, value)| (key, json!(value && archived)));
        let expected: Vec<_> = expected.iter().map(|(key, value)| (*key, value)).collect();
        assert_eq!(values(&answer), expected, "{customer}");
        assert_eq!(single(&service, "fax", customer).body["value"], archived, "{customer}");
        assert_eq!(single(&service, "sso", customer).body["value"], false, "{customer}");
    }
    assert_eq!(request_counts(&service), (1, 1));
}

#[test]
fn at_most_two_thousand_active_features_are_listed() {
    for (active, listed, pages) in
        [(100, 100, 1), (101, 101, 2), (2_000, 2_000, 20), (2_001, 2_000, 20)]
    {
        let keys: Vec<_> = (0..active).map(|n| format!("f{n}")).collect();
        let service = with_features(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(flag_keys(&service, "cus_bob").len(), listed + 1, "{active}");
        assert_eq!(request_counts(&service), (pages, 1), "{active}");
    }
}

#[test]
fn a_feature_that_was_granted_and_revoked_at_once_is_listed() {
    let service = service();
    receive_in_ledger(&service, &event("cus_ada", AT, &["sms"], false));
    receive_in_ledger(&service, &event("cus_ada", AT + 1, &[], false));
    service.store.replicate();
    assert_eq!(flag_keys(&service, "cus_bob"), ["sms"]);
}

#[test]
fn each_mode_lists_its_own_features() {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT, &["sms"], false));
    let body = super::context("cus_ada").to_string();
    let live = [("authorization", "Bearer sk_live_entgate")];
    let answer = service.request("POST", FLAGS, &live, body.as_bytes());
    assert_eq!((answer.status, values(&answer)), (200, vec![]));
}

#[test]
fn the_list_of_features_is_cached_for_60_s() {
    let mut service = with_features(&["sms"]);
    assert_eq!(flag_keys(&service, "cus_bob"), ["fax", "sms"]);
    service.stripe().set_features(&["sms", "sso"]);
    for (later, keys, counts) in
        [(59, &["fax", "sms"][..], (1, 1)), (60, &["fax", "sms", "sso"], (2, 2))]
    {
        service.now.0 = NOW.0 + later;
        assert_eq!(flag_keys(&service, "cus_bob"), keys, "{later} s later");
        assert_eq!(request_counts(&service), counts, "{later} s later");
    }
}

#[test]
fn the_absence_of_a_feature_is_cached_for_5_s() {
    let mut service = with_features(&["sms"]);
    assert_eq!(single(&service, "sso", "cus_bob").status, 404);
    service.stripe().set_features(&["sso"]);
    for (later, status, counts) in [(4, 404, (1, 1)), (5, 200, (2, 2)), (999, 200, (2, 2))] {
        service.now.0 = NOW.0 + later;
        assert_eq!(single(&service, "sso", "cus_bob").status, status, "{later} s later");
        assert_eq!(request_counts(&service), counts, "{later} s later");
    }
}

#[test]
fn a_granted_feature_needs_no_list_of_features() {
    let service = with_features(&[]);
    let flag = single(&service, "fax", "cus_ada");
    assert_eq!((flag.body["value"].as_bool(), request_counts(&service)), (Some(true), (0, 0)));
}

#[test]
fn while_stripe_is_unavailable_cached_features_of_any_age_are_listed() {
    let mut service = with_features(&["sms"]);
    assert_eq!(flag_keys(&service, "cus_bob"), ["fax", "sms"]);
    service.stripe_sends(&event("cus_cy", AT, &["sso"], false));
    service.now.0 = NOW.0 + 86_400;
    fail_next_request(&service);
    assert_eq!(flag_keys(&service, "cus_bob"), ["fax", "sms", "sso"]);
    assert_eq!(single(&service, "sms", "cus_bob").body["value"], false);
}

#[test]
fn after_a_first_failed_read_observed_features_are_listed_and_stripe_is_retried_after_5_s() {
    let mut service = with_features(&["sms"]);
    fail_next_request(&service);
    for (later, keys, counts) in
        [(0, &["fax"][..], (3, 1)), (4, &["fax"], (3, 1)), (5, &["fax", "sms"], (4, 1))]
    {
        service.now.0 = NOW.0 + later;
        assert_eq!(flag_keys(&service, "cus_bob"), keys, "{later} s later");
        assert_eq!(request_counts(&service), counts, "{later} s later");
    }
}

/// Evaluates all flags of Bob so many times at the same time.
fn bulk_concurrently(service: &Service, count: usize) -> Vec<Answer> {
    let request = || {
        let request = http::Request::post(FLAGS).header("authorization", "Bearer sk_test_entgate");
        request.body(super::context("cus_bob").to_string().into_bytes()).unwrap()
    };
    service.concurrently(&(0..count).map(|_| request()).collect::<Vec<_>>())
}

#[test]
fn concurrent_requests_share_the_first_list_of_features() {
    for delay in [0, 50] {
        let service = with_features(&["sms"]);
        service.stripe().set_delay(delay);
        let answers = bulk_concurrently(&service, 20);
        for answer in &answers {
            assert_eq!(values(answer), [("fax", &json!(false)), ("sms", &json!(false))], "{delay}");
        }
        assert_eq!((answers.len(), request_counts(&service)), (20, (1, 1)), "{delay}");
    }
}

#[test]
fn concurrent_requests_share_the_failure_of_the_first_list_of_features() {
    let service = with_features(&["sms"]);
    service.stripe().set_delay(5);
    fail_next_request(&service);
    for answer in bulk_concurrently(&service, 20) {
        assert_eq!(values(&answer), [("fax", &json!(false))]);
    }
    assert_eq!(request_counts(&service), (3, 1), "one read with its two retries");
}

#[test]
fn concurrent_requests_share_the_timeout_of_the_first_list_of_features() {
    let service = with_features(&["sms"]);
    service.stripe().set_delay(1_000);
    for answer in bulk_concurrently(&service, 20) {
        assert_eq!(values(&answer), [("fax", &json!(false))]);
    }
    assert_eq!(request_counts(&service), (1, 1));
}

#[test]
fn while_the_coordinator_is_unavailable_active_features_are_listed() {
    let service = with_features(&["sms"]);
    service.store.coordinator.fail_next(Fault::Before);
    assert_eq!(flag_keys(&service, "cus_bob"), ["sms"]);
}

#[test]
fn without_any_list_of_features_a_denial_returns_500() {
    let service = with_features(&["sms"]);
    let rejected = StripeResponse { status: 401, ..StripeResponse::default() };
    service.stripe().queue_response(Ok(rejected));
    service.store.coordinator.fail_next(Fault::After);
    for _ in ["after the failure", "during the back-off"] {
        assert_fails(&bulk(&service, "cus_bob"), 500, None, "GENERAL", UNAVAILABLE);
        assert_fails(&single(&service, "sms", "cus_bob"), 500, Some("sms"), "GENERAL", UNAVAILABLE);
        assert_fails(
            &single(&service, "a%2Fb", "cus_bob"),
            500,
            Some("a/b"),
            "GENERAL",
            UNAVAILABLE,
        );
        assert_eq!(single(&service, "fax", "cus_ada").body["value"], true, "granted");
        assert_eq!(request_counts(&service), (1, 1));
    }
}

#[test]
fn a_revoked_feature_stays_in_the_list() {
    let mut service = service();
    service.stripe_sends(&event("cus_bob", AT, &["sso"], false));
    assert_eq!(flag_keys(&service, "cus_ada"), ["sso"]);
    receive_in_ledger(&service, &event("cus_ada", NOW.0 + 1, &["sms"], false));
    service.now.0 = NOW.0 + 1;
    assert_eq!(flag_keys(&service, "cus_ada"), ["sms", "sso"]);
    receive_in_ledger(&service, &event("cus_ada", NOW.0 + 2, &[], false));
    service.now.0 = NOW.0 + 2;
    assert_eq!(
        values(&bulk(&service, "cus_ada")),
        [("sms", &json!(false)), ("sso", &json!(false))]
    );
    assert_eq!(service.store.coordinator.feature_calls.get(), 1);
}

#[test]
fn the_coordinator_is_asked_again_for_a_set_that_it_may_not_include() {
    for (why, changed_at, counts) in [
        ("read after the change", NOW.0 - 5, [1, 1]),
        ("read too soon after the change", NOW.0 - 4, [1, 2]),
        ("read before the change", NOW.0 + 3, [1, 2]),
    ] {
        let mut service = service();
        service.stripe_sends(&event("cus_ada", changed_at, &["sms"], false));
        assert_eq!(flag_keys(&service, "cus_none"), ["sms"]);
        for (later, count) in [4, 5].into_iter().zip(counts) {
            service.now.0 = NOW.0 + later;
            assert_eq!(flag_keys(&service, "cus_ada"), ["sms"], "{why}");
            assert_eq!(
                service.store.coordinator.feature_calls.get(),
                count,
                "{why}, {later} s later"
            );
        }
        // A result that was read long enough after the change is cached.
        service.now.0 = NOW.0 + 10;
        flag_keys(&service, "cus_ada");
        let before = service.store.coordinator.feature_calls.get();
        service.now.0 = NOW.0 + 15;
        flag_keys(&service, "cus_ada");
        assert_eq!(service.store.coordinator.feature_calls.get(), before, "{why}");
    }
}
