//! Who listens by a token: to whom, until when, and where the token may stand.

use entgate::{
    api::stream::{EndReason, StreamRequest},
    id::Timestamp,
};
use serde_json::{Value, json};

use crate::{
    support::{Answer, NOW, Service, customer},
    token_fixtures::{issued, token, with_tokens},
};

/// How long after its `exp` a token is taken.
const LEEWAY: i64 = 60;

fn ask(service: &Service, target: &str) -> Answer {
    service.request("GET", target, &[], b"")
}

#[track_caller]
fn assert_listens(answer: &Answer, until: i64, why: &str) {
    let heard = answer.listen().map(
        |StreamRequest { customer, expires_at: until, end_reason: end, .. }| {
            (customer, *until, *end)
        },
    );
    let expected = (&customer("cus_ada"), Timestamp(until), EndReason::TokenExpired);
    assert_eq!((answer.status, heard), (200, Some(expected)), "{why}: {}", answer.body);
}

#[test]
fn a_token_listens_to_its_customer_until_it_is_over() {
    let service = with_tokens(&[]);
    for (why, made) in [
        ("ours", token(&json!({ "exp": NOW.0 + 5 }))),
        ("an issuer's", issued("one", &json!({ "exp": NOW.0 + 5 }))),
    ] {
        let bearer = [("authorization", &*format!("Bearer {made}"))];
        for path in ["/v1/stream", "/ofrep/v1/stream"] {
            let answer = service.request("GET", path, &bearer, b"");
            assert_listens(&answer, NOW.0 + 5 + LEEWAY, why);
            let answer = ask(&service, &format!("{path}?token={made}"));
            assert_listens(&answer, NOW.0 + 5 + LEEWAY, why);
            let answer = ask(&service, &format!("{path}?token={made}&customer=cus_ada"));
            assert_listens(&answer, NOW.0 + 5 + LEEWAY, why);
            let other = ask(&service, &format!("{path}?token={made}&customer=cus_bob"));
            assert_eq!((other.status, other.error("code")), (403, "customer_mismatch"), "{why}");
        }
    }
}

#[test]
fn a_token_for_streams_opens_them_by_the_url_alone() {
    let service = with_tokens(&[]);
    let made = token(&json!({ "aud": "entgate:stream" }));
    for path in ["/v1/stream", "/ofrep/v1/stream"] {
        assert_eq!(ask(&service, &format!("{path}?token={made}")).status, 200, "{path}");
        let bearer = [("authorization", &*format!("Bearer {made}"))];
        let answer = service.request("GET", path, &bearer, b"");
        let message = "the token is for another audience.";
        assert_eq!((answer.status, answer.error("message")), (401, message), "{path}");
    }
}

#[test]
fn a_key_in_the_url_opens_nothing() {
    let answer = ask(&with_tokens(&[]), "/v1/stream?customer=cus_ada&token=sk_test_entgate");
    assert_eq!((answer.status, answer.error("code")), (401, "token_invalid"));
}

#[test]
fn a_stream_of_flags_that_has_ended_is_not_opened_again() {
    let service = with_tokens(&[]);
    let at = |exp: i64| token(&json!({ "exp": exp, "aud": "entgate:stream" }));
    let status = |path: &str, made: &str| ask(&service, &format!("{path}?token={made}")).status;
    let (last, over) = (at(NOW.0 + 1), at(NOW.0));
    assert_eq!(status("/ofrep/v1/stream", &last), 200);
    let answer = ask(&service, &format!("/ofrep/v1/stream?token={over}"));
    assert_eq!((answer.status, answer.error("code")), (401, "token_expired"));
    // Others may use the leeway: they end with it.
    assert_eq!(status("/v1/stream", &over), 200);
    assert_eq!(status("/v1/stream", &at(NOW.0 - LEEWAY + 1)), 200);
    assert_eq!(status("/v1/stream", &at(NOW.0 - LEEWAY)), 401);
}

#[test]
fn the_url_that_flags_come_with_opens_their_stream() {
    let service = with_tokens(&[]);
    let context = json!({ "context": { "targetingKey": "cus_ada" } });
    let Value::String(target) =
        service.post_json("/ofrep/v1/evaluate/flags", &context).body["eventStreams"][0]["endpoint"]
            ["requestUri"]
            .take()
    else {
        panic!("a stream is told");
    };
    let answer = ask(&service, &target);
    let listen = answer.listen().unwrap();
    assert_eq!((answer.status, &listen.customer), (200, &customer("cus_ada")));
}
