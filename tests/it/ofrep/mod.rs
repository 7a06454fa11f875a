//! OpenFeature's remote evaluation: what its clients ask, and what they are told.

mod bulk;
mod event_stream;
mod known_features;
mod single;

use serde_json::{Value, json};

use crate::support::{Answer, Service, configured, event};

const FLAGS: &str = "/ofrep/v1/evaluate/flags";
const AT: i64 = 1_700_000_000;
const TOKENS: &str = "a-secret-of-thirty-three-letters.";

/// Ada holds two features, Bob none any more, and Cy's set is known in part.
fn with_three_customers() -> Service {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate,sk_live_entgate"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_test_entgate"),
        ("ENTGATE_TOKEN_SECRETS", TOKENS),
    ]);
    service.stripe_sends(&event("cus_ada", AT, &["export", "sms"], false));
    service.stripe_sends(&event("cus_bob", AT, &["sso"], false));
    service.stripe_sends(&event("cus_bob", AT + 1, &[], false));
    service.stripe_sends(&event("cus_cy", AT, &["sms"], true));
    service
}

/// What a client sends of a customer.
fn about(customer: &str) -> Value {
    json!({ "context": { "targetingKey": customer } })
}

/// One flag, as a server asks for it.
fn single(service: &Service, key: &str, customer: &str) -> Answer {
    service.post_json(&format!("{FLAGS}/{key}"), &about(customer))
}

/// All flags, as a server key may ask for them too.
fn bulk(service: &Service, customer: &str) -> Answer {
    service.post_json(FLAGS, &about(customer))
}

/// A customer's own token.
fn token(service: &Service, customer: &str) -> String {
    let made = service.post_json("/v1/tokens", &json!({ "customer": customer }));
    format!("Bearer {}", made.body["token"].as_str().unwrap())
}

/// `[key, value]` of each flag.
fn values(answer: &Answer) -> Vec<(&str, &Value)> {
    let flags = answer.body["flags"].as_array().unwrap();
    flags.iter().map(|flag| (flag["key"].as_str().unwrap(), &flag["value"])).collect()
}

/// Whether it is an error of OFREP in these words, about one flag or none.
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
fn a_flag_is_of_the_customer_that_a_token_names_and_of_no_other() {
    let service = with_three_customers();
    let ada = token(&service, "cus_ada");
    for (path, own) in [(FLAGS, "flags"), ("/ofrep/v1/evaluate/flags/sms", "value")] {
        for header in ["authorization", "x-api-key"] {
            let credential =
                if header == "x-api-key" { ada.trim_start_matches("Bearer ") } else { &ada };
            let ask = |customer: &str| {
                let body = about(customer).to_string();
                service.request("POST", path, &[(header, credential)], body.as_bytes())
            };
            let answer = ask("cus_ada");
            assert_eq!(answer.status, 200, "{path} {header}");
            assert!(answer.body.get(own).is_some(), "{path} {header}");
            let answer = ask("cus_bob");
            assert_eq!((answer.status, answer.is_empty()), (403, true), "{path} {header}");
            assert_eq!(answer.header("content-type"), None);
        }
    }
}

#[test]
fn a_server_key_asks_about_anybody_of_its_mode() {
    let service = with_three_customers();
    for customer in ["cus_ada", "cus_bob"] {
        assert_eq!(bulk(&service, customer).status, 200);
    }
    let live = [("authorization", "Bearer sk_live_entgate")];
    let answer = service.request("POST", FLAGS, &live, about("cus_ada").to_string().as_bytes());
    let expected = json!({ "flags": [], "metadata": { "version": 0, "livemode": true } });
    assert_eq!((answer.status, &answer.body["flags"]), (200, &expected["flags"]));
    assert_eq!(answer.body["metadata"], expected["metadata"]);
}

#[test]
fn who_is_not_known_gets_no_body_and_is_told_how_to_come_back() {
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
fn a_context_that_names_nobody_is_told_what_it_lacks() {
    let service = with_three_customers();
    let missing = "The context has no targetingKey. It is the customer's id, cus_….";
    let longest = "x".repeat(255);
    for (body, code, details) in [
        ("{}".to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":null}"#.to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":{}}"#.to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":{"targetingKey":null}}"#.to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":{"targetingKey":""}}"#.to_owned(), "TARGETING_KEY_MISSING", missing),
        (r#"{"context":[]}"#.to_owned(), "INVALID_CONTEXT", "The context is no object, {…}."),
        (
            r#"{"context":{"targetingKey":7}}"#.to_owned(),
            "INVALID_CONTEXT",
            "The targetingKey is no text.",
        ),
        (
            about("cus_\n").to_string(),
            "INVALID_CONTEXT",
            "The targetingKey is a text with control characters.",
        ),
        (
            about(&format!("{longest}x")).to_string(),
            "INVALID_CONTEXT",
            "The targetingKey is longer than 255 bytes.",
        ),
        ("[]".to_owned(), "PARSE_ERROR", "The body is no JSON object, {…}."),
        (
            String::new(),
            "PARSE_ERROR",
            "The body is no JSON: EOF while parsing a value at line 1 column 0.",
        ),
        (
            "context=1".to_owned(),
            "PARSE_ERROR",
            "The body is no JSON: expected value at line 1 column 1.",
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
fn a_body_of_a_mebibyte_is_read_and_one_byte_more_is_a_400() {
    let service = with_three_customers();
    let body = about("cus_ada").to_string();
    let most = format!("{body}{}", " ".repeat((1 << 20) - body.len()));
    let headers = [("authorization", "Bearer sk_test_entgate")];
    assert_eq!(service.request("POST", FLAGS, &headers, most.as_bytes()).status, 200);
    let answer = service.request("POST", FLAGS, &headers, format!("{most} ").as_bytes());
    let details = "The body is longer than 1048576 bytes, the most that is read.";
    assert_fails(&answer, 400, None, "PARSE_ERROR", details);
}

#[test]
fn what_a_client_sends_of_its_own_is_passed_over() {
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
fn a_flag_is_asked_for_with_post() {
    let service = with_three_customers();
    for path in [FLAGS, "/ofrep/v1/evaluate/flags/a/b"] {
        let answer = service.get(path);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("OPTIONS, POST")), "{path}");
    }
}
