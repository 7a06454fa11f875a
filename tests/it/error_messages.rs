//! What an error repeats of the request that caused it.

use crate::support::{Answer, NOW, service, signed};

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
