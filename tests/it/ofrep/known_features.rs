//! Which features there are: what is listed, from where, and for how long that is kept.

use entgate::{source::StripeResponse, store::memory::Fault};
use serde_json::{Value, json};

use super::{AT, FLAGS, assert_fails, bulk, single, values};
use crate::support::{NOW, SECRET, Service, event, service, service_with_stripe, signed};

const NOT_A_NO: &str =
    "The entitlements cannot be read or written at the moment. This is not a no.";

/// A deployment that can read Stripe, which sells these; Ada holds one that is archived.
fn selling(keys: &[&str]) -> Service {
    let service = service_with_stripe();
    service.stripe().set_features(keys);
    service.stripe_sends(&event("cus_ada", AT, &["fax"], false));
    service.stripe_sends(&event("cus_bob", AT, &[], false));
    service
}

/// An event arrives, and neither the replica nor the roster hear of it yet.
fn sends(service: &Service, event: &Value) {
    let body = event.to_string();
    let signature = signed(&body, SECRET, NOW);
    let headers = [("stripe-signature", &*signature)];
    let answer = service.request("POST", "/webhooks/stripe", &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The keys of all flags.
fn listed(service: &Service, customer: &str) -> Vec<String> {
    let answer = bulk(service, customer);
    assert_eq!(answer.status, 200, "{answer:?}");
    values(&answer).iter().map(|(key, _)| (*key).to_owned()).collect()
}

/// How often Stripe and the roster were asked for features.
fn asked(service: &Service) -> (usize, u32) {
    let features = |target: &&String| target.starts_with("/v1/entitlements/features");
    (
        service.stripe().requests().iter().filter(features).count(),
        service.store.customer_index.calls.get(),
    )
}

/// Stripe does not answer the next question, however often it is tried.
fn fails(service: &Service) {
    (0..3).for_each(|_| service.stripe().queue_response(Err("the line is cut".to_owned())));
}

#[test]
fn what_is_sold_and_what_was_ever_held_is_listed() {
    let service = selling(&["sso", "sms"]);
    let flags = [("fax", true), ("sms", false), ("sso", false)];
    for (customer, archived) in [("cus_ada", true), ("cus_bob", false)] {
        let answer = bulk(&service, customer);
        let expected = flags.map(|(key, held)| (key, json!(held && archived)));
        let expected: Vec<_> = expected.iter().map(|(key, value)| (*key, value)).collect();
        assert_eq!(values(&answer), expected, "{customer}");
        assert_eq!(single(&service, "fax", customer).body["value"], archived, "{customer}");
        assert_eq!(single(&service, "sso", customer).body["value"], false, "{customer}");
    }
    assert_eq!(asked(&service), (1, 1));
}

#[test]
fn what_is_sold_is_read_to_its_end_of_two_thousand() {
    for (sold, read, pages) in
        [(100, 100, 1), (101, 101, 2), (2_000, 2_000, 20), (2_001, 2_000, 20)]
    {
        let keys: Vec<_> = (0..sold).map(|n| format!("f{n}")).collect();
        let service = selling(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(listed(&service, "cus_bob").len(), read + 1, "{sold}");
        assert_eq!(asked(&service), (pages, 1), "{sold}");
    }
}

#[test]
fn what_is_granted_and_revoked_at_once_was_held_all_the_same() {
    let service = service();
    sends(&service, &event("cus_ada", AT, &["sms"], false));
    sends(&service, &event("cus_ada", AT + 1, &[], false));
    service.store.replicate();
    assert_eq!(listed(&service, "cus_bob"), ["sms"]);
}

#[test]
fn the_modes_know_nothing_of_each_others_features() {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT, &["sms"], false));
    let body = super::about("cus_ada").to_string();
    let live = [("authorization", "Bearer sk_live_entgate")];
    let answer = service.request("POST", FLAGS, &live, body.as_bytes());
    assert_eq!((answer.status, values(&answer)), (200, vec![]));
}

#[test]
fn all_features_are_kept_for_60_s() {
    let mut service = selling(&["sms"]);
    assert_eq!(listed(&service, "cus_bob"), ["fax", "sms"]);
    service.stripe().set_features(&["sms", "sso"]);
    for (later, keys, questions) in
        [(59, &["fax", "sms"][..], (1, 1)), (60, &["fax", "sms", "sso"], (2, 2))]
    {
        service.now.0 = NOW.0 + later;
        assert_eq!(listed(&service, "cus_bob"), keys, "{later} s later");
        assert_eq!(asked(&service), questions, "{later} s later");
    }
}

#[test]
fn that_there_is_no_such_feature_is_kept_for_5_s() {
    let mut service = selling(&["sms"]);
    assert_eq!(single(&service, "sso", "cus_bob").status, 404);
    service.stripe().set_features(&["sso"]);
    for (later, status, questions) in [(4, 404, (1, 1)), (5, 200, (2, 2)), (999, 200, (2, 2))] {
        service.now.0 = NOW.0 + later;
        assert_eq!(single(&service, "sso", "cus_bob").status, status, "{later} s later");
        assert_eq!(asked(&service), questions, "{later} s later");
    }
}

#[test]
fn what_is_held_needs_nobody_who_knows_of_it() {
    let service = selling(&[]);
    let flag = single(&service, "fax", "cus_ada");
    assert_eq!((flag.body["value"].as_bool(), asked(&service)), (Some(true), (0, 0)));
}

#[test]
fn while_stripe_cannot_be_read_what_it_sold_is_still_listed_however_old() {
    let mut service = selling(&["sms"]);
    assert_eq!(listed(&service, "cus_bob"), ["fax", "sms"]);
    service.stripe_sends(&event("cus_cy", AT, &["sso"], false));
    service.now.0 = NOW.0 + 86_400;
    fails(&service);
    assert_eq!(listed(&service, "cus_bob"), ["fax", "sms", "sso"]);
    assert_eq!(single(&service, "sms", "cus_bob").body["value"], false);
}

#[test]
fn while_stripe_was_never_read_what_was_held_is_listed_and_stripe_left_alone_for_5_s() {
    let mut service = selling(&["sms"]);
    fails(&service);
    for (later, keys, questions) in
        [(0, &["fax"][..], (3, 1)), (4, &["fax"], (3, 1)), (5, &["fax", "sms"], (4, 1))]
    {
        service.now.0 = NOW.0 + later;
        assert_eq!(listed(&service, "cus_bob"), keys, "{later} s later");
        assert_eq!(asked(&service), questions, "{later} s later");
    }
}

#[test]
fn while_the_roster_is_out_of_reach_what_is_sold_is_listed() {
    let service = selling(&["sms"]);
    service.store.customer_index.fail_next(Fault::Before);
    assert_eq!(listed(&service, "cus_bob"), ["sms"]);
}

#[test]
fn while_nobody_tells_which_features_there_are_that_is_a_500() {
    let service = selling(&["sms"]);
    let refused = StripeResponse { status: 401, ..StripeResponse::default() };
    service.stripe().queue_response(Ok(refused));
    service.store.customer_index.fail_next(Fault::After);
    for _ in ["asked", "left alone"] {
        assert_fails(&bulk(&service, "cus_bob"), 500, None, "GENERAL", NOT_A_NO);
        assert_fails(&single(&service, "sms", "cus_bob"), 500, Some("sms"), "GENERAL", NOT_A_NO);
        assert_fails(&single(&service, "a%2Fb", "cus_bob"), 500, Some("a/b"), "GENERAL", NOT_A_NO);
        assert_eq!(single(&service, "fax", "cus_ada").body["value"], true, "that is known");
        assert_eq!(asked(&service), (1, 1));
    }
}

#[test]
fn a_feature_that_is_revoked_does_not_go_from_the_list() {
    let mut service = service();
    service.stripe_sends(&event("cus_bob", AT, &["sso"], false));
    assert_eq!(listed(&service, "cus_ada"), ["sso"]);
    sends(&service, &event("cus_ada", NOW.0 + 1, &["sms"], false));
    service.now.0 = NOW.0 + 1;
    assert_eq!(listed(&service, "cus_ada"), ["sms", "sso"]);
    sends(&service, &event("cus_ada", NOW.0 + 2, &[], false));
    service.now.0 = NOW.0 + 2;
    assert_eq!(
        values(&bulk(&service, "cus_ada")),
        [("sms", &json!(false)), ("sso", &json!(false))]
    );
    assert_eq!(service.store.customer_index.calls.get(), 1);
}

#[test]
fn the_roster_is_asked_anew_beside_a_set_that_it_may_not_have_heard_of() {
    for (why, changed, asked) in [
        ("it told since", NOW.0 - 5, [1, 1]),
        ("it may not have heard yet", NOW.0 - 4, [1, 2]),
        ("it told before", NOW.0 + 3, [1, 2]),
    ] {
        let mut service = service();
        service.stripe_sends(&event("cus_ada", changed, &["sms"], false));
        assert_eq!(listed(&service, "cus_none"), ["sms"]);
        for (later, asked) in [4, 5].into_iter().zip(asked) {
            service.now.0 = NOW.0 + later;
            assert_eq!(listed(&service, "cus_ada"), ["sms"], "{why}");
            assert_eq!(service.store.customer_index.calls.get(), asked, "{why}, {later} s later");
        }
        // Once it was asked long enough after the change, its answer is kept.
        service.now.0 = NOW.0 + 10;
        listed(&service, "cus_ada");
        let before = service.store.customer_index.calls.get();
        service.now.0 = NOW.0 + 15;
        listed(&service, "cus_ada");
        assert_eq!(service.store.customer_index.calls.get(), before, "{why}");
    }
}
