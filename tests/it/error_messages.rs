//! What an error repeats of the request that caused it.

use entgate::id::{Timestamp, Utc};
use serde_json::json;

use crate::support::{Answer, NOW, SECRET, Service, configured, event, service, signed, take_log};

/// Asserts that an error is short, although the request has a long string.
#[track_caller]
fn assert_short(why: &str, answer: &Answer) {
    assert!((400..500).contains(&answer.status), "{why}: {answer:?}");
    let length = answer.body.to_string().chars().count();
    assert!(length < 800, "{why}: {length} characters");
}

#[test]
fn no_error_repeats_a_long_string_of_a_url() {
    let service = service();
    let (long, digits) = ("x".repeat(20_000), "9".repeat(20_000));
    for (why, target) in [
        ("a path", format!("/{long}")),
        ("a path of the catalog", format!("/v1/products/{long}")),
        ("a parameter", format!("/v1/check?{long}=1")),
        ("brackets", format!("/v1/check?a[{long}=1")),
        ("two ways", format!("/v1/check?{long}=1&{long}[a]=1")),
        ("an id", format!("/v1/check?customer={long}&feature=sms")),
        ("a flag", format!("/v1/check?customer=c&feature=f&fresh={long}")),
        ("an integer", format!("/v1/check?customer=c&feature=f&at_least={long}")),
        ("digits", format!("/v1/stream?customer=c&last_event_id=-{digits}")),
        ("too large an integer", format!("/v1/activity?limit={digits}")),
        ("expand", format!("/v1/customer/c/entitlements?expand[]={long}")),
        ("a cursor", format!("/v1/activity?starting_after={long}")),
        ("an override", format!("/v1/customers/c/overrides/{long}")),
        ("a change", format!("/v1/customers/c/history?starting_after={long}")),
        ("a time", format!("/v1/explain?customer=c&feature=f&at={digits}")),
        ("a denied feature", format!("/v1/authorize?customer=c&feature={long}")),
    ] {
        assert_short(why, &service.get(&target));
    }
    let method = "M".repeat(500);
    for (why, method, target) in [
        ("a method", method.as_str(), "/v1/check"),
        ("a path and its method", "PATCH", &format!("/v1/customer/{long}/entitlements")),
    ] {
        let answer = service.request(method, target, &[], b"");
        assert_eq!(answer.status, 405, "{why}");
        assert_short(why, &answer);
    }
}

