//! Keys, methods, paths, body limits, webhooks and health over HTTP.

use entgate::api::body::MAX_WEBHOOK_BYTES;
use serde_json::json;

use crate::support::{LIVE_KEY, NOW, SECRET, configured, event, service, signed};

const CHECK: &str = "/v1/check?customer=cus_ada&feature=sms";

/// The end of a 401 of [`service()`].
const KEYS: &str = "The keys are entgate's own, in ENTGATE_API_KEYS, and not Stripe's. This deployment \
                    has keys of test mode and of live mode.";

#[test]
fn a_server_key_is_accepted_as_bearer_and_as_basic() {
    let service = service();
    for authorization in [
        "Bearer sk_test_entgate",
        "bearer  sk_test_entgate",
        "Basic c2tfdGVzdF9lbnRnYXRlOg==",     // sk_test_entgate:
        "Basic c2tfdGVzdF9lbnRnYXRl",         // sk_test_entgate
        "basic c2tfdGVzdF9lbnRnYXRlOmFueQ==", // sk_test_entgate:any
    ] {
        let answer = service.request("GET", CHECK, &[("authorization", authorization)], b"");
        assert_eq!(answer.status, 200, "{authorization}");
    }
}

#[test]
fn without_a_valid_key_every_server_route_returns_401() {
    let service = service();
    let none = "You did not provide an API key. You need to provide your API key in the \
                Authorization header, using Bearer auth (e.g. 'Authorization: Bearer \
                YOUR_SECRET_KEY').";
    for (authorization, message) in [
        ("", none),
        ("Bearer", none),
        ("Bearer ", none),
        ("Basic !", none),
        ("Basic Og==", none),
        ("Token sk_test_entgate", none),
        ("Bearer sk_test_entgatf", "Invalid API Key provided: sk_test_****."),
        ("Bearer sk_test_entgate0123", "Invalid API Key provided: sk_test_****."),
        ("Bearer sk_live_abcdefghijkl", "Invalid API Key provided: sk_live_****ijkl."),
        ("Bearer é", none),
        ("Bearer pk", "Invalid API Key provided: ****."),
    ] {
        for target in
            [CHECK, "/v1/entitlements/active_entitlements", "/v1/customer/cus_ada/entitlements"]
        {
            let answer = service.request("GET", target, &[("authorization", authorization)], b"");
            assert_eq!(answer.status, 401, "{authorization} {target}");
            assert_eq!(
                answer.body["error"],
                json!({ "type": "invalid_request_error", "message": format!("{message} {KEYS}") }),
                "{authorization} {target}"
            );
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"entgate\""));
        }
    }
    assert_eq!(service.request("POST", "/v1/check", &[], b"{}").status, 401);
}

#[test]
fn without_configured_keys_the_401_names_the_setting() {
    let answer = configured(&[]).get(CHECK);
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.error("message"),
        "Invalid API Key provided: sk_test_****. The keys are entgate's own, in ENTGATE_API_KEYS, and \
         not Stripe's. This deployment has none, because that is not set."
    );
}

#[test]
fn a_server_key_gives_access_to_its_own_mode() {
    let service = service();
    service.stripe_sends(&event("cus_ada", 1, &["sms"], false));
    assert_eq!(service.get(CHECK).body["entitled"], true);
    let live = format!("Bearer {LIVE_KEY}");
    let answer = service.request("GET", CHECK, &[("authorization", &live)], b"");
    assert_eq!(answer.body["reason"], "unknown_customer");
}

#[test]
fn an_unknown_path_returns_404_in_stripes_wording() {
    let service = service();
    for path in [
        "/v1/checks",
        "/v1/check/",
        "/v1",
        "//v1/check",
        "/v1/customer",
        "/v1/customer/cus_ada",
        "/v1/customer/cus_ada/entitlementz",
        "/v1/customer/cus_ada/entitlements/",
        "/v1/customer/cus_ada/entitlements/x",
        "/v1/customer/cus_ada/x/entitlements",
        "/v1/customer/%FF/entitlements",
        "/V1/check",
    ] {
        let answer = service.get(path);
        assert_eq!(answer.status, 404, "{path}");
        let message = answer.error("message");
        // A similar path of a route may follow.
        let start = format!("Unrecognized request URL (GET: {path}).");
        assert!(message.starts_with(&start), "{message}");
        assert_eq!(
            answer.body["error"],
            json!({ "type": "invalid_request_error", "message": message })
        );
    }
    let empty = service.get("/v1/customer//entitlements");
    assert_eq!((empty.status, empty.error("code")), (400, "parameter_invalid_empty"));
}

