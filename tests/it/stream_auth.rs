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

/// How long a token of the issuer is accepted after its `exp`.
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
    let exp = NOW.0 + 5;
    for (why, token, change_stream_end) in [
        ("a token of this deployment", token(&json!({ "exp": exp })), exp),
        ("a token of the issuer", issued("one", &json!({ "exp": exp })), exp + LEEWAY),
    ] {
        let bearer = [("authorization", &*format!("Bearer {token}"))];
        for (path, end) in [("/v1/stream", change_stream_end), ("/ofrep/v1/stream", exp)] {
            let answer = service.request("GET", path, &bearer, b"");
            assert_stream_of_ada(&answer, end, why);
            let answer = open(&service, &format!("{path}?token={token}"));
            assert_stream_of_ada(&answer, end, why);
            let answer = open(&service, &format!("{path}?token={token}&customer=cus_ada"));
            assert_stream_of_ada(&answer, end, why);
            let other = open(&service, &format!("{path}?token={token}&customer=cus_bob"));
            assert_eq!((other.status, other.error("code")), (403, "customer_mismatch"), "{why}");
        }
    }
}

#[test]
fn a_stream_token_opens_only_a_refetch_stream_and_only_in_the_url() {
    let service = with_tokens(&[]);
    let token = token(&json!({ "aud": "entgate:stream" }));
    let in_url = |path: &str| open(&service, &format!("{path}?token={token}"));
    assert_eq!(in_url("/ofrep/v1/stream").status, 200);
    let message = "The token is for another audience.";
    let answer = in_url("/v1/stream");
    assert_eq!((answer.status, answer.error("message")), (401, message));
    for path in ["/v1/stream", "/ofrep/v1/stream"] {
        let bearer = [("authorization", &*format!("Bearer {token}"))];
        let answer = service.request("GET", path, &bearer, b"");
        assert_eq!((answer.status, answer.error("message")), (401, message), "{path}");
    }
}

#[test]
fn a_server_key_in_the_url_is_rejected() {
    let answer = open(&with_tokens(&[]), "/v1/stream?customer=cus_ada&token=sk_test_entgate");
    assert_eq!((answer.status, answer.error("code")), (401, "token_invalid"));
}

#[test]
fn a_stream_that_has_ended_does_not_open_again() {
    let service = with_tokens(&[]);
    let ours = |exp: i64| token(&json!({ "exp": exp }));
    let theirs = |exp: i64| issued("one", &json!({ "exp": exp }));
    let stream_token = |exp: i64| token(&json!({ "exp": exp, "aud": "entgate:stream" }));
    let expired = (401, "token_expired");
    for (why, path, token, expected) in [
        ("the last second", "/ofrep/v1/stream", stream_token(NOW.0 + 1), (200, "")),
        ("at `exp`", "/ofrep/v1/stream", stream_token(NOW.0), expired),
        ("our token, the last second", "/v1/stream", ours(NOW.0 + 1), (200, "")),
        ("our token, at `exp`", "/v1/stream", ours(NOW.0), expired),
        ("the issuer's, in the leeway", "/v1/stream", theirs(NOW.0 - LEEWAY + 1), (200, "")),
        ("the issuer's, after it", "/v1/stream", theirs(NOW.0 - LEEWAY), expired),
        ("the issuer's, the last second", "/ofrep/v1/stream", theirs(NOW.0 + 1), (200, "")),
        ("the issuer's, at `exp`", "/ofrep/v1/stream", theirs(NOW.0), expired),
    ] {
        let answer = open(&service, &format!("{path}?token={token}"));
        assert_eq!((answer.status, answer.error("code")), expected, "{why}");
    }
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
