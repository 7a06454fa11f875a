//! `POST /ofrep/v1/evaluate/flags/{key}`.

use entgate::store::memory::Fault;
use serde_json::json;

use super::{assert_fails, single, with_three_customers};
use crate::support::{configured, event};

const INCOMPLETE: &str = "Only a part of the entitlements of 'cus_cy' is known, and the answer is not in \
                      it. This is not a denial.";
const UNAVAILABLE: &str =
    "The entitlements cannot be read or written at the moment. This is not a denial.";

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
fn without_a_source_a_feature_that_no_customer_ever_had_is_not_found() {
    let service = with_three_customers();
    for customer in ["cus_ada", "cus_dee"] {
        let answer = single(&service, "fax", customer);
        assert_fails(&answer, 404, Some("fax"), "FLAG_NOT_FOUND", &no_such("fax"));
    }
}

#[test]
fn an_invalid_lookup_key_is_not_found() {
    let service = with_three_customers();
    let (long, shown) = ("x".repeat(20_001), "x".repeat(100) + "…");
    for (path, key) in [("", ""), ("a%0Ab", "a%0Ab"), (&*long, &*shown)] {
        let answer = single(&service, path, "cus_ada");
        assert_fails(&answer, 404, Some(key), "FLAG_NOT_FOUND", &no_such(key));
    }
}

#[test]
fn an_incomplete_set_denies_no_feature() {
    let service = with_three_customers();
    for key in ["sso", "fax"] {
        let answer = single(&service, key, "cus_cy");
        assert_fails(&answer, 500, Some(key), "GENERAL", INCOMPLETE);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[test]
fn an_unavailable_store_returns_500_without_a_value() {
    let service = with_three_customers();
    for fault in [Fault::Before, Fault::After] {
        service.store.ledger.fail_next(fault);
        let answer = single(&service, "s%20ms", "cus_dee");
        assert_fails(&answer, 500, Some("s ms"), "GENERAL", UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    service.store.replica.fail_next(Fault::Before);
    assert_eq!(single(&service, "sms", "cus_ada").body["value"], true, "the ledger answers");
}

#[test]
fn a_key_is_used_as_sent_or_decoded() {
    let keys =
        ["a/b", "über", "two words", "100%", "50%25", "%zz", "a+b", "a%2Fc", "a|b", "x%FFy", "..."];
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_test_entgate"),
    ]);
    service.stripe_sends(&event("cus_ada", 1, &keys, false));
    for (why, path, key) in [
        ("encoded by encodeURIComponent", "a%2Fb", "a/b"),
        ("an unencoded slash", "a/b", "a/b"),
        ("encoded in upper case", "%C3%BCber", "über"),
        ("encoded in lower case", "%c3%bcber", "über"),
        ("an encoded space", "two%20words", "two words"),
        ("a percent sign without an escape", "100%", "100%"),
        ("the same, encoded", "100%25", "100%"),
        ("a key that contains an escape", "50%25", "50%25"),
        ("the same, encoded", "50%2525", "50%25"),
        ("an invalid escape", "%zz", "%zz"),
        ("a plus is not a space", "a+b", "a+b"),
        ("an encoded plus", "a%2Bb", "a+b"),
        ("a key that looks encoded", "a%2Fc", "a%2Fc"),
        ("the same, encoded", "a%252Fc", "a%2Fc"),
        ("a character that needs no escape", "a|b", "a|b"),
        ("a key that does not decode to UTF-8", "x%FFy", "x%FFy"),
        ("dots", "...", "..."),
    ] {
        let answer = single(&service, path, "cus_ada");
        let flag = (&answer.body["key"], &answer.body["value"]);
        assert_eq!((answer.status, flag), (200, (&json!(key), &json!(true))), "{why}: {path}");
    }
    // Bob has none of these features: the choice of the key does not depend on the entitlements.
    service.stripe_sends(&event("cus_bob", 1, &["a/c"], false));
    for (path, key, value) in
        [("a%2Fc", "a%2Fc", false), ("a/c", "a/c", true), ("a%2Fb", "a/b", false)]
    {
        let answer = single(&service, path, "cus_bob");
        let flag = (&answer.body["key"], &answer.body["value"]);
        assert_eq!((answer.status, flag), (200, (&json!(key), &json!(value))), "{path}");
    }
}