#[test]
fn a_path_parameter_may_be_percent_encoded_or_not() {
    let service = service();
    for id in ["cus_ada", "{id}", "{", "}", "cus_é", "a/b"] {
        service.stripe_sends(&event(id, 1, &["sms"], false));
    }
    for id in ["cus_ada", "cus%5fada", "{id}", "%7Bid%7D", "{", "}", "cus_é", "cus_%c3%a9", "a%2Fb"]
    {
        let answer = service.get(&format!("/v1/customer/{id}/entitlements"));
        assert_eq!(answer.status, 200, "{id}");
        assert_eq!(answer.body["data"][0]["lookup_key"], "sms", "{id}");
    }
}

#[test]
fn an_unsupported_method_returns_405_with_the_allowed_methods() {
    let service = service();
    for (method, path, allowed) in [
        ("DELETE", "/v1/check", "OPTIONS, GET, HEAD, POST"),
        ("GET", "/webhooks/stripe", "OPTIONS, POST"),
        ("HEAD", "/webhooks/stripe", "OPTIONS, POST"),
        ("POST", "/healthz", "OPTIONS, GET, HEAD"),
        ("PUT", "/v1/entitlements/active_entitlements", "OPTIONS, GET, HEAD"),
        ("BREW", "/v1/customer/cus_ada/entitlements", "OPTIONS, GET, HEAD"),
    ] {
        let answer = service.request(method, path, &[], b"");
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        if method != "HEAD" {
            assert_eq!(
                answer.error("message"),
                format!("{path} does not accept {method}. It accepts {allowed}.")
            );
        }
        let options = service.request("OPTIONS", path, &[], b"");
        assert_eq!((options.status, options.header("allow")), (204, Some(allowed)), "{path}");
        assert!(options.is_empty());
    }
}

#[test]
fn head_returns_the_headers_of_get_without_the_body() {
    let service = service();
    let headers = [("authorization", "Bearer sk_test_entgate")];
    let head = service.request("HEAD", CHECK, &headers, b"");
    assert_eq!((head.status, head.is_empty()), (200, true));
    assert_eq!(head.header("content-type"), Some("application/json"));
    assert_eq!(service.request("HEAD", CHECK, &[], b"").status, 401);
}

#[test]
fn a_body_of_one_mebibyte_is_accepted_and_one_byte_more_returns_413() {
    let service = service();
    let grant = event("cus_ada", 1, &["sms"], false).to_string();
    let at_limit = format!("{grant}{}", " ".repeat(MAX_WEBHOOK_BYTES - grant.len()));
    assert_eq!(service.receives(&at_limit, &signed(&at_limit, SECRET, NOW)).status, 200);

    let past_limit = format!("{at_limit} ");
    let answer = service.receives(&past_limit, &signed(&past_limit, SECRET, NOW));
    assert_eq!(answer.status, 413);
    assert_eq!(answer.error("message"), "The body is longer than 1048576 bytes, the maximum.");
}

#[test]
fn an_invalid_webhook_signature_returns_400_with_advice_for_the_operator() {
    let service = service();
    let body = event("cus_ada", 1, &["sms"], false).to_string();
    for (signature, advice) in [
        (
            String::new(),
            "Malformed signature header: The Stripe-Signature header must be passed on",
        ),
        (signed(&body, "whsec_other", NOW), "No signature matches: Put the signing secret of this"),
        (
            signed(&body, SECRET, entgate::id::Timestamp(NOW.0 - 301)),
            "Signed at 2023-11-14 22:09:59 UTC, more than 300 s from 2023-11-14 22:15:00 UTC: Was the request replayed",
        ),
    ] {
        let answer = service.receives(&body, &signature);
        assert_eq!((answer.status, answer.error("code")), (400, "signature_invalid"));
        let message = answer.error("message");
        assert!(message.starts_with(advice), "{message}");
        assert!(!message.contains(SECRET), "{message}");
    }
    assert_eq!(service.check("cus_ada", "sms").1, "unknown_customer");

    let missing = service.request("POST", "/webhooks/stripe", &[], body.as_bytes());
    assert_eq!((missing.status, missing.error("code")), (400, "signature_invalid"));

    let unparsable = service.receives("{}", &signed("{}", SECRET, NOW));
    assert_eq!(
        (unparsable.status, unparsable.error("message")),
        (
            400,
            "The signature is valid, but the event cannot be parsed: missing field `id` at line 1 column 2."
        )
    );
}

