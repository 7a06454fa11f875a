//! `POST /ofrep/v1/evaluate/flags`.

use entgate::{
    entitlement::Version,
    store::{Replica as _, memory::Fault},
};
use serde_json::{Value, json};

use super::{AT, FLAGS, assert_fails, bulk, context, values, with_three_customers};
use crate::support::{Answer, Service, configured, customer, event, service};

/// Evaluates Ada's flags for a client with these tags and this pushed version.
fn revalidate(service: &Service, tags: &str, pushed: &str) -> Answer {
    let headers = [("authorization", "Bearer sk_test_entgate"), ("if-none-match", tags)];
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("flagConfigEtag", pushed)
        .finish();
    let target = format!("{FLAGS}?{query}");
    service.request("POST", &target, &headers, context("cus_ada").to_string().as_bytes())
}

#[test]
fn every_feature_is_listed_by_key_with_an_explicit_value() {
    let service = with_three_customers();
    let flag = |key: &str, value: bool, reason: &str| {
        let variant = if value { "entitled" } else { "not_entitled" };
        json!({
            "key": key, "value": value, "reason": "TARGETING_MATCH", "variant": variant,
            "metadata": { "reason": reason },
        })
    };
    for (customer, version, flags) in [
        (
            "cus_ada",
            1,
            [
                flag("export", true, "active_entitlement"),
                flag("sms", true, "active_entitlement"),
                flag("sso", false, "not_entitled"),
            ],
        ),
        ("cus_bob", 2, ["export", "sms", "sso"].map(|key| flag(key, false, "not_entitled"))),
        ("cus_dee", 0, ["export", "sms", "sso"].map(|key| flag(key, false, "unknown_customer"))),
    ] {
        let answer = bulk(&service, customer);
        assert_eq!((answer.status, &answer.body["flags"]), (200, &json!(flags)), "{customer}");
        let metadata = json!({ "version": version, "livemode": false });
        assert_eq!(answer.body["metadata"], metadata, "{customer}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn an_incomplete_set_that_leaves_a_flag_open_returns_500() {
    let details = "Only a part of the entitlements of 'cus_cy' is known, and the answer is not in \
                   it. This is not a denial.";
    let answer = bulk(&with_three_customers(), "cus_cy");
    assert_fails(&answer, 500, None, "GENERAL", details);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let service = service();
    service.stripe_sends(&event("cus_cy", AT, &["sms"], true));
    assert_eq!(values(&bulk(&service, "cus_cy")), [("sms", &json!(true))], "no flag is open");
}

#[test]
fn two_entitlements_with_one_key_are_one_flag() {
    let service = service();
    let mut event = event("cus_ada", AT, &["sms", "fax"], false);
    event["data"]["object"]["entitlements"]["data"][1]["lookup_key"] = json!("sms");
    service.stripe_sends(&event);
    assert_eq!(values(&bulk(&service, "cus_ada")), [("sms", &json!(true))]);
}

#[test]
fn an_unavailable_store_returns_500() {
    let service = with_three_customers();
    service.store.ledger.fail_next(Fault::Before);
    let answer = bulk(&service, "cus_dee");
    let details = "The entitlements cannot be read or written at the moment. This is not a denial.";
    assert_fails(&answer, 500, None, "GENERAL", details);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[test]
fn no_flag_changes_when_only_the_version_does() {
    let service = with_three_customers();
    let before = bulk(&service, "cus_ada");
    // The features stay the same, and one of them has a new entitlement.
    let mut newer = event("cus_ada", AT + 1, &["export", "sms"], false);
    newer["data"]["object"]["entitlements"]["data"][0]["id"] = json!("ent_test_again");
    service.stripe_sends(&newer);
    let after = bulk(&service, "cus_ada");
    assert_eq!(
        (&before.body["metadata"]["version"], &after.body["metadata"]["version"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(before.body["flags"], after.body["flags"]);
    assert_ne!(before.header("etag"), after.header("etag"));
}

#[test]
fn the_tag_is_the_version_and_16_digits_of_the_bodys_sha_256() {
    let answer = bulk(&with_one_customer(), "cus_ada");
    // printf '{"flags":[{"key":"sms","value":true,"reason":"TARGETING_MATCH","variant":"entitled",
    // "metadata":{"reason":"active_entitlement"}}],"metadata":{"version":1,"livemode":false}}' | sha256sum
    assert_eq!(answer.header("etag"), Some("\"1-37af9ea5f49df2ef\""));
}

fn with_one_customer() -> Service {
    let service = service();
    service.stripe_sends(&event("cus_ada", AT, &["sms"], false));
    service
}

#[test]
fn a_client_with_the_current_tag_receives_304_without_a_body() {
    let service = with_one_customer();
    let first = bulk(&service, "cus_ada");
    let tag = first.header("etag").unwrap().to_owned();
    let unquoted = tag.trim_matches('"');
    for (tags, status) in [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"0-0\", {tag}"), 304),
        (format!("\"0-0\",W/{tag} , \"x\""), 304),
        ("*".to_owned(), 304),
        (String::new(), 200),
        (unquoted.to_owned(), 200),
        ("\"1-0000000000000000\"".to_owned(), 200),
        ("\"1\"".to_owned(), 200),
        ("W/\"*\"".to_owned(), 200),
    ] {
        let answer = revalidate(&service, &tags, "");
        assert_eq!((answer.status, answer.is_empty()), (status, status == 304), "{tags}");
        assert_eq!(answer.header("etag"), Some(&*tag), "{tags}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{tags}");
    }
    service.stripe_sends(&event("cus_ada", AT + 1, &[], false));
    let answer = revalidate(&service, &tag, "");
    assert_eq!((answer.status, values(&answer)), (200, vec![("sms", &json!(false))]));
}

/// A deployment with version 2 of Ada's set in the ledger, and version 1 in a replica that lags.
fn with_a_lagging_replica() -> Service {
    let service = with_one_customer();
    let ada = customer("cus_ada");
    let first = pollster::block_on(service.store.replica.load(&ada)).unwrap().unwrap();
    assert_eq!(first.version, Version(1));
    service.stripe_sends(&event("cus_ada", AT + 1, &["sms", "sso"], false));
    pollster::block_on(service.store.replica.save(&ada, &first)).unwrap();
    service
}

#[test]
fn a_client_never_receives_an_older_version_than_it_knows() {
    let service = with_a_lagging_replica();
    for (why, tags, pushed, version) in [
        ("no known version", "", "", 1),
        ("the replica's version", "\"1-aa\"", "1", 1),
        ("a pushed version that is newer", "\"1-aa\"", "2", 2),
        ("a pushed tag", "", "\"2-aa\"", 2),
        ("a pushed tag without quotes", "", "2-aa", 2),
        ("a pushed weak tag", "", "W/\"2-aa\"", 2),
        ("a tag of the ledger's version", "\"2-aa\"", "", 2),
        ("one of several tags is newer", "\"1-aa\", W/\"2-bb\"", "", 2),
        ("the newer of tag and pushed version", "\"2-aa\"", "1", 2),
        ("a newer version than the ledger has: the ledger answers", "", "3", 2),
        ("a version that overflows", "", "18446744073709551616", 1),
        ("tags without a version", "\"x-aa\"", "-2", 1),
        ("any tag", "*", "x", 1),
    ] {
        let answer = revalidate(&service, tags, pushed);
        let actual = answer.header("etag").unwrap()[1..].split('-').next().unwrap().to_owned();
        assert_eq!(actual, version.to_string(), "{why}");
    }
}

#[test]
fn an_unavailable_ledger_does_not_return_an_older_version() {
    let service = with_a_lagging_replica();
    service.store.ledger.fail_next(Fault::Before);
    assert_eq!(revalidate(&service, "", "2").status, 500);
}

#[test]
fn a_page_of_an_allowed_origin_may_read_the_tag() {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate"),
        ("ENTGATE_ALLOWED_ORIGINS", "https://app.example.com"),
    ]);
    for path in [FLAGS, "/ofrep/v1/evaluate/flags/a/b"] {
        let preflight =
            [("origin", "https://app.example.com"), ("access-control-request-method", "POST")];
        let answer = service.request("OPTIONS", path, &preflight, b"");
        let allowed = answer.header("access-control-allow-headers").unwrap();
        assert!(allowed.contains("if-none-match") && allowed.contains("content-type"), "{allowed}");
        let answer = service.request("POST", path, &preflight[..1], b"{}");
        assert_eq!(answer.status, 401);
        let origin = answer.header("access-control-allow-origin");
        assert_eq!(origin, Some("https://app.example.com"), "a page may read a 401");
        assert!(answer.header("access-control-expose-headers").unwrap().starts_with("ETag, "));
    }
}

#[test]
fn without_token_secrets_there_is_no_stream() {
    assert_eq!(bulk(&with_one_customer(), "cus_ada").body.get("eventStreams"), None::<&Value>);
}