#[test]
fn no_error_repeats_a_long_string_of_a_body_or_a_header() {
    let service = service();
    let long = "x".repeat(50_000);
    let post = |target: &str, headers: &[(&str, &str)], body: &str| {
        service.request("POST", target, headers, body.as_bytes())
    };
    let key = ("authorization", "Bearer sk_test_entgate");
    let json = [key, ("content-type", "application/json")];
    let many: Vec<_> = (0..900).map(|index| format!("parameter_{index}=1")).collect();
    let many = format!("customer=c&feature=f&{}", many.join("&"));
    assert_short("many parameters", &post("/v1/check", &[key], &many));
    let member = format!(r#"{{"checks":[{{"{long}":1,"customer":"c","feature":"f"}}]}}"#);
    assert_short("a member", &post("/v1/check", &json, &member));
    let map = format!(r#"{{"customer":{{"{long}":1}},"feature":"f"}}"#);
    assert_short("a map", &post("/v1/check", &json, &map));
    let metadata =
        format!(r#"{{"feature":"f","effect":"grant","reason":"r","metadata":{{"{long}":"1"}}}}"#);
    assert_short("metadata", &post("/v1/customers/c/overrides", &json, &metadata));
    let reason = format!(r#"{{"feature":"f","effect":"grant","reason":"{long}"}}"#);
    assert_short("a reason", &post("/v1/customers/c/overrides", &json, &reason));
    let context = r#"{"context":{"targetingKey":"c"}}"#;
    let flag = format!("/ofrep/v1/evaluate/flags/{}", "f".repeat(20_000));
    assert_short("a flag key", &post(&flag, &json, context));

    for (why, credential) in
        [("a key", format!("Bearer sk_test_{long}")), ("a token", format!("Bearer eyJ{long}.a.b"))]
    {
        assert_short(why, &post("/v1/check", &[("authorization", &credential)], "{}"));
    }
    let event = format!("\"{long}\"");
    let signature = signed(&event, "whsec_test_entgate", NOW);
    let answer = post("/webhooks/stripe", &[("stripe-signature", &signature)], &event);
    assert_short("an event", &answer);
    assert!(answer.error("message").ends_with("expected an event at line 1 column 50002."));
}

/// A deployment of test mode, whose source is Stripe.
fn test_mode() -> Service {
    configured(&[("ENTGATE_API_KEYS", "sk_test_entgate"), ("STRIPE_WEBHOOK_SECRETS", SECRET)])
}

#[test]
fn a_401_says_whose_keys_are_needed_and_of_which_mode() {
    let own = "The keys are entgate's own, in ENTGATE_API_KEYS, and not Stripe's. This deployment";
    for (keys, modes) in [
        ("sk_test_entgate", "has keys of test mode only."),
        ("rk_live_entgate", "has keys of live mode only."),
        ("sk_test_entgate,sk_live_entgate", "has keys of test mode and of live mode."),
        ("", "has none, because that is not set."),
    ] {
        let service = configured(&[("ENTGATE_API_KEYS", keys)]);
        for target in ["/v1/check?customer=c&feature=f", "/v1/activity"] {
            let headers = [("authorization", "Bearer sk_live_0123456789abcdef")];
            let invalid = service.request("GET", target, &headers, b"");
            let message = format!("Invalid API Key provided: sk_live_****cdef. {own} {modes}");
            assert_eq!((invalid.status, invalid.error("message")), (401, message.as_str()));
            let missing = service.request("GET", target, &[], b"");
            let message = missing.error("message");
            assert!(message.starts_with("You did not provide an API key. "), "{message}");
            assert!(message.ends_with(&format!(" {own} {modes}")), "{message}");
        }
    }
}

#[test]
fn an_unknown_parameter_is_named_before_a_missing_one_with_the_name_that_was_meant() {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate"),
        ("ENTGATE_TOKEN_SECRETS", "token_test_entgate_not_for_production"),
    ]);
    for (method, target, body, expected) in [
        ("GET", "/v1/check?custmer=c&feature=f", "", "custmer. Did you mean customer?"),
        ("GET", "/v1/check?customer=c&features=f", "", "features. Did you mean feature?"),
        ("GET", "/v1/check?customer=c&feature=f&atLeast=1", "", "atLeast. Did you mean at_least?"),
        ("GET", "/v1/check?color=red", "", "color"),
        ("GET", "/v1/authorize?customer_id=c", "", "customer_id. Did you mean customer?"),
        ("GET", "/v1/snapshot?user=c", "", "user"),
        ("GET", "/v1/stream?custommer=c", "", "custommer. Did you mean customer?"),
        ("GET", "/v1/activity?limits=3", "", "limits. Did you mean limit?"),
        ("POST", "/v1/tokens", r#"{"Customer":"c"}"#, "Customer. Did you mean customer?"),
        ("POST", "/v1/check", r#"{"feature":"f","user":"c"}"#, "user"),
        (
            "POST",
            "/v1/check",
            r#"{"checks":[{"customer":"c","feture":"f"}]}"#,
            "checks[0][feture]. Did you mean checks[0][feature]?",
        ),
    ] {
        let headers =
            [("authorization", "Bearer sk_test_entgate"), ("content-type", "application/json")];
        let answer = service.request(method, target, &headers, body.as_bytes());
        let message = format!("Received unknown parameter: {expected}");
        let outcome = (answer.status, answer.error("code"), answer.error("message"));
        assert_eq!(outcome, (400, "parameter_unknown", message.as_str()), "{target} {body}");
    }
    let several = service.get("/v1/check?color=red&size=9&customer=c");
    assert_eq!(several.error("message"), "Received unknown parameters: color, size");
    let missing = service.get("/v1/check?customer=c");
    assert_eq!(missing.error("message"), "Missing required param: feature.");
}

#[test]
fn a_path_without_a_route_names_the_path_that_was_meant() {
    let service = test_mode();
    for (method, target, meant) in [
        ("GET", "/v1/chek?customer=c&feature=f", Some("/v1/check")),
        ("GET", "/check?customer=c&feature=f", Some("/v1/check")),
        ("GET", "/v1/check/", Some("/v1/check")),
        ("GET", "//v1/check", Some("/v1/check")),
        ("GET", "/V1/Check", Some("/v1/check")),
        ("GET", "/health", Some("/healthz")),
        ("GET", "/v1/customers/cus_ada/entitlements", Some("/v1/customer/{id}/entitlements")),
        ("POST", "/v1/customer/cus_ada/sync", Some("/v1/customers/{id}/sync")),
        ("POST", "/webhook/stripe", Some("/webhooks/stripe")),
        ("GET", "/v1/entitlements", None),
        ("GET", "/v1/weather", None),
        ("GET", "/", None),
    ] {
        let headers = [("authorization", "Bearer sk_test_entgate")];
        let answer = service.request(method, target, &headers, b"");
        let path = target.split('?').next().unwrap();
        let meant = meant.map(|meant| format!(" Did you mean {meant}?")).unwrap_or_default();
        let message = format!("Unrecognized request URL ({method}: {path}).{meant}");
        assert_eq!((answer.status, answer.error("message")), (404, message.as_str()), "{target}");
    }
}

#[test]
fn json_that_is_sent_as_something_else_is_named_with_the_header() {
    let service = test_mode();
    let body = json!({ "customer": "cus_ada", "feature": "sms" }).to_string();
    let key = ("authorization", "Bearer sk_test_entgate");
    for (content_type, sent) in [
        (None, "there is no Content-Type"),
        (Some("text/plain"), "the Content-Type is text/plain"),
        (
            Some("application/x-www-form-urlencoded"),
            "the Content-Type is application/x-www-form-urlencoded",
        ),
    ] {
        let mut headers = vec![key];
        headers.extend(content_type.map(|content_type| ("content-type", content_type)));
        for body in [body.clone(), format!(" \n{body}"), "[1]".to_owned()] {
            let answer = service.request("POST", "/v1/check", &headers, body.as_bytes());
            let message = format!(
                "The body looks like JSON, and {sent}. Send the header `Content-Type: application/json`."
            );
            assert_eq!((answer.status, answer.error("message")), (400, message.as_str()));
        }
    }
    let form = service.request("POST", "/v1/check", &[key], b"customer=cus_ada&feature=sms");
    assert_eq!(form.status, 200);
}

/// The dates are from Python's `datetime`.
#[test]
fn a_timestamp_is_a_date_in_utc() {
    for (seconds, expected) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (-1, "1969-12-31 23:59:59 UTC"),
        (951_868_799, "2000-02-29 23:59:59 UTC"),
        (4_107_542_399, "2100-02-28 23:59:59 UTC"),
        (253_402_300_799, "9999-12-31 23:59:59 UTC"),
        (-62_135_596_800, "0001-01-01 00:00:00 UTC"),
    ] {
        assert_eq!(Utc(Timestamp(seconds)).to_string(), expected);
    }
    for seconds in [i64::MIN, i64::MAX] {
        assert!(Utc(Timestamp(seconds)).to_string().ends_with(" UTC"));
    }
}

#[test]
fn a_time_in_a_message_is_a_date() {
    let service = test_mode();
    let body = event("cus_ada", 1_700_000_000, &["sms"], false).to_string();
    let stale = service.receives(&body, &signed(&body, SECRET, NOW.saturating_sub(301)));
    let message = "Signed at 2023-11-14 22:09:59 UTC, more than 300 s from 2023-11-14 22:15:00 UTC: Was the request replayed or delayed? Stripe creates a new signature for each delivery.";
    assert_eq!((stale.status, stale.error("message")), (400, message));
    let late = event("cus_ada", 1_700_000_401, &["sms"], false).to_string();
    let late = service.receives(&late, &signed(&late, SECRET, NOW));
    let message = "The signature is valid, but the event was not applied: `created` is 2023-11-14 22:20:01 UTC, more than 300 s after the signature of 2023-11-14 22:15:00 UTC.";
    assert_eq!((late.status, late.error("message")), (400, message));
}

#[test]
fn an_origin_that_is_not_allowed_is_logged_once_with_the_setting() {
    let service = configured(&[
        ("ENTGATE_API_KEYS", "sk_test_entgate"),
        ("ENTGATE_ALLOWED_ORIGINS", "https://app.example"),
    ]);
    let from = |origin: &str, path: &str| {
        service.request("GET", &format!("http://localhost:8787{path}"), &[("origin", origin)], b"")
    };
    take_log();
    let line = |origin: &str| {
        format!(
            "refused a request of a page of another origin: {origin}. To allow it, add the origin to ENTGATE_ALLOWED_ORIGINS"
        )
    };
    for (why, origin, path, logged) in [
        ("an allowed one", "https://app.example", "/healthz", vec![]),
        ("this machine, in development", "http://localhost:3000", "/healthz", vec![]),
        ("the console's own", "http://localhost:8787", "/healthz", vec![]),
        ("another one", "https://other.example", "/healthz", vec![line("https://other.example")]),
        ("the same again", "https://other.example", "/v1/check", vec![]),
        ("a route for servers", "https://third.example", "/v1/activity", vec![]),
    ] {
        from(origin, path);
        assert_eq!(take_log(), logged, "{why}");
    }
    // One of them was logged before: 19 more are, and then none.
    for index in 0..30 {
        from(&format!("https://{index}.example"), "/healthz");
    }
    assert_eq!(take_log().len(), 19);
}
