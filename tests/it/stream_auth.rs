//! Streams that a token opens: the customer, the end, and where the token may be.

use entgate::{
    api::stream::{EndReason, StreamRequest},
    id::Timestamp,
};
use serde_json::{Value, json};

use crate::{
    support::{Answer, NOW, Service, customer},
    token_fixtures::{issued, token, with_tokens},
};

/// How long a token stays valid after its `exp`.
const LEEWAY: i64 = 60;

/// Sends a `GET` without headers.
fn open(service: &Service, target: &str) -> Answer {
    service.request("GET", target, &[], b"")
}

#[track_caller]
fn assert_stream_of_ada(answer: &Answer, expires_at: i64, why: &str) {
    let actual = answer.stream_request().map(
        |StreamRequest { customer, expires_at, end_reason, .. }| {
            (customer, *expires_at, *end_reason)
        },
    );
    let expected = (&customer("cus_ada"), Timestamp(expires_at), EndReason::TokenExpired);
    assert_eq!((answer.status, actual), (200, Some(expected)), "{why}: {}", answer.body);
}

#[test]
fn a_token_opens_a_stream_of_its_customer_until_it_expires() {
    let service = with_tokens(&[]);
    for (why, token) in [
        ("a token of this deployment", token(&json!({ "exp": NOW.0 + 5 }))),
        ("a token of the issuer", issued("one", &json!({ "exp": NOW.0 + 5 }))),
    ] {
        let bearer = [("authorization", &*format!("Bearer {token}"))];
        for path in ["/v1/stream", "/ofrep/v1/stream"] {
            let answer = service.request("GET", path, &bearer, b"");
            assert_stream_of_ada(&answer, NOW.0 + 5 + LEEWAY, why);
            let answer = open(&service, &format!("{path}?token={token}"));
            assert_stream_of_ada(&answer, NOW.0 + 5 + LEEWAY, why);
            let answer = open(&service, &format!("{path}?token={token}&customer=cus_ada"));
            assert_stream_of_ada(&answer, NOW.0 + 5 + LEEWAY, why);
            let other = open(&service, &format!("{path}?token={token}&customer=cus_bob"));
            assert_eq!((other.status, other.error("code")), (403, "customer_mismatch"), "{why}");
        }
    }
}

#[test]
fn a_stream_token_is_valid_only_in_the_url() {
    let service = with_tokens(&[]);
    let token = token(&json!({ "aud": "entgate:stream" }));
    for path in ["/v1/stream", "/ofrep/v1/stream"] {
        assert_eq!(open(&service, &format!("{path}?token={token}")).status, 200, "{path}");
        let bearer = [("authorization", &*format!("Bearer {token}"))];
        let answer = service.request("GET", path, &bearer, b"");
        let message = "the token is for another audience.";
        assert_eq!((answer.status, answer.error("message")), (401, message), "{path}");
    }
}

#[test]
fn a_server_key_in_the_url_is_rejected() {
    let answer = open(&with_tokens(&[]), "/v1/stream?customer=cus_ada&token=sk_test_entgate");
    assert_eq!((answer.status, answer.error("code")), (401, "token_invalid"));
}

#[test]
fn a_refetch_stream_that_has_ended_does_not_open_again() {
    let service = with_tokens(&[]);
    let expiring_at = |exp: i64| token(&json!({ "exp": exp, "aud": "entgate:stream" }));
    let status = |path: &str, token: &str| open(&service, &format!("{path}?token={token}")).status;
    let (valid, expired) = (expiring_at(NOW.0 + 1), expiring_at(NOW.0));
    assert_eq!(status("/ofrep/v1/stream", &valid), 200);
    let answer = open(&service, &format!("/ofrep/v1/stream?token={expired}"));
    assert_eq!((answer.status, answer.error("code")), (401, "token_expired"));
    // A change stream may use the leeway, and ends with it.
    assert_eq!(status("/v1/stream", &expired), 200);
    assert_eq!(status("/v1/stream", &expiring_at(NOW.0 - LEEWAY + 1)), 200);
    assert_eq!(status("/v1/stream", &expiring_at(NOW.0 - LEEWAY)), 401);
}

#[test]
fn the_url_in_a_bulk_evaluation_opens_a_stream() {
    let service = with_tokens(&[]);
    let context = json!({ "context": { "targetingKey": "cus_ada" } });
    let Value::String(target) =
        service.post_json("/ofrep/v1/evaluate/flags", &context).body["eventStreams"][0]["endpoint"]
            ["requestUri"]
            .take()
    else {
        panic!("the response has no stream");
    };
    let answer = open(&service, &target);
    let stream = answer.stream_request().unwrap();
    assert_eq!((answer.status, &stream.customer), (200, &customer("cus_ada")));
}
