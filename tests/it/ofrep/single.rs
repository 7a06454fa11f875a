//! `POST /ofrep/v1/evaluate/flags/{key}`.

use entgate::store::memory::Fault;
use serde_json::json;

use super::{assert_fails, single, with_three_customers};
use crate::support::{configured, event};

const PARTLY: &str = "Only a part of the entitlements of 'cus_cy' is known, and the answer is not in \
                      it. This is not a no.";
const NOT_A_NO: &str =
    "The entitlements cannot be read or written at the moment. This is not a no.";

fn no_such(key: &str) -> String {
    format!("There is no feature with the lookup key '{key}'.")
}

#[test]
fn a_flag_is_a_boolean_with_its_reason_and_variant() {
    let service = with_three_customers();
    for (customer, key, value, variant, reason, version) in [
        ("cus_ada", "sms", true, "entitled", "active_entitlement", 1),
        ("cus_ada", "sso", false, "not_entitled", "not_entitled", 1),
        ("cus_bob", "sms", false, "not_entitled", "not_entitled", 2),
        ("cus_dee", "sms", false, "not_entitled", "unknown_customer", 0),
        ("cus_cy", "sms", true, "entitled", "active_entitlement", 1),
    ] {
        let answer = single(&service, key, customer);
        let expected = json!({
            "key": key, "value": value, "reason": "TARGETING_MATCH", "variant": variant,
            "metadata": { "reason": reason, "version": version },
        });
        assert_eq!((answer.status, &answer.body), (200, &expected), "{customer} {key}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn a_feature_that_nobody_ever_held_is_not_found_where_no_source_can_be_read() {
    let service = with_three_customers();
    for customer in ["cus_ada", "cus_dee"] {
        let answer = single(&service, "fax", customer);
        assert_fails(&answer, 404, Some("fax"), "FLAG_NOT_FOUND", &no_such("fax"));
    }
}

#[test]
fn what_cannot_be_a_lookup_key_is_not_found() {
    let service = with_three_customers();
    let long = "x".repeat(20_001);
    for (path, key) in [("", ""), ("a%0Ab", "a%0Ab"), (&*long, &*long)] {
        let answer = single(&service, path, "cus_ada");
        assert_fails(&answer, 404, Some(key), "FLAG_NOT_FOUND", &no_such(key));
    }
}

#[test]
fn a_set_that_is_known_in_part_denies_nothing() {
    let service = with_three_customers();
    for key in ["sso", "fax"] {
        let answer = single(&service, key, "cus_cy");
        assert_fails(&answer, 500, Some(key), "GENERAL", PARTLY);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[test]
fn a_store_that_is_out_of_reach_is_a_500_without_a_value() {
    let service = with_three_customers();
    for fault in [Fault::Before, Fault::After] {
        service.store.ledger.fail_next(fault);
        let answer = single(&service, "s%20ms", "cus_dee");
        assert_fails(&answer, 500, Some("s ms"), "GENERAL", NOT_A_NO);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    service.store.replica.fail_next(Fault::Before);
    assert_eq!(single(&service, "sms", "cus_ada").body["value"], true, "the ledger knows");
}

#[test]
fn a_key_is_taken_as_it_was_sent_and_as_it_was_meant() {
    let keys =
        ["a/b", "über", "two words", "100%", "50%25", "%zz", "a+b", "a%2Fc", "a|b", "x%FFy", "..."];
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_test_entgate"),
    ]);
    service.stripe_sends(&event("cus_ada", 1, &keys, false));
    for (why, path, key) in [
        ("encoded by encodeURIComponent", "a%2Fb", "a/b"),
        ("a slash as it is", "a/b", "a/b"),
        ("encoded", "%C3%BCber", "über"),
        ("encoded in small letters", "%c3%bcber", "über"),
        ("encoded as a space is", "two%20words", "two words"),
        ("a percent sign that is no escape", "100%", "100%"),
        ("the same, encoded", "100%25", "100%"),
        ("an escape in a key", "50%25", "50%25"),
        ("the same, encoded", "50%2525", "50%25"),
        ("no escape", "%zz", "%zz"),
        ("a plus is no space", "a+b", "a+b"),
        ("a plus, encoded", "a%2Bb", "a+b"),
        ("a key that looks encoded", "a%2Fc", "a%2Fc"),
        ("the same, encoded", "a%252Fc", "a%2Fc"),
        ("what no URL has to escape", "a|b", "a|b"),
        ("what is no UTF-8 once decoded", "x%FFy", "x%FFy"),
        ("dots", "...", "..."),
    ] {
        let answer = single(&service, path, "cus_ada");
        let told = (&answer.body["key"], &answer.body["value"]);
        assert_eq!((answer.status, told), (200, (&json!(key), &json!(true))), "{why}: {path}");
    }
    // Bob holds none of them: which key is meant does not hang on what is held.
    service.stripe_sends(&event("cus_bob", 1, &["a/c"], false));
    for (path, key, value) in
        [("a%2Fc", "a%2Fc", false), ("a/c", "a/c", true), ("a%2Fb", "a/b", false)]
    {
        let answer = single(&service, path, "cus_bob");
        let told = (&answer.body["key"], &answer.body["value"]);
        assert_eq!((answer.status, told), (200, (&json!(key), &json!(value))), "{path}");
    }
}