#[test]
fn an_unparsable_event_returns_400_with_stripes_name_for_the_part() {
    let service = service();
    let event = |data: &str| {
        let kind = "entitlements.active_entitlement_summary.updated";
        format!(r#"{{"id":"evt_1","type":"{kind}","created":1,"livemode":false,"data":{data}}}"#)
    };
    for (body, problem) in [
        ("\"AAA\"".to_owned(), "string \"AAA\", expected an event"),
        // serde decodes a struct from an array of its fields too.
        (r#"["evt_1","invoice.paid",null,null]"#.to_owned(), "sequence, expected an event"),
        (event(r#"[{"customer":"cus_ada"}]"#), "sequence, expected the data of an event"),
        (event(r#"{"object":["cus_ada",false]}"#), "sequence, expected a summary"),
        (
            event(
                r#"{"object":{"customer":"cus_ada","livemode":false,"entitlements":[[],false]}}"#,
            ),
            "sequence, expected a list of entitlements",
        ),
        (
            event(
                r#"{"object":{"customer":"cus_ada","livemode":false,"entitlements":{"data":[["ent_1","feat_1","sms"]],"has_more":false}}}"#,
            ),
            "sequence, expected an entitlement",
        ),
        (
            event(r#"{"object":["cus_ada"]}"#)
                .replace("entitlements.active_entitlement_summary.updated", "customer.deleted"),
            "sequence, expected a customer",
        ),
        (event("1"), "integer `1`, expected the data of an event"),
        (event(r#"{"object":1}"#), "integer `1`, expected a summary"),
        (
            event(r#"{"object":{"customer":"cus_ada","livemode":false,"entitlements":1}}"#),
            "integer `1`, expected a list of entitlements",
        ),
        (
            event(
                r#"{"object":{"customer":"cus_ada","livemode":false,"entitlements":{"data":[1],"has_more":false}}}"#,
            ),
            "integer `1`, expected an entitlement",
        ),
        (
            event(r#"{"object":1}"#)
                .replace("entitlements.active_entitlement_summary.updated", "customer.deleted"),
            "integer `1`, expected a customer",
        ),
    ] {
        let answer = service.receives(&body, &signed(&body, SECRET, NOW));
        let prefix = format!(
            "The signature is valid, but the event cannot be parsed: invalid type: {problem} at line"
        );
        let message = answer.error("message");
        assert!(answer.status == 400 && message.starts_with(&prefix), "{message}");
    }
}

#[test]
fn without_a_secret_the_webhook_returns_503_with_the_name_of_the_setting() {
    let service = configured(&[("ENTGATE_API_KEYS", "sk_test_entgate")]);
    let answer = service.receives("{}", &signed("{}", SECRET, NOW));
    assert_eq!((answer.status, answer.error("type")), (503, "api_error"));
    assert!(answer.error("message").contains("STRIPE_WEBHOOK_SECRETS"));
}

#[test]
fn a_failed_ledger_returns_503_and_stripe_may_retry() {
    use entgate::store::memory::Fault;
    let grant = event("cus_ada", 1, &["sms"], false);
    for (fault, outcome) in [(Fault::Before, "applied"), (Fault::After, "duplicate")] {
        let service = service();
        service.store.ledger.fail_next(fault);
        let failed = service.stripe_sends(&grant);
        assert_eq!((failed.status, failed.header("retry-after")), (503, Some("1")), "{fault:?}");
        let retry = service.stripe_sends(&grant);
        assert_eq!((retry.status, &retry.body["outcome"]), (200, &json!(outcome)), "{fault:?}");
        assert!(service.check("cus_ada", "sms").0, "{fault:?}");
    }
}
