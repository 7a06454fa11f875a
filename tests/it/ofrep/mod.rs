//! OpenFeature's remote evaluation: permissions, contexts and limits of both routes.

mod bulk;
mod event_stream;
mod known_features;
mod single;

use serde_json::{Value, json};

use crate::support::{Answer, Service, configured, event};

const FLAGS: &str = "/ofrep/v1/evaluate/flags";
const AT: i64 = 1_700_000_000;
const TOKEN_SECRET: &str = "a-secret-of-thirty-three-letters.";

/// Ada has two features, Bob has none any more, and the set of Cy is incomplete.
fn with_three_customers() -> Service {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate,sk_live_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "test:whsec_test_entgate"),
        ("ENTGATE_TOKEN_SECRETS", TOKEN_SECRET),
    ]);
    service.stripe_sends(&event("cus_ada", AT, &["export", "sms"], false));
    service.stripe_sends(&event("cus_bob", AT, &["sso"], false));
    service.stripe_sends(&event("cus_bob", AT + 1, &[], false));
    service.stripe_sends(&event("cus_cy", AT, &["sms"], true));
    service
}

/// The body of an evaluation for a customer.
fn context(customer: &str) -> Value {
    json!({ "context": { "targetingKey": customer } })
}

/// Evaluates one flag.
fn single(service: &Service, key: &str, customer: &str) -> Answer {
    service.post_json(&format!("{FLAGS}/{key}"), &context(customer))
}

/// Evaluates all flags.
fn bulk(service: &Service, customer: &str) -> Answer {
    service.post_json(FLAGS, &context(customer))
}

/// The `Authorization` header with a customer's token.
fn token(service: &Service, customer: &str) -> String {
    let answer = service.post_json("/v1/tokens", &json!({ "customer": customer }));
    format!("Bearer {}", answer.body["token"].as_str().unwrap())
}

/// The key and the value of each flag.
fn values(answer: &Answer) -> Vec<(&str, &Value)> {
    let flags = answer.body["flags"].as_array().unwrap();
    flags.iter().map(|flag| (flag["key"].as_str().unwrap(), &flag["value"])).collect()
}

