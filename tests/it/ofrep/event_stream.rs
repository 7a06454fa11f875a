//! The URL of a refetch stream: its token, and how long it stays the same.

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{FLAGS, bulk, context, with_three_customers};
use crate::{
    support::{NOW, Service},
    token_fixtures::{issued, token, with_tokens},
};

/// Created by Python's `hmac` and `hashlib` from the same claims.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjRiMWMxNDAzNDBjOTIxNmYifQ.\
                     eyJzdWIiOiJjdXNfYWRhIiwiYXVkIjoiZW50Z2F0ZTpzdHJlYW0iLCJpYXQiOjE2OTk5OTczOTgsImV4cCI6MTcw\
                     MDAwNDU5OCwianRpIjoic3RyX2IzZDliYTQxNjdhMTdkYzBmYjEyNTBiMDRjMTQwOWFhIiwibGl2ZW1vZGUiOmZh\
                     bHNlfQ.\
                     PpHcDWDxtObUBc7oLJ2WymfFrg_ZmT7OiKSQl3btrKQ";

/// The start of Ada's epoch.
const START: i64 = 1_699_997_398;

/// The URL of a customer's stream at a time.
fn stream_url(service: &mut Service, customer: &str, now: i64) -> String {
    service.now.0 = now;
    let answer = bulk(service, customer);
    answer.body["eventStreams"][0]["endpoint"]["requestUri"].as_str().unwrap().to_owned()
}

/// The claims of the token in a URL.
fn claims(url: &str) -> Value {
    let token = url.strip_prefix("/ofrep/v1/stream?token=").unwrap();
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[test]
fn the_url_has_no_origin_and_its_token_opens_only_the_refetch_stream() {
    let service = with_three_customers();
    let answer = bulk(&service, "cus_ada");
    let stream = json!([{
        "type": "sse",
        "endpoint": { "requestUri": format!("/ofrep/v1/stream?token={TOKEN}") },
        "inactivityDelaySec": 120,
    }]);
    assert_eq!(answer.body["eventStreams"], stream);
    let answer = service.request("GET", &format!("/v1/stream?token={TOKEN}"), &[], b"");
    assert_eq!((answer.status, answer.error("code")), (401, "token_invalid"));
    for target in [FLAGS, "/ofrep/v1/evaluate/flags/sms"] {
        let token = format!("Bearer {TOKEN}");
        let body = context("cus_ada").to_string();
        let headers = [("authorization", &*token)];
        assert_eq!(service.request("POST", target, &headers, body.as_bytes()).status, 401);
    }
}

#[test]
fn the_url_is_the_same_for_an_hour_and_its_token_is_valid_for_another_hour() {
    let mut service = with_three_customers();
    let first = stream_url(&mut service, "cus_ada", NOW.0);
    for (why, now, start) in [
        ("the last second of the previous epoch", START - 1, START - 3_600),
        ("the first second", START, START),
        ("the last second", START + 3_599, START),
        ("the next epoch", START + 3_600, START + 3_600),
    ] {
        let url = stream_url(&mut service, "cus_ada", now);
        assert_eq!(url == first, start == START, "{why}");
        let claims = claims(&url);
        let actual = json!([claims["iat"], claims["exp"], claims["sub"], claims["aud"]]);
        assert_eq!(actual, json!([start, start + 7_200, "cus_ada", "entgate:stream"]), "{why}");
    }
}

#[test]
fn another_url_changes_the_entity_tag() {
    let mut service = with_three_customers();
    service.now.0 = START;
    let tag = bulk(&service, "cus_ada").header("etag").unwrap().to_owned();
    let headers = [("authorization", "Bearer sk_test_entgate"), ("if-none-match", &*tag)];
    let body = context("cus_ada").to_string();
    for (now, status) in
        [(START - 1, 200), (START, 304), (START + 3_599, 304), (START + 3_600, 200)]
    {
        service.now.0 = now;
        let answer = service.request("POST", FLAGS, &headers, body.as_bytes());
        assert_eq!(answer.status, status, "{}", now - START);
    }
}

#[test]
fn epochs_start_at_a_different_time_for_each_customer() {
    let mut service = with_three_customers();
    let starts: Vec<_> = ["cus_ada", "cus_bob", "cus_dee"]
        .map(|customer| claims(&stream_url(&mut service, customer, NOW.0))["iat"].as_i64().unwrap())
        .into();
    assert!(starts.iter().all(|start| (NOW.0 - 3_599..=NOW.0).contains(start)), "{starts:?}");
    let mut distinct = starts.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 3, "{starts:?}");
}

/// The claims `iat` and `exp` in the URL of an evaluation with a token; `None` without a URL.
fn limits_for(service: &Service, token: &str) -> Option<(i64, i64)> {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let body = context("cus_ada").to_string();
    let answer = service.request("POST", FLAGS, &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let claims = claims(answer.body["eventStreams"][0]["endpoint"]["requestUri"].as_str()?);
    Some((claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap()))
}

#[test]
fn the_url_expires_with_the_token_of_the_caller_or_earlier() {
    let mut service = with_tokens(&[]);
    for lifetime in [1, 2, 10, 60, 900, 3_600, 86_400] {
        for issuer in ["ours", "theirs"] {
            let (issued_at, expires_at) = (NOW.0, NOW.0 + lifetime);
            let changes = json!({ "iat": issued_at, "exp": expires_at });
            let token = if issuer == "ours" { token(&changes) } else { issued("one", &changes) };
            for now in [issued_at, issued_at + lifetime / 2, expires_at - 1] {
                service.now.0 = now;
                let (start, end) = limits_for(&service, &token).unwrap();
                let why = format!("{issuer} of {lifetime} s, {} s later", now - issued_at);
                assert!(now < end && end <= expires_at.min(start + 7_200), "{why}: {end}");
                let rounded_by = expires_at.min(start + 7_200) - end;
                assert!(rounded_by <= lifetime / 4, "{why}: {rounded_by}");
            }
        }
    }
}

#[test]
fn a_token_in_its_leeway_has_no_stream() {
    let mut service = with_tokens(&[]);
    let token = issued("one", &json!({ "exp": NOW.0 + 60 }));
    for (later, has_stream) in [(59, true), (60, false), (119, false)] {
        service.now.0 = NOW.0 + later;
        assert_eq!(limits_for(&service, &token).is_some(), has_stream, "{later} s later");
    }
}

#[test]
fn the_url_stays_the_same_for_a_client_that_sends_a_new_token_with_each_request() {
    let mut service = with_tokens(&[]);
    for lifetime in [60, 900, 3_600] {
        let mut urls = BTreeSet::new();
        for later in 0..lifetime {
            service.now.0 = NOW.0 + later;
            let token = token(&json!({ "iat": service.now, "exp": service.now.0 + lifetime }));
            urls.insert(limits_for(&service, &token).unwrap());
        }
        // One URL a quarter of the lifetime, and one for a new epoch.
        assert!((4..=6).contains(&urls.len()), "{lifetime}: {urls:?}");
    }
    // One token has two URLs, and another one for each new epoch.
    let token = token(&json!({ "iat": NOW.0, "exp": NOW.0 + 900 }));
    let mut urls = BTreeSet::new();
    for later in 0..900 {
        service.now.0 = NOW.0 + later;
        urls.insert(limits_for(&service, &token).unwrap());
    }
    assert!((1..=3).contains(&urls.len()), "{urls:?}");
}