/// Asserts an OFREP error, context one flag or none.
#[track_caller]
fn assert_fails(answer: &Answer, status: u16, key: Option<&str>, code: &str, details: &str) {
    let mut body = json!({ "errorCode": code, "errorDetails": details });
    if let Some(key) = key {
        body["key"] = json!(key);
    }
    assert_eq!((answer.status, &answer.body), (status, &body));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn a_token_evaluates_flags_of_its_customer_only() {
    let service = with_three_customers();
    let ada = token(&service, "cus_ada");
    for (path, member) in [(FLAGS, "flags"), ("/ofrep/v1/evaluate/flags/sms", "value")] {
        for header in ["authorization", "x-api-key"] {
            let credential =
                if header == "x-api-key" { ada.trim_start_matches("Bearer ") } else { &ada };
            let evaluate = |customer: &str| {
                let body = context(customer).to_string();
                service.request("POST", path, &[(header, credential)], body.as_bytes())
            };
            let answer = evaluate("cus_ada");
            assert_eq!(answer.status, 200, "{path} {header}");
            assert!(answer.body.get(member).is_some(), "{path} {header}");
            let answer = evaluate("cus_bob");
            assert_eq!((answer.status, answer.is_empty()), (403, true), "{path} {header}");
            assert_eq!(answer.header("content-type"), None);
        }
    }
}

#[test]
fn a_server_key_evaluates_flags_of_any_customer_of_its_mode() {
    let service = with_three_customers();
    for customer in ["cus_ada", "cus_bob"] {
        assert_eq!(bulk(&service, customer).status, 200);
    }
    let live = [("authorization", "Bearer sk_live_entgate")];
    let answer = service.request("POST", FLAGS, &live, context("cus_ada").to_string().as_bytes());
    let expected = json!({ "flags": [], "metadata": { "version": 0, "livemode": true } });
    assert_eq!((answer.status, &answer.body["flags"]), (200, &expected["flags"]));
    assert_eq!(answer.body["metadata"], expected["metadata"]);
}

#[test]
fn an_unauthenticated_request_returns_401_with_a_challenge_and_no_body() {
    let service = with_three_customers();
    let challenge = "Bearer realm=\"entgate\"";
    let invalid = "Bearer realm=\"entgate\", error=\"invalid_token\"";
    for path in [FLAGS, "/ofrep/v1/evaluate/flags/sms"] {
        for (credential, expected) in
            [("", challenge), ("Bearer sk_test_other", challenge), ("Bearer eyJ.eyJ.x", invalid)]
        {
            let headers = [("authorization", credential)];
            let answer = service.request("POST", path, &headers, b"{}");
            assert_eq!((answer.status, answer.is_empty()), (401, true), "{path} {credential}");
            assert_eq!(answer.header("www-authenticate"), Some(expected), "{path} {credential}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path} {credential}");
        }
    }
}

#[test]
fn an_invalid_context_returns_400_with_the_problem() {
    let service = with_three_customers();
    let missing = "The context has no targetingKey. It is the customer's id, cus_….";
    let longest = "x".repeat(255);
    for (body, code, details) in [
        ("{}".to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":null}"#.to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":{}}"#.to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":{"targetingKey":null}}"#.to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":{"targetingKey":""}}"#.to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":[]}"#.to_owned(), "INVALID_CONTEXT", "The context is not an object, {…}."),
        (
            r#"{"context":{"targetingKey":7}}"#.to_owned(),
            "INVALID_CONTEXT",
            "The targetingKey is not a string.",
        ),
        (
            context("cus_\n").to_string(),
            "INVALID_CONTEXT",
            "The targetingKey is a string with control characters.",
        ),
        (
            context(&format!("{longest}x")).to_string(),
            "INVALID_CONTEXT",
            "The targetingKey is longer than 255 bytes.",
        ),
        ("[]".to_owned(), "PARSE_ERROR", "The body is not a JSON object, {…}."),
        (
            String::new(),
            "PARSE_ERROR",
            "The body is not valid JSON: EOF while parsing a value at line 1 column 0.",
        ),
        (
            "context=1".to_owned(),
            "PARSE_ERROR",
            "The body is not valid JSON: expected value at line 1 column 1.",
        ),
        (
            r#"{"context":{"targetingKey":"cus_ada","targetingKey":"cus_bob"}}"#.to_owned(),
            "PARSE_ERROR",
            "The body has an object with two members of the name 'targetingKey'.",
        ),
        (
            r#"{"context":{"targetingKey":"cus_ada"},"context":{}}"#.to_owned(),
            "PARSE_ERROR",
            "The body has an object with two members of the name 'context'.",
        ),
        (
            r#"{"context":{"targetingKey":"cus_ada","plan":[{"a":{"b":1,"b":1}}]}}"#.to_owned(),
            "PARSE_ERROR",
            "The body has an object with two members of the name 'b'.",
        ),
        (
            r#"{"context":{"targetingKey":"cus_ada\ud83d"}}"#.to_owned(),
            "PARSE_ERROR",
            "The body is not valid JSON: unexpected end of hex escape at line 1 column 42.",
        ),
    ] {
        let headers = [("authorization", "Bearer sk_test_entgate")];
        let answer = service.request("POST", FLAGS, &headers, body.as_bytes());
        assert_fails(&answer, 400, None, code, details);
        let path = "/ofrep/v1/evaluate/flags/s%20ms";
        let answer = service.request("POST", path, &headers, body.as_bytes());
        assert_fails(&answer, 400, Some("s ms"), code, details);
    }
    assert_eq!(bulk(&service, &longest).status, 200);
}

#[test]
fn a_body_of_64_kib_is_accepted_and_one_byte_more_returns_400() {
    let service = with_three_customers();
    let body = context("cus_ada").to_string();
    let at_limit = format!("{body}{}", " ".repeat(65_536 - body.len()));
    let headers = [("authorization", "Bearer sk_test_entgate")];
    assert_eq!(service.request("POST", FLAGS, &headers, at_limit.as_bytes()).status, 200);
    let answer = service.request("POST", FLAGS, &headers, format!("{at_limit} ").as_bytes());
    let details = "The body is longer than 65536 bytes, the maximum.";
    assert_fails(&answer, 400, None, "PARSE_ERROR", details);
}

#[test]
fn unknown_members_and_parameters_are_ignored() {
    let service = with_three_customers();
    let body = json!({
        "context": { "targetingKey": "cus_ada", "plan": { "a": [1] }, "customer": "cus_bob" },
        "more": null,
    });
    for query in ["", "?customer=cus_bob&flagConfigLastModified=1771622898&a[=1&flagConfigEtag=%22"]
    {
        let all = service.post_json(&format!("{FLAGS}{query}"), &body);
        assert_eq!((all.status, &all.body), (200, &bulk(&service, "cus_ada").body), "{query}");
        let one = service.post_json(&format!("{FLAGS}/sms{query}"), &body);
        assert_eq!((one.status, &one.body["value"]), (200, &json!(true)), "{query}");
    }
}

#[test]
fn a_string_that_is_not_unicode_is_ignored_like_its_member() {
    let service = with_three_customers();
    let headers = [("authorization", "Bearer sk_test_entgate")];
    for context in [
        r#""targetingKey":"cus_ada","name":"Ada \ud83d""#,
        r#""name":["\ude00",{"a":"\ud83d\ud83d"}],"targetingKey":"cus_ada""#,
        r#""targetingKey":"cus_ada","na\ud83dme":{"\udfff":1}"#,
    ] {
        let body = format!(r#"{{"context":{{{context}}},"more":"\ud83d"}}"#);
        let all = service.request("POST", FLAGS, &headers, body.as_bytes());
        assert_eq!((all.status, &all.body), (200, &bulk(&service, "cus_ada").body), "{body}");
        let path = "/ofrep/v1/evaluate/flags/sms";
        let one = service.request("POST", path, &headers, body.as_bytes());
        assert_eq!((one.status, &one.body["value"]), (200, &json!(true)), "{body}");
    }
}

#[test]
fn an_evaluation_is_a_post() {
    let service = with_three_customers();
    for path in [FLAGS, "/ofrep/v1/evaluate/flags/a/b"] {
        let answer = service.get(path);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("OPTIONS, POST")), "{path}");
    }
}
